/** `tunebook sagemaker train`: a training job of Amazon SageMaker. */
import fs from 'node:fs';
import path from 'node:path';
import { describeEnd, exitCodeOfRanks, localPlaces, runRanks } from '../distributed/local.js';
import { visibleGpus, type RankPlace } from '../distributed/rank-environment.js';
import { argumentsOfJob, deliverResults, placesOfJob, sagemakerFolders } from '../platforms/sagemaker.js';
import { normalizeFlags } from './settings-flags.js';
import { mainProgram } from './main-program.js';

/**
 * Runs a command to its end.
 * @returns its exit code, and its error message
 */
async function run(places: RankPlace[], argv: string[]): Promise<{ code: number; message: string }> {
  let errorOutput = '';
  const ends = await runRanks(places, [process.execPath, mainProgram, ...argv], (text) => {
    errorOutput = (errorOutput + text).slice(-10_000);
  });
  // Errors have their class and code before them; later lines are their continuation.
  const [message] = /^\w+Error\b.*$/ms.exec(errorOutput) ?? [ends.map(describeEnd).join('; ')];
  return { code: exitCodeOfRanks(ends), message: message.trim() };
}

/**
 * Trains as the files of the job say, exports the model for serving, and copies model and results to where SageMaker reads them.
 * If that fails, the reason is written to SageMaker's file.
 * @throws FileError, SettingsError for a configuration that is invalid or not supported
 */
export async function trainOnSagemaker(): Promise<void> {
  const folders = sagemakerFolders();
  const fail = (reason: string) => {
    fs.mkdirSync(path.dirname(folders.failure), { recursive: true });
    fs.writeFileSync(folders.failure, reason);
  };
  try {
    const places = placesOfJob(folders, visibleGpus().length);
    const isChief = places[0]!.rank === 0;
    fs.mkdirSync(folders.checkpoints, { recursive: true });
    let { code, message } = await run(places, ['finetune', ...normalizeFlags(argumentsOfJob(folders))]);
    if (code === 0 && isChief) ({ code, message } = await run(await localPlaces(1), ['export', folders.checkpoints]));
    if (isChief) deliverResults(folders);
    if (code !== 0) fail(message);
    process.exitCode = code;
  } catch (error) {
    fail((error as Error).message);
    throw error;
  }
}
