/** metrics.json: the result of a run. Report, model card and comparisons use it and the journal. */
import type { DataSummary } from '../reviews/describe-source.js';
import type { Sources } from '../hub/sources.js';
import type { TrainingResult } from '../training/trainer.js';
import type { CalibrationEffect } from '../evaluation/calibrate.js';
import type { ClassificationMetrics, NamedAccuracy } from '../evaluation/metrics.js';
import type { Warning } from '../evaluation/warnings.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
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

/** The result of fine-tuning. */
export interface FinetuneMetrics extends AnyMetrics {
  command: 'finetune';
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

/** The result of domain adaptation. */
export interface AdaptMetrics extends AnyMetrics {
  command: 'adapt';
  /** Test metrics before adaptation. The masks are the same as after it. */
  before: MaskedMetrics;
  /** Test metrics after adaptation. */
  after: MaskedMetrics;
}

/** The content of metrics.json: the result of fine-tuning or of domain adaptation. */
export type RunMetrics = FinetuneMetrics | AdaptMetrics;

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
