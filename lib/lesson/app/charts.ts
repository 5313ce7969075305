/** Draws figures with Plotly, in the colors of the page. Plotly is loaded after the model, or with the first figure. */
import { axis, colors, layoutOf, type Figure } from '../../figures/figure.js';
import { smoothed } from '../../figures/learning-curves.js';
import { percent } from '../../figures/format.js';
import { element } from './element.js';
import { loadScript } from './files.js';
import type { TrainedPoint } from './session.js';

declare const Plotly: {
  react: (element: HTMLElement, data: object[], layout: object, config: object) => Promise<void>;
};

let loading: Promise<void> | undefined;

/** Loads Plotly, once. */
export const loadPlotly = (): Promise<void> => (loading ??= loadScript('plotly.js'));

const shown = new Map<string, Figure>();

/** The figure in the colors of the page, which has a dark mode. */
function inPageColors(figure: Figure): Figure {
  const style = getComputedStyle(document.documentElement);
  const replacements = {
    '#222222': '--text',
    '#ffffff': '--ground',
    '#e6e6e6': '--line',
    '#8a8a8a': '--quiet',
    [colors.blue]: '--blue',
    [colors.orange]: '--orange',
  };
  const text = Object.entries(replacements).reduce(
    (json, [color, name]) => json.replaceAll(color, style.getPropertyValue(name).trim()),
    JSON.stringify(figure),
  );
  return JSON.parse(text) as Figure;
}

async function react(id: string, figure: Figure): Promise<void> {
  const chart = element(id);
  const { data, layout, description } = inPageColors(figure);
  chart.setAttribute('aria-label', description);
  const width = Math.min(layout.width, chart.clientWidth);
  await Plotly.react(chart, data, { ...layout, width }, { displayModeBar: false, responsive: false, staticPlot: true });
}

/**
 * Draws a figure into an element, instead of the one before.
 * @param id of the element, which must be visible
 */
export async function drawFigure(id: string, figure: Figure): Promise<void> {
  shown.set(id, figure);
  await loadPlotly();
  await react(id, figure);
}

/** Draws the visible figures again, after a change of the width or the colors. */
export function redrawFigures(): void {
  for (const [id, figure] of shown) if (element(id).clientWidth > 0) void react(id, figure);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawFigures);
addEventListener('resize', redrawFigures);

/** A curve over the number of labels. */
export interface LabelCurve {
  name: string;
  color: string;
  resultOf: (point: TrainedPoint) => TrainedPoint['model'];
}

/** The curves of both methods. */
export const labelCurves: Record<'model' | 'bag', LabelCurve> = {
  model: { name: 'pretrained model', color: colors.blue, resultOf: ({ model }) => model },
  bag: { name: 'bag of words', color: colors.orange, resultOf: ({ bag }) => bag },
};

const traceOf = ({ name, color }: LabelCurve, points: TrainedPoint[], y: number[], bounds?: object) => ({
  type: 'scatter',
  mode: 'lines+markers',
  name,
  x: points.map(({ count }) => count),
  y,
  line: { color, width: 2.5 },
  ...(bounds && { error_y: { type: 'data', symmetric: false, color, thickness: 1, ...bounds } }),
});

const labelAxis = axis('number of labels', { rangemode: 'tozero' });

/** Draws test accuracies by number of labels, with 95 % intervals, above a line for the majority class. */
export function accuracyCurve(points: TrainedPoint[], curves: LabelCurve[], majority: number): Figure {
  return {
    data: curves.map((curve) => {
      const results = points.map(curve.resultOf);
      return traceOf(
        curve,
        points,
        results.map(({ accuracy }) => accuracy),
        {
          array: results.map(({ accuracy, interval }) => interval.high - accuracy),
          arrayminus: results.map(({ accuracy, interval }) => accuracy - interval.low),
        },
      );
    }),
    layout: layoutOf(
      'Test accuracy',
      {
        xaxis: labelAxis,
        yaxis: axis('', { range: [Math.min(0.4, majority - 0.1), 1], tickformat: '.0%' }),
        margin: { l: 52, r: 16, t: 48, b: 84 },
        legend: { orientation: 'h', x: 0, y: -0.28 },
        shapes: [
          {
            ...{ type: 'line', xref: 'paper', x0: 0, x1: 1, y0: majority, y1: majority },
            line: { color: colors.grey, dash: 'dot', width: 2 },
          },
        ],
        annotations: [
          {
            ...{ xref: 'paper', x: 1, y: majority, xanchor: 'right', yanchor: 'top', showarrow: false },
            text: `majority class: ${percent(majority)}`,
          },
        ],
      },
      620,
      360,
    ),
    description: curves
      .map(
        (curve) =>
          `${curve.name}: ${points.map((point) => `${percent(curve.resultOf(point).accuracy)} with ${point.count} labels`).join(', ')}`,
      )
      .concat(`majority class: ${percent(majority)}`)
      .join('; '),
  };
}

/** Draws the test loss by number of labels. */
export function lossCurve(points: TrainedPoint[]): Figure {
  const losses = points.map(({ model }) => model.loss);
  return {
    data: [traceOf(labelCurves.model, points, losses)],
    layout: layoutOf(
      'Test loss',
      {
        xaxis: labelAxis,
        yaxis: axis('', { rangemode: 'tozero' }),
        margin: { l: 52, r: 16, t: 48, b: 52 },
        showlegend: false,
      },
      620,
      240,
    ),
    description: `Test loss: ${points.map(({ count }, i) => `${losses[i]!.toFixed(3)} with ${count} labels`).join(', ')}`,
  };
}

/** Draws the training loss by step, and its running mean. */
export function stepLosses(losses: number[]): Figure {
  const steps = losses.map((_, i) => i + 1);
  const means = smoothed(losses, 8);
  return {
    data: [
      { type: 'scatter', mode: 'lines', x: steps, y: losses, line: { color: '#e6e6e6', width: 1.5 } },
      { type: 'scatter', mode: 'lines', x: steps, y: means, line: { color: colors.blue, width: 2.5 } },
    ],
    layout: layoutOf(
      'Training loss',
      {
        xaxis: axis('step', { rangemode: 'tozero' }),
        yaxis: axis('', { rangemode: 'tozero' }),
        margin: { l: 52, r: 16, t: 48, b: 52 },
        showlegend: false,
      },
      620,
      260,
    ),
    description: `Training loss, a running mean: ${means[0]!.toFixed(3)} at first, ${means.at(-1)!.toFixed(3)} after ${losses.length} steps`,
  };
}
