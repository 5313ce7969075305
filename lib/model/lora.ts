/**
 * LoRA (Hu et al., 2022, arXiv:2106.09685): the weights of some products are frozen, and the product of two small
 * matrices is trained that is added to each: W + scaling · B · A. The sum is formed once per step, so that families and
 * kernels know only the sum. It costs less than separate products with A and B for each token, and the gradient by W,
 * from which those by A and B follow, has the size of the weight only. The graph contains no gradients of other weights.
 *
 * Dropout differs from that of PEFT: it leaves out input features of A for all tokens of a step (Lin et al., 2024,
 * arXiv:2404.09610), where PEFT leaves out features of each token.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { CheckpointError, SettingsError } from '../errors.js';
import { seededRandom } from '../reviews/random.js';
import { settingText } from '../settings/setting-text.js';
import { castTo, matMul } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { ResourceVariable } from '../tensorflow/variables.js';
import { customGradient, type Save } from './custom-gradient.js';
import type { DropoutSource } from './dropout.js';
import { isLayerWeight, partOf } from './families.js';
import type { Model } from './model.js';
import type { StoredTensor } from './safetensors.js';
import type { Weights } from './tensor-operations.js';

/** The configuration of an adapter, with the names of PEFT's LoraConfig. */
export interface LoraConfig {
  /** Rank of the matrices. */
  r: number;
  /** The scaling is lora_alpha / r. */
  lora_alpha: number;
  /** Dropout rate of the input features of A. */
  lora_dropout: number;
  /** Ends of the names of dense layers, or `all-linear` for all dense layers of the encoder's layers. */
  target_modules: string[] | 'all-linear';
}

/** A trained adapter: the matrices A and B of each target, and the parameters of the head, which are trained in full. */
export interface Adapter {
  config: LoraConfig;
  /** By parameter name: `….q_lin.lora_A.weight`, [r, in], `….q_lin.lora_B.weight`, [out, r], and those of the head. */
  tensors: Map<string, StoredTensor>;
}

/** Names of a target's matrices, from the name of its weight. */
export const matricesOf = (weight: string): { a: string; b: string } => {
  const module = weight.replace(/\.weight$/, '');
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
};

/** The name of a dense layer below the encoder's layer: `attention.q_lin`, of which PEFT finds all layers. */
export const nameInLayer = (weight: string): string => weight.replace(/^.*\.\d+\./, '').replace(/\.weight$/, '');

/**
 * The names of the weights that get an adapter.
 * @throws SettingsError if no dense layer has one of the names
 */
export function loraTargets({ config, parameters }: Model, targetModules: LoraConfig['target_modules']): string[] {
  const dense = [...parameters].flatMap(([name, variable]) => (isLayerWeight(name, variable) ? name : []));
  if (targetModules === 'all-linear') return dense;
  const isTarget = (weight: string, target: string) => `.${weight}`.endsWith(`.${target}.weight`);
  for (const target of targetModules)
    if (!dense.some((weight) => isTarget(weight, target)))
      throw new SettingsError(
        'SETTING_INVALID',
        `${settingText('loraTargetModules')} names '${target}', which is no dense layer of the encoder. Those of ${config.model_type} are ${[...new Set(dense.map(nameInLayer))].join(', ')}; all-linear names all of them.`,
        { name: 'loraTargetModules', value: target },
      );
  return dense.filter((weight) => targetModules.some((target) => isTarget(weight, target)));
}

/** W + scaling · B · A: [out, in], [r, in], [out, r] -> [out, in]. */
export const mergedWeight = (weight: Tensor, a: Tensor, b: Tensor, scaling: number): Tensor =>
  customGradient((...inputs) => {
    const [weight, a, b, save] = inputs as [Tensor, Tensor, Tensor, Save];
    save([a, b]);
    return {
      value: tf.addN([weight, tf.mul(matMul(b, a), scaling)]),
      gradFunc: (dy, saved) => {
        const [a, b] = saved as [Tensor, Tensor];
        // The gradients of products have their precision.
        const dWeight = castTo(dy, 'float32'); // [out, in]
        const scaled = tf.mul(dWeight, scaling);
        return [
          dWeight,
          matMul(b, scaled, true, false), // [r, in]
          matMul(scaled, a, false, true), // [out, r]
        ];
      },
    };
  })(weight, a, b);

const prefix = 'lora.';

/** An adapter in training. */
export class LoraTraining {
  /** The model with frozen weights and the matrices of the adapter. It shares all other parameters with the full model. */
  readonly model: Model;
  /** Names of the trained parameters: the matrices of the adapter and the head. */
  readonly trained: string[];
  readonly #config: LoraConfig;
  readonly #full: Model;
  readonly #targets: string[];
  /** The frozen weights of the targets and the matrices, by name. */
  readonly #own = new Map<string, ResourceVariable>();

