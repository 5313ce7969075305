/**
 * The model of the lesson page: the embedded model as an ONNX graph of features, for transformers.js. Its matrices are stored in 8
 * bits with a scale per row and computed in float32, a quarter of the download. The accuracy of a classifier on the features is
 * that of the original weights: 79.7 % with 500 reviews, 74.7 % with 100, and 62.8 instead of 62.6 % with 20.
 */
import { featuresGraph } from '../export/onnx-classifier.js';
import { embeddedModelFolder } from '../hub/embedded.js';
import { parameterValues } from '../model/model.js';
import { TextClassifier } from '../model/text-classifier.js';
import { version } from '../version.js';

/** Maximum length of texts on the page, in tokens. */
const maxLength = 128;

const json = (content: object): Uint8Array => Buffer.from(JSON.stringify(content));

/**
 * Creates the files that transformers.js needs.
 * @param labels class names
 * @returns the files by their names
 */
export function lessonModelFiles(labels: string[]): Map<string, Uint8Array> {
  const model = TextClassifier.fromFolder(embeddedModelFolder, { labels, method: 'head', precision: 'float32' });
  try {
    const { tokenizer, config } = model.tokenizerFiles;
    const graph = featuresGraph(model.config, parameterValues(model), { storage: 'int8' });
    return new Map([
      ['config.json', json({ model_type: model.config.model_type })],
      ['tokenizer.json', json(tokenizer)],
      ['tokenizer_config.json', json({ ...config, model_max_length: maxLength })],
      [
        'model.onnx',
        graph.encode({ name: 'features', version, description: 'Features of texts, the input of a classifier.' }),
      ],
    ]);
  } finally {
    model.dispose();
  }
}
