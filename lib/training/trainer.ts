/** The Trainer: fine-tunes a TextClassifier, or adapts a MaskedLM to a domain. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { trainingBatches, type BatchOptions } from '../batching/batches.js';
import { batchesInMemory, type NextBatch } from '../batching/positions.js';
import type { ReviewStream, StreamPosition } from '../batching/stream.js';
import { singleProcess, type Ranks } from '../distributed/ranks.js';
import { ArgumentError, OtherRowsError, SettingsError } from '../errors.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import type { MultiLabelMetrics } from '../evaluation/multi-label-metrics.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';
import type { EncodedBatch, EncodedReviews, LabeledBatch } from '../model/batch.js';
import { MaskedLM } from '../model/masked-lm.js';
import { describeEngine, parameterValues, restoreParameters } from '../model/model.js';
import { readSafetensors, type StoredTensor } from '../model/safetensors.js';
import { LoraTraining, type Adapter, type LoraConfig } from '../model/lora.js';
import { familyOf } from '../model/families.js';
import type { Model } from '../model/model.js';
import { TextClassifier, type MultiLabelModel, type RegressionModel } from '../model/text-classifier.js';
import type { Review } from '../reviews/review.js';
import { settingText } from '../settings/setting-text.js';
import { trainingSettings, type TrainingSettings } from '../settings/settings.js';
import { initialState, optimizerOf, type Checkpoint, type CheckpointFolder, type TrainerState } from './checkpoint.js';
import { addScore } from './early-stopping.js';
import { assertFits } from './fitting-labels.js';
import { trainedParameters } from './freeze.js';
import { chooseJitCompile } from './jit-compile.js';
import { learningRateFactors } from './layerwise-learning-rate.js';
import { runLoop } from './loop.js';
import { scheduleOf } from './schedule.js';
import { TrainingStep } from './step.js';
import { classificationTask } from './tasks/classification.js';
import { maskedTask } from './tasks/masked-lm.js';
import { multiLabelTask } from './tasks/multi-label.js';
import { regressionTask } from './tasks/regression.js';
import { setfitTask } from './tasks/setfit.js';
import type { Objective, TaskMetrics, TrainingTask } from './tasks/task.js';
import type { EndOfTraining, TrainingRecord } from './training-record.js';

/** Metrics of a model's task; of a TextClassifier those of classification, unless its type is RegressionModel or MultiLabelModel. */
export type MetricsOf<Model> = Model extends MaskedLM
  ? MaskedMetrics
  : Model extends RegressionModel
    ? RegressionMetrics
    : Model extends MultiLabelModel
      ? MultiLabelMetrics
      : ClassificationMetrics;

/** Training or evaluation data: reviews, which are tokenized; token ids; or a stream of more than fits into memory. */
export type TrainingData = Review[] | EncodedReviews | ReviewStream;

/** Options of `train`. */
export interface TrainOptions {
  /** Evaluated every evalSteps steps, or once per epoch, ten times if streaming. Without it the last parameters are kept. */
  validation?: Review[] | EncodedReviews | undefined;
  /** Called after each step. */
  onRecord?: ((record: TrainingRecord) => void) | undefined;
  /** Stops training after the current step. */
  signal?: AbortSignal | undefined;
  /** Where checkpoints are written: at evaluations, every saveSteps steps, and at the end. @default none */
  checkpoints?: CheckpointFolder | undefined;
  /** The checkpoint to resume, of `checkpoints.newest()`; the model must have been loaded from its folder. */
  resumeFrom?: Checkpoint | undefined;
  /** Called when a checkpoint has been written. */
  onCheckpoint?: ((checkpoint: Checkpoint) => void) | undefined;
  /**
   * The processes that train together, each on its share of every batch. All get the same data, settings and model; the chief's
   * parameters and checkpoint are used. @default this process only
   */
  ranks?: Ranks | undefined;
}

/** The result of training. */
export interface TrainingResult<Metrics> {
  end: EndOfTraining;
  /** One per step; of more than 10,000 steps a part, see appendDownsampled. */
  records: TrainingRecord[];
  /** The evaluation whose parameters the model has; undefined without an evaluation. */
  best: { step: number; metrics: Metrics } | undefined;
  /** Optimizer steps. */
  step: number;
  /** Rows trained on, with repetitions. */
  samples: number;
  /** In total across resumes. */
  seconds: number;
  /** Without evaluation and checkpoints. */
  samplesPerSecond: number;
  /** Fraction of the training time in which no batch was ready. */
  dataWaitFraction: number;
  /** How the steps were computed. */
  engine: string;
  /** The LoRA adapter of the kept parameters, see savePeftAdapter. @default none, without the setting loraRank */
  adapter?: Adapter;
  /** Number of captured graphs, and the seconds that capturing took, with XLA's compilation. */
  captured: { graphs: number; seconds: number };
}

