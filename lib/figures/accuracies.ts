/** A bar chart of accuracies with 95 % confidence intervals, of models or of groups of rows. */
import type { NamedAccuracy } from '../evaluation/interval.js';
import { axis, colors, layoutOf, escapeMarkup, type Figure } from './figure.js';

/** Length in characters above which a name is broken into two lines, so that Plotly does not rotate or cut it. */
const maxLine = 14;

/** Accuracy below which a bar is too low for its value, which is then written above the interval. */
const minTextHeight = 0.1;

/** Splits a long name at the space that leaves the shortest lines. */
function inTwoLines(name: string): string[] {
  if (name.length <= maxLine) return [name];
  const splits = [...name.matchAll(/ /g)].map(({ index }) => [name.slice(0, index), name.slice(index + 1)]);
  const longest = (lines: string[]) => Math.max(...lines.map(({ length }) => length));
  return splits.reduce((best, lines) => (longest(lines) < longest(best) ? lines : best), [name]);
}

/**
 * Draws one bar per accuracy, labeled with its value, on an axis from 0 to 100 %.
 * @example
 * figures.accuracies('Test accuracy', [{ name: 'bag of words', ...bagOfWordsBaseline(reviews.train, reviews.test) }]);
 */
export function accuraciesFigure(title: string, rows: NamedAccuracy[]): Figure {
  const size = rows.length > 4 ? 12 : 14;
  const valueOf = ({ accuracy }: NamedAccuracy) => `${(100 * accuracy).toFixed(1)} %`;
  return {
    data: [
      {
        type: 'bar',
        x: rows.map(({ name }) => inTwoLines(name).map(escapeMarkup).join('<br>')),
        y: rows.map(({ accuracy }) => accuracy),
        marker: { color: colors.blue },
        width: 0.55,
        text: rows.map((row) => (row.accuracy < minTextHeight ? '' : valueOf(row))),
        textposition: 'inside',
        insidetextanchor: 'start',
        textangle: 0,
        textfont: { color: '#ffffff', size },
        error_y: {
          type: 'data',
          symmetric: false,
          array: rows.map(({ accuracy, interval }) => interval.high - accuracy),
          arrayminus: rows.map(({ accuracy, interval }) => accuracy - interval.low),
          color: '#222222',
        },
      },
    ],
    layout: layoutOf(
      title,
      {
        xaxis: axis('', { type: 'category' }),
        yaxis: axis('accuracy', { range: [0, 1.02], tickformat: '.0%' }),
        showlegend: false,
        annotations: rows.flatMap((row, x) =>
          row.accuracy < minTextHeight
            ? [{ x, y: row.interval.high, yanchor: 'bottom', text: valueOf(row), showarrow: false, font: { size } }]
            : [],
        ),
      },
      rows.length > 4 ? 760 : 620,
      340,
    ),
    description: rows
      .map(
        ({ name, accuracy, interval }) =>
          `${name}: ${(100 * accuracy).toFixed(1)} % (95 % interval ${(100 * interval.low).toFixed(1)} to ${(100 * interval.high).toFixed(1)})`,
      )
      .join('; '),
  };
}
