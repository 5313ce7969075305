/** Lengths of texts in words and tokens, and what truncation to the maximum sequence length removes. */
import { settingText } from '../settings/setting-text.js';
import { textsOfInput, type TextInput, type Tokenizer } from '../tokenizer/tokenizer.js';
import { wordsOf } from './words.js';

/** The distribution of a number: the smallest, the largest, and percentiles. */
export interface Percentiles {
  min: number;
  median: number;
  /** 90th percentile. */
  p90: number;
  /** 99th percentile. */
  p99: number;
  max: number;
  mean: number;
}

/** What truncation removes. */
export interface Truncation {
  /** The maximum sequence length in tokens: the setting, or that of the model if it is smaller. */
  maxLength: number;
  /** Number of texts. */
  texts: number;
  /** Number of texts that are truncated. */
  truncated: number;
  /** Fraction of all tokens that are removed. */
  removedFraction: number;
  /** Number of tokens of the longest text, before truncation. */
  longest: number;
}

/** The result of textLengths. */
export interface TextLengths {
  words: Percentiles;
  /** Including special tokens, before truncation. */
  tokens: Percentiles;
  truncation: Truncation;
}

/** Computes percentiles, each of them one of the values (nearest rank). */
export function percentilesOf(values: number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const percentile = (fraction: number) => sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
  return {
    min: sorted[0] ?? 0,
    median: percentile(0.5),
    p90: percentile(0.9),
    p99: percentile(0.99),
    max: sorted.at(-1) ?? 0,
    mean: values.reduce((sum, value) => sum + value, 0) / (values.length || 1),
  };
}

/**
 * Determines what truncation removes.
 * @param lengths number of tokens of each text before truncation, including special tokens
 * @param maxLength maximum sequence length in tokens
 */
export function truncationOf(lengths: number[], maxLength: number): Truncation {
  const all = lengths.reduce((sum, length) => sum + length, 0);
  const removed = lengths.reduce((sum, length) => sum + Math.max(0, length - maxLength), 0);
  return {
    maxLength,
    texts: lengths.length,
    truncated: lengths.filter((length) => length > maxLength).length,
    removedFraction: removed / (all || 1),
    longest: lengths.reduce((max, length) => Math.max(max, length), 0),
  };
}

/**
 * Determines what truncation has removed from tokenized texts. Only texts that may have been truncated are tokenized
 * again.
 * @param ids token ids of each text, from `tokenizer.encode(text, maxLength)`
 */
export function truncationOfEncoded(
  texts: TextInput[],
  ids: ArrayLike<number>[],
  tokenizer: Tokenizer,
  maxLength: number,
): Truncation {
  const limit = Math.min(maxLength, tokenizer.maxTokens);
  const lengths = texts.map((text, i) => (ids[i]!.length < limit ? ids[i]!.length : tokenizer.countTokens(text)));
  return truncationOf(lengths, limit);
}

/** A fraction that is not shown as 0 unless it is 0. */
const shortPercent = (fraction: number) =>
  fraction > 0 && fraction < 0.001 ? 'less than 0.1 %' : `${(100 * fraction).toFixed(1)} %`;

/** Describes what truncation removes; undefined if it removes nothing. */
export function describeTruncation({
  maxLength,
  texts,
  truncated,
  removedFraction,
  longest,
}: Truncation): string | undefined {
  if (truncated === 0) return undefined;
  return (
    `Truncated to ${maxLength} tokens (${settingText('maxLength')}): ${truncated.toLocaleString('en')} of ` +
    `${texts.toLocaleString('en')} texts (${shortPercent(truncated / texts)}), which removes ${shortPercent(removedFraction)} of all tokens; ` +
    `the longest text has ${longest.toLocaleString('en')} tokens.`
  );
}

/**
 * Measures the lengths of texts.
 * @param texts at least one text or pair
 * @param tokenizer of the model
 * @param maxLength maximum sequence length in tokens. @default 128
 * @example
 * const { truncation } = textLengths(reviews.train.map(({ text }) => text), model.tokenizer, settings.maxLength);
 * console.log(`${truncation.truncated} texts are truncated`);
 */
export function textLengths(texts: TextInput[], tokenizer: Tokenizer, maxLength = 128): TextLengths {
  const tokens = texts.map((text) => tokenizer.countTokens(text));
  return {
    words: percentilesOf(texts.map((text) => wordsOf(textsOfInput(text).join(' ')).length)),
    tokens: percentilesOf(tokens),
    truncation: truncationOf(tokens, Math.min(maxLength, tokenizer.maxTokens)),
  };
}
