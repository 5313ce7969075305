/** An overview of the three stages of transfer learning. */
import { colors, layoutOf, type Figure } from './figure.js';

const stages = [
  {
    name: '1  Pre-training',
    task: 'predict masked tokens<br>in books and Wikipedia',
    note: 'already done,<br>weeks on GPUs',
    color: colors.grey,
  },
  { name: '2  Domain adaptation', task: 'predict masked tokens<br>in reviews', note: 'optional', color: colors.grey },
  {
    name: '3  Fine-tuning',
    task: 'classify reviews<br>with labeled examples',
    note: 'this notebook,<br>minutes',
    color: colors.blue,
  },
];

/**
 * Draws pre-training, domain adaptation and fine-tuning as boxes from left to right.
 * @example
 * await showFigure(figures.stages());
 */
export function stagesFigure(): Figure {
  const left = (i: number) => 0.02 + i * 0.34;
  const text = (x: number, y: number, value: string, font: object) => ({
    x,
    y,
    xref: 'paper',
    yref: 'paper',
    text: value,
    showarrow: false,
    // By default Plotly aligns text near an edge with that edge.
    xanchor: 'center',
    yanchor: 'middle',
    font,
  });
  return {
    data: [],
    layout: layoutOf(
      'From a language model to a review classifier',
      {
        xaxis: { visible: false, range: [0, 1] },
        yaxis: { visible: false, range: [0, 1] },
        margin: { l: 16, r: 16, t: 56, b: 16 },
        shapes: stages.map(({ color }, i) => ({
          type: 'rect',
          xref: 'paper',
          yref: 'paper',
          x0: left(i),
          x1: left(i) + 0.27,
          y0: 0.08,
          y1: 0.95,
          line: { color, width: i === 2 ? 3 : 1.5 },
          fillcolor: i === 2 ? '#eaf3f9' : '#f7f7f7',
        })),
        annotations: stages.flatMap(({ name, task, note, color }, i) => [
          text(left(i) + 0.135, 0.86, `<b>${name}</b>`, { size: 13, color }),
          text(left(i) + 0.135, 0.52, task, { size: 12 }),
          text(left(i) + 0.135, 0.18, note, { size: 11, color: '#666666' }),
          ...(i > 0 ? [text(left(i) - 0.035, 0.52, '→', { size: 22 })] : []),
        ]),
      },
      760,
      230,
    ),
    description: stages.map(({ name, task }) => `${name}: ${task.replace('<br>', ' ')}`).join('; '),
  };
}
