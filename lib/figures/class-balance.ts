/** How many reviews each class has, in each part of the split. */
import type { Review } from '../reviews/review.js';
import { axis, layoutOf, literally, type Figure } from './figure.js';

/**
 * Bars of how many reviews each class has, side by side in each part.
 * @param parts reviews by the part's name
 * @param labelNames class names in order of their numbers
 */
export function classBalanceFigure(parts: Record<string, Review[]>, labelNames: string[]): Figure {
  const counts = labelNames.map((_, label) =>
    Object.values(parts).map((reviews) => reviews.filter((review) => review.label === label).length),
  );
  return {
    data: labelNames.map((name, label) => ({
      type: 'bar',
      name: literally(name),
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