/** Whether the rows are a stream. Its class is not imported: with it a bundle for browsers would contain its worker threads. */
const isReviewStream = (data: TrainingData): data is ReviewStream => 'batches' in data;

/** A fingerprint of rows: of all token ids and labels, or of a stream's files. */
export function fingerprintOf(rows: EncodedReviews | ReviewStream, preparation = ''): string {
  if (isReviewStream(rows)) return rows.fingerprint + preparation;
  const { ids, labels, pairStarts = [] } = rows;
  const hash = createHash('sha256').update(labels).update(preparation).update(Int32Array.from(pairStarts));
  for (const text of ids) hash.update(Int32Array.of(text.length)).update(text);
  return hash.digest('hex').slice(0, 16);
}

/** The task of a classifier by its problem type. */
const taskOf = {
  single_label_classification: (model: TextClassifier, settings: TrainingSettings) =>
    settings.method === 'full' ? classificationTask(model, settings) : setfitTask(model, settings),
  multi_label_classification: multiLabelTask,
  regression: regressionTask,
};

const isEncoded = (data: TrainingData): data is EncodedReviews => 'ids' in data;

const loraConfig = (model: Model, settings: TrainingSettings): LoraConfig => ({
  r: settings.loraRank,
  lora_alpha: settings.loraAlpha,
  lora_dropout: settings.loraDropout,
  target_modules: settings.loraTargetModules ?? familyOf(model.config).loraTargetModules,
});

async function* batchesOfStream(
  stream: ReviewStream,
  options: BatchOptions,
  from: StreamPosition,
): AsyncGenerator<NextBatch<LabeledBatch>> {
  for await (const { next, ...batch } of stream.batches(options, from))
    yield { batch, endsEpoch: next.block === 0 && next.batch === 0, next };
}

/**
 * Trains and evaluates a model.
 * @example
 * const trainer = new Trainer(model, { epochs: 3, learningRate: 5e-5 });
 * await trainer.train(reviews.train, { validation: reviews.validation });
 * console.log(await trainer.evaluate(reviews.test));
 */
export class Trainer<Model extends TextClassifier | MaskedLM> {
  /** The given settings, and defaults. */
  readonly settings: TrainingSettings;
  readonly #task: TrainingTask<EncodedBatch, MetricsOf<Model> & TaskMetrics>;

  /**
   * @param model its parameters are changed by training
   * @param settings see lib/settings/README.md; those of a whole run may be passed
   * @throws SettingsError for an unknown or invalid setting, a weight of a class that the model does not have, or for another problem type a
   * setting of the loss of classes; ArgumentError if the model was loaded for another method
   */
  constructor(
    readonly model: Model,
    settings: Partial<TrainingSettings> = {},
  ) {
    this.settings = trainingSettings(settings);
    const task =
      model instanceof MaskedLM ? maskedTask(model, this.settings) : taskOf[model.problemType](model, this.settings);
    this.#task = task as unknown as TrainingTask<EncodedBatch, MetricsOf<Model> & TaskMetrics>;
  }

