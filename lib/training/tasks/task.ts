/**
 * What a model is trained to do. Step, loop and checkpoints know nothing else about it, so that classification, regression
 * and masked-language modeling are trained by the same code.
 */
import type { Scalar } from '@tensorflow/tfjs';
import type { BatchOptions } from '../../batching/batches.js';
import type { NextBatch } from '../../batching/positions.js';
import type { StreamPosition } from '../../batching/stream.js';
import type { EvaluateOptions } from '../../evaluation/compute-rows.js';
import type { EncodedBatch, EncodedReviews, LabeledBatch } from '../../model/batch.js';
import type { DropoutSource } from '../../model/dropout.js';
import type { Weights } from '../../model/tensor-operations.js';
import type { Layers } from '../../model/layers.js';
import type { Model } from '../../model/model.js';
import type { NamedTensors } from '../../tensorflow/function.js';

/** The part of a task that a training step needs. */
export interface StepTask<Batch extends EncodedBatch, Inputs extends NamedTensors = NamedTensors> {
  /** The tensors of a batch, as `loss` takes them. */
  tensors(batch: Batch, layers: Layers): Inputs;
  /**
   * The mean loss of a batch, a scalar.
   * @param source random numbers for dropout; undefined disables dropout
   */
  loss(weights: Weights, inputs: Inputs, model: Model, source: DropoutSource | undefined): Scalar;
  /**
   * Weight of a batch in the mean over accumulated batches and over ranks: the sum of its texts' class weights, its number of texts
   * (regression, multi-label classification) or its number of masked tokens.
   */
  weight(batch: Batch): number;
  /** Some texts of a batch. */
  select(batch: Batch, rows: number[]): Batch;
}

/** Metrics of every task. */
export interface TaskMetrics {
  loss: number;
  /** From 0 to 1; undefined for regression and multi-label classification. */
  accuracy?: number;
  /** Only for multi-label classification: scores of all entries together. */
  micro?: { f1: number };
}

/** Options of an evaluation; the size of its batches is a setting. */
export type EvaluationOptions = Omit<EvaluateOptions, 'batchSize'>;

/** What training on a data set optimizes, and what selects its best evaluation. */
export interface Objective<Batch extends EncodedBatch, Metrics extends TaskMetrics> {
  step: StepTask<Batch>;
  /** Evaluates the model; the evaluation with the highest score is the best. */
  evaluate(rows: EncodedReviews, options: EvaluationOptions): Promise<{ metrics: Metrics; score: number }>;
  /** What is trained on, if it is not the rows themselves in random order: the number of examples, and their batches. */
  examples?: { count: number; batches(options: BatchOptions, from: StreamPosition): Iterable<NextBatch<Batch>> };
  /** Completes the model after training, from the parameters that it keeps. */
  finish?(options: EvaluationOptions): Promise<void>;
}

/** A task with its data preparation and its evaluation. */
export interface TrainingTask<Batch extends EncodedBatch, Metrics extends TaskMetrics> {
  /**
   * @param labels class numbers of the training rows, or of a sample of them; undefined if they are unknown
   * @param rows the training rows; undefined for a stream
   */
  objective(labels: Iterable<number> | undefined, rows?: EncodedReviews): Objective<Batch, Metrics>;
  /**
   * Prepares a batch of rows for training, such as by masking tokens. @default it stays as it is
   * @param next the position after the batch, from which randomness follows
   */
  prepare?(batch: LabeledBatch, next: StreamPosition): Batch;
  /** Evaluates the model. */
  evaluate(rows: EncodedReviews, options: EvaluationOptions): Promise<Metrics>;
  /** Whether a parameter is trained. @default all are */
  trains?(name: string): boolean;
  /** The training depends only on tokens that occur in the texts, so that other rows of the word embedding need no training. */
  usesInputTokensOnly: boolean;
  /** Distinguishes training data that differ in preparation only. */
  fingerprint: string;
}
