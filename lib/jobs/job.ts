/**
 * The part that all training commands share: a locked run folder, a journal of all events, checkpoints to resume from,
 * signals, and a status at the end, also after a failure.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { exitCodes, type EndingSignal } from '../errors.js';
import type { DownloadProgress } from '../hub/download.js';
import { chooseSources, type Sources } from '../hub/sources.js';
import type { ResolvedSettings, Settings } from '../settings/settings.js';
import { openJournal, type Journal, type JournalEntry } from '../runs/journal.js';
import { startTracking, type Tracking } from '../tracking/follow.js';
import { TensorboardWriter } from '../tracking/tensorboard.js';
import type { MlflowSettings } from '../tracking/mlflow-client.js';
import { describeTask } from '../distributed/cluster-definition.js';
import type { Cluster } from '../distributed/cluster.js';
import { singleProcess, type Ranks } from '../distributed/ranks.js';
import type { Checkpoint } from '../training/checkpoint.js';
import type { TrainOptions } from '../training/trainer.js';
import { assertSameOnRanks, type Facts } from './join-cluster.js';
import { describeEnvironment } from '../runs/environment.js';
import { asTunebookError, describeError, exitCodeOf, messageOf } from '../runs/error-report.js';
import { RunFolder, type RunCommand, type RunStatus } from '../runs/run-folder.js';
import { watchSignals } from '../signals.js';
import type { EndOfTraining } from '../training/training-record.js';

/** Options of a job. */
export interface JobOptions {
  resolved: ResolvedSettings;
  run: RunFolder;
  /** The MLflow server that tracks the run. @default none */
  mlflow?: MlflowSettings | undefined;
  /** Called with each journal entry, and with notes that are not in the journal. */
  onEntry?: (entry: JournalEntry) => void;
  /** The cluster whose chief this process is. @default this process only */
  cluster?: Cluster | undefined;
}

/** The inputs of a training command. */
export interface Job {
  /** The run folder; on ranks other than the chief a temporary folder. */
  run: RunFolder;
  settings: Settings;
  sources: Sources;
  journal: Journal;
  /** The newest complete checkpoint; undefined for a new run. */
  checkpoint: Checkpoint | undefined;
  download: { onProgress: (progress: DownloadProgress) => void };
  /** Shows a message to the user. */
  note: (message: string) => void;
  /** The processes that train together. */
  ranks: Ranks;
  /** Checks that facts are equal on all ranks; not computed by a single process. @throws RanksDifferError */
  assertSame: (facts: () => Facts) => void;
  /** Runs training with its options: checkpoints, callbacks, and an AbortSignal that system signals abort. */
  train: <Result>(work: (options: TrainOptions) => Promise<Result>) => Promise<Result>;
}

/** The part of a job that differs between commands; runs on each rank. */
export type JobWork = (job: Job) => Promise<EndOfTraining>;

/** How a job ended, and the command's exit code. */
export interface JobEnd {
  /** `pruned` if a sweep has stopped the run. */
  end: EndOfTraining | 'pruned';
  exitCode: number;
}

/** A command's job. */
export interface TrainingJob {
  /** Runs it on the chief, which writes the result, or in a single process. */
  lead: (options: JobOptions) => Promise<JobEnd>;
  /** Runs it on another rank, with the chief's settings. */
  follow: (cluster: Cluster, settings: Settings, notify: (message: string) => void) => Promise<JobEnd>;
}

/** Creates the job of a command; see leadJob and followJob. */
export const trainingJob = (command: RunCommand, work: JobWork): TrainingJob => ({
  lead: (options) => leadJob(command, options, work),
  follow: (cluster, settings, notify) => followJob(cluster, settings, notify, work),
});

/** Minimum time between two progress entries of a download, in ms. */
const downloadReportInterval = 500;

function reportDownloads(journal: Journal): Job['download'] {
  let lastReport = -Infinity;
  return {
    onProgress(progress) {
      const now = performance.now();
      if (now - lastReport < downloadReportInterval && progress.received < progress.size) return;
      lastReport = now;
      journal.write('download', progress);
    },
  };
}

