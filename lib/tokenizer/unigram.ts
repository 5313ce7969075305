/** Long words in Unigram models (XLM-R, ALBERT, DeBERTa), at which the tokenizer of transformers.js fails or takes minutes. */

/** A Unigram model of transformers.js. */
export interface UnigramModel {
  /** Tokens of words. */
  encode(words: string[]): string[];
  /** Tokens of a word, by the Viterbi algorithm. */
  tokenize(word: string): string[];
  tokens_to_ids: Map<string, number>;
  unk_token_id: number;
}

/**
 * Replaces `encode` by one with the same result. The original passes all tokens of a word as arguments of a call, which fails from
 * about 120,000 on, and its caller joins a run of unknown characters one by one, looking up each intermediate text.
 */
export function encodeLongWords(model: UnigramModel): void {
  const { tokens_to_ids: idOf, unk_token_id: unknown } = model;
  const isUnknown = (token: string) => (idOf.get(token) ?? unknown) === unknown;
  model.encode = (words) => {
    const tokens: string[] = [];
    let run: string[] = [];
    const endRun = () => {
      if (run.length > 0) tokens.push(run.join(''));
      run = [];
    };
    for (const word of words)
      for (const token of model.tokenize(word))
        if (isUnknown(token)) run.push(token);
        else {
          endRun();
          tokens.push(token);
        }
    endRun();
    return tokens;
  };
}
