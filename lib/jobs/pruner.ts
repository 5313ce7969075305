/**
 * Which runs of a sweep are stopped early, by the validation scores of their evaluations: accuracies, micro F1, or minus losses of a regression. The decisions are those of Optuna's
 * MedianPruner and SuccessiveHalvingPruner; a step is an evaluation, so that runs with other batch sizes can be compared.
 */
import { selectionMetrics, type SelectionMetric } from '../runs/metrics.js';

/** Names of the pruners. */
export const pruners = ['none', 'median', 'asha'] as const;

/** A pruner with its parameters. */
export interface PrunerSettings {
  name: (typeof pruners)[number];
  /** Number of a run's evaluations during which median prunes no run. */
  warmup: number;
}

/** What a pruner needs of another trial. */
export interface EvaluatedTrial {
  state: string;
  /** Validation scores so far. */
  evaluations: number[];
}

/** Number of completed trials before median prunes. */
const startupTrials = 5;
/** Of each rung, one in this number of trials goes on: η. */
const reductionFactor = 4;

function medianOf(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A score in words. */
const describeScore = (score: number, metric: SelectionMetric): string =>
  selectionMetrics[metric].format(selectionMetrics[metric].sign * score);

/** The median stopping rule: the best score so far is below the median of the completed trials at the same evaluation. */
function medianReason(
  evaluations: number[],
  others: EvaluatedTrial[],
  warmup: number,
  metric: SelectionMetric,
): string | undefined {
  const completed = others.filter(({ state }) => state === 'completed');
  if (completed.length < startupTrials || evaluations.length <= warmup) return undefined;
  const values = completed.flatMap((trial) => trial.evaluations[evaluations.length - 1] ?? []);
  if (values.length === 0) return undefined;
  const [best, median] = [Math.max(...evaluations), medianOf(values)];
  return best < median
    ? `the best ${selectionMetrics[metric].name}, ${describeScore(best, metric)}, is ${selectionMetrics[metric].sign < 0 ? 'above' : 'below'} the median of the completed runs, ${describeScore(median, metric)}`
    : undefined;
}

/**
 * Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020) with rungs at 1, 4,
 * 16, … evaluations: the score is not among the best quarter of all trials that have reached the rung. Of fewer than four, only the
 * best one goes on.
 */
function ashaReason(evaluations: number[], others: EvaluatedTrial[], metric: SelectionMetric): string | undefined {
  const reached = evaluations.length;
  if (!Number.isInteger(Math.log2(reached) / Math.log2(reductionFactor))) return undefined;
  const value = evaluations[reached - 1]!;
  const values = [value, ...others.flatMap((trial) => trial.evaluations[reached - 1] ?? [])].sort((a, b) => b - a);
  const promoted = Math.max(1, Math.floor(values.length / reductionFactor));
  return value < values[promoted - 1]!
    ? `${selectionMetrics[metric].withArticle} of ${describeScore(value, metric)} is not among the best ${promoted} of ${values.length} runs`
    : undefined;
}

/**
 * Why a run is to be stopped after its last evaluation; undefined if it goes on.
 * @param evaluations validation scores of the run so far, at least one
 * @param others all other trials
 * @param metric what the scores are, for the reason. @default 'accuracy'
 */
export function reasonToPrune(
  { name, warmup }: PrunerSettings,
  evaluations: number[],
  others: EvaluatedTrial[],
  metric: SelectionMetric = 'accuracy',
): string | undefined {
  const reason =
    name === 'median'
      ? medianReason(evaluations, others, warmup, metric)
      : name === 'asha'
        ? ashaReason(evaluations, others, metric)
        : undefined;
  return reason && `at evaluation ${evaluations.length}, ${reason}`;
}
