/** The special tokens of BERT and DeBERTa in tokenizer.json, for the definitions that are generated from a vocabulary. */
import { ModelFormatError } from '../errors.js';

/** Their names, as tokenizer_config.json has them. */
export const specialTokenNames = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
};

/** Creates the error for an unsupported vocabulary; `reason` follows the file name. */
export const vocabularyError = (file: string, reason: string, details: Record<string, unknown> = {}) =>
  new ModelFormatError(
    'MODEL_NO_TOKENIZER',
    `${file} ${reason}. Save the model's tokenizer in its folder (in Python: AutoTokenizer.from_pretrained(name).save_pretrained(folder)).`,
    { file, ...details },
  );

/** An entry of `added_tokens`. */
export const specialToken = (content: string, id: number) => ({
  id,
  content,
  special: true,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
});

/** The post-processor that puts [CLS] before a text, and [SEP] after each text. */
export function framePostProcessor(idOf: (piece: string) => number) {
  const token = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } });
  const text = (id: string, type_id = 0) => ({ Sequence: { id, type_id } });
  return {
    type: 'TemplateProcessing',
    single: [token('[CLS]'), text('A'), token('[SEP]')],
    pair: [token('[CLS]'), text('A'), token('[SEP]'), text('B', 1), token('[SEP]', 1)],
    special_tokens: Object.fromEntries(
      ['[CLS]', '[SEP]'].map((piece) => [piece, { id: piece, ids: [idOf(piece)], tokens: [piece] }]),
    ),
  };
}
