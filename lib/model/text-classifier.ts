/** A text classifier: a pretrained encoder with a classification head. */
import type { Tensor } from '@tensorflow/tfjs';
import { ArgumentError, ModelFormatError } from '../errors.js';

import { tensorFunction, type TensorFunction } from '../tensorflow/function.js';
import { tf } from '../tensorflow/runtime.js';
import type { Reading } from '../reviews/review.js';
import type { ProblemType } from '../settings/problem-type.js';
import type { Settings } from '../settings/settings.js';
import type { TextInput, TokenizerFiles } from '../tokenizer/tokenizer.js';
import { evaluationBatches, type EncodedBatch } from './batch.js';
import { probabilitiesOf, type ModelCalibration } from './calibration.js';
import { readCalibration, writeCalibration } from './calibration-file.js';
import { classifierConfigJson, labelNames, problemTypeOf, type EncoderConfig } from './config.js';
import { familyOf } from './families.js';
import { prepareFeatures } from './features.js';
import { fetchModel } from './fetch-model.js';
import {
  buildParameters,
  captureOptions,
  checkEncoder,
  engineOf,
  notesOnLength,
  prepareWeights,
  readModelFolder,
  readWeights,
  type ModelFolder,
} from './model.js';
import { batchTensors, divideInputs, type PackedTexts } from './packed-texts.js';
import { predictionOf, type Prediction } from './prediction.js';
import { readPreprocessing, writePreprocessing, type Preprocessing } from './preprocessing.js';
import { PretrainedModel, tokenizerFilesOf, type LoadOptions, type ModelParts } from './pretrained-model.js';
import { classifierShapes, sequenceClassification } from './sequence-classification.js';
import type { Weights } from './tensor-operations.js';

/** Options of `TextClassifier.load`. */
export interface ClassifierOptions extends LoadOptions {
  /**
   * Class names; a single name for a regression, which predicts a number. @default those of `reading`, or those in config.json; negative
   * and positive for a base model
   */
  labels?: string[];
  /**
   * Whether one class or several apply to a text; a single label is always a regression.
   * @default that of `reading`, or that in config.json if the labels are the same, or else single_label_classification
   */
  problemType?: ProblemType;
  /** Columns and classes of the training data, which are saved with the model. @default those that were saved with it */
  reading?: Reading;
  /**
   * How the model will be trained. For `head` and `setfit` its head is replaced by one that gets the mean of the tokens, see
   * features.ts. @default 'full'
   */
  method?: Settings['method'];
}

/**
 * The row of each label in a stored head, by its name, ignoring case. Default names (LABEL_0, …) match any label.
 * @returns undefined if the stored head has other labels
 */
function rowsOfLabels(stored: string[], wanted: string[]): number[] | undefined {
  if (stored.every((name, i) => name === `LABEL_${i}`)) return wanted.map((_, i) => i);
  const lower = stored.map((name) => name.toLowerCase());
  const order = wanted.map((name) => lower.indexOf(name.toLowerCase()));
  return order.includes(-1) || new Set(order).size < order.length ? undefined : order;
}

/**
 * Adjusts a stored head to the labels: reorders its rows, or removes it if it has other labels.
 * @returns notes on what was done
 */
function adjustHead({ json, config, stored }: ModelFolder, labels: string[]): string[] {
  const { classifier } = familyOf(config);
  const kinds = ['weight', 'bias'].map((kind) => `${classifier}.${kind}`);
  const head = stored.get(kinds[0]!);
  if (!head) return [];
  const storedLabels = labelNames(config);
  const rows =
    head.shape[0] === labels.length ? rowsOfLabels(json['id2label'] ? storedLabels : labels, labels) : undefined;
  if (!rows) {
    for (const name of kinds) stored.delete(name);
    return [
      `The stored head has other labels (${storedLabels.join(', ')}) than the reviews (${labels.join(', ')}) and is ignored.`,
    ];
  }
  if (rows.every((row, i) => row === i)) return [];
  for (const name of kinds) {
    const { shape, data } = stored.get(name)!;
    const width = data.length / rows.length;
    const ordered = rows.map((row) => data.subarray(row * width, (row + 1) * width));
    stored.set(name, { shape, data: Float32Array.from(ordered.flatMap((row) => [...row])) });
  }
  return [`The stored head's labels ${storedLabels.join(', ')} are reordered to ${labels.join(', ')}.`];
}

/** A classifier that predicts a number: its head has one output. */
export type RegressionModel = TextClassifier & { readonly problemType: 'regression' };

