/** Learning curves by step: training loss, validation loss and, except for regression, validation accuracy or micro F1. */
import type { TrainingRecord } from '../training/training-record.js';
import { axis, colors, layoutOf, packed, type Figure } from './figure.js';

/** The running mean of values, by default over a twentieth of the run. */
export function smoothed(values: number[], window = Math.max(1, Math.round(values.length / 20))): number[] {
  let sum = 0;
  return values.map((value, i) => {
    sum += value - (i >= window ? values[i - window]! : 0);
    return sum / Math.min(i + 1, window);
  });
}

/** The lower end of an accuracy axis: 0.5, or 0 if any accuracy is below 0.5, as in masked-language modeling. */
export const accuracyFloor = (accuracies: number[]): number => (accuracies.some((value) => value < 0.5) ? 0 : 0.5);

/**
 * Draws two panels by step: training loss, its running mean and the validation loss; and the validation accuracy, or the micro F1 of
 * multi-label classification. Without either, as of a regression, only the first.
 * @param title title of the figure
 * @example
 * const { records } = await trainer.train(reviews.train);
 * await showFigure(figures.learningCurves(records));
 */
export function learningCurvesFigure(records: TrainingRecord[], title = 'Fine-tuning'): Figure {
  const evaluations = records.filter((record) => record.evalLoss !== undefined);
  const isMultiLabel = evaluations.some((record) => record.evalMicroF1 !== undefined);
  const scoreOf = ({ evalAccuracy, evalMicroF1 }: TrainingRecord) => evalAccuracy ?? evalMicroF1;
  const hasScores = evaluations.length === 0 || evaluations.some((record) => scoreOf(record) !== undefined);
  const scoreName = isMultiLabel ? 'micro F1' : 'accuracy';
  const steps = packed(records.map(({ step }) => step));
  const losses = records.map(({ loss }) => loss);
  const last = evaluations.at(-1);
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'training, per step',
        x: steps,
        y: packed(losses),
        line: { color: '#b9d3e6', width: 1 },
      },
      {
        type: 'scatter',
        mode: 'lines',
        name: 'training, smoothed',
        x: steps,
        y: packed(smoothed(losses)),
        line: { color: colors.blue, width: 2.5 },
      },
      {
        type: 'scatter',
        mode: 'lines+markers',
        name: 'validation',
        x: evaluations.map(({ step }) => step),
        y: evaluations.map(({ evalLoss }) => evalLoss),
        line: { color: colors.orange, width: 2.5 },
      },
      ...(hasScores
        ? [
            {
              type: 'scatter',
              mode: 'lines+markers',
              showlegend: false,
              x: evaluations.map(({ step }) => step),
              y: evaluations.map(scoreOf),
              xaxis: 'x2',
              yaxis: 'y2',
              line: { color: colors.orange, width: 2.5 },
            },
          ]
        : []),
    ],
    layout: layoutOf(
      title,
      {
        xaxis: axis('step', hasScores ? { domain: [0, 0.45] } : {}),
        yaxis: axis('loss', { rangemode: 'tozero' }),
        ...(hasScores && {
          xaxis2: axis('step', { domain: [0.58, 1], range: [0, (records.at(-1)?.step ?? 1) * 1.05] }),
          // The axis has a fixed range, since autoscaling would exaggerate random differences.
          yaxis2: axis(`validation ${scoreName}`, {
            anchor: 'x2',
            ...(!isMultiLabel && { tickformat: '.0%' }),
            range: [accuracyFloor(evaluations.map((record) => scoreOf(record)!)), 1],
          }),
        }),
        // Above the panels, since a loss that does not fall would be behind it.
        legend: { orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom' },
        margin: { l: 76, r: 24, t: 80, b: 60 },
      },
      820,
      400,
    ),
    description: `Training loss from ${losses[0]?.toFixed(3)} to ${smoothed(losses).at(-1)?.toFixed(3)} in ${records.at(-1)?.step ?? 0} steps${
      last === undefined
        ? ''
        : hasScores
          ? `; validation ${scoreName} ${(100 * scoreOf(last)!).toFixed(1)} %`
          : `; validation loss ${last.evalLoss!.toFixed(3)}`
    }`,
  };
}
