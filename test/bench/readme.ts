// Generates the measurements in README.md and test/bench/README.md from the result files.
import fs from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { root } from '../checkout.js';
import {
  accuracyFile,
  resultsFile,
  servingFile,
  type AccuracyResults,
  type Measurement,
  type Results,
  type ServingResults,
} from './results.js';

/** The README, which has a summary, and the page with all measurements. */
export const pages = { summary: path.join(root, 'README.md'), full: path.join(root, 'test/bench/README.md') };

const read = <T>(file: string): T => JSON.parse(fs.readFileSync(file, 'utf8')) as T;
export const readSpeed = (): Results => read(resultsFile);
export const readAccuracy = (): AccuracyResults => read(accuracyFile);
export const readServing = (): ServingResults => read(servingFile);

const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Title, mode, kind of rows and batch size of each workload. */
export const workloads = [
  ['training, 8 x 128 tokens', 'train', 'fixed', 8],
  ['training, 16 x 128 tokens', 'train', 'fixed', 16],
  ['training, own batches', 'train', 'own', 8],
  ['inference, 8 x 128 tokens', 'infer', 'fixed', 8],
  ['inference, 16 x 128 tokens', 'infer', 'fixed', 16],
  ['inference, own batches', 'infer', 'own', 8],
] as const;

export const precisionsOf = ({ measurements }: Results): string[] => [
  ...new Set(measurements.filter(({ side }) => side === 'Tunebook').map(({ precision }) => precision)),
];

/** Returns the measurements of a side for a workload and a precision, with all engines. */
const measurementsOf = (
  { measurements }: Results,
  side: string,
  [, mode, rows, batch]: (typeof workloads)[number],
  precision: string,
): Measurement[] =>
  measurements.filter(
    (each) =>
      each.side === side &&
      each.mode === mode &&
      each.rows === rows &&
      each.batch === batch &&
      each.precision.startsWith(precision),
  );

/** Returns the measurement of the fastest engine. */
export const fastest = (...args: Parameters<typeof measurementsOf>): Measurement | undefined =>
  measurementsOf(...args).sort((a, b) => b.samplesPerSecond - a.samplesPerSecond)[0];

function speedTable(results: Results): string {
  const rows = workloads.flatMap((workload) =>
    precisionsOf(results).flatMap((precision) => {
      const tunebook = fastest(results, 'Tunebook', workload, precision);
      if (!tunebook) return [];
      return measurementsOf(results, 'PyTorch', workload, precision).map((peer, i) => {
        const name = `${peer.engine}${peer.precision.endsWith('-weights') ? ', whole model in bfloat16' : ''}`;
        const cells = (each: Measurement) => [
          `${each.samplesPerSecond.toFixed(2)}`,
          each.tokensPerSecond.toFixed(0),
          `${(100 * each.shareOfProductRate).toFixed(0)} %`,
          `${(each.peakBytes / 1e9).toFixed(2)} GB`,
        ];
        const [tunebookCells, peerCells] = [cells(tunebook), cells(peer)];
        return [
          i === 0 ? workload[0] : '',
          i === 0 ? precision : '',
          ...tunebookCells.map((cell, k) => (i === 0 ? `${cell} / ${peerCells[k]}` : `/ ${peerCells[k]}`)),
          name,
          `**${(tunebook.samplesPerSecond / peer.samplesPerSecond).toFixed(2)}**`,
        ];
      });
    }),
  );
  return table(
    ['work', 'precision', 'samples/s', 'tokens/s', 'of the product rate', 'peak memory', 'PyTorch', 'ratio'],
    rows,
  );
}

function accuracyTable({ runs }: AccuracyResults): string {
  const percent = (fraction: number) => (100 * fraction).toFixed(1);
  return table(
    ['reviews', 'precision', 'held-out accuracy', '95 % interval', 'bag of words'],
    runs.map(({ reviews, epochs, precision, accuracy, interval, count, bagOfWords }) => [
      `${reviews}, ${epochs} epochs`,
      precision,
      `${percent(accuracy)} % of ${count}`,
      `${percent(interval.low)} to ${percent(interval.high)} %`,
      `${percent(bagOfWords)} %`,
    ]),
  );
}

/** Servers under the same load; the last one is the baseline of the ratios. */
function servingTable({ sides }: ServingResults): string {
  const peer = sides.at(-1)!;
  return table(
    ['server', 'requests/s', 'half within', '99 % within', 'ratio'],
    sides.map((side) => [
      side.name,
      side.requestsPerSecond.toFixed(1),
      `${side.p50} ms`,
      `${side.p99} ms`,
      side === peer ? '1' : `**${(side.requestsPerSecond / peer.requestsPerSecond).toFixed(2)}**`,
    ]),
  );
}