/** The properties of a job that depend on its ranks. */
const rankProperties = (cluster: Cluster | undefined): Pick<Job, 'ranks' | 'assertSame'> => ({
  ranks: cluster?.ranks ?? singleProcess,
  assertSame: (facts) => cluster && assertSameOnRanks(cluster, facts()),
});

/** The status of a run that failed with this error. */
const failedStatus = (error: unknown): Pick<RunStatus, 'state' | 'exitCode' | 'message' | 'code'> => ({
  state: 'failed',
  exitCode: exitCodeOf(error),
  message: messageOf(error),
  code: asTunebookError(error)?.code,
});

/** Ends the process when another rank is lost, after `conclude` and an error message. */
const exitOnRankLoss = (cluster: Cluster | undefined, conclude: (error: unknown) => void) =>
  cluster?.watch((error) => {
    conclude(error);
    console.error(`\n${describeError(error)}`);
    process.exit(exitCodeOf(error));
  });

/**
 * Records the content of a run folder before a job, for jobs that end before training starts.
 * @returns a function that removes the files added since and restores settings and status
 */
function snapshotOf(run: RunFolder): () => void {
  const existed = fs.existsSync(run.folder);
  const before = new Set(existed ? fs.readdirSync(run.folder) : []);
  const { settings, status } = run;
  return () => {
    for (const name of fs.readdirSync(run.folder))
      if (!before.has(name)) fs.rmSync(run.path(name), { recursive: true, force: true });
    if (settings) run.write('settings.json', settings);
    if (status) run.write('status.json', status);
    if (!existed) fs.rmdirSync(run.folder);
  };
}

/** The exit code for the end of training. If another rank received the signal, this rank ends as after SIGTERM. */
const exitCodeOfEnd = (end: EndOfTraining, received: EndingSignal | undefined): number =>
  end === 'interrupted' ? exitCodes[received ?? 'SIGTERM'] : exitCodes.done;

/**
 * Runs a job on a rank that is not the chief: it computes and writes no result.
 * @param settings the chief's settings
 * @param notify called with messages for the user
 * @throws the error that stopped the job
 */
