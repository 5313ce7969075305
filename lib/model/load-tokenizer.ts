/** The tokenizer of a model's folder, which truncates texts to what the model accepts. */
import fs from 'node:fs';
import path from 'node:path';
import { createTokenizer, readTokenizer, type Tokenizer } from '../tokenizer/tokenizer.js';
import { maxTokens, readModelConfig } from './config.js';

/**
 * Loads the tokenizer of a local Hugging Face folder.
 * @throws ModelFormatError if there is no tokenizer, see readTokenizer, or config.json is of an unsupported model
 */
export function loadTokenizer(folder: string): Tokenizer {
  const hasConfig = fs.existsSync(path.join(folder, 'config.json'));
  return createTokenizer(readTokenizer(folder), hasConfig ? maxTokens(readModelConfig(folder)) : Infinity);
}
