/** One run of a sweep: `tunebook finetune` as a child process, which is stopped if the pruner says so. */
import { forwardOutput } from '../distributed/local.js';
import { sharedThreads } from '../distributed/rank-environment.js';
import { reasonToPrune } from '../jobs/pruner.js';
import type { PlannedRun } from '../jobs/search-space.js';
import type { Sweep } from '../jobs/sweep.js';
import { RunProgress, type Trials } from '../jobs/trials.js';
import { parseEntry } from '../runs/journal.js';
import { RunFolder } from '../runs/run-folder.js';
import { flagOf } from '../settings/setting-text.js';
import type { SettingName } from '../settings/settings.js';
import { startFinetune, type FinetuneProcess } from './finetune-process.js';

/** Milliseconds after which the journal of a run is read again. */
const pollInterval = 100;

/** A run of a sweep that has started. */
export interface RunProcess extends FinetuneProcess {
  progress: RunProgress;
}

/** What all runs of a sweep share. */
export interface SweepContext {
  sweep: Sweep;
  trials: Trials;
  /** Number of runs at once. */
  parallel: number;
  /** The GPUs over which parallel runs are distributed. */
  gpus: string[];
  json: boolean;
  /** Further environment variables of the runs. */
  environment: Record<string, string>;
}

/** The environment of a run: with several at once, its share of the cores and its GPU, unless the user has set them. */
function environmentOf({ parallel, gpus, environment }: SweepContext, slot: number): NodeJS.ProcessEnv {
  if (parallel === 1) return environment;
  const shared = {
    ...sharedThreads(parallel),
    // Without it, the first process takes all memory of a GPU.
    ...(gpus.length > 0 && parallel > gpus.length && { TF_FORCE_GPU_ALLOW_GROWTH: 'true' }),
  };
  return {
    ...Object.fromEntries(Object.entries(shared).filter(([name]) => process.env[name] === undefined)),
    ...environment,
    ...(gpus.length > 0 && { CUDA_VISIBLE_DEVICES: gpus[slot % gpus.length] }),
  };
}

/** A line of a parallel run, with its name: before the line, or as a field of a journal entry. */
function labelled(name: string, line: string, isJson: boolean): string {
  const entry = isJson ? parseEntry(line) : undefined;
  return entry ? JSON.stringify({ run: name, ...entry }) : `[${name}] ${line}`;
}

/**
 * Starts or resumes a run.
 * @param slot its number among the runs that run at once, from 0
 */
export function startRun(context: SweepContext, { name, values }: PlannedRun, slot: number): RunProcess {
  const { sweep, trials, parallel, json } = context;
  const folder = new RunFolder(trials.folder.path(name));
  const ownFlags = (Object.keys(values) as SettingName[]).flatMap((setting) => [flagOf(setting), values[setting]!]);
  const argv = [...sweep.argv, ...ownFlags, ...(json ? ['--json'] : [])];
  const output = parallel > 1 ? 'pipe' : 'inherit';
  const { child, ended: exited } = startFinetune(argv, folder.folder, {
    output: [output, output],
    environment: environmentOf(context, slot),
  });
  forwardOutput(child, (line, isError) => labelled(name, line, json && !isError));

  const progress = new RunProgress(folder, Date.now());
  const judge = () => {
    if (sweep.pruner.name === 'none' || folder.pruned) return;
    const others = trials.read(sweep.runs.filter((run) => run.name !== name));
    const reason = reasonToPrune(sweep.pruner, progress.evaluations, others, progress.metric);
    if (!reason) return;
    folder.prune({ evaluation: progress.evaluations.length, reason });
    child.kill('SIGTERM');
  };
  const timer = setInterval(() => progress.update(judge), pollInterval);
  const ended = exited.finally(() => {
    clearInterval(timer);
    // A run that was faster than its pruner is pruned nevertheless: the result must not depend on the speed.
    progress.update(judge);
  });
  return { child, progress, ended };
}
