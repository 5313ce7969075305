/** metrics.json: what came out of a run. All that the report, the model card and a comparison tell is in it and the journal. */
import type { TrainingResult } from '../training/trainer.js';
import type { ClassificationMetrics, NamedAccuracy } from '../evaluation/metrics.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import type { EndOfTraining } from '../training/training-record.js';

interface AnyMetrics {
  end: EndOfTraining;
  /** Which model and which reviews, and why these. */
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

export interface FinetuneMetrics extends AnyMetrics {
  command: 'finetune';
  labelNames: string[];
  /** The look at the validation rows whose parameters were kept. */
  validation: { step: number; metrics: ClassificationMetrics } | null;
  test: ClassificationMetrics;
  baselines: NamedAccuracy[];
  byLength: NamedAccuracy[];
  /** The wrong answers that the model was surest of. */
  errors: { review: string; true: string; predicted: string; probability: number }[];
}

export interface AdaptMetrics extends AnyMetrics {
  command: 'adapt';
  /** Of the test rows, masked once and for all. */
  before: MaskedMetrics;
  after: MaskedMetrics;
}

export type RunMetrics = FinetuneMetrics | AdaptMetrics;

/** What is told of a training run. */
export const trainingFigures = (result: TrainingResult<unknown>): AnyMetrics['training'] => ({
  step: result.step,
  samples: result.samples,
  seconds: result.seconds,
  samplesPerSecond: result.samplesPerSecond,
  dataWaitFraction: result.dataWaitFraction,
  engine: result.engine,
});
