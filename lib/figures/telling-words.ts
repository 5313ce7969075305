/** The words that tell classes apart, each way from the middle. */
import type { TellingWord } from '../reviews/telling-words.js';
import { axis, colours, layoutOf, literally, type Figure } from './figure.js';

/**
 * @param words with the log-odds of each
 * @param labelNames of classes 0 and 1
 * @param most of each class. @default 12
 */
export function tellingWordsFigure(words: TellingWord[], labelNames: string[], most = 12): Figure {
  const ordered = [...words].sort((a, b) => a.score - b.score);
  const sides = [
    ordered.filter(({ score }) => score < 0).slice(0, most),
    ordered.filter(({ score }) => score > 0).slice(-most),
  ];
  const shown = sides.flat();
  return {
    data: sides.map((side, label) => ({
      type: 'bar',
      orientation: 'h',
      name: literally(labelNames[label]!),
      y: side.map(({ word }) => literally(word)),
      x: side.map(({ score }) => score),
      marker: { color: label === 0 ? colours.orange : colours.blue },
    })),
    layout: layoutOf(
      'Words that tell',
      {
        xaxis: axis('log-odds, in standard deviations'),
        yaxis: {
          ...axis(''),
          type: 'category',
          categoryorder: 'array',
          categoryarray: shown.map(({ word }) => literally(word)),
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