/** The table of the README: some workloads, each with its baseline. */
function summary(speed: Results, accuracy: AccuracyResults, serving: ServingResults): string {
  const formatRate = (value: number) => `${value.toFixed(1)} samples/s`;
  const rowsOf = (workload: (typeof workloads)[number], precision: string) => {
    const tunebook = fastest(speed, 'Tunebook', workload, precision);
    const pytorch = fastest(speed, 'PyTorch', workload, precision);
    return tunebook && pytorch
      ? [
          [
            `${workload[0]}, ${precision}`,
            formatRate(tunebook.samplesPerSecond),
            `PyTorch, ${pytorch.engine}: ${formatRate(pytorch.samplesPerSecond)}`,
            `**${(tunebook.samplesPerSecond / pytorch.samplesPerSecond).toFixed(2)}**`,
          ],
        ]
      : [];
  };
  const speeds = [workloads[1], workloads[2], workloads[4]].flatMap((workload) =>
    precisionsOf(speed).flatMap((precision) => rowsOf(workload, precision)),
  );
  const peer = serving.sides.at(-1)!;
  const requests = serving.sides
    .slice(0, -1)
    .map((side) => [
      side.name,
      `${side.requestsPerSecond.toFixed(1)} requests/s`,
      `${peer.name}: ${peer.requestsPerSecond.toFixed(1)} requests/s`,
      `**${(side.requestsPerSecond / peer.requestsPerSecond).toFixed(2)}**`,
    ]);
  const accuracies = accuracy.runs
    .filter(({ precision }) => precision === 'float32')
    .map(({ reviews, accuracy: fineTuned, bagOfWords }) => [
      `held-out accuracy, ${reviews}`,
      `${(100 * fineTuned).toFixed(1)} %`,
      `bag of words: ${(100 * bagOfWords).toFixed(1)} %`,
      '',
    ]);
  const { machine, date } = speed;
  return `${date}, ${machine.gpu ?? machine.processor}, ${machine.cores} cores:

${table(['work', 'Tunebook', 'peer', 'ratio'], [...speeds, ...requests, ...accuracies])}
`;
}

/** The page with all measurements. */
function measurements(speed: Results, accuracy: AccuracyResults, serving: ServingResults): string {
  const { machine, versions, productRates, reviews, date } = speed;
  const [full, ...others] = precisionsOf(speed);
  const mixed = others[0] ?? full!;
  const ownBatches = workloads[2];
  const tunebookRate = fastest(speed, 'Tunebook', ownBatches, mixed)!.samplesPerSecond;
  const pytorchRate = fastest(speed, 'PyTorch', ownBatches, 'float32')!.samplesPerSecond;
  return `Measured on ${date}: ${machine.gpu ?? machine.processor}, ${machine.cores} cores, matrix products at ${Object.entries(
    productRates,
  )
    .map(([precision, rate]) => `${(rate / 1e9).toFixed(0)} GFLOP/s in ${precision}`)
    .join(
      ' and ',
    )}; TensorFlow ${versions['tensorflow']}, PyTorch ${versions['pytorch']?.replace(/\+.*/, '')}, transformers ${versions['transformers']}. Each cell
says Tunebook / PyTorch. Own batches: ${reviews}; 8 a batch, Tunebook's of like length, PyTorch's in
the order of arrival and padded to their longest, as Trainer has it. There Tunebook in ${mixed} trains **${(tunebookRate / pytorchRate).toFixed(2)}
times** as fast as PyTorch in float32, Trainer's default.

${speedTable(speed)}

![Samples per second of Tunebook and PyTorch](results/speed.png)

${accuracyTable(accuracy)}

![Loss while training, in float32 and in ${mixed}](results/losses.png)

The saved model in Python's \`transformers\`: ${accuracy.savedModel.logits} logits differ by ${accuracy.savedModel.largestDifference.toExponential(1)} at most.

Serving the fine-tuned embedded model to ${serving.clients} clients at once, a review of ${serving.reviews} a request
(\`npm run bench:serving\`, ${serving.date}, ${serving.machine.cores} cores):

${servingTable(serving)}
`;
}

const [start, end] = ['<!-- measurements: made by npm run bench:readme -->', '<!-- end of measurements -->'];

/** Replaces the measurements of a page. */
function withMeasurements(readme: string, content: string): string {
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no line ${start} or no line ${end} after it.`);
  return `${readme.slice(0, from + start.length)}\n\n${content}\n${readme.slice(to)}`;
}

/** Returns both pages with the current measurements, by file. */
export async function currentPages(): Promise<Map<string, string>> {
  const results = [readSpeed(), readAccuracy(), readServing()] as const;
  const contents = { summary: summary(...results), full: measurements(...results) };
  const updated = Object.entries(pages).map(async ([name, file]): Promise<[string, string]> => {
    const page = withMeasurements(fs.readFileSync(file, 'utf8'), contents[name as keyof typeof pages]);
    return [file, await prettier.format(page, { ...(await prettier.resolveConfig(file)), filepath: file })];
  });
  return new Map(await Promise.all(updated));
}
