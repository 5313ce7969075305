/** `tunebook finetune` as a child process, for commands that start several runs one after the other. */
import { spawn } from 'node:child_process';
import { exitCodes, type EndingSignal } from '../errors.js';
import { forwardSignals } from '../signals.js';
import { mainProgram } from './main-program.js';

/**
 * Runs `tunebook finetune --resume` until it ends; signals are forwarded to it.
 * @param argv flags of the run
 * @param folder of the run
 * @param output where its standard output goes. @default 'stdout'
 * @returns the exit code
 */
export function runFinetune(argv: string[], folder: string, output: 'stdout' | 'stderr' = 'stdout'): Promise<number> {
  // Each run is a separate MLflow run.
  const { MLFLOW_RUN_ID: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    [mainProgram, 'finetune', ...argv, '--run-folder', folder, '--resume'],
    // In its own process group, so that it receives Ctrl-C once: from forwardSignals, not from the terminal as well.
    { stdio: ['ignore', process[output], 'inherit'], env, detached: true },
  );
  const stop = forwardSignals([child]);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      stop();
      resolve(status ?? (signal && signal in exitCodes ? exitCodes[signal as EndingSignal] : exitCodes.unexpected));
    });
  });
}
