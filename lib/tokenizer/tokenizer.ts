/**
 * Texts to token ids, by the tokenizer of transformers.js: 8,500 reviews a second on one core, several times that with
 * words remembered, so none of our own.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as tokenizers from '@huggingface/tokenizers';
import { ModelFormatError } from '../errors.js';
import { wordPieceTokenizer } from './word-piece.js';

/** What is used of the package, whose own types name files that it does not ship. */
interface WholeTokenizer {
  encode(text: string): { ids: number[]; tokens: string[] };
}
const HuggingFaceTokenizer = tokenizers.Tokenizer as unknown as new (
  tokenizer: object,
  config: object,
) => WholeTokenizer;

/** Makes token ids of texts. */
export interface Tokenizer {
  /** Token ids with the opening and the closing one, cut to `maxLength` tokens (default 512), and at most to `maxTokens`. */
  encode(text: string, maxLength?: number): Int32Array;
  /** The longest text that the model takes, in tokens; Infinity if the folder has no config.json. */
  maxTokens: number;
  /** The pieces of a text as they stand in the vocabulary, the opening and the closing one included. */
  tokens(text: string): string[];
}

/** What is looked at of tokenizer.json. */
export interface TokenizerDefinition {
  normalizer?: { type: string } | null;
  pre_tokenizer?: { type: string } | null;
  /** The pieces by name, or, of Unigram, in order with their scores. */
  model?: { type?: string; vocab?: Record<string, number> | [string, number][] };
  added_tokens?: {
    id: number;
    content: string;
    special?: boolean;
    lstrip?: boolean;
    rstrip?: boolean;
    single_word?: boolean;
  }[];
}

/** A tokenizer's files, parsed. */
export interface TokenizerFiles {
  /** tokenizer.json. */
  tokenizer: TokenizerDefinition;
  /** tokenizer_config.json; empty where there is none. */
  config: object;
}

/**
 * Reads a tokenizer's files from a Hugging Face folder; out of vocab.txt alone, as older BERTs have it, the same is made.
 * @throws ModelFormatError when there is neither tokenizer.json nor vocab.txt
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
  throw new ModelFormatError(
    'MODEL_NO_TOKENIZER',
    `${folder} has neither tokenizer.json nor vocab.txt. Save the model's tokenizer beside it (in Python: AutoTokenizer.from_pretrained(name).save_pretrained(folder)).`,
    { folder },
  );
}

/**
 * Writes a tokenizer's files into a folder, which is there.
 * @param files of readTokenizer
 * @param folder where tokenizer.json and tokenizer_config.json go
 * @param maxTokens what the model takes at most: where the files say more or nothing, transformers and transformers.js would give it
 *   texts that it cannot take. Default: as the files have it
 */
export function writeTokenizer({ tokenizer, config }: TokenizerFiles, folder: string, maxTokens?: number): void {
  const { model_max_length: most = Infinity } = config as { model_max_length?: number };
  const told = maxTokens === undefined ? config : { ...config, model_max_length: Math.min(most, maxTokens) };
  fs.writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  fs.writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify(told, null, 2));
}

type Encode = (text: string, maxLength: number) => Int32Array;

/** Words remembered with their tokens, in each of two halves; most of what is said in a language is said with fewer. */
const mostWords = 50_000;

/** Longer ones hardly come twice. */
const longestWord = 40;

/** Whether BERT's tokenizer is meant, which cuts at every space and looks at each word by itself. */
function looksAtWords(definition: TokenizerDefinition): boolean {
  const { normalizer, pre_tokenizer: preTokenizer, model, added_tokens: added = [] } = definition;
  return (
    normalizer?.type === 'BertNormalizer' &&
    preTokenizer?.type === 'BertPreTokenizer' &&
    model?.type === 'WordPiece' &&
    added.every(
      ({ content, lstrip, rstrip, single_word: single }) => !lstrip && !rstrip && !single && !/\s/.test(content),
    )
  );
}

/**
 * Word by word, each remembered: the same tokens as of the whole text, four times as fast, and of a text of a megabyte no
 * more than is wanted. Words end at what BERT takes for a space and for nothing else; other spaces it finds itself.
 */
function encodeWords(tokenizer: WholeTokenizer): Encode {
  // Two halves: what is still asked for survives when the older one is let go of.
  let [recent, older] = [new Map<string, number[]>(), new Map<string, number[]>()];
  const { ids: frame } = tokenizer.encode('');
  const [opening, closing] = [frame[0]!, frame.at(-1)!];
  const tokensOf = (word: string): number[] => {
    const found = recent.get(word);
    if (found) return found;
    const ids = older.get(word) ?? tokenizer.encode(word).ids.slice(1, -1);
    if (word.length <= longestWord) recent.set(word, ids);
    if (recent.size >= mostWords) [recent, older] = [new Map<string, number[]>(), recent];
    return ids;
  };
  return (text, maxLength) => {
    const ids = [opening];
    for (const [word] of text.matchAll(/[^ \t\n\r]+/g)) {
      for (const id of tokensOf(word)) ids.push(id);
      if (ids.length >= maxLength) break;
    }
    ids.length = Math.min(ids.length, maxLength - 1);
    ids.push(closing);
    return Int32Array.from(ids);
  };
}

/** Characters tokenized at first, for each token that is wanted: words are shorter than that, with rare exceptions. */
const charactersPerToken = 8;

/**
 * The text as a whole, as far as it takes: of one of a megabyte only the beginning, up to a space, where no token ends early.
 */
const encodeBeginning =
  (tokenizer: WholeTokenizer): Encode =>
  (text, maxLength) => {
    for (let length = charactersPerToken * maxLength; ; length *= 4) {
      const space = length < text.length ? text.lastIndexOf(' ', length) : -1;
      const { ids } = tokenizer.encode(space > 0 ? text.slice(0, space) : text);
      if (space > 0 && ids.length <= maxLength) continue;
      // The last token stays when the text is cut.
      return Int32Array.from(ids.length > maxLength ? [...ids.slice(0, maxLength - 1), ids.at(-1)!] : ids);
    }
  };

/**
 * Creates a tokenizer from its files.
 * @param files of readTokenizer
 * @param maxTokens longest text that the model accepts; longer ones are truncated. @default Infinity
 */
export function createTokenizer({ tokenizer: definition, config }: TokenizerFiles, maxTokens = Infinity): Tokenizer {
  // Padding and truncation of the file belong to its author's own use.
  const tokenizer = new HuggingFaceTokenizer({ ...definition, truncation: null, padding: null }, config);
  const encode = looksAtWords(definition) ? encodeWords(tokenizer) : encodeBeginning(tokenizer);
  return {
    // A lone surrogate is not a character and cannot be encoded in UTF-8.
    encode: (text, maxLength = 512) => encode(text.toWellFormed(), Math.min(maxLength, maxTokens)),
    maxTokens,
    tokens: (text) => tokenizer.encode(text.toWellFormed()).tokens,
  };
}
