/** A reliability diagram (DeGroot and Fienberg, 1983): how often verdicts of each probability are right, beside the diagonal on which they would be honest. */
import type { Calibration } from '../evaluation/calibration.js';
import { axis, colours, layoutOf, type Figure } from './figure.js';

const marks = [colours.blue, colours.orange, colours.green];

/**
 * The diagram, with a 95 % interval at each point.
 * @param calibrations by name, such as before and after a temperature
 */
export function reliabilityFigure(calibrations: Record<string, Calibration>): Figure {
  const named = Object.entries(calibrations);
  const honest = { type: 'scatter', mode: 'lines', name: 'honest', x: [0.5, 1], y: [0.5, 1] };
  return {
    data: [
      { ...honest, line: { color: colours.grey, dash: 'dot', width: 1.5 } },
      ...named.map(([name, { bins }], i) => ({
        type: 'scatter',
        mode: 'lines+markers',
        name,
        x: bins.map(({ confidence }) => confidence),
        y: bins.map(({ accuracy }) => accuracy),
        text: bins.map(({ count }) => `${count} verdicts`),
        marker: { size: 8, color: marks[i % marks.length] },
        line: { color: marks[i % marks.length], width: 2 },
        error_y: {
          type: 'data',
          symmetric: false,
          array: bins.map(({ accuracy, interval }) => interval.high - accuracy),
          arrayminus: bins.map(({ accuracy, interval }) => accuracy - interval.low),
          thickness: 1,
        },
      })),
    ],
    layout: layoutOf(
      'Do probabilities mean what they say?',
      {
        xaxis: axis('probability of the verdict', { range: [0.48, 1.02], tickformat: '.0%' }),
        yaxis: axis('share that is right', { range: [0, 1.05], tickformat: '.0%' }),
        legend: { x: 1.02, y: 1 },
      },
      720,
      400,
    ),
    description: named
      .map(
        ([name, { error, loss }]) =>
          `${name}: off by ${(100 * error).toFixed(1)} % on average, loss ${loss.toFixed(3)}`,
      )
      .join('; '),
  };
}