/** A classifier that predicts all classes that apply: its loss and its probabilities are those of each class by itself. */
export type MultiLabelModel = TextClassifier & { readonly problemType: 'multi_label_classification' };

/** Texts per batch of `predict`. */
const predictBatchSize = 64;

/**
 * A classifier of texts on TensorFlow, with its tokenizer.
 * @example
 * const model = await TextClassifier.load('embedded', { labels: ['negative', 'positive'] });
 */
export class TextClassifier extends PretrainedModel {
  /** The forward pass without dropout: packed texts to logits [batch, labels]. */
  readonly forward: TensorFunction<PackedTexts & Weights, { logits: Tensor }>;
  /**
   * Maximum sequence length of predictions, in tokens: that of training, also of a saved model; before training what the model accepts.
   */
  maxLength: number;
  /** Columns and classes of the training data; undefined if they are unknown. */
  readonly reading: Reading | undefined;
  /** Fitted by `calibrate`, and saved with the model. Undefined after training, since it belongs to the parameters. */
  calibration: ModelCalibration | undefined;
  /** How the model was loaded to be trained, see ClassifierOptions. */
  readonly method: Settings['method'];

  private constructor(
    parts: ModelParts,
    { maxLength, reading }: Preprocessing = { maxLength: Infinity },
    method: Settings['method'] = 'full',
  ) {
    super(parts);
    this.method = method;
    this.maxLength = Math.min(maxLength, this.maxTokens);
    this.reading = reading;
    const { config, engine } = this;
    this.forward = tensorFunction(
      (inputs: PackedTexts & Weights) => {
        const { texts, others: prepared } = divideInputs<Weights>(inputs);
        return { logits: sequenceClassification({ ...readWeights(this), ...prepared }, texts, config, engine) };
      },
      { name: 'the forward pass', ...captureOptions(engine) },
    );
  }

  /**
   * Loads a model in Hugging Face format: a model of a supported family, as a base model, with a masked-LM head, or as
   * a classifier; in one file or in shards, in float32 or half precision. A missing head is randomly initialized, one
   * of another task or with other labels is ignored; `notes` says so.
   * @param name `embedded`, a folder of a model or a run, or a model on the hub: `owner/name@revision`
   * @param options see ClassifierOptions
   * @throws ModelFormatError if a file is missing or does not fit; FileError, HubError
   */
  static async load(name: string, options: ClassifierOptions = {}): Promise<TextClassifier> {
    const { folder, notes } = await fetchModel(name, options);
    const model = TextClassifier.fromFolder(folder, options);
    model.notes.unshift(...notes);
    return model;
  }

  /** Loads a model from a folder, see `load`. */
  static fromFolder(folder: string, options: ClassifierOptions = {}): TextClassifier {
    const {
      reading,
      labels = reading?.classes.names,
      seed = 42,
      layers,
      maxLength,
      method,
      problemType,
      ...engine
    } = options;
    const model = readModelFolder(folder);
    const { config, stored } = model;
    const saved = readPreprocessing(folder);
    const wanted = labels ?? labelNames(config);
    // The saved class numbers and the threshold do not apply to other labels.
    const keepsLabels = wanted.join('\n') === labelNames(config).join('\n');
    const prepared = method === undefined || method === 'full' ? [] : [prepareFeatures(config, stored)];
    const notes = [...notesOnLength(maxLength, config), ...prepared, ...adjustHead(model, wanted)];
    config.id2label = Object.fromEntries(wanted.map((label, id) => [String(id), label]));
    config.problem_type = problemTypeOf(
      wanted.length,
      problemType ?? reading?.classes.problemType ?? (keepsLabels ? config.problem_type : undefined),
    );
    const { parameters, fresh } = buildParameters(config, classifierShapes(config), stored, seed);
    checkEncoder(folder, config, parameters, fresh);
    if (fresh.length > 0) notes.push(`Randomly initialized: ${fresh.join(', ')}.`);
    const unused = [...stored.keys()].filter((stored) => !parameters.has(stored));
    if (unused.length > 0) notes.push(`Ignored, since they belong to another task: ${unused.join(', ')}.`);
    const loaded = new TextClassifier(
      {
        config,
        parameters,
        engine: engineOf(engine, config, layers),
        tokenizerFiles: tokenizerFilesOf(folder),
        initialized: fresh,
        notes,
      },
      {
        maxLength: maxLength ?? saved?.maxLength ?? Infinity,
        reading: reading ?? (keepsLabels ? saved?.reading : undefined),
      },
      method,
    );
    if (keepsLabels && !loaded.freshHead && loaded.problemType === 'single_label_classification')
      loaded.calibration = readCalibration(folder, wanted.length);
    return loaded;
  }

