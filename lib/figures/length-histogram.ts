/** A histogram of text lengths in tokens, which determine the cost of training. */
import { axis, colors, layoutOf, type Figure } from './figure.js';

/**
 * Draws a histogram with lines at the median and at the 90th percentile.
 * @param lengths number of tokens of each text, at least one text
 * @param bins maximum number of bars
 * @example
 * figures.lengthHistogram(testSet.ids.map((ids) => ids.length));
 */
export function lengthHistogramFigure(lengths: number[], bins = 30): Figure {
  const sorted = [...lengths].sort((a, b) => a - b);
  const quantile = (fraction: number) => sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]!;
  const maxLength = sorted.at(-1)!;
  const width = Math.max(1, Math.ceil((maxLength + 1) / bins));
  const counts = new Array<number>(Math.ceil((maxLength + 1) / width)).fill(0);
  for (const length of lengths) counts[Math.floor(length / width)]!++;
  // The labels are on opposite sides of their lines, or one above the other if the second one has no space on the right.
  const isFarRight = quantile(0.9) > 0.75 * maxLength;
  const mark = (fraction: number, name: string, xanchor: 'left' | 'right', yshift = 0) => ({
    x: quantile(fraction),
    xanchor,
    y: 1,
    yref: 'paper',
    yanchor: 'bottom',
    yshift,
    text: `${name} ${quantile(fraction)}`,
    showarrow: false,
    font: { size: 11 },
  });
  const line = (fraction: number) => ({
    type: 'line',
    x0: quantile(fraction),
    x1: quantile(fraction),
    y0: 0,
    y1: 1,
    yref: 'paper',
    line: { color: colors.orange, width: 1.5, dash: 'dot' },
  });
  return {
    data: [
      {
        type: 'bar',
        x: counts.map((_, i) => (i + 0.5) * width),
        y: counts,
        width,
        marker: { color: colors.blue },
        showlegend: false,
      },
    ],
    layout: layoutOf(
      'Review length',
      {
        xaxis: axis('number of tokens'),
        yaxis: axis('number of reviews'),
        bargap: 0,
        shapes: [line(0.5), line(0.9)],
        annotations: [
          mark(0.5, 'median', 'right'),
          isFarRight ? mark(0.9, '90th percentile', 'right', 13) : mark(0.9, '90th percentile', 'left'),
        ],
      },
      620,
      340,
    ),
    description: `Tokens per review: median ${quantile(0.5)}, 90th percentile ${quantile(0.9)}, maximum ${maxLength}`,
  };
}
