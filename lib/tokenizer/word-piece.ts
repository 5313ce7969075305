/**
 * BERT's tokenizer from its vocabulary: older models (ProsusAI/finbert) have a vocab.txt and no tokenizer.json. The
 * behavior and defaults are those of BertTokenizer in `transformers`.
 */

import { framePostProcessor, specialToken, specialTokenNames, vocabularyError } from './special-tokens.js';

/**
 * Creates the definition of a WordPiece tokenizer.
 * @param vocabulary content of vocab.txt: one token per line; the line number, from 0, is the id
 * @param config content of tokenizer_config.json
 * @param file file name for error messages
 * @returns content of the equivalent tokenizer.json
 * @throws ModelFormatError for the vocabulary of another tokenizer, such as MPNet's
 */
export function wordPieceTokenizer(vocabulary: string, config: object, file: string) {
  const {
    do_lower_case: lowercase = true,
    strip_accents: stripAccents = null,
    tokenize_chinese_chars: chinese = true,
  } = config as { do_lower_case?: boolean; strip_accents?: boolean | null; tokenize_chinese_chars?: boolean };
  const pieces = vocabulary.replace(/\r?\n$/, '').split(/\r?\n/);
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const missing = ['[UNK]', '[CLS]', '[SEP]'].filter((piece) => !(piece in vocab));
  if (missing.length > 0)
    throw vocabularyError(file, `has no tokens ${missing.join(', ')}, as BERT's vocabularies have`, { missing });
  const special = Object.values(specialTokenNames).filter((piece) => piece in vocab);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => specialToken(content, vocab[content]!)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: chinese,
      strip_accents: stripAccents,
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: framePostProcessor((piece) => vocab[piece]!),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
