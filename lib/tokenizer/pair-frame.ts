/**
 * Two texts as one sequence of tokens: the special tokens around them, by the post-processor of tokenizer.json, and the truncation
 * `longest_first`.
 */
import { ModelFormatError } from '../errors.js';

/** The part of a tokenizer of transformers.js that encodes. */
export interface PairEncoder {
  encode(
    text: string,
    options?: { text_pair?: string; add_special_tokens?: boolean; return_token_type_ids?: boolean },
  ): { ids: number[]; tokens: string[]; token_type_ids?: number[] };
}

/** The special tokens of a pair, by the post-processor. */
export interface PairFrame {
  opening: number[];
  middle: number[];
  closing: number[];
  /** Number of tokens after the first text that have type 0; Infinity if all tokens have type 0. */
  tokensOfTypeZero: number;
}

/** A post-processor of tokenizer.json. */
export interface PostProcessor {
  type: string;
  /** The parts of a sequence. */
  processors?: PostProcessor[];
}

/** RoBERTa's post-processor gives all tokens type 0 in Hugging Face's tokenizers, but not in transformers.js. */
const hasNoTypes = ({ type, processors = [] }: PostProcessor): boolean =>
  type === 'RobertaProcessing' || processors.some(hasNoTypes);

/**
 * Determines the special tokens of a pair from an encoded pair.
 * @throws ModelFormatError if the post-processor leaves out the second text
 */
export function pairFrameOf(tokenizer: PairEncoder, postProcessor?: PostProcessor | null): PairFrame {
  const [a, b] = ['a', 'b'].map((text) => tokenizer.encode(text, { add_special_tokens: false }).ids) as [
    number[],
    number[],
  ];
  const { ids, token_type_ids: types } = tokenizer.encode('a', { text_pair: 'b', return_token_type_ids: true });
  const endOfFirst = ids.indexOf(a[0]!) + a.length;
  const second = ids.indexOf(b[0]!, endOfFirst);
  if (second < 0)
    throw new ModelFormatError(
      'MODEL_NO_PAIRS',
      'The post-processor of tokenizer.json does not accept pairs of texts. Use a model whose tokenizer does, such as BERT or RoBERTa.',
    );
  const firstOfTypeOne = postProcessor && hasNoTypes(postProcessor) ? -1 : types ? types.indexOf(1) : second;
  return {
    opening: ids.slice(0, endOfFirst - a.length),
    middle: ids.slice(endOfFirst, second),
    closing: ids.slice(second + b.length),
    tokensOfTypeZero: firstOfTypeOne < 0 ? Infinity : firstOfTypeOne - endOfFirst,
  };
}

/**
 * The lengths of two texts after truncation, `longest_first` of Hugging Face's tokenizers: only the longer text is truncated,
 * or both to half of the maximum, where the longer text gets the odd token.
 * @param max maximum sum of the lengths
 */
export function truncatedLengths(a: number, b: number, max: number): [number, number] {
  const shorter = Math.min(a, b);
  if (a + b <= max) return [a, b];
  const [less, more] =
    2 * shorter <= max ? [shorter, max - shorter] : [Math.floor(max / 2), Math.floor(max / 2) + (max % 2)];
  return a > b ? [more, less] : [less, more];
}
