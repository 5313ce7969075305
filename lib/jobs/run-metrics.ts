/** The metrics of a run, from what training and evaluation returned: the same for a job and for a notebook. */
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import { accuracyByLength, confidentErrors } from '../evaluation/analysis.js';
import { bagOfWordsBaseline, majorityBaseline } from '../evaluation/baseline.js';
import { calibrationEffect } from '../evaluation/calibrate.js';
import { countClasses } from '../evaluation/count-classes.js';
import type { Evaluation } from '../evaluation/evaluate.js';
import type { MultiLabelEvaluation } from '../evaluation/evaluate-multi-label.js';
import type { RegressionEvaluation } from '../evaluation/evaluate-regression.js';
import { bagOfWordsSetBaseline, frequentSetBaseline } from '../evaluation/multi-label-baseline.js';
import { entryLoss, predictedSets, type MultiLabelMetrics } from '../evaluation/multi-label-metrics.js';
import { meanBaseline, ridgeBaseline } from '../evaluation/regression-baseline.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import { multiLabelWarnings } from '../evaluation/multi-label-warnings.js';
import { regressionWarnings } from '../evaluation/regression-warnings.js';
import { evaluationWarnings, imbalanceWarnings } from '../evaluation/warnings.js';
import type { ModelCalibration } from '../model/calibration.js';
import { ReviewStream } from '../batching/stream.js';
import type { Sources } from '../hub/sources.js';
import { summarizeData } from '../reviews/describe-source.js';
import { joinedText } from '../reviews/review.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { ReviewSplit } from '../reviews/split.js';
import {
  commonMetrics,
  type AdaptMetrics,
  type FinetuneMetrics,
  type MultiLabelRunMetrics,
  type RegressionRunMetrics,
} from '../runs/metrics.js';
import type { Settings } from '../settings/settings.js';
import { classWeightsOf } from '../training/class-weights.js';
import type { TrainingResult } from '../training/trainer.js';
import { countRows, type Rows } from './rows.js';

/** Maximum number of training rows for the bag-of-words baseline; with more rows it takes too long and is skipped. */
const maxBaselineRows = 50_000;

/** Maximum number of predicted numbers in metrics.json, for the figure. */
const maxPredictions = 2000;

/** Number of wrong predictions in the report. */
const reportedErrors = 8;

/** What a run trained on, and the result of training. */
export interface TrainedRun<Metrics> {
  settings: Settings;
  sources: Sources;
  source: ReviewSource;
  split: ReviewSplit;
  /** The same reviews as token ids. */
  data: Rows;
  result: TrainingResult<Metrics>;
}

const common = ({ settings, sources, source, split, data, result }: TrainedRun<unknown>) =>
  commonMetrics(sources, countRows(data), summarizeData(source, split, settings.streaming, data.notes), result);

function baselines({ train, test }: ReviewSplit) {
  const results = [{ name: 'majority', ...majorityBaseline(train, test) }];
  if (train.length <= maxBaselineRows) results.push({ name: 'bag of words', ...bagOfWordsBaseline(train, test) });
  return results.map(({ name, accuracy, interval }) => ({ name, accuracy, interval }));
}

/** The class weights that a run trains with, by class name; null if all are 1. */
export function namedClassWeights(
  { classWeights }: Settings,
  labels: string[],
  train: Rows['train'],
): Record<string, number> | null {
  const rows = train instanceof ReviewStream ? train.sampledLabels! : train.labels;
  const weights = classWeightsOf(classWeights, labels, () => countClasses(rows, labels.length));
  return weights ? Object.fromEntries(labels.map((label, i) => [label, weights[i]!])) : null;
}

/**
 * The metrics of fine-tuning.
 * @param test the evaluation on the test set
 * @param calibration of `calibrate`, whose effect on the test set is measured. @default none
 * @example
 * const result = await trainer.train(prepared.train);
 * const trained = { ...prepared, settings, data: { ...prepared, notes: [] }, result };
 * const metrics = finetuneMetrics(trained, await evaluate(model, prepared.test));
 */
export function finetuneMetrics(
  run: TrainedRun<ClassificationMetrics>,
  test: Evaluation,
  calibration?: ModelCalibration,
): FinetuneMetrics {
  const { settings, split, data, result } = run;
  const labels = run.source.labelNames;
  const { ids, labels: testLabels } = data.test;
  const lengths = ids.map((each) => each.length);
  return {
    command: 'finetune',
    problemType: 'single_label_classification',
    ...common(run),
    labelNames: labels,
    classWeights: namedClassWeights(settings, labels, data.train),
    warnings: [
      ...imbalanceWarnings(split.train, labels, settings),
      ...evaluationWarnings(test.metrics, split.train, labels, settings),
    ],
    validation: result.best ?? null,
    test: test.metrics,
    calibration: calibration ? calibrationEffect(test.logits, testLabels, labels.length, calibration) : null,
    baselines: baselines(split),
    byLength: accuracyByLength(lengths, testLabels, test.logits, labels.length),
    errors: confidentErrors(split.test, test.logits, labels, reportedErrors),
  };
}

