// The figures of the benchmark page.
import { axis, colors, layoutOf, type Figure } from '#lib/figures/figure.js';
import { fastest, precisionsOf, workloads } from './readme.js';
import type { AccuracyResults, LengthResults, Results } from './results.js';

/** Colors of the sides: light in float32, dark in the faster precision. */
const shades: Record<'Tunebook' | 'PyTorch', string[]> = {
  Tunebook: ['#7fb8d8', colors.blue],
  PyTorch: ['#f0b58a', colors.orange],
};

/** Bar chart of the samples per second of Tunebook and PyTorch: training on the left, inference on the right, if measured. */
export function speedFigure(results: Results): Figure {
  const precisions = precisionsOf(results);
  const series = precisions.flatMap((precision, shade) =>
    (['Tunebook', 'PyTorch'] as const).map((side) => ({ side, precision, color: shades[side][shade % 2]! })),
  );
  const panels = (
    [
      ['train', 'training'],
      ['infer', 'inference'],
    ] as const
  )
    .map(([mode, title]) => ({
      title,
      panelWorkloads: workloads.filter(
        (workload) => workload[1] === mode && precisions.some((each) => fastest(results, 'Tunebook', workload, each)),
      ),
    }))
    // A result file may contain only some of the workloads.
    .filter(({ panelWorkloads }) => panelWorkloads.length > 0);
  const [left, right] = panels;
  return {
    data: panels.flatMap(({ panelWorkloads }, panel) =>
      series.map(({ side, precision, color }) => {
        const rates = panelWorkloads.map(
          (workload) => fastest(results, side, workload, precision)?.samplesPerSecond ?? null,
        );
        return {
          type: 'bar',
          name: `${side}, ${precision}`,
          legendgroup: `${side} ${precision}`,
          showlegend: panel === 0,
          x: panelWorkloads.map(([title]) =>
            title.replace(/^\w+, /, '').replace('own batches of', 'own<br>batches of'),
          ),
          y: rates,
          text: rates.map((rate) => (rate === null ? '' : rate.toFixed(1))),
          textposition: 'outside',
          textfont: { size: 10 },
          cliponaxis: false,
          marker: { color },
          xaxis: panel ? 'x2' : 'x',
          yaxis: panel ? 'y2' : 'y',
        };
      }),
    ),
    layout: layoutOf(
      `DistilBERT-base's size: samples per second on ${results.machine.gpu ?? results.machine.processor}<br>` +
        '<sup>each bar is the fastest variant of its side</sup>',
      {
        barmode: 'group',
        xaxis: axis(left?.title ?? '', { domain: [0, right ? 0.46 : 1] }),
        yaxis: axis('samples/s'),
        ...(right && {
          xaxis2: axis(right.title, { domain: [0.54, 1] }),
          yaxis2: axis('', { anchor: 'x2' }),
        }),
        legend: { orientation: 'h', x: 0, y: -0.26 },
        margin: { l: 64, r: 24, t: 56, b: 110 },
      },
      1100,
      440,
    ),
    description: panels
      .flatMap(({ panelWorkloads }) => panelWorkloads)
      .map(
        (workload) =>
          `${workload[0]}: ${series
            .map(
              ({ side, precision }) =>
                `${side} ${precision} ${fastest(results, side, workload, precision)?.samplesPerSecond.toFixed(1) ?? 'none'}`,
            )
            .join(', ')}`,
      )
      .join('; '),
  };
}

