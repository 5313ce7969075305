/** A confusion matrix. */
import { classAxis, widthOfNames } from './class-names.js';
import { axis, layoutOf, escapeMarkup, type Figure } from './figure.js';

/** The size of a cell, and the text in it. */
interface CellStyle {
  width: number;
  height: number;
  fontSize: number;
  /** The text of a cell that contains a count, which is a fraction of its row. */
  text: (count: number, fraction: number) => string;
}

const percent = (fraction: number, digits: number) => `${(100 * fraction).toFixed(digits)} %`;

/** Shortens a count to four characters: 12345 is 12k. */
const shortCount = (count: number) => (count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`);

/** The more classes, the less text fits: count and percentage, only the count, or only the color. */
function cellStyle(classes: number, nameWidth: number): CellStyle {
  if (classes <= 4)
    return {
      width: Math.max(110, nameWidth + 12),
      height: 62,
      fontSize: 14,
      text: (count, fraction) => `${count}<br>${percent(fraction, 1)}`,
    };
  const withoutZeros = (text: (count: number, fraction: number) => string): CellStyle['text'] => {
    return (count, fraction) => (count === 0 ? '' : text(count, fraction));
  };
  if (classes <= 9)
    return {
      width: 68,
      height: 46,
      fontSize: 12,
      text: withoutZeros((count, fraction) => `${count}<br>${percent(fraction, 0)}`),
    };
  if (classes <= 25) return { width: 32, height: 27, fontSize: 11, text: withoutZeros(shortCount) };
  return { width: 18, height: 18, fontSize: 0, text: () => '' };
}

/**
 * Draws a grid of counts with true labels as rows and predicted labels as columns. Colors and percentages are fractions
 * of a row.
 * @param confusion counts by true class, then by predicted class, as in ClassificationMetrics
 * @param labelNames class names by class number
 * @example
 * figures.confusionMatrix(metrics.confusion, labels);
 */
export function confusionMatrixFigure(confusion: number[][], labelNames: string[]): Figure {
  const numbers = labelNames.map((_, i) => i);
  const nameWidth = widthOfNames(labelNames);
  const style = cellStyle(labelNames.length, nameWidth);
  const isRotated = nameWidth > style.width - 6;
  const margin = { l: 52 + nameWidth, r: 24, t: 56, b: 50 + (isRotated ? Math.SQRT1_2 * nameWidth + 20 : 14) };
  const fractions = confusion.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count) => count / Math.max(1, total));
  });
  return {
    data: [
      {
        type: 'heatmap',
        x: numbers,
        y: numbers,
        z: fractions,
        text: confusion.map((row, i) =>
          row.map((count, j) =>
            escapeMarkup(
              `true ${labelNames[i]}, predicted ${labelNames[j]}: ${count} (${percent(fractions[i]![j]!, 1)})`,
            ),
          ),
        ),
        hoverinfo: 'text',
        xgap: 1,
        ygap: 1,
        zmin: 0,
        zmax: 1,
        colorscale: [
          [0, '#f4f8fb'],
          [1, '#0072b2'],
        ],
        showscale: false,
      },
    ],
    layout: layoutOf(
      labelNames.length <= 9 ? 'Confusion matrix' : 'Confusion matrix; colors are fractions of a row',
      {
        xaxis: axis('predicted label', { ...classAxis(labelNames), side: 'bottom', tickangle: isRotated ? -45 : 0 }),
        yaxis: axis('true label', { ...classAxis(labelNames), range: [labelNames.length - 0.5, -0.5] }),
        margin,
        annotations: confusion.flatMap((row, i) =>
          row.flatMap((count, j) => {
            const text = style.text(count, fractions[i]![j]!);
            const color = fractions[i]![j]! > 0.75 ? '#ffffff' : '#222222';
            return text === '' ? [] : [{ x: j, y: i, text, showarrow: false, font: { size: style.fontSize, color } }];
          }),
        ),
      },
      Math.max(420, margin.l + margin.r + style.width * labelNames.length),
      margin.t + margin.b + style.height * labelNames.length,
    ),
    description: labelNames
      .map((name, i) => `${name}: ${confusion[i]!.map((count, j) => `${count} predicted ${labelNames[j]}`).join(', ')}`)
      .join('; '),
  };
}
