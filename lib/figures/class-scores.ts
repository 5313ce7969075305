/** A bar chart of precision, recall and F1 of each class. */
import { classAxis, widthOfNames } from './class-names.js';
import { axis, colors, layoutOf, type Figure } from './figure.js';

/** The scores of a class, and its number of rows. */
export interface NamedScores {
  name: string;
  precision: number;
  recall: number;
  f1: number;
  support: number;
}

const shownScores = [
  { key: 'precision', name: 'precision', color: colors.orange },
  { key: 'recall', name: 'recall', color: colors.green },
  { key: 'f1', name: 'F1', color: colors.blue },
] as const;

/**
 * Draws three bars per class on an axis from 0 to 1: precision, recall and F1. The name of a class has its number of rows.
 * @param classes by class number
 * @example
 * figures.classScores('Scores of each class', metrics.perClass);
 */
export function classScoresFigure(title: string, classes: NamedScores[]): Figure {
  const names = classes.map(({ name, support }) => `${name} (${support.toLocaleString('en')})`);
  const margin = { l: 24 + widthOfNames(names), r: 24, t: 80, b: 56 };
  return {
    data: shownScores.map(({ key, name, color }) => ({
      type: 'bar',
      orientation: 'h',
      name,
      y: classes.map((_, label) => label),
      x: classes.map((each) => each[key]),
      marker: { color },
      hoverinfo: 'x+name',
    })),
    layout: layoutOf(
      title,
      {
        barmode: 'group',
        xaxis: axis('score', { range: [0, 1] }),
        yaxis: axis('', { ...classAxis(names), range: [classes.length - 0.5, -0.5] }),
        legend: { orientation: 'h', x: 0, y: 1, yanchor: 'bottom', traceorder: 'normal' },
        margin,
      },
      720,
      margin.t + margin.b + 46 * classes.length,
    ),
    description: classes
      .map(
        (each) => `${each.name}: ${shownScores.map(({ key, name }) => `${name} ${each[key].toFixed(3)}`).join(', ')}`,
      )
      .join('; '),
  };
}
