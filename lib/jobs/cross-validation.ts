/** Cross-validation: a fine-tuning run per fold, and their results as means with intervals and as pooled out-of-fold predictions. */
import { classificationMetrics, type ClassificationMetrics } from '../evaluation/metrics.js';
import type { FinetuneMetrics } from '../runs/metrics.js';
import { jsonLines, outOfFoldFile, type OutOfFoldPrediction } from '../runs/out-of-fold.js';
import { RunFolder } from '../runs/run-folder.js';
import type { Fold } from '../settings/fold.js';
import { overSeeds, type OverSeeds } from '../training/seeds.js';

/** The content of cross-validation.json. */
export interface CrossValidation {
  /** Number of folds. */
  folds: number;
  /** The command line that all runs share, without fold and run folder. */
  argv: string[];
  /** Whether the models of the folds are kept. */
  keepModels: boolean;
  startedAt: string;
}

/** The folds of a cross-validation. */
export const foldsOf = ({ folds }: Pick<CrossValidation, 'folds'>): Fold[] =>
  Array.from({ length: folds }, (_, i) => ({ number: i + 1, of: folds }));

/** The folder of a fold's run. */
export const runOfFold = (folder: RunFolder, { number }: Fold): RunFolder =>
  new RunFolder(folder.path(`fold-${number}`));

/** Metrics of which mean and interval are computed. */
const metrics = {
  accuracy: ({ accuracy }: ClassificationMetrics) => accuracy,
  macroF1: ({ macro }: ClassificationMetrics) => macro.f1,
  macroRecall: ({ macro }: ClassificationMetrics) => macro.recall,
  rocAuc: ({ macro }: ClassificationMetrics) => macro.rocAuc,
  loss: ({ loss }: ClassificationMetrics) => loss,
};

/** Name of a metric. */
export type FoldMetric = keyof typeof metrics;

/** The content of result.json. */
export interface CrossValidationResult {
  labelNames: string[];
  /** Test metrics by fold. */
  folds: ClassificationMetrics[];
  /**
   * Mean, standard deviation and 95 % interval over the folds, by Student's t. Folds share training rows, so they are not independent,
   * and the interval tends to be too narrow: no unbiased estimator of the variance exists (Bengio and Grandvalet, 2004). Null if a fold
   * lacks the metric.
   */
  means: Record<FoldMetric, OverSeeds | null>;
  /** Metrics of all out-of-fold predictions together. */
  pooled: ClassificationMetrics;
}

/** Mean and interval of a metric; the interval of a metric with limits does not exceed them. */
function meanOf(values: (number | null)[], max: number): OverSeeds | null {
  const defined = values.flatMap((value) => value ?? []);
  if (defined.length < values.length) return null;
  const { interval, ...mean } = overSeeds(defined);
  return { ...mean, interval: { low: Math.max(0, interval.low), high: Math.min(max, interval.high) } };
}

/** Metrics of out-of-fold predictions. Logarithms of probabilities are logits. */
function pooledMetrics(predictions: OutOfFoldPrediction[], labelNames: string[]): ClassificationMetrics {
  const logits = Float32Array.from(
    predictions.flatMap(({ probabilities }) => labelNames.map((name) => Math.log(probabilities[name]!))),
  );
  const labels = predictions.map(({ label }) => labelNames.indexOf(label));
  return classificationMetrics(logits, labels, labelNames);
}

/**
 * Joins the results of all folds, which must be finished, and writes out-of-fold.jsonl and result.json.
 * @param folder of the cross-validation
 */
export function writeCrossValidation(folder: RunFolder, plan: CrossValidation): CrossValidationResult {
  const runs = foldsOf(plan).map((fold) => runOfFold(folder, fold));
  const ofFolds = runs.map((run) => run.read<FinetuneMetrics>('metrics.json')!);
  const predictions = runs
    .flatMap((run) => run.readLines<OutOfFoldPrediction>(outOfFoldFile))
    .sort((a, b) => a.row - b.row);
  const [{ labelNames }] = ofFolds as [FinetuneMetrics];
  const folds = ofFolds.map(({ test }) => test);
  const result: CrossValidationResult = {
    labelNames,
    folds,
    means: Object.fromEntries(
      Object.entries(metrics).map(([name, of]) => [name, meanOf(folds.map(of), name === 'loss' ? Infinity : 1)]),
    ) as CrossValidationResult['means'],
    pooled: pooledMetrics(predictions, labelNames),
  };
  folder.write(outOfFoldFile, jsonLines(predictions));
  folder.write('result.json', result);
  return result;
}
