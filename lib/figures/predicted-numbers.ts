/** Predicted against true numbers of a regression, with the diagonal of exact predictions. */
import { axis, colors, escapeMarkup, layoutOf, packed, type Figure } from './figure.js';

/**
 * Draws a point for each review.
 * @param numbers true and predicted numbers of the reviews, in the same order
 * @param name of the number, such as `stars`
 * @example
 * const { predictions } = await evaluateRegression(model, testSet);
 * figures.predictedNumbers({ true: [...testSet.labels], predicted: [...predictions] }, 'stars');
 */
export function predictedNumbersFigure(numbers: { true: number[]; predicted: number[] }, name: string): Figure {
  const all = [...numbers.true, ...numbers.predicted];
  const [low, high] = all.reduce(
    ([low, high], each) => [Math.min(low, each), Math.max(high, each)],
    [Infinity, -Infinity],
  );
  const margin = 0.04 * (high - low || 1);
  const ends = [low - margin, high + margin];
  const range = { range: ends };
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'exact',
        x: ends,
        y: ends,
        line: { color: colors.grey, dash: 'dot', width: 1.5 },
      },
      {
        type: 'scatter',
        mode: 'markers',
        name: 'reviews',
        x: packed(numbers.true),
        y: packed(numbers.predicted),
        marker: { color: colors.blue, size: 6, opacity: 0.4 },
      },
    ],
    layout: layoutOf(
      'Predicted and true numbers',
      {
        xaxis: axis(`true: ${escapeMarkup(name)}`, range),
        yaxis: axis('predicted', range),
        showlegend: false,
      },
      520,
      480,
    ),
    description: `${numbers.true.length} reviews: predicted ${name} from ${Math.min(...numbers.predicted).toFixed(2)} to ${Math.max(
      ...numbers.predicted,
    ).toFixed(2)}, true from ${Math.min(...numbers.true)} to ${Math.max(...numbers.true)}`,
  };
}
