/**
 * The runs of a sweep: one after the other, or several at once as far as memory allows. A failed run does not affect the others.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { exitCodes, type EndingSignal } from '../errors.js';
import { size } from '../figures/format.js';
import { sampleRun } from '../jobs/sweep.js';
import { describeValues, type PlannedRun } from '../jobs/search-space.js';
import { RunFolder, sweepFile } from '../runs/run-folder.js';
import { onEndingSignal } from '../signals.js';
import { hasTrained } from './sweep-plan.js';
import { startRun, type RunProcess, type SweepContext } from './sweep-process.js';

/** Memory that must be available for a further run, as a multiple of the most that a run has had. */
const memoryMargin = 1.25;
/** Milliseconds between two checks of whether a further run can start. */
const checkInterval = 500;

/** How the runs of a sweep ended. */
export interface EndOfRuns {
  /** Not 0 if the sweep has to be resumed: after a signal, or an error that all runs would have. */
  exitCode: number;
  isInterrupted: boolean;
  /** Number of runs that the timeout has kept from starting. */
  notStarted: number;
}

/**
 * Whether a further run fits into memory beside those that are running. Before the first step of a run it is unknown how much it needs.
 * @param available bytes that the machine, or the container, has left
 * @param needed the most memory of each running run so far, in bytes; undefined before its first step
 */
export const fitsIntoMemory = (available: number, needed: (number | undefined)[]): boolean =>
  needed.every((bytes) => bytes !== undefined && available >= memoryMargin * bytes);

/** Exit codes of errors that all runs would have. */
const commonErrors: number[] = [exitCodes.invalid, exitCodes.data, exitCodes.diskFull];

/**
 * Executes the runs of a sweep that are not finished, and samples further ones.
 * @param timeout seconds after which no run starts; those that run then finish
 * @param print prints a message to the user
 */
export async function executeRuns(
  context: SweepContext,
  timeout: number,
  print: (text: string) => void,
): Promise<EndOfRuns> {
  const { sweep, trials, parallel } = context;
  const { folder } = trials;
  const startedAt = performance.now();
  const attempted = new Set<string>();
  const running = new Map<number, Omit<RunProcess, 'ended'> & { ended: Promise<void> }>();
  let exitCode: number = exitCodes.done;
  let received: EndingSignal | undefined;
  let isShortOfMemory = false;
  const stopForwarding = onEndingSignal((name) => {
    received ??= name;
    for (const { child } of running.values()) child.kill(name);
  });

  const isPending = ({ name }: PlannedRun) => {
    const run = new RunFolder(folder.path(name));
    return !attempted.has(name) && !run.isFinished && !run.pruned;
  };
  const nextRun = (): PlannedRun | undefined => {
    const pending = sweep.runs.find(isPending);
    if (pending || sweep.runs.length >= sweep.trials) return pending;
    const run = sampleRun(sweep, trials.read(sweep.runs));
    sweep.runs.push(run);
    // Written before it starts: a resumed sweep resumes this run.
    folder.write(sweepFile, sweep);
    return run;
  };
  const hasRoom = (): boolean => {
    const needed = [...running.values()].map(({ progress }) => progress.memoryBytes);
    const available = process.availableMemory();
    const fits = fitsIntoMemory(available, needed);
    if (!fits && !isShortOfMemory && !needed.includes(undefined)) {
      isShortOfMemory = true;
      print(
        `${running.size} of ${parallel} runs at once: ${size(available)} of memory are available, ` +
          `and a run needs ${size(Math.max(...needed.map(Number)))}.`,
      );
    }
    return fits;
  };
  const end = (slot: number, { name }: PlannedRun, code: number) => {
    running.delete(slot);
    if (new RunFolder(folder.path(name)).pruned) return;
    // A setting that is invalid although other runs have trained is one of this run: --freeze 1,9.
    const isOwn = code === exitCodes.invalid && hasTrained(folder, sweep);
    if (code >= exitCodes.SIGHUP || (commonErrors.includes(code) && !isOwn)) exitCode = code;
  };

  const canStart = () => !received && exitCode === exitCodes.done && performance.now() - startedAt < 1000 * timeout;
  try {
    for (;;) {
      const run = canStart() && running.size < parallel && hasRoom() ? nextRun() : undefined;
      if (run) {
        attempted.add(run.name);
        // The name of a run of a grid consists of its values.
        const name = sweep.sampler === 'grid' ? '' : `${run.name}: `;
        print(`\n[${sweep.runs.indexOf(run) + 1}/${sweep.trials}] ${name}${describeValues(run.values)}`);
        const slot = Array.from({ length: parallel }, (_, i) => i).find((i) => !running.has(i))!;
        const started = startRun(context, run, slot);
        const ended = started.ended.then((code) => end(slot, run, code));
        running.set(slot, { ...started, ended });
      } else if (running.size === 0) break;
      else {
        const ends = [...running.values()].map(({ ended }) => ended);
        const check = running.size < parallel ? [pause(checkInterval, undefined, { ref: false })] : [];
        await Promise.race([...ends, ...check]);
      }
    }
  } finally {
    stopForwarding();
  }
  const isInterrupted = received !== undefined || exitCode >= exitCodes.SIGHUP;
  if (received) exitCode = exitCodes[received];
  const notStarted = sweep.runs.filter(isPending).length + sweep.trials - sweep.runs.length;
  return { exitCode, isInterrupted, notStarted };
}
