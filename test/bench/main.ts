// `npm run bench`: measures Tunebook and PyTorch on the same workloads, in alternating turns of one run. Prints medians and
// their ratios.
//   --reviews FILE     reviews (label, title, content) for the workloads in which each side forms its own batches;
//                      default: the embedded reviews
//   --only TEXT        only workloads whose title contains this text: "train", "infer", "8 x 128", "own"; the other
//                      results in the result file are kept
//   --rounds N         turns of each side with fixed batches; default: 5. Own batches have 8, which measure each review once
//   --pytorch VERSION  version of PyTorch, with its own environment and result file; default: that of requirements.txt
//   --compiled         also measure torch.compile, which takes minutes to compile
//   --out FILE         result file; default: this machine's file, from which the README is generated
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDevice } from '#lib/tensorflow/device.js';
import { median } from '#lib/tensorflow/measurements.js';
import { castTo, matMul } from '#lib/tensorflow/kernels.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { precisionOf } from '#lib/tensorflow/precision.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { root } from '../checkout.js';
import { currentMachine } from './machine.js';
import { findPyTorch, pytorchVersions } from './pytorch-environment.js';
import { resultsFile, shareOfFixed, type Measurement, type Results } from './results.js';
import { startSide, titleOf, type SideName, type Workload } from './sides.js';
import { fixedTokens, writeRows, type Rows, type Turn } from './work.js';

const { values: options } = parseArgs({
  options: {
    reviews: { type: 'string' },
    only: { type: 'string', default: '' },
    compiled: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    pytorch: { type: 'string' },
    out: { type: 'string' },
  },
});
const device = describeDevice();
const machine = currentMachine(device);
const onGpu = device.kind === 'GPU';
const resultFile = options.out ?? resultsFile('speed', machine, options.pytorch);
const python = findPyTorch(options.pytorch);
const bestPrecision = precisionOf('auto');

const workloads: Workload[] = (['train', 'infer'] as const).flatMap((mode) => [
  { mode, rows: 'fixed', batch: 8, steps: mode === 'train' ? 4 : 12, rounds: 5 },
  { mode, rows: 'fixed', batch: 16, steps: mode === 'train' ? 2 : 6, rounds: 5 },
  // Each review once, an eighth of them per turn.
  { mode, rows: 'own', batch: 8, steps: 10, rounds: 8 },
  { mode, rows: 'own', batch: 16, steps: 5, rounds: 8 },
]);
const workloadTitle = ({ mode, rows, batch }: Workload) =>
  `${mode} ${rows === 'fixed' ? `${batch} x ${fixedTokens}` : `own batches of ${batch}`}`;

const sidesFor = ({ mode, rows }: Workload): SideName[] => {
  const precisions: Precision[] = onGpu
    ? ['float32', 'bfloat16', 'float16']
    : bestPrecision === 'float32'
      ? [bestPrecision]
      : ['float32', bestPrecision];
  // torch.compile compiles again for every new shape, so it is only measured with fixed shapes.
  const engines = rows === 'own' ? ['eager', 'grouped'] : ['eager', ...(options.compiled ? ['compiled'] : [])];
  return precisions.flatMap((precision): SideName[] => [
    { side: 'Tunebook', precision, engine: 'graph' },
    ...(onGpu ? [{ side: 'Tunebook' as const, precision, engine: 'xla' }] : []),
    ...engines.map((engine) => ({ side: 'PyTorch' as const, precision, engine })),
    // Converting the whole model to bfloat16 is PyTorch's fastest inference.
    ...(precision === 'bfloat16' && mode === 'infer'
      ? engines.map((engine) => ({ side: 'PyTorch' as const, precision: 'bfloat16-weights' as const, engine }))
      : []),
  ]);
};

/** Measures the operations per second of a matrix product of the model's size. */
function productRate(precision: Precision): number {
  const [n, k, m] = [1024, 768, 3072];
  const [a, b] = [castTo(tf.randomNormal([n, k]), precision), castTo(tf.randomNormal([m, k]), precision)];
  const times = Array.from({ length: 60 }, () => {
    const from = performance.now();
    const product = matMul(a, b, false, true);
    if (onGpu) castTo(product, 'float32').dataSync();
    const seconds = (performance.now() - from) / 1000;
    product.dispose();
    return seconds;
  });
  return (2 * n * k * m) / median(times);
}

const selected = workloads.filter((workload) => workloadTitle(workload).includes(options.only));

/** The earlier results of this machine, if only some workloads are measured again. */
const earlier =
  selected.length < workloads.length && fs.existsSync(resultFile)
    ? (JSON.parse(fs.readFileSync(resultFile, 'utf8')) as Results)
    : undefined;
const isRepeated = ({ mode, rows, batch }: Measurement) =>
  selected.some((workload) => workload.mode === mode && workload.rows === rows && workload.batch === batch);

