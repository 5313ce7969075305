/** metrics.json: the result of a run. Report, model card and comparisons use it and the journal. */
import type { TrainingResult } from '../training/trainer.js';
import type { ClassificationMetrics, NamedAccuracy } from '../evaluation/metrics.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import type { EndOfTraining } from '../training/training-record.js';

interface AnyMetrics {
  end: EndOfTraining;
  /** A sentence on the model and the reviews, and why they were chosen. */
  sources: string;
  model: string;
  dataset: string;
  rows: { train: number; validation: number; test: number };
  training: {
    step: number;
    samples: number;
    seconds: number;
    samplesPerSecond: number;
    dataWaitFraction: number;
    engine: string;
  };
}

/** The result of fine-tuning. */
export interface FinetuneMetrics extends AnyMetrics {
  command: 'finetune';
  labelNames: string[];
  /** The evaluation on the validation set whose parameters were kept. */
  validation: { step: number; metrics: ClassificationMetrics } | null;
  test: ClassificationMetrics;
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

export type RunMetrics = FinetuneMetrics | AdaptMetrics;

/** The figures of a training run that metrics.json contains. */
export const trainingFigures = (result: TrainingResult<unknown>): AnyMetrics['training'] => ({
  step: result.step,
  samples: result.samples,
  seconds: result.seconds,
  samplesPerSecond: result.samplesPerSecond,
  dataWaitFraction: result.dataWaitFraction,
  engine: result.engine,
});