  /**
   * Creates a model with random parameters, for tests and benchmarks.
   * @param config its shape and labels
   * @param options seed and engine
   * @param tokenizerFiles of readTokenizer; without them the model can neither tokenize nor be saved
   */
  static create(config: EncoderConfig, options: LoadOptions = {}, tokenizerFiles?: TokenizerFiles): TextClassifier {
    const { seed = 42, layers, ...engine } = options;
    const shapes = classifierShapes(config);
    const { parameters } = buildParameters(config, shapes, new Map(), seed);
    return new TextClassifier({
      config,
      parameters,
      engine: engineOf(engine, config, layers),
      tokenizerFiles:
        tokenizerFiles ??
        new ModelFormatError(
          'MODEL_NO_TOKENIZER',
          'The model was created without a tokenizer. Pass its files to `create`.',
        ),
      initialized: [...parameters.keys()],
      notes: [],
    });
  }

  /** Class names by class number; for regression the name of the number. */
  get labels(): string[] {
    return labelNames(this.config);
  }

  /** What the model predicts: a class, those that apply, or a number. */
  override get problemType(): ProblemType {
    return this.config.problem_type;
  }

  /**
   * Computes the logits of a batch, without dropout.
   * @param prepared weights cast for several batches; only for the implementation
   * @returns [batch * labels], row by row
   */
  logits(batch: EncodedBatch, prepared: Weights = {}): Float32Array {
    const inputs = batchTensors(batch, this.engine.layers);
    const { logits } = this.forward.call({ ...inputs, ...prepared });
    const data = logits.dataSync<'float32'>();
    tf.dispose([inputs, logits]);
    return data;
  }

  /**
   * Predicts the class of texts, for multi-label classification all that apply, or for regression the number.
   * @param texts or pairs, truncated to `maxLength` tokens
   * @param options calibration
   * @param options.calibrated whether temperature and threshold of `calibration` apply. @default false
   * @returns the class with the highest probability of each text, or the class that the threshold selects, in order; for multi-label
   * classification also `labels`, all classes with a probability of at least 0.5, and without any the label null; for regression
   * the number, as of the pipeline of `transformers`
   * @throws ArgumentError for calibrated predictions of a model that is not calibrated
   * @example
   * model.predict(['It stopped working.']); // [{ label: 'negative', score: 0.97 }]
   */
  predict(texts: TextInput[], { calibrated = false }: { calibrated?: boolean } = {}): Prediction[] {
    const { labels, problemType } = this;
    if (calibrated && !this.calibration)
      throw new ArgumentError(
        'ARGUMENT_NOT_CALIBRATED',
        'The model has no calibration, or it was trained after it was calibrated. Call `await calibrate(model, validation)` first.',
      );
    const calibration = calibrated ? this.calibration : undefined;
    const encoded = this.encode(
      texts.map((input) => ({ ...(typeof input === 'string' ? { text: input } : input), label: 0, labels: [] })),
      this.maxLength,
    );
    const predictions = new Array<Prediction>(texts.length);
    const prepared = prepareWeights(this);
    try {
      for (const batch of evaluationBatches(encoded, predictBatchSize, this.maxTokens)) {
        const logits = this.logits(batch, prepared); // [batch * labels]
        batch.indices.forEach((index, row) => {
          const rowLogits = logits.subarray(row * labels.length, (row + 1) * labels.length);
          const probabilities = probabilitiesOf(rowLogits, problemType, calibration);
          predictions[index] = predictionOf(probabilities, { labels, problemType, calibration });
        });
      }
    } finally {
      tf.dispose(prepared);
    }
    return predictions;
  }

  protected get headLayer(): string {
    return familyOf(this.config).classifier;
  }

  protected configJson(): Record<string, unknown> {
    return classifierConfigJson(this.config);
  }

  /**
   * Saves the model as PretrainedModel does, with its maximum length, columns and classes in tunebook.json, and its calibration, if
   * any, in calibration.json.
   */
  override save(folder: string): void {
    super.save(folder);
    writePreprocessing(folder, { maxLength: this.maxLength, reading: this.reading });
    writeCalibration(folder, this.calibration);
  }

  override dispose(): void {
    this.forward.dispose();
    super.dispose();
  }
}
