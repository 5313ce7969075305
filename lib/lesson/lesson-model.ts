/**
 * The model of the lesson page: the embedded model as an ONNX graph of features, for transformers.js. Its matrices are stored in 8
 * bits with a scale per row and computed in float32, a quarter of the download. The accuracy of a classifier on the features is
 * that of the original weights: 79.7 % with 500 reviews, 74.7 % with 100, and 62.8 instead of 62.6 % with 20.
 *
 * The weights of the graph are also those from which the page fine-tunes the whole model; weights.json says where they are.
 */
import fs from 'node:fs';
import path from 'node:path';
import { featuresGraph } from '../export/onnx-classifier.js';
import type { OnnxGraph } from '../export/onnx-graph.js';
import { largestStored, quantizeRows } from '../export/quantize.js';
import { embeddedModelFolder } from '../hub/embedded.js';
import { parameterValues } from '../model/model.js';
import type { StoredTensor } from '../model/safetensors.js';
import { TextClassifier } from '../model/text-classifier.js';
import { version } from '../version.js';
import { finetuningSettings } from './finetuning-settings.js';
import type { WeightPlace } from './stored-weights.js';

const json = (content: object): Uint8Array => Buffer.from(JSON.stringify(content));

/**
 * Finds the parameters of a model in the file of its graph.
 * @param file content of the file
 * @param parameters by Hugging Face's names
 */
function placesOf(file: Buffer, graph: OnnxGraph, parameters: Map<string, StoredTensor>): Record<string, WeightPlace> {
  const { stored } = graph;
  const offsetOf = (name: string) => file.indexOf(stored.get(name)!);
  return Object.fromEntries(
    [...parameters].map(([name, { shape, data }]): [string, WeightPlace] => {
      if (shape.length !== 2) return [name, { shape, offset: offsetOf(name) }];
      const { values } = quantizeRows(data, shape[0]!, shape[1]!, largestStored);
      return [
        name,
        {
          shape,
          offset: offsetOf(name),
          scales: offsetOf(`${name}_scale`),
          isTransposed: !Buffer.from(values.buffer).equals(stored.get(name)!),
        },
      ];
    }),
  );
}

/**
 * Creates the files that the page needs to compute features, and to fine-tune.
 * @param labels class names
 * @returns the files by their names
 */
export function lessonModelFiles(labels: string[]): Map<string, Uint8Array> {
  const model = TextClassifier.fromFolder(embeddedModelFolder, { labels, method: 'head', precision: 'float32' });
  // Without the layer that computes the mean of the tokens, and without a head.
  const encoder = TextClassifier.fromFolder(embeddedModelFolder, { labels, precision: 'float32' });
  try {
    const { tokenizer, config } = model.tokenizerFiles;
    const graph = featuresGraph(model.config, parameterValues(model), { storage: 'int8' });
    const metadata = { name: 'features', version, description: 'Features of texts, the input of a classifier.' };
    const file = Buffer.from(graph.encode(metadata));
    const parameters = new Map([...parameterValues(encoder)].filter(([name]) => !encoder.initialized.includes(name)));
    return new Map<string, Uint8Array>([
      ['config.json', fs.readFileSync(path.join(embeddedModelFolder, 'config.json'))],
      ['tokenizer.json', json(tokenizer)],
      ['tokenizer_config.json', json({ ...config, model_max_length: finetuningSettings.maxLength })],
      ['weights.json', json(placesOf(file, graph, parameters))],
      ['model.onnx', file],
    ]);
  } finally {
    model.dispose();
    encoder.dispose();
  }
}
