/**
 * What every training command is, whatever it trains: a run's folder that is kept for itself, a journal of all that happens,
 * checkpoints that are gone on from, signals, and a status at the end, also when it fails.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exitCodes, type EndingSignal } from '../errors.js';
import type { DownloadProgress } from '../hub/download.js';
import { chooseSources, type Sources } from '../hub/sources.js';
import type { ResolvedSettings, Settings } from '../settings/settings.js';
import { openJournal, type Journal, type JournalEntry } from '../runs/journal.js';
import { followRun, type Tracking } from '../tracking/follow.js';
import type { MlflowSettings } from '../tracking/mlflow-client.js';
import { describeTask } from '../distributed/cluster-definition.js';
import type { Cluster } from '../distributed/cluster.js';
import { alone, type Ranks } from '../distributed/ranks.js';
import type { Checkpoint } from '../training/checkpoint.js';
import type { TrainOptions } from '../training/trainer.js';
import { agree, type Facts } from './join-cluster.js';
import { describeEnvironment } from '../runs/environment.js';
import { asTunebookError, describeError, exitCodeOf, messageOf } from '../runs/error-report.js';
import { RunFolder, type RunCommand, type RunStatus } from '../runs/run-folder.js';
import { watchSignals } from '../signals.js';
import type { EndOfTraining } from '../training/training-record.js';

export interface JobOptions {
  resolved: ResolvedSettings;
  run: RunFolder;
  /** The server that tracks the run, if one does. */
  mlflow?: MlflowSettings | undefined;
  /** Told of all that happens, as the journal is. */
  onEntry?: (entry: JournalEntry) => void;
  /** The ranks that do the job together, this one being the chief. */
  cluster?: Cluster | undefined;
}

/** What a training command works with. */
export interface Job {
  /** Of a rank that is not the chief a folder that nobody keeps. */
  run: RunFolder;
  settings: Settings;
  sources: Sources;
  journal: Journal;
  /** The newest whole one; none at the beginning of a run. */
  checkpoint: Checkpoint | undefined;
  download: { onProgress: (progress: DownloadProgress) => void };
  /** Tells the reader something. */
  note: (words: string) => void;
  /** Who does the job together. */
  ranks: Ranks;
  /** Makes sure that something is the same on all ranks; one alone need not know it. @throws RanksDifferError naming what is not */
  agree: (facts: () => Facts) => void;
  /** Training that a signal may end, and what it is told of records and checkpoints. */
  train: <Result>(work: (options: TrainOptions) => Promise<Result>) => Promise<Result>;
}

/** What a command has of its own: what is done with a job on each rank. */
export type JobWork = (job: Job) => Promise<EndOfTraining>;

/** How a job ended, and the exit code that says so. */
export interface JobEnd {
  end: EndOfTraining;
  exitCode: number;
}

/** A command's job, for the rank that keeps what comes of it, and for the others. */
export interface TrainingJob {
  lead: (options: JobOptions) => Promise<JobEnd>;
  follow: (cluster: Cluster, settings: Settings, tell: (words: string) => void) => Promise<JobEnd>;
}

/** The job of a command; see leadJob and followJob. */
export const trainingJob = (command: RunCommand, work: JobWork): TrainingJob => ({
  lead: (options) => leadJob(command, options, work),
  follow: (cluster, settings, tell) => followJob(cluster, settings, tell, work),
});

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

/** What of a job has to do with its ranks. */
const together = (cluster: Cluster | undefined): Pick<Job, 'ranks' | 'agree'> => ({
  ranks: cluster?.ranks ?? alone,
  agree: (facts) => cluster && agree(cluster, facts()),
});

/** The status of a run that failed with this error. */
const failed = (error: unknown): Pick<RunStatus, 'state' | 'exitCode' | 'message' | 'code'> => ({
  state: 'failed',
  exitCode: exitCodeOf(error),
  message: messageOf(error),
  code: asTunebookError(error)?.code,
});

/** How a rank ends when another one is lost while it computes: at once. */
const leaveAtLoss = (cluster: Cluster | undefined, conclude: (error: unknown) => void) =>
  cluster?.watch((error) => {
    conclude(error);
    console.error(`\n${describeError(error)}`);
    process.exit(exitCodeOf(error));
  });

/**
 * Remembers a run's folder as it is before a job, for jobs that end before training begins.
 * @returns removes what was added since, and restores the run's state
 */
function restorable(run: RunFolder): () => void {
  const existed = fs.existsSync(run.folder);
  const before = new Set(existed ? fs.readdirSync(run.folder) : []);
  const { settings, status } = run;
  return () => {
    for (const name of fs.readdirSync(run.folder))
      if (!before.has(name)) fs.rmSync(run.of(name), { recursive: true, force: true });
    if (settings) run.write('settings.json', settings);
    if (status) run.write('status.json', status);
    if (!existed) fs.rmdirSync(run.folder);
  };
}

