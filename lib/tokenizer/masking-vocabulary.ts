/** The vocabulary of a masked-language model: its mask token, its special tokens, and which tokens continue a word. */
import { ModelFormatError } from '../errors.js';
import type { TokenizerFiles } from './tokenizer.js';

/** The properties of a vocabulary that masking needs. */
export interface MaskingVocabulary {
  /** Size of the model's vocabulary. */
  size: number;
  /** Id of the mask token. */
  mask: number;
  /** Ids of special tokens, which are never masked. */
  special: Set<number>;
  /** 1 for each token that continues a word. */
  continues: Uint8Array;
  /** Each token as text. */
  pieces: string[];
}

/**
 * Reads the vocabulary from a tokenizer's files.
 * @param files of readTokenizer
 * @param size of the model's vocabulary
 * @throws ModelFormatError for a tokenizer without a mask token
 */
export function maskingVocabulary({ tokenizer, config }: TokenizerFiles, size: number): MaskingVocabulary {
  const { mask_token } = config as { mask_token?: string | { content: string } };
  const content = typeof mask_token === 'object' ? mask_token.content : mask_token;
  const { added_tokens: added = [], model } = tokenizer;
  const names = [content, '[MASK]', '<mask>'].filter((name) => name !== undefined);
  const mask = names.map((name) => added.find((token) => token.content === name)?.id).find((id) => id !== undefined);
  if (mask === undefined)
    throw new ModelFormatError(
      'MODEL_NO_MASK_TOKEN',
      'The tokenizer has no mask token ([MASK] or <mask>). Choose a model pretrained as a masked-language model.',
    );
  const continues = new Uint8Array(size);
  const pieces = new Array<string>(size).fill('');
  // WordPiece marks tokens that continue a word; byte-level BPE and Unigram mark those that begin one.
  const vocabulary = Array.isArray(model?.vocab)
    ? model.vocab.map(([piece], id) => [piece, id] as const)
    : Object.entries(model?.vocab ?? {});
  const isWordPiece = model?.type === 'WordPiece';
  for (const [piece, id] of vocabulary) {
    if (id >= size) continue;
    pieces[id] = piece;
    if (isWordPiece ? piece.startsWith('##') : !/^[Ġ▁]/.test(piece)) continues[id] = 1;
  }
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  return { size, mask, special, continues, pieces };
}
