// What the stand-in hub serves: the embedded model under the original's name, and data sets made of the embedded reviews.
import path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { embeddedModel } from '../checkout.js';
import type { StoredRepository } from './stand-in.js';

const file = (name: string) => path.join(embeddedModel, name);

/** The embedded model, as if it were distilbert-base-uncased, with the files around it that nobody needs. */
export const distilbert: StoredRepository = {
  type: 'model',
  id: 'distilbert/distilbert-base-uncased',
  aliases: ['distilbert-base-uncased'],
  files: {
    'README.md': Buffer.from('# DistilBERT'),
    'config.json': file('config.json'),
    'tokenizer.json': file('tokenizer.json'),
    'tokenizer_config.json': file('tokenizer_config.json'),
    'model.safetensors': file('model.safetensors'),
    'pytorch_model.bin': Buffer.alloc(1 << 20),
    'tf_model.h5': Buffer.alloc(1 << 20),
  },
};

/** Rows of amazon_polarity's columns out of the embedded reviews, as often as it takes. */
export async function polarityRows(count: number, from = 0) {
  const reviews = await sampleReviews(embeddedReviews());
  return Array.from({ length: count }, (_, i) => {
    const { text, label } = reviews[(from + i) % reviews.length]!;
    // Copies differ in their title, so that they are no copies.
    return { label, title: `Review ${from + i}`, content: text };
  });
}

/** As the `datasets` library writes it: small row groups, and the features in the file's own metadata. */
export function polarityParquet(
  rows: { label: number; title: string; content: string }[],
  rowGroupSize = 1000,
): Buffer {
  const features = { label: { names: ['negative', 'positive'], _type: 'ClassLabel' } };
  return Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'label', data: rows.map(({ label }) => BigInt(label)), type: 'INT64' },
        { name: 'title', data: rows.map(({ title }) => title), type: 'STRING' },
        { name: 'content', data: rows.map(({ content }) => content), type: 'STRING' },
      ],
      rowGroupSize,
      kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }],
    }),
  );
}

/** amazon_polarity with that many rows, in two files for training and one for testing. */
export async function polarity(trainRows: number, testRows: number): Promise<StoredRepository> {
  const half = Math.ceil(trainRows / 2);
  const card = `---
dataset_info:
  config_name: amazon_polarity
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': negative
          '1': positive
configs:
- config_name: amazon_polarity
  data_files:
  - split: train
    path: amazon_polarity/train-*
  - split: test
    path: amazon_polarity/test-*
  default: true
---
# Amazon polarity
`;
  return {
    type: 'dataset',
    id: 'fancyzhx/amazon_polarity',
    aliases: ['amazon_polarity'],
    files: {
      'README.md': Buffer.from(card),
      'amazon_polarity/train-00000-of-00002.parquet': polarityParquet(await polarityRows(half)),
      'amazon_polarity/train-00001-of-00002.parquet': polarityParquet(await polarityRows(trainRows - half, half)),
      'amazon_polarity/test-00000-of-00001.parquet': polarityParquet(await polarityRows(testRows, trainRows)),
    },
  };
}
