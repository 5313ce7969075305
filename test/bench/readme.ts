// Generates the measurements in README.md and test/bench/README.md from the result files.
import fs from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import type { LabelCurve } from '#lib/figures/over-seeds.js';
import { root } from '../checkout.js';
import { overSeeds } from '#lib/training/seeds.js';
import {
  accuracyFile,
  fewLabelsFile,
  fewLabelsPicture,
  pictureOf,
  readResults,
  servingFile,
  shareOfFixed,
  type AccuracyResults,
  type FewLabelsResults,
  type FamilyResults,
  type LengthResults,
  type Measurement,
  type Results,
  type ServingResults,
} from './results.js';

/** The README, which has a summary, and the page with all measurements. */
export const pages = { summary: path.join(root, 'README.md'), full: path.join(root, 'test/bench/README.md') };

const read = <T>(file: string): T => JSON.parse(fs.readFileSync(file, 'utf8')) as T;
export const readSpeed = (): [string, Results][] => readResults('speed');
export const readLengths = (): [string, LengthResults][] => readResults('lengths');
const readFamilies = (): [string, FamilyResults][] => readResults('families');
export const readAccuracy = (): AccuracyResults => read(accuracyFile);
export const readFewLabels = (): FewLabelsResults => read(fewLabelsFile);
export const readServing = (): ServingResults => read(servingFile);

const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Title, mode, kind of rows and batch size of each workload. */
export const workloads = [
  ['training, 8 x 128 tokens', 'train', 'fixed', 8],
  ['training, 16 x 128 tokens', 'train', 'fixed', 16],
  ['training, own batches of 8', 'train', 'own', 8],
  ['training, own batches of 16', 'train', 'own', 16],
  ['inference, 8 x 128 tokens', 'infer', 'fixed', 8],
  ['inference, 16 x 128 tokens', 'infer', 'fixed', 16],
  ['inference, own batches of 8', 'infer', 'own', 8],
  ['inference, own batches of 16', 'infer', 'own', 16],
] as const;

export const precisionsOf = ({ measurements }: Results): string[] => [
  ...new Set(measurements.filter(({ side }) => side === 'Tunebook').map(({ precision }) => precision)),
];

