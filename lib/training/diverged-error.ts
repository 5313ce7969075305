/** Training that has lost its way. On its own, so that commands can name it without loading TensorFlow. */

/** The loss is no longer a number. */
export class DivergedError extends Error {
  override name = 'DivergedError';
  constructor(step: number, loss: number, learningRate: number) {
    super(
      `The loss became ${loss} at step ${step} (learning rate ${learningRate.toExponential(2)}). ` +
        'Try a learning rate a third as large, more warm-up (warmupRatio), or a smaller maxGradNorm; and look for broken rows.',
    );
  }
}
