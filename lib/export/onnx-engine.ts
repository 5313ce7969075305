/** A classifier computed by onnxruntime, without TensorFlow: texts to logits, batches of like length. */
import fs from 'node:fs';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelFormatError } from '../errors.js';
import { labelNames, maxTokens, parseConfig, type EncoderConfig } from '../model/config.js';
import { evaluationBatches } from '../model/batch.js';

/** The files of an exported model, as transformers.js looks for them. */
export const onnxFiles = { float32: 'onnx/model.onnx', int8: 'onnx/model_quantized.onnx' } as const;

export interface OnnxEngine {
  config: EncoderConfig;
  /**
   * @param ids token ids of each text, the opening and closing ones included
   * @returns logits [texts * labels], row by row, in the order of the texts
   */
  logits(ids: Int32Array[]): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** How onnxruntime computes a model. */
export interface OnnxEngineOptions {
  /** Which of the exported files: in 32 bits, or in 8, smaller, faster, and now and then of another opinion. @default 'float32' */
  precision?: keyof typeof onnxFiles;
  /**
   * Texts of a batch. On a processor a few of like length are as fast as many would be without padding; of 32 reviews at a time
   * batches of 2 to 4 were measured to be three times as fast as one of 32. @default 4
   */
  batchSize?: number;
  /** Threads of one product. @default as many as there are cores */
  threads?: number;
}

/**
 * @param folder of an exported model
 * @throws ModelFormatError when it was not exported
 */
export async function openOnnxEngine(
  folder: string,
  { precision = 'float32', batchSize = 4, threads = 0 }: OnnxEngineOptions = {},
): Promise<OnnxEngine> {
  const file = path.join(folder, onnxFiles[precision]);
  if (!fs.existsSync(file))
    throw new ModelFormatError(
      'MODEL_NOT_EXPORTED',
      `${folder} has no ${onnxFiles[precision]}. Make it: tunebook export ${folder}`,
      { folder, precision },
    );
  const where = path.join(folder, 'config.json');
  const config = parseConfig(JSON.parse(fs.readFileSync(where, 'utf8')) as Record<string, unknown>, where);
  const classes = labelNames(config).length;
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  return {
    config,
    async logits(ids) {
      const found = new Float32Array(ids.length * classes);
      const texts = { ids, labels: new Int32Array(ids.length) };
      for (const { inputIds, lengths, batch, tokens, indices } of evaluationBatches(
        texts,
        batchSize,
        maxTokens(config),
      )) {
        const mask = new BigInt64Array(batch * tokens);
        for (let row = 0; row < batch; row++) mask.fill(1n, row * tokens, row * tokens + lengths[row]!);
        const shape = [batch, tokens];
        const { logits } = await session.run({
          input_ids: new Tensor('int64', BigInt64Array.from(inputIds, BigInt), shape),
          attention_mask: new Tensor('int64', mask, shape),
        });
        const rows = logits!.data as Float32Array;
        indices.forEach((index, row) => found.set(rows.subarray(row * classes, (row + 1) * classes), index * classes));
      }
      return found;
    },
    dispose: () => session.release(),
  };
}
