/**
 * The shapes of a model's parameters: those that its forward pass asks for. Values are shapes here; the number of tokens or
 * texts is -1.
 */
import type { Operations } from './operations.js';

type Shape = number[];

const withWidth = (width: number): Shape => [-1, width];

/**
 * The shape of every parameter that a forward pass uses, by its Hugging Face name, in the order of their first use.
 * @param forward calls the operations
 */
export function parameterShapes(forward: (operations: Operations<Shape>) => unknown): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  forward({
    parameter(name, shape) {
      shapes.set(name, shape);
      return shape;
    },
    row: ([, width]) => [width!],
    tokenEmbedding: ([, width]) => withWidth(width!),
    tokenTypeEmbedding: () => undefined,
    positionEmbedding: ([, width]) => withWidth(width!),
    linear: ([rows], { weight: [out] }) => [rows!, out!],
    activation: (x) => x,
    residual: (a) => a,
    layerNorm: (x) => x,
    residualLayerNorm: (a) => a,
    dropout: (x) => x,
    firstTokens: (x) => x,
    meanOfTokens: (x) => x,
    convolution: ([rows], { weight: [out] }) => [rows!, out!],
    attention: (_, queryInput) => queryInput,
    feedForward: (x) => x,
    gatedFeedForward: (x) => x,
  });
  return shapes;
}