/** Line charts of the tokens per second by the length of the texts: a column per model, a row per number of cores. */
export function lengthsFigure({ machine, measurements }: LengthResults): Figure {
  const distinct = <Value>(values: Value[]): Value[] => [...new Set(values)];
  const models = distinct(measurements.map(({ model }) => model));
  const cores = distinct(measurements.map((each) => each.cores));
  const precisions = distinct(measurements.map(({ precision }) => precision));
  const lengths = distinct(measurements.map(({ length }) => length));
  const panels = cores.flatMap((count, row) => models.map((model, column) => ({ count, model, row, column })));
  const axisNumber = (panel: number) => (panel === 0 ? '' : String(panel + 1));
  const part = (index: number, parts: number, gap: number) => {
    const size = (1 - gap * (parts - 1)) / parts;
    return [index * (size + gap), index * (size + gap) + size];
  };
  const axes = panels.flatMap(({ count, row, column }, panel) => {
    const bottom = row === cores.length - 1;
    return [
      [
        `xaxis${axisNumber(panel)}`,
        axis(bottom ? 'tokens per text' : '', {
          type: 'log',
          tickvals: lengths,
          ticktext: lengths.map(String),
          domain: part(column, models.length, 0.07),
          anchor: `y${axisNumber(panel)}`,
        }),
      ],
      [
        `yaxis${axisNumber(panel)}`,
        axis(column === 0 ? `tokens/s, ${count} ${count === 1 ? 'core' : 'cores'}` : '', {
          domain: part(cores.length - 1 - row, cores.length, 0.16),
          anchor: `x${axisNumber(panel)}`,
          rangemode: 'tozero',
        }),
      ],
    ] as [string, Record<string, unknown>][];
  });
  const series = precisions.flatMap((precision, shade) =>
    (['Tunebook', 'PyTorch'] as const).map((side) => ({ side, precision, color: shades[side][shade % 2]! })),
  );
  const ratesOf = (model: string, count: number, { side, precision }: (typeof series)[number]) =>
    measurements.filter(
      (each) => each.model === model && each.cores === count && each.side === side && each.precision === precision,
    );
  return {
    data: panels.flatMap(({ count, model }, panel) =>
      series.map((each) => ({
        type: 'scatter',
        mode: 'lines+markers',
        name: `${each.side}, ${each.precision}`,
        legendgroup: `${each.side} ${each.precision}`,
        showlegend: panel === 0,
        x: ratesOf(model, count, each).map(({ length }) => length),
        y: ratesOf(model, count, each).map(({ tokensPerSecond }) => tokensPerSecond),
        line: { color: each.color, width: 2 },
        xaxis: `x${axisNumber(panel)}`,
        yaxis: `y${axisNumber(panel)}`,
      })),
    ),
    layout: layoutOf(
      `Training by length of the texts on ${machine.processor}`,
      {
        ...Object.fromEntries(axes),
        // Names of the models above their columns.
        annotations: models.map((model, column) => ({
          text: `<b>${model}</b>`,
          xref: 'paper',
          yref: 'paper',
          x: (part(column, models.length, 0.07)[0]! + part(column, models.length, 0.07)[1]!) / 2,
          y: 1.02,
          yanchor: 'bottom',
          showarrow: false,
        })),
        legend: { orientation: 'h', x: 0, y: -0.14 },
        margin: { l: 76, r: 24, t: 76, b: 100 },
      },
      1000,
      330 * cores.length - 20,
    ),
    description: panels
      .flatMap(({ count, model }) =>
        series.map((each) => {
          const rates = ratesOf(model, count, each).map(
            ({ length, tokensPerSecond }) => `${tokensPerSecond.toFixed(0)} at ${length}`,
          );
          return `${model}, cores ${count}, ${each.side} ${each.precision}: ${rates.join(', ')} tokens`;
        }),
      )
      .join('; '),
  };
}

/** Loss curves of all precisions, with one panel for each data set. */
export function lossFigure({ runs }: AccuracyResults): Figure {
  const sets = [...new Set(runs.map(({ reviews }) => reviews))];
  const lines: Record<string, object> = {
    float32: { color: colors.orange, width: 2 },
    bfloat16: { color: colors.blue, width: 2, dash: 'dot' },
    float16: { color: colors.green, width: 2, dash: 'dot' },
  };
  return {
    data: runs.map(({ reviews, precision, losses }) => ({
      type: 'scatter',
      mode: 'lines',
      name: precision,
      legendgroup: precision,
      showlegend: reviews === sets[0],
      x: losses.map(({ step }) => step),
      y: losses.map(({ loss }) => loss),
      line: lines[precision],
      xaxis: reviews === sets[0] ? 'x' : 'x2',
      yaxis: reviews === sets[0] ? 'y' : 'y2',
    })),
    layout: layoutOf(
      'Training loss by precision, a running mean',
      {
        xaxis: axis(`step, ${sets[0]} reviews`, { domain: [0, 0.46] }),
        xaxis2: axis(`step, ${sets[1] ?? ''}`, { domain: [0.54, 1] }),
        yaxis: axis('cross-entropy', { rangemode: 'tozero', dtick: 0.2 }),
        yaxis2: axis('', { anchor: 'x2', rangemode: 'tozero' }),
        legend: { orientation: 'h', x: 0, y: -0.26 },
        margin: { l: 88, r: 24, t: 56, b: 100 },
      },
      900,
      400,
    ),
    description: runs
      .map(({ reviews, precision, losses }) => `${reviews} in ${precision}: ends at ${losses.at(-1)!.loss.toFixed(3)}`)
      .join('; '),
  };
}
