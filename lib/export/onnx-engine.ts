/** Runs an exported classifier in onnxruntime, without TensorFlow, in batches of texts of similar length. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { labelNames, readModelConfig, type EncoderConfig } from '../model/config.js';
import { InferenceSession, Tensor } from './onnxruntime.js';
import { tokenBatches } from './token-batches.js';

/** The files of an exported model, in the layout of transformers.js. */
export const onnxFiles = { float32: 'onnx/model.onnx', int8: 'onnx/model_quantized.onnx' } as const;

/** The second output of a calibrated graph: the logits before the division by the temperature. Other programs ignore it. */
export const uncalibratedOutput = 'uncalibrated_logits';

/** An exported classifier, loaded into onnxruntime. */
export interface OnnxEngine {
  config: EncoderConfig;
  /** Maximum number of tokens of a batch, padding included. */
  maxBatchTokens: number;
  /**
   * Computes the logits of texts: of a calibrated graph those before the division by the temperature, so that both kinds of graph
   * give the same.
   * @param ids token ids of each text, including [CLS] and [SEP] or their equivalents; at most what the model accepts
   * @param pairStarts the index in each text of the first token of type 1. @default all tokens have type 0
   * @returns logits [texts * labels], row by row, in the order of the texts
   */
  logits(ids: Int32Array[], pairStarts?: ArrayLike<number>): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Options of running a model in onnxruntime. */
export interface OnnxEngineOptions {
  /** Which exported file to use; int8 is smaller and faster, but some predictions differ. @default 'float32' */
  precision?: keyof typeof onnxFiles;
  /**
   * Maximum number of tokens of a batch, padding included. Of 512 to 8,192 tokens, 1,024 were measured to be the fastest in
   * float32 on 2 cores. In 8 bits 2,048 are 10 % faster, but a batch blocks the process for twice as long.
   * @default 1024
   */
  maxBatchTokens?: number;
  /** Threads per operator. @default number of cores */
  threads?: number;
}

/**
 * The path of an exported file.
 * @throws ModelFormatError if the model was not exported
 */
export function exportedFile(folder: string, precision: keyof typeof onnxFiles): string {
  const file = path.join(folder, onnxFiles[precision]);
  if (!fs.existsSync(file))
    throw new ModelFormatError(
      'MODEL_NOT_EXPORTED',
      `${folder} has no ${onnxFiles[precision]}. Export the model first: npx tunebook export ${folder}`,
      { folder, precision },
    );
  return file;
}

/**
 * Loads an exported model into onnxruntime.
 * @param folder of an exported model
 * @throws ModelFormatError if the model was not exported, or if the exported file is damaged
 */
export async function openOnnxEngine(
  folder: string,
  { precision = 'float32', maxBatchTokens = 1024, threads = 0 }: OnnxEngineOptions = {},
): Promise<OnnxEngine> {
  const file = exportedFile(folder, precision);
  const config = readModelConfig(folder);
  const classes = labelNames(config).length;
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 }).catch(
    (error: Error) => {
      throw new ModelFormatError(
        'MODEL_FILE_DAMAGED',
        `onnxruntime cannot load ${file}: ${error.message} Export the model again: npx tunebook export ${folder}`,
        { file },
        { cause: error },
      );
    },
  );
  const hasTypes = session.inputNames.includes('token_type_ids');
  return {
    config,
    maxBatchTokens,
    async logits(ids, pairStarts) {
      const logitsOfTexts = new Float32Array(ids.length * classes);
      const lengths = ids.map(({ length }) => length);
      for (const indices of tokenBatches(lengths, maxBatchTokens)) {
        // The longest text is the first one.
        const tokens = lengths[indices[0]!]!;
        const shape = [indices.length, tokens];
        // Padding is token 0. Any id would do, since the mask excludes padding from attention.
        const inputIds = new BigInt64Array(indices.length * tokens);
        const mask = new BigInt64Array(indices.length * tokens);
        const types = new BigInt64Array(indices.length * tokens);
        indices.forEach((index, row) => {
          inputIds.set(Array.from(ids[index]!, BigInt), row * tokens);
          mask.fill(1n, row * tokens, row * tokens + lengths[index]!);
          if (pairStarts) types.fill(1n, row * tokens + pairStarts[index]!, row * tokens + lengths[index]!);
        });
        const outputs = await session.run({
          input_ids: new Tensor('int64', inputIds, shape),
          attention_mask: new Tensor('int64', mask, shape),
          ...(hasTypes && { token_type_ids: new Tensor('int64', types, shape) }),
        });
        const rows = (outputs[uncalibratedOutput] ?? outputs['logits'])!.data as Float32Array;
        indices.forEach((index, row) =>
          logitsOfTexts.set(rows.subarray(row * classes, (row + 1) * classes), index * classes),
        );
      }
      return logitsOfTexts;
    },
    dispose: () => session.release(),
  };
}