const reviews = await writeRows(options.reviews);
const productRates = Object.fromEntries(
  (bestPrecision === 'float32' ? ['float32' as const] : ['float32' as const, bestPrecision]).map((each) => [
    each,
    // Other work on the machine lowers a measurement, so the highest one counts.
    Math.max(productRate(each), earlier?.productRates[each] ?? 0),
  ]),
);
const results: Results = {
  date: new Date().toISOString().slice(0, 10),
  machine,
  versions: { node: process.versions.node, tensorflow: device.tensorflow, ...pytorchVersions(python) },
  reviews,
  ownBatches: 'packed without padding, in random order in training',
  productRates,
  measurements: earlier?.measurements.filter((each) => !isRepeated(each)) ?? [],
};
console.log(
  `${machine.gpu ?? machine.processor}, ${machine.cores} cores; PyTorch ${results.versions['pytorch']}; matrix products at ` +
    Object.entries(productRates)
      .map(([precision, rate]) => `${(rate / 1e9).toFixed(0)} GFLOP/s in ${precision}`)
      .join(', '),
);

for (const workload of selected) {
  console.log(`\n${workloadTitle(workload)}${workload.rows === 'own' ? `: ${reviews}` : ''}`);
  const sides: { name: SideName; rows: Rows; turns: Turn[]; process: Awaited<ReturnType<typeof startSide>> }[] = [];
  const start = async (name: SideName, rows: Rows) => {
    try {
      const place = { device: onGpu ? ('cuda' as const) : ('cpu' as const), python };
      sides.push({ name, rows, turns: [], process: await startSide(name, { ...workload, rows }, place) });
    } catch (error) {
      console.log(`  ${titleOf(name)} failed: ${(error as Error).message.trim().split('\n').at(-1)}`);
    }
  };
  for (const name of sidesFor(workload)) {
    await start(name, workload.rows);
    // Fixed batches in the same turns show what batches of different lengths cost.
    if (name.side === 'Tunebook' && workload.mode === 'train' && workload.rows === 'own') await start(name, 'fixed');
  }
  const rounds = workload.rows === 'own' ? workload.rounds : Number(options.rounds ?? workload.rounds);
  for (let round = 0; round < rounds; round++)
    for (const { turns, process } of round % 2 ? [...sides].reverse() : sides)
      turns.push(await process.turn(workload.steps));
  for (const { process } of sides) await process.end();
  const { mode, rows, batch } = workload;
  const total = (turns: Turn[], key: keyof Turn) => turns.reduce((sum, turn) => sum + turn[key], 0);
  const totalRate = (turns: Turn[], key: keyof Turn) => total(turns, key) / total(turns, 'seconds');
  const ownSides = sides.filter((side) => side.rows === rows);
  const measured = ownSides.map(({ name, turns }): Measurement => {
    const fixed = sides.find((side) => side.rows !== rows && side.name === name);
    // Turns with fixed batches do equal work, so the median counts; the others differ in their batches, so the total counts.
    const rate = (key: keyof Turn) =>
      rows === 'fixed' ? median(turns.map((turn) => turn[key] / turn.seconds)) : totalRate(turns, key);
    return {
      mode,
      rows,
      batch,
      ...name,
      samplesPerSecond: rate('samples'),
      tokensPerSecond: rate('tokens'),
      ...(fixed && { fixedTokensPerSecond: totalRate(fixed.turns, 'tokens') }),
      shareOfProductRate: rate('operations') / productRates[name.precision.replace('-weights', '')]!,
      peakBytes: Math.max(...turns.map(({ peakBytes }) => peakBytes)),
      turns: turns.map(({ samples, seconds }) => samples / seconds),
    };
  });
  results.measurements.push(...measured);
  for (const each of measured) {
    const tunebook = measured.filter(({ side }) => side === 'Tunebook');
    const reference = tunebook.find(({ precision }) => each.precision.startsWith(precision)) ?? tunebook[0]!;
    console.log(
      `  ${titleOf(each).padEnd(36)} ${each.samplesPerSecond.toFixed(2).padStart(7)} samples/s ${each.tokensPerSecond.toFixed(0).padStart(6)} tokens/s` +
        `  ${(100 * each.shareOfProductRate).toFixed(0).padStart(3)} % of the matrix-product rate  peak ${(each.peakBytes / 1e9).toFixed(2)} GB` +
        (each.side === 'PyTorch'
          ? `  Tunebook is ${(reference.samplesPerSecond / each.samplesPerSecond).toFixed(2)} times as fast`
          : '') +
        (each.fixedTokensPerSecond
          ? `  ${shareOfFixed(each)} of the ${each.fixedTokensPerSecond.toFixed(0)} tokens/s of fixed batches`
          : ''),
    );
  }
  // After each workload, so that the results are kept if the run ends early.
  fs.mkdirSync(path.dirname(resultFile), { recursive: true });
  fs.writeFileSync(resultFile, `${JSON.stringify(results, null, 2)}\n`);
}
console.log(`\n${path.relative(root, path.resolve(resultFile))}`);
