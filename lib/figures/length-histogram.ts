/** How long the texts are, in tokens: what padding will cost. */
import { axis, colours, layoutOf, type Figure } from './figure.js';

/**
 * A histogram with lines at the median and at the length below which nine tenths of the texts are.
 * @param lengths tokens of each text, one at least
 * @param bins how many bars at most
 */
export function lengthHistogramFigure(lengths: number[], bins = 30): Figure {
  const sorted = [...lengths].sort((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  const longest = sorted.at(-1)!;
  const width = Math.max(1, Math.ceil((longest + 1) / bins));
  const counts = new Array<number>(Math.ceil((longest + 1) / width)).fill(0);
  for (const length of lengths) counts[Math.floor(length / width)]!++;
  const mark = (share: number, name: string) => ({
    x: quantile(share),
    y: 1,
    yref: 'paper',
    yanchor: 'bottom',
    text: `${name} ${quantile(share)}`,
    showarrow: false,
    font: { size: 11 },
  });
  const line = (share: number) => ({
    type: 'line',
    x0: quantile(share),
    x1: quantile(share),
    y0: 0,
    y1: 1,
    yref: 'paper',
    line: { color: colours.orange, width: 1.5, dash: 'dot' },
  });
  return {
    data: [
      {
        type: 'bar',
        x: counts.map((_, i) => (i + 0.5) * width),
        y: counts,
        width,
        marker: { color: colours.blue },
        showlegend: false,
      },
    ],
    layout: layoutOf(
      'Length of a review',
      {
        xaxis: axis('tokens'),
        yaxis: axis('reviews'),
        bargap: 0,
        shapes: [line(0.5), line(0.9)],
        annotations: [mark(0.5, 'median'), mark(0.9, '90 % below')],
      },
      620,
      340,
    ),
    description: `Tokens a review: median ${quantile(0.5)}, 90 % below ${quantile(0.9)}, longest ${longest}`,
  };
}