  /** @throws ArgumentError for labels or logits of a teacher that do not fit the classifier */
  #encode(data: Review[] | EncodedReviews): EncodedReviews {
    const rows = isEncoded(data) ? data : this.model.encode(data, this.settings.maxLength);
    if (this.model instanceof TextClassifier) assertFits(rows, this.model);
    return rows;
  }

  /**
   * Evaluates the model.
   * @param data labeled reviews; for a MaskedLM texts, whose labels are ignored
   * @param options see TrainOptions
   * @param options.ranks that evaluate together
   */
  async evaluate(
    data: Review[] | EncodedReviews,
    { ranks = singleProcess }: { ranks?: Ranks } = {},
  ): Promise<MetricsOf<Model>> {
    return this.#task.evaluate(this.#encode(data), { ranks });
  }

  /** Trains by fitting the head only, without a step of the optimizer. */
  async #fitHead(
    objective: Objective<EncodedBatch, MetricsOf<Model> & TaskMetrics>,
    samples: number,
    validation: EncodedReviews | undefined,
    { signal, ranks = singleProcess }: TrainOptions,
  ): Promise<TrainingResult<MetricsOf<Model>>> {
    const started = performance.now();
    // Lets signals be handled.
    await objective.finish!({ ranks, tick: () => new Promise((resolve) => setImmediate(resolve)) });
    const seconds = (performance.now() - started) / 1000;
    const metrics = validation && (await this.#task.evaluate(validation, { ranks }));
    return {
      end: signal?.aborted ? 'interrupted' : 'completed',
      records: [],
      best: metrics && { step: 0, metrics },
      step: 0,
      samples,
      seconds,
      samplesPerSecond: samples / seconds,
      dataWaitFraction: 0,
      engine: describeEngine(this.model.engine),
      captured: { graphs: 1, seconds: 0 },
    };
  }

  /**
   * Trains the model in place.
   * @param data for a MaskedLM texts, whose labels are ignored
   * @param options see TrainOptions
   * @throws ArgumentError for empty data, a label that the model does not have, or balanced class weights and a stream
   * without a sample
   * @throws DivergedError if the loss is NaN or infinite; the parameters are those of the step before
   * @throws CheckpointError if a checkpoint cannot be written, OtherRowsError if it is of other data
   */
  async train(data: TrainingData, options: TrainOptions = {}): Promise<TrainingResult<MetricsOf<Model>>> {
    const { model, settings } = this;
    const { checkpoints, signal, ranks = singleProcess } = options;
    if (options.resumeFrom && !checkpoints)
      throw new ArgumentError(
        'ARGUMENT_NO_CHECKPOINTS',
        'resumeFrom is given without checkpoints, the folder of the checkpoint. Give both.',
        { folder: options.resumeFrom.folder },
      );
    const task = this.#task;
    const rows = isReviewStream(data) ? data : this.#encode(data);
    const validation = options.validation && this.#encode(options.validation);
    const isStream = isReviewStream(rows);
    const count = isStream ? rows.rows : rows.ids.length;
    if (count === 0) throw new ArgumentError('ARGUMENT_NO_ROWS', 'There are no rows to train on.');
    const objective = isStream ? task.objective(rows.sampledLabels) : task.objective(rows.labels, rows);
    const longest = isStream ? rows.maxLength : rows.ids.reduce((max, { length }) => Math.max(max, length), 0);
    // Predictions truncate as training does. Rows that were tokenized before may be longer than the setting.
    if (model instanceof TextClassifier) {
      model.maxLength = Math.min(isStream ? longest : Math.max(longest, settings.maxLength), model.maxTokens);
      model.calibration = undefined;
    }

    ranks.copyFromChief([...model.parameters.values()]);
    if (settings.method === 'head') return this.#fitHead(objective, count, validation, options);
    const resumeFrom = ranks.fromChief(options.resumeFrom);
    const fingerprint = fingerprintOf(rows, task.fingerprint);
    if (resumeFrom && resumeFrom.state.data !== fingerprint)
      throw new OtherRowsError(
        'CHECKPOINT_DATA_CHANGED',
        `The training data differs from that of ${resumeFrom.folder}: the file has changed, or the sample is another one. Restore it, or start a new run.`,
        { folder: resumeFrom.folder },
      );
    const state: TrainerState = resumeFrom ? structuredClone(resumeFrom.state) : initialState(fingerprint);
    const lora =
      settings.loraRank > 0 ? new LoraTraining(model, loraConfig(model, settings), settings.seed) : undefined;
    const trained =
      lora?.trained ??
      trainedParameters(model.parameters.keys(), settings.freeze).filter((name) => task.trains?.(name) ?? true);
    if (trained.length === 0)
      throw new SettingsError(
        'SETTING_CONFLICT',
        `${settingText('freeze')} ${settings.freeze} freezes all that ${settingText('method')} ${settings.method} trains. Freeze fewer layers, or use ${settingText('method', 'head')}.`,
        { names: ['method', 'freeze'] },
      );

    const batching = {
      batchSize: settings.batchSize,
      seed: settings.seed,
      maxTokens: model.maxTokens,
    };
    async function* batches(from: StreamPosition): AsyncGenerator<NextBatch<EncodedBatch>> {
      const all = isStream
        ? batchesOfStream(rows, batching, from)
        : batchesInMemory((epoch) => trainingBatches(rows, { ...batching, epoch }), from);
      for await (const { batch, next, ...rest } of all)
        yield { batch: task.prepare?.(batch, next) ?? batch, next, ...rest };
    }
    const { examples } = objective;

    const schedule = scheduleOf(settings, examples?.count ?? count, isStream);
    const work = {
      batches: schedule.totalSteps * settings.gradientAccumulationSteps,
      batchSize: settings.batchSize,
    };
    const compilation = await chooseJitCompile(model, work, ranks);
    const step = new TrainingStep(lora?.model ?? model, objective.step, {
      trained,
      texts: task.usesInputTokensOnly && !isStream ? rows.ids : undefined,
      maxGradNorm: settings.maxGradNorm,
      seed: settings.seed,
      accumulates: settings.gradientAccumulationSteps > 1,
      beta1: settings.adamBeta1,
      beta2: settings.adamBeta2,
      epsilon: settings.adamEpsilon,
      weightDecay: settings.weightDecay,
      learningRateFactors: learningRateFactors(trained, settings.layerwiseLearningRateDecay),
      jitCompile: compilation.jitCompile,
      ranks,
    });

    const sync = (complete = true) => {
      step.sync(complete);
      lora?.sync();
    };
    const started = performance.now() - 1000 * state.seconds;
    const updateSeconds = () => (state.seconds = (performance.now() - started) / 1000);
    let bestParameters: Map<string, StoredTensor> | undefined;
    let bestAdapter: Map<string, StoredTensor> | undefined;

    const evaluate = async (record: TrainingRecord, tick: () => Promise<void>): Promise<boolean> => {
      sync();
      const { metrics, score } = await objective.evaluate(validation!, { tick, ranks });
      record.evalLoss = metrics.loss;
      if (metrics.accuracy !== undefined) record.evalAccuracy = metrics.accuracy;
      if (metrics.micro) record.evalMicroF1 = metrics.micro.f1;
      state.lastEvalStep = state.step;
      const { isBest, stop } = addScore(state.earlyStopping, score, settings);
      if (isBest || !settings.loadBestModelAtEnd) {
        state.best = { step: state.step, metrics };
        // If there are checkpoints, the best parameters are in one of them.
        if (settings.loadBestModelAtEnd && !checkpoints && ranks.isChief) {
          bestParameters = parameterValues(model);
          bestAdapter = lora?.tensors();
        }
      }
      return stop;
    };

    const save = () => {
      if (!checkpoints) return;
      const isInterrupted = state.end === 'interrupted';
      sync(state.end !== null && !isInterrupted);
      const { state: stepState, tensors } = step.state();
      state.trainingStep = stepState;
      updateSeconds();
      const stored = { ...state, end: isInterrupted ? null : state.end };
      const saved = checkpoints.save(stored, new Map([...tensors, ...(lora?.tensors() ?? [])]), (folder) =>
        model.save(folder),
      );
      checkpoints.prune(
        settings.saveTotalLimit,
        state.step,
        settings.loadBestModelAtEnd ? state.best?.step : undefined,
      );
      options.onCheckpoint?.(saved);
    };

    let best: { step: number; metrics: MetricsOf<Model> } | undefined;
    let adapter: Adapter | undefined;
    try {
      try {
        if (resumeFrom) {
          const tensors = ranks.isChief ? optimizerOf(resumeFrom) : undefined;
          step.restore(state.trainingStep!, () => tensors!);
          if (tensors) lora?.restore(tensors);
        }
        ranks.copyFromChief(lora?.variables ?? []);
        await runLoop({
          state,
          schedule,
          step,
          batches: examples ? (from) => examples.batches(batching, from) : batches,
          gradientAccumulationSteps: settings.gradientAccumulationSteps,
          evaluate: validation && evaluate,
          save,
          onRecord: (record) => options.onRecord?.(record),
          signal,
          ranks,
        });
      } finally {
        sync();
        step.dispose();
      }
      updateSeconds();

      // An interrupted run keeps the parameters of its last step, unless a best checkpoint exists.
      best = (state.best ?? undefined) as typeof best;
      if (settings.loadBestModelAtEnd && best && best.step !== state.step) {
        const folder = checkpoints?.path(best.step);
        if (ranks.isChief) {
          restoreParameters(model, bestParameters ?? readSafetensors(path.join(folder!, 'model.safetensors')));
          lora?.restore(bestAdapter ?? optimizerOf({ folder: folder! }));
        }
        ranks.copyFromChief([...model.parameters.values(), ...(lora?.variables ?? [])]);
      }
      adapter = lora?.adapter();
    } finally {
      lora?.dispose();
    }
    await objective.finish?.({ ranks });
    const reasons = [model.engine.reason, compilation.reason].filter((reason) => reason !== undefined);
    return {
      end: state.end!,
      records: state.records,
      best,
      step: state.step,
      samples: state.samples,
      seconds: state.seconds,
      samplesPerSecond: state.samples / state.trainSeconds,
      dataWaitFraction: state.dataWaitSeconds / state.trainSeconds,
      engine: describeEngine({
        ...model.engine,
        jitCompile: compilation.jitCompile,
        reason: reasons.join(', ') || undefined,
      }),
      captured: step.captured,
      ...(adapter && { adapter }),
    };
  }
}

/**
 * The result of training as rows of a table.
 * @example
 * const result = await trainer.train(reviews.train, { validation: reviews.validation });
 * showTable(describeTraining(result));
 */
export const describeTraining = (result: TrainingResult<unknown>): { what: string; value: string }[] => [
  { what: 'end', value: result.end },
  { what: 'samples', value: String(result.samples) },
  { what: 'samples per second', value: result.samplesPerSecond.toFixed(1) },
  { what: 'engine', value: result.engine },
  { what: 'captured graphs', value: `${result.captured.graphs} in ${result.captured.seconds.toFixed(1)} s` },
  { what: 'waited for data', value: `${(100 * result.dataWaitFraction).toFixed(2)} %` },
];
