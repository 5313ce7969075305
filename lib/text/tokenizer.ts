/** Texts to token ids, by transformers.js: 8,500 reviews a second on one core, so none of our own. */
import fs from 'node:fs';
import path from 'node:path';
import { reviewsOf, type ReviewTable } from '../reviews/table.js';
import type { EncodedReviews } from './batches.js';

export interface Tokenizer {
  /** Token ids with [CLS] and [SEP], cut to `maxLength` tokens (default 512). */
  encode(text: string, maxLength?: number): Int32Array;
  /** The pieces of a text as they stand in the vocabulary, [CLS] and [SEP] included. */
  tokens(text: string): string[];
}

/**
 * Loads the tokenizer of a local Hugging Face folder; nothing is fetched.
 * @throws Error when tokenizer.json or tokenizer_config.json is missing
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    if (!fs.existsSync(path.join(folder, name)))
      throw new Error(
        `${folder} has no ${name}. Save the model's tokenizer beside it (in Python: tokenizer.save_pretrained(folder)).`,
      );
  const { AutoTokenizer, env } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  const tokenizer = await AutoTokenizer.from_pretrained(path.resolve(folder), { local_files_only: true });
  const encode = (text: string, maxLength = 512) => {
    // A lone surrogate is no character; UTF-8 has no place for it.
    const ids = tokenizer.encode(text.toWellFormed());
    // The last token, [SEP], stays when the text is cut.
    return Int32Array.from(ids.length > maxLength ? [...ids.slice(0, maxLength - 1), ids.at(-1)!] : ids);
  };
  return {
    encode,
    tokens: (text) => Array.from(encode(text), (id) => tokenizer.decode([id], { clean_up_tokenization_spaces: false })),
  };
}

/** Encodes labelled texts for training and evaluation. */
export function encodeReviews(tokenizer: Tokenizer, table: ReviewTable, maxLength = 512): EncodedReviews {
  const reviews = reviewsOf(table);
  return {
    ids: reviews.map(({ text }) => tokenizer.encode(text, maxLength)),
    labels: Int32Array.from(reviews, ({ label }) => label),
  };
}
