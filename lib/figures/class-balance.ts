/** How many reviews each class has, in each part of the split. */
import { axis, layoutOf, type Figure } from './figure.js';

/** @param parts reviews by the part's name */
export function classBalanceFigure(parts: Record<string, { label: number }[]>, labelNames: string[]): Figure {
  const counts = labelNames.map((_, label) =>
    Object.values(parts).map((rows) => rows.filter((row) => row.label === label).length),
  );
  return {
    data: labelNames.map((name, label) => ({
      type: 'bar',
      name,
      x: Object.keys(parts),
      y: counts[label],
      text: counts[label]!.map(String),
      textposition: 'outside',
      cliponaxis: false,
    })),
    layout: layoutOf('Class balance', { barmode: 'group', xaxis: axis(''), yaxis: axis('reviews') }, 620, 340),
    description: labelNames
      .map(
        (name, label) =>
          `${name}: ${Object.keys(parts)
            .map((part, i) => `${counts[label]![i]} in ${part}`)
            .join(', ')}`,
      )
      .join('; '),
  };
}
