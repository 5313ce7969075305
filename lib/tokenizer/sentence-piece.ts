/**
 * DeBERTa's tokenizer from its sentencepiece model: microsoft/deberta-v3-base and its relatives have spm.model and no
 * tokenizer.json. The behavior is that of DebertaV2Tokenizer in `transformers` 5, which normalizes texts itself and does not
 * use the character map of the file.
 */
import protobuf from 'protobufjs';
import { framePostProcessor, specialToken, vocabularyError } from './special-tokens.js';

/** The part of sentencepiece's ModelProto (sentencepiece_model.proto) that is used. */
const schema = `
syntax = "proto2";
message ModelProto {
  message SentencePiece { optional string piece = 1; optional float score = 2; }
  repeated SentencePiece pieces = 1;
}`;

const ModelProto = protobuf.parse(schema).root.lookupType('ModelProto');

/** The tokens around a text and in place of missing ones, which all DeBERTa vocabularies have. */
const specialTokens = ['[PAD]', '[CLS]', '[SEP]', '[UNK]'];

/**
 * Creates the definition of a Unigram tokenizer.
 * @param model content of spm.model
 * @param config content of tokenizer_config.json
 * @param file file name for error messages
 * @returns content of the equivalent tokenizer.json
 * @throws ModelFormatError for a damaged file, or one of another model
 */
export function sentencePieceTokenizer(model: Uint8Array, config: object, file: string) {
  const { do_lower_case: lowercase = false, split_by_punct: splitsPunctuation = false } = config as {
    do_lower_case?: boolean;
    split_by_punct?: boolean;
  };
  let pieces: { piece: string; score: number }[];
  try {
    ({ pieces } = ModelProto.decode(model) as unknown as { pieces: typeof pieces });
  } catch (error) {
    throw vocabularyError(file, `is not a sentencepiece model (${(error as Error).message})`);
  }
  const vocab = pieces.map(({ piece, score }): [string, number] => [piece, score]);
  const ids = new Map(vocab.map(([piece], id) => [piece, id]));
  const missing = specialTokens.filter((token) => !ids.has(token));
  if (missing.length > 0) throw vocabularyError(file, `has no tokens ${missing.join(', ')}, as those of DeBERTa have`);
  const idOf = (content: string) => ids.get(content) ?? vocab.length;
  const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    // The mask token follows the vocabulary.
    added_tokens: [...specialTokens, '[MASK]'].map((content) => specialToken(content, idOf(content))),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(lowercase ? [{ type: 'Lowercase' }] : []),
        { type: 'Replace', pattern: { Regex: '\\s{2,}|[\\n\\r\\t]' }, content: ' ' },
        { type: 'NFC' },
        { type: 'Strip', strip_left: false, strip_right: true },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [...(splitsPunctuation ? [{ type: 'Punctuation', behavior: 'Isolated' }] : []), metaspace],
    },
    post_processor: framePostProcessor(idOf),
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: idOf('[UNK]'), vocab, byte_fallback: false },
  };
}