/** The exit code of training that ended; of a rank that stopped since another was told to, as if it had been told. */
const exitCodeOfEnd = (end: EndOfTraining, received: EndingSignal | undefined): number =>
  end === 'interrupted' ? exitCodes[received ?? 'SIGTERM'] : exitCodes.done;

/**
 * Does a job's part of a rank that is not the chief: it computes, and keeps nothing.
 * @param settings the chief's
 * @param tell told what the reader should know
 * @throws whatever stopped it
 */
async function followJob(
  cluster: Cluster,
  settings: Settings,
  tell: (words: string) => void,
  work: JobWork,
): Promise<JobEnd> {
  const run = new RunFolder(fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-rank-')));
  const discard = () => fs.rmSync(run.folder, { recursive: true, force: true });
  const signals = watchSignals(
    (name) => tell(`${name}: all ranks end after this step.`),
    () => discard(),
  );
  leaveAtLoss(cluster, discard);
  try {
    const sources = cluster.ranks.fromChief<Sources | undefined>(undefined)!;
    const end = await work({
      ...{ run, settings, sources, journal: { write() {} }, checkpoint: undefined, ...together(cluster) },
      download: { onProgress() {} },
      note() {},
      train: (work) => signals.during((signal) => work({ signal, ranks: cluster.ranks })),
    });
    // The chief is not through: were it lost now, all would have to start again.
    await cluster.leave();
    return { end, exitCode: exitCodeOfEnd(end, signals.received) };
  } finally {
    signals.stop();
    discard();
  }
}

/**
 * Runs a job in its folder.
 * @throws whatever stopped it, after it was written down
 */
async function leadJob(
  command: RunCommand,
  { resolved, run, mlflow, onEntry = () => {}, cluster }: JobOptions,
  work: JobWork,
): Promise<JobEnd> {
  const shared = together(cluster);
  const tell = (words: string) => onEntry({ kind: 'note', time: new Date().toISOString(), words });
  const restore = restorable(run);
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
  let hasBegun = false;
  const conclude = (ending: Pick<RunStatus, 'state' | 'exitCode' | 'message' | 'code'>) => {
    try {
      journal?.write('end', ending);
      if (hasBegun) run.write('status.json', { ...started, ...ending, endedAt: new Date().toISOString() });
      else restore();
    } catch (error) {
      // A full disk: what stopped the job is told on standard error all the same.
      if (ending.state !== 'failed') throw error;
    }
  };
  const signals = watchSignals(
    (name) => tell(`${name}: training ends after this step, with a checkpoint. Once more ends it at once.`),
    (name, exitCode) => conclude({ state: 'interrupted', exitCode, message: `ended at once by ${name}` }),
  );
  leaveAtLoss(cluster, (error) => conclude(failed(error)));
  let lost = false;
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
    const chosen = before && same && run.hasTrained ? before.sources : await chooseSources(settings);
    const sources = shared.ranks.fromChief(chosen);
    run.write('settings.json', { command, settings, origins, sources });
    run.write('environment.json', describeEnvironment(cluster?.definition.tasks.map(describeTask)));
    journal.write('banner', { words: sources.banner });
    if (checkpoint) journal.write('note', { words: `Going on from ${checkpoint.folder}.` });
    const told = journal;
    const end = await work({
      ...{ run, settings, sources, journal, checkpoint },
      download: tellDownloads(journal),
      note: (words) => told.write('note', { words }),
      ...shared,
      train: (work) => {
        hasBegun = true;
        // A command that is refused before this leaves nothing in MLflow either. The tracker sends what the journal holds already.
        if (mlflow) tracking ??= followRun(run.folder, mlflow, tell);
        return signals.during((signal) =>
          work({
            checkpoints,
            resumeFrom: checkpoint,
            onCheckpoint: ({ folder, state }) => told.write('checkpoint', { step: state.step, folder }),
            onRecord: (record) => told.write('step', { ...record, memoryBytes: process.memoryUsage.rss() }),
            signal,
            ranks: shared.ranks,
          }),
        );
      },
    });
    const exitCode = exitCodeOfEnd(end, signals.received);
    conclude({ state: end, exitCode });
    // All is kept: who is lost now is no loss.
    await cluster?.leave().catch(() => {});
    return { end, exitCode };
  } catch (thrown) {
    const error = cluster?.explain(thrown) ?? thrown;
    lost = error !== thrown;
    conclude(failed(error));
    throw error;
  } finally {
    // A second signal need not wait for a server, nor need the other ranks.
    if (tracking && !(await tracking.finish(lost || signals.received !== undefined)))
      tell(`MLflow does not have all of this run. When it answers: tunebook track ${run.folder}`);
    signals.stop();
    await unlock();
  }
}
