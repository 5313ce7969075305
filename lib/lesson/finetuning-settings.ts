/** The settings with which the lesson page fine-tunes: the defaults of `finetune`, with a larger learning rate for few steps. */
export const finetuningSettings = {
  epochs: 3,
  batchSize: 16,
  learningRate: 1e-4,
  /** Maximum length of all texts of the page, in tokens. */
  maxLength: 128,
  seed: 42,
};