/** The baselines of regression. */
function regressionBaselines({ train, test }: ReviewSplit): RegressionRunMetrics['baselines'] {
  const mean = { name: 'mean of the training set', ...meanBaseline(train, test) };
  return train.length <= maxBaselineRows ? [mean, { name: 'bag of words', ...ridgeBaseline(train, test) }] : [mean];
}

/**
 * The metrics of fine-tuning a model that predicts a number.
 * @param evaluation on the test set
 */
export function regressionRunMetrics(
  run: TrainedRun<RegressionMetrics>,
  { metrics, predictions }: RegressionEvaluation,
): RegressionRunMetrics {
  const { split, source, result } = run;
  const rows = split.test.map(({ text, label }, row) => ({ review: text, true: label, predicted: predictions[row]! }));
  const shown = rows.slice(0, maxPredictions);
  const error = (row: (typeof rows)[number]) => Math.abs(row.predicted - row.true);
  const baselines = regressionBaselines(split);
  return {
    command: 'finetune',
    problemType: 'regression',
    ...common(run),
    labelNames: source.labelNames,
    validation: result.best ?? null,
    warnings: regressionWarnings(metrics, baselines[0]!),
    test: metrics,
    baselines,
    predictions: { true: shown.map((row) => row.true), predicted: shown.map((row) => row.predicted) },
    errors: rows.toSorted((a, b) => error(b) - error(a)).slice(0, reportedErrors),
  };
}

/** The baselines of multi-label classification. */
function multiLabelBaselines({ train, test }: ReviewSplit, labels: string[]): MultiLabelRunMetrics['baselines'] {
  const frequent = { name: 'most frequent set of classes', ...frequentSetBaseline(train, test, labels) };
  return train.length <= maxBaselineRows
    ? [frequent, { name: 'bag of words', ...bagOfWordsSetBaseline(train, test, labels) }]
    : [frequent];
}

/**
 * The metrics of fine-tuning a model that predicts all classes that apply.
 * @param evaluation on the test set
 */
export function multiLabelRunMetrics(
  run: TrainedRun<MultiLabelMetrics>,
  { metrics, logits }: MultiLabelEvaluation,
): MultiLabelRunMetrics {
  const { split, source, data, result } = run;
  const labels = source.labelNames;
  const predicted = predictedSets(logits);
  const baselines = multiLabelBaselines(split, labels);
  const names = (row: number, entries: ArrayLike<number>) =>
    labels.filter((_, label) => entries[row * labels.length + label] === 1).join(', ') || 'none';
  const errors = split.test.map((review, row) => ({
    review: joinedText(review),
    true: names(row, data.test.labels),
    predicted: names(row, predicted),
    loss:
      labels.reduce((sum, _, label) => {
        const entry = row * labels.length + label;
        return sum + entryLoss(logits[entry]!, data.test.labels[entry]!);
      }, 0) / labels.length,
  }));
  return {
    command: 'finetune',
    problemType: 'multi_label_classification',
    ...common(run),
    labelNames: labels,
    validation: result.best ?? null,
    warnings: [...imbalanceWarnings(split.train, labels, run.settings), ...multiLabelWarnings(metrics, baselines[0]!)],
    test: metrics,
    baselines,
    errors: errors
      .filter((error) => error.true !== error.predicted)
      .sort((a, b) => b.loss - a.loss)
      .slice(0, reportedErrors),
  };
}

/**
 * The metrics of domain adaptation.
 * @param before the evaluation on the test set before training
 * @param after the same after training
 * @example
 * const trainer = new Trainer(maskedModel, settings);
 * const before = await trainer.evaluate(prepared.test);
 * const result = await trainer.train(prepared.train);
 * const trained = { ...prepared, settings, data: { ...prepared, notes: [] }, result };
 * const metrics = adaptMetrics(trained, before, await trainer.evaluate(prepared.test));
 */
export const adaptMetrics = (
  run: TrainedRun<MaskedMetrics>,
  before: MaskedMetrics,
  after: MaskedMetrics,
): AdaptMetrics => ({ command: 'adapt', ...common(run), before, after });
