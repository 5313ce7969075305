/** metrics.json: the result of a run. Report, model card and comparisons use it and the journal. */
import type { DataSummary } from '../reviews/describe-source.js';
import type { Sources } from '../hub/sources.js';
import type { TrainingResult } from '../training/trainer.js';
import type { CalibrationEffect } from '../evaluation/calibrate.js';
import type { NamedAccuracy } from '../evaluation/interval.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import type { Warning } from '../evaluation/warnings.js';
import type { LabelSetMetrics, MultiLabelMetrics } from '../evaluation/multi-label-metrics.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import { percent } from '../figures/format.js';
import type { EndOfTraining } from '../training/training-record.js';

interface AnyMetrics {
  end: EndOfTraining;
  /** A sentence on the model and the reviews, and why they were chosen. */
  sources: string;
  model: string;
  dataset: string;
  rows: { train: number; validation: number; test: number };
  /** Undefined in runs of earlier versions. */
  data?: DataSummary;
  training: Pick<
    TrainingResult<unknown>,
    'step' | 'samples' | 'seconds' | 'samplesPerSecond' | 'dataWaitFraction' | 'engine'
  >;
}

/** The result of fine-tuning a classifier. */
export interface FinetuneMetrics extends AnyMetrics {
  command: 'finetune';
  /** Missing in runs of older versions. */
  problemType?: 'single_label_classification';
  labelNames: string[];
  /** Weights in the training loss by class name; null if all are 1. Missing in runs of older versions, like `warnings`. */
  classWeights?: Record<string, number> | null;
  /** Warnings about the classes, before training and after the test. */
  warnings?: Warning[];
  /** The evaluation on the validation set whose parameters were kept. */
  validation: { step: number; metrics: ClassificationMetrics } | null;
  test: ClassificationMetrics;
  /** Temperature and threshold, and their effect on the test set; null without a calibration. Missing in runs of older versions. */
  calibration?: CalibrationEffect | null;
  baselines: NamedAccuracy[];
  byLength: NamedAccuracy[];
  /** The wrong predictions with the highest probability. */
  errors: { review: string; true: string; predicted: string; probability: number }[];
}

/** The result of fine-tuning a model that predicts a number. */
export interface RegressionRunMetrics extends AnyMetrics {
  command: 'finetune';
  problemType: 'regression';
  /** The name of the number: that of the label column. */
  labelNames: string[];
  /** The evaluation on the validation set whose parameters were kept. */
  validation: { step: number; metrics: RegressionMetrics } | null;
  /** A warning if the model is no better than the mean. Missing in runs of older versions. */
  warnings?: Warning[];
  test: RegressionMetrics;
  baselines: ({ name: string } & RegressionMetrics)[];
  /** True and predicted numbers of test reviews, of at most 2,000. */
  predictions: { true: number[]; predicted: number[] };
  /** The test reviews with the largest errors. */
  errors: { review: string; true: number; predicted: number }[];
}

/** The result of fine-tuning a model that predicts all classes that apply. */
export interface MultiLabelRunMetrics extends AnyMetrics {
  command: 'finetune';
  problemType: 'multi_label_classification';
  labelNames: string[];
  /** The evaluation on the validation set whose parameters were kept. */
  validation: { step: number; metrics: MultiLabelMetrics } | null;
  /** Warnings about the classes, before training and after the test. Missing in runs of older versions. */
  warnings?: Warning[];
  test: MultiLabelMetrics;
  baselines: ({ name: string } & LabelSetMetrics)[];
  /** The wrongly predicted test reviews with the largest loss, the mean of their classes. */
  errors: { review: string; true: string; predicted: string; loss: number }[];
}

/** The result of domain adaptation. */
export interface AdaptMetrics extends AnyMetrics {
  command: 'adapt';
  /** Test metrics before adaptation. The masks are the same as after it. */
  before: MaskedMetrics;
  /** Test metrics after adaptation. */
  after: MaskedMetrics;
}

/** The result of fine-tuning, of any problem type. */
export type AnyFinetuneMetrics = FinetuneMetrics | RegressionRunMetrics | MultiLabelRunMetrics;

/** The content of metrics.json: the result of fine-tuning or of domain adaptation. */
export type RunMetrics = AnyFinetuneMetrics | AdaptMetrics;

/** Whether a run has trained a classifier that predicts one class. */
export const isClassification = (metrics: RunMetrics | null | undefined): metrics is FinetuneMetrics =>
  metrics?.command === 'finetune' &&
  (metrics.problemType === undefined || metrics.problemType === 'single_label_classification');

/** Whether a run has trained a model that predicts a number. */
export const isRegression = (metrics: RunMetrics | null | undefined): metrics is RegressionRunMetrics =>
  metrics?.command === 'finetune' && metrics.problemType === 'regression';

/** Whether a run has trained a model that predicts all classes that apply. */
export const isMultiLabel = (metrics: RunMetrics | null | undefined): metrics is MultiLabelRunMetrics =>
  metrics?.command === 'finetune' && metrics.problemType === 'multi_label_classification';

/** By what several runs of fine-tuning are compared: accuracy, micro F1 of multi-label classification, loss of regression. */
export type SelectionMetric = 'accuracy' | 'microF1' | 'loss';

/** The metric by which a run is compared with others. */
export const selectionMetric = (metrics: RunMetrics | null | undefined): SelectionMetric =>
  isRegression(metrics) ? 'loss' : isMultiLabel(metrics) ? 'microF1' : 'accuracy';

/** How a selection metric is named and written, and whether a higher value is better (sign 1) or a lower one (-1). */
export const selectionMetrics: Record<
  SelectionMetric,
  {
    name: string;
    withArticle: string;
    sign: 1 | -1;
    format: (value: number) => string;
    spread: (value: number) => string;
  }
> = {
  accuracy: {
    name: 'accuracy',
    withArticle: 'an accuracy',
    sign: 1,
    format: percent,
    spread: (deviation) => (100 * deviation).toFixed(1),
  },
  microF1: {
    name: 'micro F1',
    withArticle: 'a micro F1',
    sign: 1,
    format: (value) => value.toFixed(4),
    spread: (deviation) => deviation.toFixed(4),
  },
  loss: {
    name: 'loss',
    withArticle: 'a loss',
    sign: -1,
    format: (value) => value.toFixed(4),
    spread: (deviation) => deviation.toFixed(4),
  },
};

/** Validation and test result of a run of fine-tuning, in its selection metric; without an evaluation no validation result. */
export function selectionResults(metrics: AnyFinetuneMetrics): { validation: number | undefined; test: number } {
  if (isRegression(metrics)) return { validation: metrics.validation?.metrics.loss, test: metrics.test.loss };
  if (isMultiLabel(metrics)) return { validation: metrics.validation?.metrics.micro.f1, test: metrics.test.micro.f1 };
  return { validation: metrics.validation?.metrics.accuracy, test: metrics.test.accuracy };
}

/** The part of metrics.json that does not depend on the task. */
export const commonMetrics = (
  { banner, model, dataset }: Sources,
  rows: AnyMetrics['rows'],
  data: DataSummary,
  { end, step, samples, seconds, samplesPerSecond, dataWaitFraction, engine }: TrainingResult<unknown>,
): AnyMetrics => ({
  end,
  sources: banner,
  model,
  dataset,
  rows,
  data,
  training: { step, samples, seconds, samplesPerSecond, dataWaitFraction, engine },
});