  /**
   * Creates an adapter that changes nothing: B is 0, and A is random as in PEFT.
   * @param full receives the merged weights, see `sync`
   * @param seed of A
   * @throws SettingsError if no dense layer has one of the names of target_modules
   */
  constructor(full: Model, config: LoraConfig, seed: number) {
    this.#full = full;
    this.#config = config;
    this.#targets = loraTargets(full, config.target_modules);
    const random = seededRandom(seed);
    const add = (name: string, value: Tensor) => {
      this.#own.set(name, new ResourceVariable(value));
      value.dispose();
    };
    for (const name of this.#targets) {
      const weight = full.parameters.get(name)!;
      const [out, width] = weight.shape as [number, number];
      const { a, b } = matricesOf(name);
      add(name, weight.read());
      // Kaiming initialization with a = √5: uniform up to 1 / √in.
      const values = Float32Array.from({ length: config.r * width }, () => (2 * random() - 1) / Math.sqrt(width));
      add(a, tf.tensor2d(values, [config.r, width]));
      add(b, tf.zeros([out, config.r]));
    }
    this.model = {
      ...full,
      parameters: new Map([...full.parameters, ...this.#own]),
      forwardWeights: (weights, source) => ({ ...weights, ...this.#merge(weights, source) }),
    };
    const matrices = this.#targets.flatMap((name) => Object.values(matricesOf(name)));
    this.trained = [...matrices, ...[...full.parameters.keys()].filter((name) => partOf(name) === 'head')];
  }

  /** Number of trained parameters. */
  get size(): number {
    return this.trained.reduce((sum, name) => sum + this.model.parameters.get(name)!.size, 0);
  }

  /** The frozen weights and the matrices, for copies to other ranks. */
  get variables(): ResourceVariable[] {
    return [...this.#own.values()];
  }

  /** The merged weights of the targets. */
  #merge(weights: Weights, source: DropoutSource | undefined): Weights {
    const { r, lora_alpha: alpha, lora_dropout: rate } = this.#config;
    const { layers } = this.model.engine;
    const entries = this.#targets.map((name): [string, Tensor] => {
      const { a, b } = matricesOf(name);
      const matrix = weights[a]!;
      // [r, in] * [1, in]: a feature is kept for all rows.
      const kept =
        source && rate > 0 ? tf.mul(matrix, layers.dropout(tf.ones([1, matrix.shape[1]!]), rate, source)) : matrix;
      return [name, mergedWeight(weights[name]!, kept, weights[b]!, alpha / r)];
    });
    return Object.fromEntries(entries);
  }

  /** Copies the merged weights to the full model, before an evaluation or a checkpoint. */
  sync(): void {
    tf.tidy(() => {
      const weights = Object.fromEntries([...this.#own].map(([name, variable]) => [name, variable.read()]));
      for (const [name, merged] of Object.entries(this.#merge(weights, undefined)))
        this.#full.parameters.get(name)!.assign(merged);
    });
  }

  /** The state for a checkpoint, besides the full model: the frozen weights and the matrices. */
  tensors(): Map<string, StoredTensor> {
    return new Map(
      [...this.#own].map(([name, variable]) => [prefix + name, { shape: variable.shape, data: variable.data() }]),
    );
  }

  /**
   * Restores the state of a checkpoint.
   * @throws CheckpointError if it belongs to another adapter
   */
  restore(tensors: Map<string, StoredTensor>): void {
    for (const [name, variable] of this.#own) {
      const stored = tensors.get(prefix + name);
      if (stored?.shape.join() !== variable.shape.join())
        throw new CheckpointError(
          'CHECKPOINT_PARAMETERS_DIFFER',
          `The checkpoint belongs to another adapter: ${name} does not have the shape [${variable.shape.join(', ')}].`,
          { name, shape: variable.shape },
        );
      const value = tf.tensor(stored.data, variable.shape);
      variable.assign(value);
      value.dispose();
    }
  }

  /** The adapter as it is now. */
  adapter(): Adapter {
    const entries = this.trained.map((name): [string, StoredTensor] => {
      const variable = this.model.parameters.get(name)!;
      return [name, { shape: variable.shape, data: variable.data() }];
    });
    return { config: this.#config, tensors: new Map(entries) };
  }

  /** Frees the frozen weights and the matrices. */
  dispose(): void {
    this.#own.forEach((variable) => variable.dispose());
  }
}
