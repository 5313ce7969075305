/** The trials of a sweep, as samplers and pruners see them: read from the folders of its runs, also while these train. */
import {
  selectionMetric,
  selectionMetrics,
  selectionResults,
  type AnyFinetuneMetrics,
  type SelectionMetric,
} from '../runs/metrics.js';
import { readEntriesFrom } from '../runs/journal.js';
import { RunFolder } from '../runs/run-folder.js';
import type { PlannedRun, SampledValues } from './search-space.js';

/** A run of a sweep that has started. */
export interface Trial {
  /** Its number, from 0. */
  number: number;
  values: SampledValues;
  /** An interrupted run counts as running, since it is resumed. */
  state: 'running' | 'completed' | 'pruned' | 'failed';
  /** Validation score of a completed run: the accuracy, the micro F1 of multi-label classification, or minus the loss of a regression. */
  value?: number;
  /** Validation scores of its evaluations; of a pruned run until it was pruned. */
  evaluations: number[];
}

/** The journal of a run, read as it grows. */
export class RunProgress {
  #offset = 0;
  #evaluations: { step: number; score: number }[] = [];
  /** What the scores are: accuracies, micro F1, or minus losses of a regression. */
  metric: SelectionMetric = 'accuracy';
  /** The most memory that the run's process has had, in bytes; undefined before its first step. */
  memoryBytes: number | undefined;

  /** @param startedAt when the process started, in ms; what a resumed run needed before does not count */
  constructor(
    readonly folder: RunFolder,
    readonly startedAt = 0,
  ) {}

  /** Validation scores of the evaluations so far. */
  get evaluations(): number[] {
    return this.#evaluations.map(({ score }) => score);
  }

  /**
   * Reads what is new.
   * @param onEvaluation called after each evaluation, except that of the last step, with which training ends anyway
   */
  update(onEvaluation: () => void = () => {}): void {
    const { entries, offset } = readEntriesFrom(this.folder.folder, this.#offset);
    this.#offset = offset;
    for (const entry of entries) {
      if (entry.kind !== 'step') continue;
      const { step, totalSteps, evalLoss, evalAccuracy, evalMicroF1, memoryBytes } = entry;
      if (memoryBytes !== undefined && Date.parse(entry.time) >= this.startedAt)
        this.memoryBytes = Math.max(memoryBytes, this.memoryBytes ?? 0);
      if (evalAccuracy === undefined && evalLoss === undefined) continue;
      this.metric = evalAccuracy !== undefined ? 'accuracy' : evalMicroF1 !== undefined ? 'microF1' : 'loss';
      // A killed run resumes from its last checkpoint and evaluates again.
      this.#evaluations = this.#evaluations.filter((earlier) => earlier.step < step);
      this.#evaluations.push({ step, score: evalAccuracy ?? evalMicroF1 ?? -evalLoss! });
      if (step < totalSteps) onEvaluation();
    }
  }
}

/** The trials of a sweep. */
export class Trials {
  readonly #progress = new Map<string, RunProgress>();

  /** @param folder of the sweep */
  constructor(readonly folder: RunFolder) {}

  /** All trials now. Runs that have not started are left out. */
  read(runs: PlannedRun[]): Trial[] {
    return runs.flatMap(({ name, values }, number): Trial | [] => {
      let progress = this.#progress.get(name);
      if (!progress) this.#progress.set(name, (progress = new RunProgress(new RunFolder(this.folder.path(name)))));
      progress.update();
      const { folder, evaluations } = progress;
      if (!folder.status) return [];
      const { pruned, state } = folder;
      if (pruned) return { number, values, state: 'pruned', evaluations: evaluations.slice(0, pruned.evaluation) };
      if (!folder.isFinished) return { number, values, state: state === 'failed' ? 'failed' : 'running', evaluations };
      const metrics = folder.read<AnyFinetuneMetrics>('metrics.json');
      const result = metrics && selectionResults(metrics).validation;
      // Without an evaluation there is no objective.
      if (result === undefined) return { number, values, state: 'failed', evaluations };
      const value = selectionMetrics[selectionMetric(metrics)].sign * result;
      return { number, values, state: 'completed', value, evaluations };
    });
  }
}
