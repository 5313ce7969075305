/** Executes a notebook headlessly in the project's Jupyter, and reports its progress to the caller. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { packageFolder, python } from '#setup/paths.mjs';
import { CellError, InterruptedError, NotebookError, type EndingSignal } from '../errors.js';
import { onEndingSignal } from '../signals.js';

/** Progress of an execution; `first` is the first line of a cell. */
export type NotebookEvent =
  | { event: 'cell'; cell: number; cells: number; first: string }
  | { event: 'error'; cell: number; line: number | null; message: string; source: string }
  | { event: 'done' };

/**
 * Executes a notebook. During execution, SIGINT (Ctrl-C) goes to the kernel: a training cell stops after its step and
 * the notebook continues; any other cell fails. A second SIGINT, SIGTERM or SIGHUP ends the execution.
 * @param options.executed file for the executed notebook, which is written also if a cell fails
 * @param options.report file for the HTML report
 * @param options.environment environment variables for the kernel, in addition to those of this process
 * @throws CellError if a cell fails or a promise rejection is unhandled, InterruptedError if a signal ended the
 * execution, NotebookError if Jupyter failed
 */
export async function executeNotebook(
  notebook: string,
  options: {
    executed: string;
    report: string;
    environment?: Record<string, string>;
    onEvent?: (event: NotebookEvent) => void;
    /** Called on the first SIGINT. */
    onInterrupt?: () => void;
  },
): Promise<void> {
  const child = spawn(
    python,
    [path.join(packageFolder, 'notebook/execute.py'), notebook, options.executed, options.report],
    // Uses only the project's Jupyter settings and kernels, not others on this machine.
    {
      env: {
        ...process.env,
        JUPYTER_PREFER_ENV_PATH: '1',
        PYDEVD_DISABLE_FILE_VALIDATION: '1',
        ...options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In its own process group, so that it receives Ctrl-C once: from the handler below, not from the terminal too.
      detached: true,
    },
  );
  let received: EndingSignal | undefined;
  let immediate = false;
  const stop = onEndingSignal((name) => {
    immediate = received !== undefined || name !== 'SIGINT';
    received ??= name;
    if (!immediate) options.onInterrupt?.();
    child.kill(immediate ? 'SIGTERM' : 'SIGINT');
  });
  let errorOutput = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errorOutput += text));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  let failure: CellError | undefined;
  let status: number | null;
  try {
    for await (const line of readline.createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as NotebookEvent;
      if (event.event === 'error') failure = new CellError(event.cell, event.line, event.message, event.source);
      options.onEvent?.(event);
    }
    status = await exit;
  } finally {
    stop();
  }
  if (received && immediate) throw new InterruptedError(`Stopped at once after ${received}.`, received);
  if (received && failure) throw new InterruptedError(`Interrupted in cell ${failure.cell}.`, received);
  if (failure) throw failure;
  if (status !== 0)
    throw new NotebookError(
      'NOTEBOOK_NOT_EXECUTED',
      `${notebook} could not be executed. Check this machine with: npx tunebook doctor. Jupyter printed:\n${errorOutput.trim().split('\n').slice(-8).join('\n')}`,
      { notebook },
    );
}
