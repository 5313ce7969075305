// Repositories of the mock hub: the embedded model under the name of DistilBERT, and data sets of the embedded reviews.
import path from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { embeddedModel } from '../checkout.js';
import type { StoredRepository } from './stand-in.js';

const file = (name: string) => path.join(embeddedModel, name);

/** The embedded model as distilbert-base-uncased, with additional files that are not needed. */
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

/** Creates rows with the columns of amazon_polarity from the embedded reviews, repeated as needed. */
export async function polarityRows(count: number, from = 0) {
  const reviews = await sampleReviews(await embeddedReviews());
  return Array.from({ length: count }, (_, i) => {
    const { text, label } = reviews[(from + i) % reviews.length]!;
    // Titles are unique, so that repeated reviews are not duplicates.
    return { label, title: `Review ${from + i}`, content: text };
  });
}

/** Writes Parquet as the `datasets` library does: small row groups, and the features in the metadata of the file. */
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

/** Creates amazon_polarity with these numbers of rows, in two files for training and one for testing. */
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
