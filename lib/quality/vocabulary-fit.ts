/**
 * Whether texts fit the vocabulary of a model. A vocabulary contains most words of its language as single tokens; words
 * of other languages are unknown or split into many tokens. Measured with the vocabularies of BERT and RoBERTa, which
 * are English, on 1,000 texts each: of English reviews, titles and tweets 88 to 96 % of the words are single tokens; of
 * German, French, Spanish, Italian, Dutch, Polish, Russian and Chinese texts at most 58 %. No language detector is
 * needed, and models of other languages need no exception.
 */
import { settingText } from '../settings/setting-text.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { wordsOf } from './words.js';

/** The result of vocabularyFit. */
export interface VocabularyFit {
  /** Number of words that were examined. */
  words: number;
  /** Fraction of the words that the vocabulary contains as single tokens. */
  knownWords: number;
  /** Fraction of the texts, among those of at least five words, of which the vocabulary lacks more than 40 % of the words. */
  foreignTexts: number;
  /** False if the texts are probably in a language that the vocabulary does not cover. */
  fits: boolean;
}

/** Fraction of known words below which the vocabulary does not fit: half-way between English and other languages. */
const minKnownWords = 0.7;

/** Fraction of known words below which a single text counts as foreign: true of at most 4 % of English texts. */
const minKnownInText = 0.6;

/** Fraction of foreign texts above which part of the texts is in another language. */
const maxForeignTexts = 0.1;

/** Words that a text must have to be counted, and that all texts together must have for a statement. */
const [minWordsInText, minWords] = [5, 100];

/** Maximum number of texts that are examined, at even intervals. */
const maxTexts = 5000;

const isAlphabetic = /^\p{L}/u;

/**
 * Measures how well a vocabulary fits texts.
 * @param texts of which up to 5,000 are examined
 * @param tokenizer of the model; a multilingual vocabulary always fits
 * @example
 * const { fits, knownWords } = vocabularyFit(reviews.train.map(({ text }) => text), model.tokenizer);
 */
export function vocabularyFit(texts: string[], tokenizer: Tokenizer): VocabularyFit {
  const known = new Map<string, boolean>();
  const isKnown = (word: string) => {
    let result = known.get(word);
    if (result === undefined) known.set(word, (result = tokenizer.hasWord(word)));
    return result;
  };
  const step = Math.max(1, texts.length / maxTexts);
  let [words, knownWords, longTexts, foreignTexts] = [0, 0, 0, 0];
  for (let i = 0; i < texts.length; i += step) {
    const inText = wordsOf(texts[Math.floor(i)]!).filter((word) => isAlphabetic.test(word));
    const knownInText = inText.filter(isKnown).length;
    words += inText.length;
    knownWords += knownInText;
    if (inText.length < minWordsInText) continue;
    longTexts++;
    if (knownInText < minKnownInText * inText.length) foreignTexts++;
  }
  const [knownFraction, foreignFraction] = [knownWords / (words || 1), foreignTexts / (longTexts || 1)];
  const covers = knownFraction >= minKnownWords && foreignFraction <= maxForeignTexts;
  return {
    words,
    knownWords: knownFraction,
    foreignTexts: foreignFraction,
    fits: words < minWords || tokenizer.isMultilingual || covers,
  };
}

/** Describes why a vocabulary does not fit, and what to do; undefined if it fits. */
export function describeVocabularyFit({ knownWords, foreignTexts, fits }: VocabularyFit): string | undefined {
  if (fits) return undefined;
  const observed =
    knownWords < minKnownWords
      ? `The model's vocabulary contains only ${(100 * knownWords).toFixed(0)} % of the words of the texts`
      : `The model's vocabulary lacks more than 40 % of the words in ${(100 * foreignTexts).toFixed(0)} % of the texts`;
  return (
    `${observed}; they are probably in a language that the model was not trained on. ` +
    `Use a model of that language, or a multilingual one: ${settingText('model', 'distilbert-base-multilingual-cased')}.`
  );
}
