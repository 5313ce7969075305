/**
 * A reliability diagram (DeGroot and Fienberg, 1983): the fraction of correct predictions by probability, with the
 * diagonal of perfect calibration.
 */
import type { Calibration } from '../evaluation/calibration.js';
import { axis, colors, layoutOf, type Figure } from './figure.js';

const marks = [colors.blue, colors.orange, colors.green];

/**
 * Draws the diagram with a 95 % confidence interval at each point.
 * @param calibrations by name, such as before and after temperature scaling
 * @example
 * figures.reliability({ 'before scaling': calibration(logits, testSet.labels, labels.length) });
 */
export function reliabilityFigure(calibrations: Record<string, Calibration>): Figure {
  const named = Object.entries(calibrations);
  // The lowest probability of a prediction is 0.5 for two classes, and lower for more.
  const lowest = Math.min(0.5, ...named.flatMap(([, { bins }]) => bins.map(({ low }) => low)));
  const diagonal = { type: 'scatter', mode: 'lines', name: 'perfectly calibrated', x: [lowest, 1], y: [lowest, 1] };
  return {
    data: [
      { ...diagonal, line: { color: colors.grey, dash: 'dot', width: 1.5 } },
      ...named.map(([name, { bins }], i) => ({
        type: 'scatter',
        mode: 'lines+markers',
        name,
        x: bins.map(({ confidence }) => confidence),
        y: bins.map(({ accuracy }) => accuracy),
        text: bins.map(({ count }) => `${count} predictions`),
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
      'Reliability diagram',
      {
        xaxis: axis('probability of the prediction', { range: [lowest - 0.02, 1.02], tickformat: '.0%' }),
        yaxis: axis('fraction correct', { range: [0, 1.05], tickformat: '.0%' }),
        legend: { x: 1.02, y: 1 },
      },
      720,
      400,
    ),
    description: named
      .map(
        ([name, { error, loss }]) =>
          `${name}: expected calibration error ${(100 * error).toFixed(1)} %, loss ${loss.toFixed(3)}`,
      )
      .join('; '),
  };
}
