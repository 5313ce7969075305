/** Texts to token ids, by the tokenizer of transformers.js: 8,500 reviews a second on one core, so none of our own. */
import fs from 'node:fs';
import path from 'node:path';
import * as tokenizers from '@huggingface/tokenizers';
import { reviewsOf, type ReviewTable } from '../reviews/table.js';
import type { EncodedReviews } from './batches.js';
import { wordPieceTokenizer } from './word-piece.js';

/** What is used of the package, whose own types name files that it does not ship. */
const HuggingFaceTokenizer = tokenizers.Tokenizer as unknown as new (
  tokenizer: object,
  config: object,
) => { encode(text: string): { ids: number[]; tokens: string[] } };

export interface Tokenizer {
  /** Token ids with the opening and the closing one, cut to `maxLength` tokens (default 512). */
  encode(text: string, maxLength?: number): Int32Array;
  /** The pieces of a text as they stand in the vocabulary, the opening and the closing one included. */
  tokens(text: string): string[];
}

/** Characters tokenized at first, for each token that is wanted: words are shorter than that, with rare exceptions. */
const charactersPerToken = 16;

/** The definition of a tokenizer, as tokenizer.json has it. */
export interface TokenizerFiles {
  tokenizer: object;
  config: object;
}

/**
 * Reads a tokenizer's files from a Hugging Face folder; out of vocab.txt alone, as older BERTs have it, the same is made.
 * @throws Error when there is neither tokenizer.json nor vocab.txt
 */
export function readTokenizer(folder: string): TokenizerFiles {
  const read = (name: string): object | undefined => {
    const file = path.join(folder, name);
    return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as object) : undefined;
  };
  const config = read('tokenizer_config.json') ?? {};
  const tokenizer = read('tokenizer.json');
  if (tokenizer) return { tokenizer, config };
  const vocabulary = path.join(folder, 'vocab.txt');
  if (fs.existsSync(vocabulary))
    return { tokenizer: wordPieceTokenizer(fs.readFileSync(vocabulary, 'utf8'), config), config };
  throw new Error(
    `${folder} has neither tokenizer.json nor vocab.txt. Save the model's tokenizer beside it (in Python: AutoTokenizer.from_pretrained(name).save_pretrained(folder)).`,
  );
}

/**
 * Loads the tokenizer of a local Hugging Face folder; nothing is fetched.
 * @throws Error when there is neither tokenizer.json nor vocab.txt
 */
export function loadTokenizer(folder: string): Tokenizer {
  const { tokenizer: definition, config } = readTokenizer(folder);
  // The padding and cutting of its maker's own use are no business of ours.
  const tokenizer = new HuggingFaceTokenizer({ ...definition, truncation: null, padding: null }, config);
  const encode = (text: string, maxLength = 512) => {
    // A lone surrogate is no character; UTF-8 has no place for it.
    const whole = text.toWellFormed();
    // Of a text of a megabyte only the beginning is cut into tokens, as far as it takes: at a space, where no token ends early.
    for (let length = charactersPerToken * maxLength; ; length *= 4) {
      const space = length < whole.length ? whole.lastIndexOf(' ', length) : -1;
      const { ids } = tokenizer.encode(space > 0 ? whole.slice(0, space) : whole);
      if (space > 0 && ids.length <= maxLength) continue;
      // The last token stays when the text is cut.
      return Int32Array.from(ids.length > maxLength ? [...ids.slice(0, maxLength - 1), ids.at(-1)!] : ids);
    }
  };
  return { encode, tokens: (text) => tokenizer.encode(text.toWellFormed()).tokens };
}

/** Encodes labelled texts for training and evaluation. */
export function encodeReviews(tokenizer: Tokenizer, table: ReviewTable, maxLength = 512): EncodedReviews {
  const reviews = reviewsOf(table);
  return {
    ids: reviews.map(({ text }) => tokenizer.encode(text, maxLength)),
    labels: Int32Array.from(reviews, ({ label }) => label),
  };
}
