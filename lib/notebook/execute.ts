/** Runs a notebook headlessly in the project's own Jupyter, and tells the caller what happens while it happens. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CellError, InterruptedError, type EndingSignal } from '../errors.js';
import { onEndingSignal } from '../signals.js';

/** The checkout's root. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

export type NotebookEvent =
  | { event: 'cell'; cell: number; cells: number; first: string }
  | { event: 'error'; cell: number; line: number | null; message: string; source: string }
  | { event: 'done' };

/**
 * While it runs, SIGINT (Ctrl-C) is the kernel's: a training cell ends itself after its step and the notebook goes on, any
 * other cell fails. A second SIGINT, SIGTERM or SIGHUP ends the run.
 * @param options.executed where the executed notebook is written, also when a cell fails
 * @param options.report where the HTML report is written
 * @param options.environment added to this process's for the kernel
 * @throws CellError when a cell fails or a promise that nobody awaited does, InterruptedError when a signal ended the run
 */
export async function executeNotebook(
  notebook: string,
  options: {
    executed: string;
    report: string;
    environment?: Record<string, string>;
    onEvent?: (event: NotebookEvent) => void;
    /** Called at the first SIGINT. */
    onInterrupt?: () => void;
  },
): Promise<void> {
  const child = spawn(
    path.join(root, '.venv/bin/python'),
    [path.join(root, 'lib/notebook/execute.py'), notebook, options.executed, options.report],
    // Of all Jupyter settings and kernels on this machine, only the project's own.
    {
      env: {
        ...process.env,
        JUPYTER_PREFER_ENV_PATH: '1',
        PYDEVD_DISABLE_FILE_VALIDATION: '1',
        ...options.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a group of its own: the terminal's Ctrl-C reaches it by the handler below alone, once.
      detached: true,
    },
  );
  let received: EndingSignal | undefined;
  let atOnce = false;
  const stop = onEndingSignal((name) => {
    atOnce = received !== undefined || name !== 'SIGINT';
    received ??= name;
    if (!atOnce) options.onInterrupt?.();
    child.kill(atOnce ? 'SIGTERM' : 'SIGINT');
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
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
  if (received && atOnce) throw new InterruptedError('Ended at once, as asked.', received);
  if (received && failure) throw new InterruptedError(`Interrupted in cell ${failure.cell}.`, received);
  if (failure) throw failure;
  if (status !== 0) throw new Error(`The notebook could not be run:\n${words.trim().split('\n').slice(-8).join('\n')}`);
}
