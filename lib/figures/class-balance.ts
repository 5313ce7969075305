/** A bar chart of the number of reviews per class, in each part of the split. */
import type { Review } from '../reviews/review.js';
import { classAxis, widthOfNames } from './class-names.js';
import { axis, layoutOf, type Figure } from './figure.js';

/**
 * Draws one bar per class, stacked from the parts of the split and labeled with the number of reviews and their fraction
 * of all.
 * @param parts reviews by the part's name
 * @param labelNames class names by class number
 * @example
 * figures.classBalance({ train: reviews.train, test: reviews.test }, labels);
 */
export function classBalanceFigure(parts: Record<string, Review[]>, labelNames: string[]): Figure {
  const classes = labelNames.map((_, i) => i);
  const counts = Object.entries(parts).map(([name, reviews]) => ({
    name,
    byClass: classes.map((each) => reviews.filter(({ label }) => label === each).length),
  }));
  const totals = classes.map((label) => counts.reduce((sum, { byClass }) => sum + byClass[label]!, 0));
  const all = totals.reduce((a, b) => a + b, 0);
  const height = labelNames.length <= 5 ? 46 : 26;
  const margin = { l: 24 + widthOfNames(labelNames), r: 100, t: 80, b: 56 };
  return {
    data: counts.map(({ name, byClass }) => ({
      type: 'bar',
      orientation: 'h',
      name,
      y: classes,
      x: byClass,
      // A single part has the number beside its bar.
      ...(counts.length > 1 && { text: byClass.map(String) }),
      textposition: 'inside',
      insidetextanchor: 'middle',
      textangle: 0,
      hoverinfo: 'x+name',
      width: 0.72,
    })),
    layout: layoutOf(
      'Class balance',
      {
        barmode: 'stack',
        // Numbers that do not fit into their part are left out.
        uniformtext: { minsize: 10, mode: 'hide' },
        xaxis: axis('number of reviews'),
        yaxis: axis('', { ...classAxis(labelNames), range: [labelNames.length - 0.5, -0.5] }),
        legend: { orientation: 'h', x: 0, y: 1, yanchor: 'bottom', traceorder: 'normal' },
        margin,
        annotations: totals.map((total, y) => ({
          x: total,
          y,
          xanchor: 'left',
          text: `${total} (${((100 * total) / all).toFixed(1)} %)`,
          showarrow: false,
        })),
      },
      720,
      margin.t + margin.b + height * labelNames.length,
    ),
    description: labelNames
      .map((name, label) => `${name}: ${counts.map((part) => `${part.byClass[label]} in ${part.name}`).join(', ')}`)
      .join('; '),
  };
}