async function followJob(
  cluster: Cluster,
  settings: Settings,
  notify: (message: string) => void,
  work: JobWork,
): Promise<JobEnd> {
  const run = new RunFolder(fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-rank-')));
  const discard = () => fs.rmSync(run.folder, { recursive: true, force: true });
  const signals = watchSignals(
    (name) => notify(`${name}: all ranks stop after this step.`),
    () => discard(),
  );
  exitOnRankLoss(cluster, discard);
  try {
    const sources = cluster.ranks.fromChief<Sources | undefined>(undefined)!;
    const end = await work({
      run,
      settings,
      sources,
      journal: { write() {} },
      checkpoint: undefined,
      ...rankProperties(cluster),
      download: { onProgress() {} },
      note() {},
      train: (work) => signals.during((signal) => work({ signal, ranks: cluster.ranks })),
    });
    // The chief still writes the result. If it is lost now, all ranks have to be restarted.
    await cluster.leave();
    return { end, exitCode: exitCodeOfEnd(end, signals.received) };
  } finally {
    signals.stop();
    discard();
  }
}

/**
 * Runs a job in its run folder.
 * @throws the error that stopped the job, after it has been written to journal and status
 */
async function leadJob(
  command: RunCommand,
  { resolved, run, mlflow, onEntry = () => {}, cluster }: JobOptions,
  work: JobWork,
): Promise<JobEnd> {
  const shared = rankProperties(cluster);
  const notify = (message: string) => onEntry({ kind: 'note', time: new Date().toISOString(), message });
  const restore = snapshotOf(run);
  const unlock = await run.lock(notify);
  const started: RunStatus = {
    state: 'running',
    startedAt: run.status?.startedAt ?? new Date().toISOString(),
    starts: (run.status?.starts ?? 0) + 1,
    process: { id: process.pid, host: os.hostname() },
  };
  const { settings, origins } = resolved;
  let journal: Journal | undefined;
  let tracking: Tracking | undefined;
  let hasStarted = false;
  // A resume that fails before its first step, for example because the data has changed, must not change the run.
  let resumesBeforeStep = false;
  const conclude = (given: Pick<RunStatus, 'state' | 'exitCode' | 'message' | 'code'>) => {
    // A sweep records why it prunes a run before it stops it.
    const { pruned } = run;
    const ending =
      pruned && given.state !== 'failed' ? { ...given, state: 'pruned' as const, message: pruned.reason } : given;
    try {
      journal?.write('end', ending);
      if (hasStarted && !(resumesBeforeStep && ending.state === 'failed'))
        run.write('status.json', { ...started, ...ending, endedAt: new Date().toISOString() });
      else restore();
    } catch (error) {
      // The disk may be full. The error that stopped the job is printed on standard error in any case.
      if (ending.state !== 'failed') throw error;
    }
  };
  const signals = watchSignals(
    (name) => notify(`${name}: training stops after this step, with a checkpoint. A second signal stops it at once.`),
    (name, exitCode) => conclude({ state: 'interrupted', exitCode, message: `stopped at once by ${name}` }),
  );
  exitOnRankLoss(cluster, (error) => conclude(failedStatus(error)));
  let lost = false;
  try {
    run.write('status.json', started);
    let tensorboard: TensorboardWriter | undefined;
    journal = openJournal(run.folder, (entry) => {
      tensorboard?.write(entry);
      onEntry(entry);
    });
    const { checkpoints } = run;
    const checkpoint = checkpoints.newest();
    const before = run.settings;
    if (settings.reportTo.includes('tensorboard')) tensorboard = new TensorboardWriter(run);
    journal.write('start', { command, starts: started.starts, step: checkpoint?.state.step ?? 0 });
    for (const broken of checkpoints.broken)
      journal.write('note', { message: `A checkpoint cannot be used and is skipped: ${broken}.` });
    const same = (['source', 'model', 'dataset'] as const).every((name) => before?.settings[name] === settings[name]);
    const chosen =
      before && same && run.hasTrained ? before.sources : await chooseSources(settings, { fallback: false });
    const sources = shared.ranks.fromChief(chosen);
    run.write('settings.json', { command, settings, origins, sources });
    run.write('environment.json', describeEnvironment(cluster?.definition.tasks.map(describeTask)));
    journal.write('banner', { message: sources.banner });
    if (checkpoint) journal.write('note', { message: `Resuming from ${checkpoint.folder}.` });
    const openedJournal = journal;
    const end = await work({
      run,
      settings,
      sources,
      journal,
      checkpoint,
      download: reportDownloads(journal),
      note: (message) => openedJournal.write('note', { message }),
      ...shared,
      train: (work) => {
        hasStarted = true;
        resumesBeforeStep = checkpoint !== undefined;
        // Not earlier: a command that fails before training must not create an MLflow run.
        if (mlflow) tracking ??= startTracking(run.folder, mlflow, notify);
        return signals.during((signal) =>
          work({
            checkpoints,
            resumeFrom: checkpoint,
            onCheckpoint: ({ folder, state }) => openedJournal.write('checkpoint', { step: state.step, folder }),
            onRecord(record) {
              resumesBeforeStep = false;
              openedJournal.write('step', { ...record, memoryBytes: process.memoryUsage.rss() });
            },
            signal,
            ranks: shared.ranks,
          }),
        );
      },
    });
    const exitCode = exitCodeOfEnd(end, signals.received);
    conclude({ state: end, exitCode });
    // The result is written; losing a rank no longer matters.
    await cluster?.leave().catch(() => {});
    return { end: run.pruned ? 'pruned' : end, exitCode };
  } catch (thrown) {
    const error = cluster?.explain(thrown) ?? thrown;
    lost = error !== thrown;
    conclude(failedStatus(error));
    throw error;
  } finally {
    // After a signal or the loss of a rank, the wait for the server is short.
    await tracking?.finish(lost || signals.received !== undefined);
    signals.stop();
    await unlock();
  }
}
