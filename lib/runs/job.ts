/**
 * What every training command is, whatever it trains: a run's folder that is kept for itself, a journal of all that happens,
 * checkpoints that are gone on from, signals, and a status at the end, also when it fails.
 */
import os from 'node:os';
import type { DownloadProgress } from '../hub/download.js';
import { chooseSources, type Sources } from '../hub/sources.js';
import type { ResolvedSettings, Settings } from '../settings.js';
import { openJournal, type Journal, type JournalEntry } from '../tracking/journal.js';
import { followRun, type Tracking } from '../tracking/follow.js';
import type { MlflowSettings } from '../tracking/mlflow-client.js';
import type { Checkpoint } from '../training/checkpoint.js';
import type { CheckpointOptions, EndOfTraining, TrainingRecord } from '../training/loop.js';
import { describeEnvironment } from './environment.js';
import { exitCodeOf, exitCodes, wordsOf } from './exit-codes.js';
import type { RunCommand, RunFolder, RunStatus } from './run-folder.js';
import { watchSignals } from './signals.js';

export interface JobOptions {
  resolved: ResolvedSettings;
  run: RunFolder;
  /** The server that tracks the run, if one does. */
  mlflow?: MlflowSettings | undefined;
  /** Told of all that happens, as the journal is. */
  onEntry?: (entry: JournalEntry) => void;
}

/** What a training command works with. */
export interface Job {
  run: RunFolder;
  settings: Settings;
  sources: Sources;
  journal: Journal;
  /** The newest whole one; none at the beginning of a run. */
  checkpoint: Checkpoint | undefined;
  download: { onProgress: (progress: DownloadProgress) => void };
  /** Tells the reader something. */
  note: (words: string) => void;
  /** Training that a signal may end, and what it is told of records and checkpoints. */
  train: <Result>(
    work: (
      options: CheckpointOptions & { onRecord: (record: TrainingRecord) => void; signal: AbortSignal },
    ) => Promise<Result>,
  ) => Promise<Result>;
}

/** The least time between two words on one download. */
const pauseMilliseconds = 500;

function tellDownloads(journal: Journal): Job['download'] {
  let told = -Infinity;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - told < pauseMilliseconds && progress.received < progress.size) return;
      told = now;
      journal.write('download', progress);
    },
  };
}

/**
 * Runs a job in its folder.
 * @returns how it ended, and the exit code that says so
 * @throws whatever stopped it, after it was written down
 */
export async function runJob(
  command: RunCommand,
  { resolved, run, mlflow, onEntry = () => {} }: JobOptions,
  work: (job: Job) => Promise<EndOfTraining>,
): Promise<{ end: EndOfTraining; exitCode: number }> {
  const tell = (words: string) => onEntry({ kind: 'note', time: new Date().toISOString(), words });
  const unlock = await run.lock(tell);
  const started: RunStatus = {
    state: 'running',
    startedAt: run.status?.startedAt ?? new Date().toISOString(),
    starts: (run.status?.starts ?? 0) + 1,
    process: { id: process.pid, host: os.hostname() },
  };
  const { settings, origins } = resolved;
  let journal: Journal | undefined;
  let tracking: Tracking | undefined;
  const conclude = (ending: Pick<RunStatus, 'state' | 'exitCode'> & { message?: string }) => {
    try {
      run.write('status.json', { ...started, ...ending, endedAt: new Date().toISOString() });
      journal?.write('end', ending);
    } catch (error) {
      // A full disk: what stopped the job is told on standard error all the same.
      if (ending.state !== 'failed') throw error;
    }
  };
  const signals = watchSignals(
    (name) => tell(`${name}: training ends after this step, with a checkpoint. Once more ends it at once.`),
    (name, exitCode) => conclude({ state: 'interrupted', exitCode, message: `ended at once by ${name}` }),
  );
  try {
    run.write('status.json', started);
    journal = openJournal(run.folder, onEntry);
    const { checkpoints } = run;
    const checkpoint = checkpoints.newest();
    const before = run.settings;
    journal.write('start', { command, starts: started.starts, step: checkpoint?.state.step ?? 0 });
    for (const broken of checkpoints.broken)
      journal.write('note', { words: `A checkpoint is not whole and is passed over: ${broken}.` });
    const same = (['source', 'model', 'dataset'] as const).every((name) => before?.settings[name] === settings[name]);
    if (mlflow) tracking = followRun(run.folder, mlflow, tell);
    const sources = before && same ? before.sources : await chooseSources(settings);
    run.write('settings.json', { command, settings, origins, sources });
    run.write('environment.json', describeEnvironment());
    journal.write('banner', { words: sources.banner });
    if (checkpoint) journal.write('note', { words: `Going on from ${checkpoint.folder}.` });
    const told = journal;
    const end = await work({
      ...{ run, settings, sources, journal, checkpoint },
      download: tellDownloads(journal),
      note: (words) => told.write('note', { words }),
      train: (work) =>
        signals.during((signal) =>
          work({
            checkpoints,
            resumeFrom: checkpoint,
            onCheckpoint: ({ folder, state }) => told.write('checkpoint', { step: state.step, folder }),
            onRecord: (record) => told.write('step', { ...record, memoryBytes: process.memoryUsage.rss() }),
            signal,
          }),
        ),
    });
    const exitCode = end === 'interrupted' ? exitCodes[signals.received!] : exitCodes.done;
    conclude({ state: end, exitCode });
    return { end, exitCode };
  } catch (error) {
    conclude({ state: 'failed', exitCode: exitCodeOf(error), message: wordsOf(error) });
    throw error;
  } finally {
    // A second signal need not wait for a server.
    if (tracking && !(await tracking.finish(signals.received !== undefined)))
      tell(`MLflow does not have all of this run. When it answers: tunebook track ${run.folder}`);
    signals.stop();
    await unlock();
  }
}
