/** TensorFlow could not be loaded; the message says what is missing and what to do. A file of its own, for code that does not load TensorFlow. */
export class TensorFlowLoadError extends Error {
  override name = 'TensorFlowLoadError';
}