/** Name of a PyTorch measurement. */
const peerName = ({ engine, precision, rows }: Measurement): string => {
  const inOrder = rows === 'own' ? `${engine}, order of arrival` : engine;
  const order = engine === 'grouped' ? 'eager, similar length' : inOrder;
  return `${order}${precision.endsWith('-weights') ? ', whole model in bfloat16' : ''}`;
};

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
        const cells = (each: Measurement) => [
          `${each.samplesPerSecond.toFixed(2)}`,
          each.tokensPerSecond.toFixed(0),
          `${(100 * each.shareOfProductRate).toFixed(0)} %`,
          formatGigabytes(each.peakBytes),
        ];
        const [tunebookCells, peerCells] = [cells(tunebook), cells(peer)];
        return [
          i === 0 ? workload[0] : '',
          i === 0 ? precision : '',
          ...tunebookCells.map((cell, k) => (i === 0 ? `${cell} / ${peerCells[k]}` : `/ ${peerCells[k]}`)),
          peerName(peer),
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

/** The curves of the methods on the reviews of one name. */
export const curvesOf = ({ runs }: FewLabelsResults, reviews: string): LabelCurve[] =>
  [...new Set(runs.map(({ method }) => method))].map((name) => {
    const own = runs.filter((run) => run.method === name && run.reviews === reviews);
    const sizes = [...new Set(own.map(({ labels }) => labels))].sort((a, b) => a - b);
    const accuraciesOf = (size: number) =>
      own.filter(({ labels }) => labels === size).map(({ meanRecall }) => meanRecall);
    return { name, points: sizes.map((size) => ({ rows: size, accuracies: accuraciesOf(size) })) };
  });

const seedsOf = ({ runs }: FewLabelsResults): number => new Set(runs.map(({ seed }) => seed)).size;

/** Mean accuracy with its interval, and mean seconds, by labels per class and method. */
function fewLabelsTable(results: FewLabelsResults): string {
  const percent = (fraction: number) => (100 * fraction).toFixed(1);
  const sizes = [...new Set(results.runs.map(({ labels }) => labels))].sort((a, b) => a - b);
  const rows = Object.keys(results.tests).flatMap((reviews) =>
    curvesOf(results, reviews).map(({ name, points }) => [
      reviews,
      name,
      ...sizes.map((size) => {
        const point = points.find((each) => each.rows === size);
        if (!point) return '';
        const { mean, interval } = overSeeds(point.accuracies);
        const own = results.runs.filter((run) => run.reviews === reviews && run.method === name && run.labels === size);
        const seconds = overSeeds(own.map((run) => run.seconds)).mean;
        const range = own.length > 1 ? ` (${percent(interval.low)} to ${percent(interval.high)})` : '';
        const seeds = own.length < seedsOf(results) ? `, ${own.length} of ${seedsOf(results)} seeds` : '';
        return `${percent(mean)}${range}, ${seconds.toFixed(0)} s${seeds}`;
      }),
    ]),
  );
  return table(['reviews', 'method', ...sizes.map((size) => `${size} per class`)], rows);
}

/** The section on few labels. */
function fewLabelsSection(results: FewLabelsResults): string {
  const { tests, limit, machine, date } = results;
  return `## Few labels

Mean recall of the two classes in percent with its 95 % interval over ${seedsOf(results)} seeds, and seconds of training (\`npm run bench:few-labels\`,
${date}, ${machine.processor}, ${machine.cores} cores, shared with other programs, so that the seconds are upper bounds). All methods start from the
embedded MiniLM, get the same rows, and have no validation set; test sets: ${Object.entries(tests)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')} reviews. Full fine-tuning takes at least 100 steps. From
${limit.fromLabels} labels per class on, both SetFits end after ${limit.steps} steps of 16 pairs; an epoch of all pairs would be 520 steps with 64 and 8,224 with 256
labels per class. PyPI's setfit 1.2 has its defaults, one thread, and the same encoder with mean pooling.

${fewLabelsTable(results)}

${Object.keys(tests)
  .map((name) => `![Mean recall by number of labels, ${name}](results/${path.basename(fewLabelsPicture(name))})`)
  .join('\n\n')}
`;
}

const formatGigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;

/** Whether a server or program is this project's. */
const isTunebook = ({ name }: { name: string }) => name.startsWith('tunebook');

/** float32 or int8, of the name of a server or program. */
const precisionOf = ({ name }: { name: string }) => /float32|int8/.exec(name)![0];

/** The peer with the most requests per second in the precision of a server. */
const fastestPeer = ({ sides }: ServingResults, server: { name: string }) =>
  sides
    .filter((side) => !isTunebook(side) && precisionOf(side) === precisionOf(server))
    .reduce((best, side) => (side.requestsPerSecond > best.requestsPerSecond ? side : best));

/** Servers under the same load; the ratio of this project's is to the fastest peer in the same precision. */
const servingTable = (serving: ServingResults): string =>
  table(
    ['server', 'requests/s', 'half within', '99 % within', 'peak memory', 'ratio'],
    serving.sides.map((side) => [
      side.name,
      `${side.requestsPerSecond.toFixed(1)} (${Math.min(...side.turns).toFixed(1)} to ${Math.max(...side.turns).toFixed(1)})`,
      `${side.p50} ms`,
      `${side.p99} ms`,
      formatGigabytes(side.peakBytes),
      isTunebook(side)
        ? `**${(side.requestsPerSecond / fastestPeer(serving, side).requestsPerSecond).toFixed(2)}**`
        : '',
    ]),
  );

/** Programs that score the same texts; the ratio of this project's is to the fastest one of the same precision. */
function scoringTable({ scorers }: ServingResults): string {
  return table(
    ['program', 'texts/s', 'peak memory', 'ratio'],
    scorers.map((scorer) => {
      const peers = scorers.filter((each) => !isTunebook(each) && precisionOf(each) === precisionOf(scorer));
      const best = Math.max(...peers.map(({ textsPerSecond }) => textsPerSecond));
      return [
        scorer.name,
        scorer.textsPerSecond.toFixed(1),
        formatGigabytes(scorer.peakBytes),
        isTunebook(scorer) ? `**${(scorer.textsPerSecond / best).toFixed(2)}**` : '',
      ];
    }),
  );
}

const machineName = ({ machine }: Results | LengthResults): string => machine.gpu ?? machine.processor;

const machineTitle = (results: Results | LengthResults): string =>
  `${machineName(results)}, ${results.machine.cores} cores, ${results.date}`;

const pytorchVersion = ({ versions }: Results | LengthResults): string =>
  `PyTorch ${versions['pytorch']?.replace(/\+.*/, '')}`;

/** The results of each machine with the most measurements: the README shows one version of PyTorch. */
const mostComplete = (speeds: [string, Results][]): [string, Results][] =>
  speeds.filter(([, speed]) =>
    speeds.every(
      ([, other]) =>
        machineName(other) !== machineName(speed) || other.measurements.length <= speed.measurements.length,
    ),
  );

/** The tables of the README: own batches on each machine, then serving and accuracy, each row with its peer. */
function summary(speeds: [string, Results][], accuracy: AccuracyResults, serving: ServingResults): string {
  const formatRate = (value: number) => `${value.toFixed(1)} samples/s`;
  const head = ['work', 'Tunebook', 'peer', 'ratio'];
  const speedRows = (speed: Results) =>
    workloads
      .filter(([, , rows, batch]) => rows === 'own' && batch === 8)
      .flatMap((workload) =>
        precisionsOf(speed).flatMap((precision) => {
          const tunebook = fastest(speed, 'Tunebook', workload, precision);
          const pytorch = fastest(speed, 'PyTorch', workload, precision);
          if (!tunebook || !pytorch) return [];
          return [
            [
              `${workload[0]}, ${precision}`,
              formatRate(tunebook.samplesPerSecond),
              `${pytorchVersion(speed)}, ${peerName(pytorch)}: ${formatRate(pytorch.samplesPerSecond)}`,
              `**${(tunebook.samplesPerSecond / pytorch.samplesPerSecond).toFixed(2)}**`,
            ],
          ];
        }),
      );
  const requests = serving.sides.filter(isTunebook).map((side) => {
    const peer = fastestPeer(serving, side);
    return [
      side.name,
      `${side.requestsPerSecond.toFixed(1)} requests/s`,
      `${peer.name}: ${peer.requestsPerSecond.toFixed(1)} requests/s`,
      `**${(side.requestsPerSecond / peer.requestsPerSecond).toFixed(2)}**`,
    ];
  });
  const accuracies = accuracy.runs
    .filter(({ precision }) => precision === 'float32')
    .map(({ reviews, accuracy: fineTuned, bagOfWords }) => [
      `held-out accuracy, ${reviews}`,
      `${(100 * fineTuned).toFixed(1)} %`,
      `bag of words: ${(100 * bagOfWords).toFixed(1)} %`,
      '',
    ]);
  return `${speeds.map(([, speed]) => `${machineTitle(speed)}:\n\n${table(head, speedRows(speed))}`).join('\n\n')}

Serving (${serving.machine.processor}, ${serving.machine.cores} cores, ${serving.date}) and accuracy:

${table(head, [...requests, ...accuracies])}
`;
}

/** The speed on one machine. */
function speedSection(file: string, speed: Results): string {
  const { versions, productRates, reviews, ownBatches } = speed;
  const [full, ...others] = precisionsOf(speed);
  const mixed = others[0] ?? full!;
  const rates = Object.entries(productRates).map(
    ([precision, rate]) => `${(rate / 1e9).toFixed(0)} GFLOP/s in ${precision}`,
  );
  const ownTraining = workloads.find(([, mode, rows]) => mode === 'train' && rows === 'own')!;
  const tunebook = fastest(speed, 'Tunebook', ownTraining, mixed);
  const trainer = measurementsOf(speed, 'PyTorch', ownTraining, 'float32').find(({ engine }) => engine === 'eager');
  const withFixed = speed.measurements.filter(({ fixedTokensPerSecond }) => fixedTokensPerSecond);
  const shares = withFixed.map((each) => `${shareOfFixed(each)} in ${each.precision}, ${each.batch} a batch`);
  return `## ${machineTitle(speed)}, ${pytorchVersion(speed)}

Matrix products at ${rates.join(' and ')}; TensorFlow ${versions['tensorflow']}, transformers ${versions['transformers']}.
Own batches: ${reviews}; Tunebook's were ${ownBatches}.${
    tunebook && trainer
      ? ` In batches of 8, Tunebook in ${mixed} trains
**${(tunebook.samplesPerSecond / trainer.samplesPerSecond).toFixed(2)} times** as fast as PyTorch in float32 and in order of arrival, Trainer's defaults.`
      : ''
  }${shares.length > 0 ? ` Training processes own batches at this fraction of the tokens/s of fixed batches: ${shares.join('; ')}.` : ''}

${speedTable(speed)}

![Samples per second of Tunebook and PyTorch](results/${path.basename(pictureOf(file))})
`;
}

/** Ratios of training by the length of the texts on one machine. */
function lengthsSection(file: string, results: LengthResults): string {
  const tunebook = results.measurements.filter(({ side }) => side === 'Tunebook');
  const lengths = [...new Set(tunebook.map(({ length }) => length))];
  const groups = new Map<string, string[]>();
  for (const each of tunebook) {
    const { model, cores, length, precision, tokensPerSecond } = each;
    const peer = results.measurements.find(
      (other) =>
        other.side === 'PyTorch' &&
        other.model === model &&
        other.cores === cores &&
        other.length === length &&
        other.precision === precision,
    )!;
    const key = [model, cores, precision].join(' | ');
    groups.set(key, [...(groups.get(key) ?? []), (tokensPerSecond / peer.tokensPerSecond).toFixed(2)]);
  }
  return `### ${machineTitle(results)}, ${pytorchVersion(results)}

Batches of ${results.batchTokens} tokens.

![Tokens per second of Tunebook and PyTorch by length of the texts](results/${path.basename(pictureOf(file))})

${table(
  ['model', 'cores', 'precision', ...lengths.map((length) => `${length} tokens`)],
  [...groups].map(([key, ratios]) => [...key.split(' | '), ...ratios]),
)}
`;
}

/** The page with all measurements. */
function familiesSection(results: FamilyResults): string {
  const { machine, versions, date, reviews, measurements } = results;
  const rows = measurements
    .filter(({ side }) => side === 'Tunebook')
    .map((tunebook) => {
      const peer = measurements.find(
        ({ side, model, precision }) =>
          side !== 'Tunebook' && model === tunebook.model && precision === tunebook.precision,
      )!;
      return [
        tunebook.precision === 'float32' ? tunebook.model : '',
        tunebook.precision,
        `${tunebook.samplesPerSecond.toFixed(2)} / ${peer.samplesPerSecond.toFixed(2)}`,
        `${tunebook.tokensPerSecond.toFixed(0)} / ${peer.tokensPerSecond.toFixed(0)}`,
        `${formatGigabytes(tunebook.peakBytes)} / ${formatGigabytes(peer.peakBytes)}`,
        `**${(tunebook.samplesPerSecond / peer.samplesPerSecond).toFixed(2)}**`,
      ];
    });
  return `### ${machine.processor}, ${machine.cores} cores, ${date}, PyTorch ${versions['pytorch']}

Batches of 8 of ${reviews}.

${table(['model', 'precision', 'samples/s', 'tokens/s', 'peak memory', 'ratio'], rows)}
`;
}

function measurements(
  speeds: [string, Results][],
  lengths: [string, LengthResults][],
  families: [string, FamilyResults][],
  accuracy: AccuracyResults,
  serving: ServingResults,
  fewLabels: FewLabelsResults,
): string {
  const byFamily =
    families.length > 0
      ? `## By model family

Training at the size of each family's base model (\`npm run bench:families\`). Both sides train on the same reviews in their own batches:
Tunebook's are packed without padding, in random order; PyTorch's, in eager mode, are of similar length and padded to the longest text.

${families.map(([, results]) => familiesSection(results)).join('\n')}`
      : '';
  const precisions = new Set(accuracy.runs.map(({ precision }) => precision));
  const byLength =
    lengths.length > 0
      ? `## By length of the texts

Tokens per second of training (\`npm run bench:lengths\`), Tunebook's divided by PyTorch's in eager mode. All texts of a batch have the same
length, so that PyTorch pads nothing. Each figure is the better of two turns, so these ratios are less certain than those above.

${lengths.map(([file, results]) => lengthsSection(file, results)).join('\n')}`
      : '';
  return `${speeds.map(([file, speed]) => speedSection(file, speed)).join('\n')}
${byFamily}
${byLength}
## Accuracy

The embedded MiniLM with seed 42 (\`npm run bench:accuracy\`): 22.6 million parameters, 128 tokens a text. "embedded" are the embedded reviews,
split as in the notebook, which keeps the best of several evaluations; amazon_polarity_sample are the first 6,459 rows of amazon_polarity's
test split (title and text), of which the last 1,000 are the test set here. One run each, so that differences within the interval mean nothing.

${accuracyTable(accuracy)}

![Loss while training, in ${[...precisions].join(' and in ')}](results/losses.png)

The saved model in Python's \`transformers\`: ${accuracy.savedModel.logits} logits differ by ${accuracy.savedModel.largestDifference.toExponential(1)} at most.

${fewLabelsSection(fewLabels)}
## Serving

The fine-tuned embedded model serves ${serving.clients} clients at once, each with its own reviews of ${serving.reviews}, one a request
(\`npm run bench:serving\`, ${serving.date}, ${serving.machine.cores} cores). Requests/s are
the median of the turns, with the slowest and the fastest one; the ratio is to the fastest peer of the same precision. Infinity is
[infinity-emb](https://github.com/michaelfeil/infinity) with the versions of [requirements-infinity.txt](requirements-infinity.txt), without
its warm-up, and with its default of at most 32 texts a batch:

${servingTable(serving)}

Scoring the same ${serving.texts} texts without a server; onnxruntime is called with batches of texts of similar length:

${scoringTable(serving)}
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
  const [speeds, accuracy, serving] = [readSpeed(), readAccuracy(), readServing()];
  const contents = {
    summary: summary(mostComplete(speeds), accuracy, serving),
    full: measurements(speeds, readLengths(), readFamilies(), accuracy, serving, readFewLabels()),
  };
  const updated = Object.entries(pages).map(async ([name, file]): Promise<[string, string]> => {
    const page = withMeasurements(fs.readFileSync(file, 'utf8'), contents[name as keyof typeof pages]);
    return [file, await prettier.format(page, { ...(await prettier.resolveConfig(file)), filepath: file })];
  });
  return new Map(await Promise.all(updated));
}
