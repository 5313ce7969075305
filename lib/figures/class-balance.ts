/** A bar chart of the number of reviews per class, in each part of the split. */
import type { Review } from '../reviews/review.js';
import { axis, layoutOf, escapeMarkup, type Figure } from './figure.js';

/**
 * Draws the number of reviews of each class side by side, for each part of the split.
 * @param parts reviews by the part's name
 * @param labelNames class names by class number
 * @example
 * figures.classBalance({ train: reviews.train, test: reviews.test }, labels);
 */
export function classBalanceFigure(parts: Record<string, Review[]>, labelNames: string[]): Figure {
  const counts = labelNames.map((_, label) =>
    Object.values(parts).map((reviews) => reviews.filter((review) => review.label === label).length),
  );
  return {
    data: labelNames.map((name, label) => ({
      type: 'bar',
      name: escapeMarkup(name),
      x: Object.keys(parts),
      y: counts[label],
      text: counts[label]!.map(String),
      textposition: 'outside',
      cliponaxis: false,
    })),
    layout: layoutOf(
      'Class balance',
      { barmode: 'group', xaxis: axis(''), yaxis: axis('number of reviews') },
      620,
      340,
    ),
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
