/** Accuracies beside each other, each with its 95 % interval: of models, or of groups of rows. */
import type { Interval } from '../training/metrics.js';
import { axis, colours, layoutOf, type Figure } from './figure.js';

export interface NamedAccuracy {
  name: string;
  accuracy: number;
  interval: Interval;
}

export function accuraciesFigure(title: string, rows: NamedAccuracy[]): Figure {
  return {
    data: [
      {
        type: 'bar',
        x: rows.map(({ name }) => name),
        y: rows.map(({ accuracy }) => accuracy),
        marker: { color: colours.blue },
        width: 0.55,
        text: rows.map(({ accuracy }) => `${(100 * accuracy).toFixed(1)} %`),
        textposition: 'inside',
        insidetextanchor: 'start',
        textfont: { color: '#ffffff', size: 14 },
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
      { xaxis: axis(''), yaxis: axis('accuracy', { range: [0, 1.02], tickformat: '.0%' }), showlegend: false },
      620,
      340,
    ),
    description: rows
      .map(
        ({ name, accuracy, interval }) =>
          `${name}: ${(100 * accuracy).toFixed(1)} % (${(100 * interval.low).toFixed(1)} to ${(100 * interval.high).toFixed(1)})`,
      )
      .join('; '),
  };
}
