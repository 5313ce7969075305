/** A bar chart of the words that are most associated with each of two classes. */
import type { WordAssociation } from '../reviews/word-associations.js';
import { axis, colors, layoutOf, escapeMarkup, type Figure } from './figure.js';

/**
 * Draws the words with the highest and lowest scores.
 * @param words the result of wordAssociations
 * @param labelNames names of classes 0 and 1
 * @param maxWords maximum number of words per class. @default 12
 * @example
 * figures.wordAssociations(wordAssociations(reviews.train), labels, 10);
 */
export function wordAssociationsFigure(words: WordAssociation[], labelNames: string[], maxWords = 12): Figure {
  const ordered = [...words].sort((a, b) => a.score - b.score);
  const sides = [
    ordered.filter(({ score }) => score < 0).slice(0, maxWords),
    ordered.filter(({ score }) => score > 0).slice(-maxWords),
  ];
  const shown = sides.flat();
  return {
    data: sides.map((side, label) => ({
      type: 'bar',
      orientation: 'h',
      name: escapeMarkup(labelNames[label]!),
      y: side.map(({ word }) => escapeMarkup(word)),
      x: side.map(({ score }) => score),
      marker: { color: label === 0 ? colors.orange : colors.blue },
    })),
    layout: layoutOf(
      'Word associations',
      {
        xaxis: axis('log-odds ratio (z-score)'),
        yaxis: {
          ...axis(''),
          type: 'category',
          categoryorder: 'array',
          categoryarray: shown.map(({ word }) => escapeMarkup(word)),
          automargin: false,
          dtick: 1,
        },
        margin: { l: 110, r: 24, t: 56, b: 60 },
        legend: { x: 0.75, y: 0.1 },
      },
      620,
      120 + 18 * shown.length,
    ),
    description: sides
      .map(
        (side, label) =>
          `${labelNames[label]}: ${(label === 0 ? side : [...side].reverse()).map(({ word }) => word).join(', ')}`,
      )
      .join('; '),
  };
}
