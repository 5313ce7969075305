/** What to tell the user about texts before training on them: truncation, a vocabulary that does not fit, and wrong encodings. */
import { textsOfInput, type TextInput, type Tokenizer } from '../tokenizer/tokenizer.js';
import { describeMisread, findDamagedTexts } from './damaged-texts.js';
import { describeTruncation, truncationOfEncoded } from './text-lengths.js';
import { describeVocabularyFit, vocabularyFit } from './vocabulary-fit.js';

/**
 * Describes what training on texts loses.
 * @param texts texts or pairs of all splits
 * @param ids token ids of each text, from `tokenizer.encode(text, maxLength)`
 * @param tokenizer of the model
 * @param maxLength maximum sequence length in tokens
 * @returns a sentence or two for each problem; empty if there is none
 * @example
 * const texts = reviews.test.map(({ text }) => text);
 * const ids = texts.map((text) => model.tokenizer.encode(text, 128));
 * textNotes(texts, ids, model.tokenizer, 128).forEach((note) => console.log(note));
 */
export const textNotes = (
  texts: TextInput[],
  ids: ArrayLike<number>[],
  tokenizer: Tokenizer,
  maxLength: number,
): string[] => {
  const single = texts.flatMap(textsOfInput);
  return [
    describeTruncation(truncationOfEncoded(texts, ids, tokenizer, maxLength)),
    describeVocabularyFit(vocabularyFit(single, tokenizer)),
    describeMisread(findDamagedTexts(single)),
  ].filter((note) => note !== undefined);
};
