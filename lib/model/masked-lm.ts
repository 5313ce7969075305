/** A masked-language model: a pretrained encoder with the head that predicts masked tokens. */
import { ArgumentError } from '../errors.js';

import { tf } from '../tensorflow/runtime.js';
import { maskingVocabulary, type MaskingVocabulary } from '../tokenizer/masking-vocabulary.js';
import { packTexts } from './batch.js';
import { maskedConfigJson } from './config.js';
import { familyOf } from './families.js';
import { fetchModel } from './fetch-model.js';
import { maskedLanguageModel, maskedLanguageModelShapes } from './masked-language-model.js';
import { buildParameters, checkEncoder, engineOf, notesOnLength, readModelFolder, readWeights } from './model.js';
import { batchTensors } from './packed-texts.js';
import { PretrainedModel, tokenizerFilesOf, type LoadOptions, type ModelParts } from './pretrained-model.js';

/** A predicted token, in the format of the transformers fill-mask pipeline. */
export interface TokenPrediction {
  token: string;
  /** Its probability. */
  score: number;
}

/**
 * A masked-language model on TensorFlow, with its tokenizer; for domain adaptation.
 * @example
 * const base = await MaskedLM.load('embedded');
 * await new Trainer(base, { epochs: 1 }).train(reviews.train, { validation: reviews.validation });
 * base.save('runs/adapted'); // then TextClassifier.load('runs/adapted', { labels })
 * console.log(base.fillMask('The battery is [MASK].'));
 */
export class MaskedLM extends PretrainedModel {
  #vocabulary: MaskingVocabulary | undefined;

  private constructor(parts: ModelParts) {
    super(parts);
  }

  /**
   * Loads a model of a supported family in Hugging Face format, with its masked-LM head; without one the head is
   * randomly initialized, and `notes` says so.
   * @param name `embedded`, a folder of a model or a run, or a model on the hub: `owner/name@revision`
   * @throws ModelFormatError if a file is missing or does not fit; FileError, HubError
   */
  static async load(name: string, options: LoadOptions = {}): Promise<MaskedLM> {
    const { folder, notes } = await fetchModel(name, options);
    const model = MaskedLM.fromFolder(folder, options);
    model.notes.unshift(...notes);
    return model;
  }

  /** Loads a model from a folder, see `load`. */
  static fromFolder(folder: string, options: LoadOptions = {}): MaskedLM {
    const { seed = 42, layers, maxLength, ...engine } = options;
    const { config, stored } = readModelFolder(folder);
    const { decoder } = familyOf(config).maskedLm;
    // The word embedding and the bias may be stored a second time under the head's names.
    for (const name of [...stored.keys()]) if (name.startsWith(decoder)) stored.delete(name);
    const { parameters, fresh } = buildParameters(config, maskedLanguageModelShapes(config), stored, seed);
    checkEncoder(folder, config, parameters, fresh);
    const notes = notesOnLength(maxLength, config);
    if (fresh.length > 0)
      notes.push(
        `The model has no masked-LM head: ${fresh.join(', ')} are randomly initialized, and its first predictions are random.`,
      );
    const unused = [...stored.keys()].filter((name) => !parameters.has(name));
    if (unused.length > 0) notes.push(`Ignored, since they belong to another task: ${unused.join(', ')}.`);
    return new MaskedLM({
      config,
      parameters,
      engine: engineOf(engine, config, layers),
      tokenizerFiles: tokenizerFilesOf(folder),
      initialized: fresh,
      notes,
    });
  }

  /**
   * The vocabulary, with the mask token.
   * @throws ModelFormatError for a tokenizer without a mask token
   */
  get vocabulary(): MaskingVocabulary {
    return (this.#vocabulary ??= maskingVocabulary(this.tokenizerFiles, this.config.vocab_size));
  }

  /**
   * Predicts a masked token.
   * @param text contains the mask token once: `The [MASK] stopped working.`
   * @param count number of predictions. @default 5
   * @returns the most probable tokens, in order
   * @throws ArgumentError unless exactly one token is masked
   */
  fillMask(text: string, count = 5): TokenPrediction[] {
    const { mask, pieces } = this.vocabulary;
    const ids = this.tokenizer.encode(text);
    const masked = [...ids.keys()].filter((at) => ids[at] === mask);
    if (masked.length !== 1)
      throw new ArgumentError(
        'ARGUMENT_NOT_ONE_MASK',
        `'${text}' has ${masked.length} mask tokens; it must have one.`,
        {
          text,
          masks: masked.length,
        },
      );
    const probabilities = tf.tidy(() => {
      const texts = batchTensors(packTexts([ids]), this.engine.layers);
      const positions = tf.tensor1d(masked, 'int32');
      const logits = maskedLanguageModel(readWeights(this), texts, positions, this.config, this.engine); // [1, vocabulary]
      return tf.softmax(logits).dataSync<'float32'>();
    });
    return [...probabilities.keys()]
      .sort((a, b) => probabilities[b]! - probabilities[a]!)
      .slice(0, count)
      .map((id) => ({ token: pieces[id]!, score: probabilities[id]! }));
  }

  protected get headLayer(): string {
    return familyOf(this.config).maskedLm.transform;
  }

  protected configJson(): Record<string, unknown> {
    return maskedConfigJson(this.config);
  }
}
