/** The goal in one picture: the three stages of transfer learning, and which of them are ours. */
import { colours, layoutOf, type Figure } from './figure.js';

const stages = [
  {
    name: '1  Pre-training',
    what: 'guess masked words<br>in books and Wikipedia',
    who: 'done by others,<br>weeks of GPUs',
    colour: colours.grey,
  },
  { name: '2  Domain adaptation', what: 'guess masked words<br>in reviews', who: 'optional', colour: colours.grey },
  {
    name: '3  Fine-tuning',
    what: 'negative or positive?<br>from labelled reviews',
    who: 'this notebook,<br>minutes',
    colour: colours.blue,
  },
];

/** Pre-training, domain adaptation and fine-tuning as boxes from left to right. */
export function stagesFigure(): Figure {
  const left = (i: number) => 0.02 + i * 0.34;
  const text = (x: number, y: number, value: string, font: object) => ({
    x,
    y,
    xref: 'paper',
    yref: 'paper',
    text: value,
    showarrow: false,
    // Left to itself, text near an edge hangs from its end.
    xanchor: 'center',
    yanchor: 'middle',
    font,
  });
  return {
    data: [],
    layout: layoutOf(
      'From a language model to a judge of reviews',
      {
        xaxis: { visible: false, range: [0, 1] },
        yaxis: { visible: false, range: [0, 1] },
        margin: { l: 16, r: 16, t: 56, b: 16 },
        shapes: stages.map(({ colour }, i) => ({
          type: 'rect',
          xref: 'paper',
          yref: 'paper',
          x0: left(i),
          x1: left(i) + 0.27,
          y0: 0.08,
          y1: 0.95,
          line: { color: colour, width: i === 2 ? 3 : 1.5 },
          fillcolor: i === 2 ? '#eaf3f9' : '#f7f7f7',
        })),
        annotations: stages.flatMap(({ name, what, who, colour }, i) => [
          text(left(i) + 0.135, 0.86, `<b>${name}</b>`, { size: 13, color: colour }),
          text(left(i) + 0.135, 0.52, what, { size: 12 }),
          text(left(i) + 0.135, 0.18, who, { size: 11, color: '#666666' }),
          ...(i > 0 ? [text(left(i) - 0.035, 0.52, '→', { size: 22 })] : []),
        ]),
      },
      760,
      230,
    ),
    description: stages.map(({ name, what }) => `${name}: ${what.replace('<br>', ' ')}`).join('; '),
  };
}
