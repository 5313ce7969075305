/** `tunebook finetune` as a child process, for commands that start several runs. */
import { spawn, type ChildProcess, type IOType } from 'node:child_process';
import { exitCodes, type EndingSignal } from '../errors.js';
import { forwardSignals } from '../signals.js';
import { mainProgram } from './main-program.js';

/** A run that has started. */
export interface FinetuneProcess {
  child: ChildProcess;
  /** Its exit code. */
  ended: Promise<number>;
}

/**
 * Starts `tunebook finetune --resume`.
 * @param argv flags of the run
 * @param folder of the run
 * @param options.output where its standard output and error go
 * @param options.environment added to that of this process, or replacing it
 */
export function startFinetune(
  argv: string[],
  folder: string,
  { output, environment }: { output: [IOType | NodeJS.WriteStream, IOType]; environment: NodeJS.ProcessEnv },
): FinetuneProcess {
  // Each run is a separate MLflow run.
  const { MLFLOW_RUN_ID: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [mainProgram, 'finetune', ...argv, '--run-folder', folder, '--resume'], {
    stdio: ['ignore', ...output],
    env: { ...inherited, ...environment },
    // In its own process group, so that it receives Ctrl-C once: from the command, not from the terminal as well.
    detached: true,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) =>
      resolve(status ?? (signal && signal in exitCodes ? exitCodes[signal as EndingSignal] : exitCodes.unexpected)),
    );
  });
  return { child, ended };
}

/**
 * Runs `tunebook finetune --resume` until it ends; signals are forwarded to it.
 * @param output where its standard output goes. @default 'stdout'
 * @returns the exit code
 */
export async function runFinetune(
  argv: string[],
  folder: string,
  output: 'stdout' | 'stderr' = 'stdout',
): Promise<number> {
  const { child, ended } = startFinetune(argv, folder, { output: [process[output], 'inherit'], environment: {} });
  const stop = forwardSignals([child]);
  try {
    return await ended;
  } finally {
    stop();
  }
}
