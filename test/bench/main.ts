// `npm run bench`: Tunebook and PyTorch on the same work in one run, taking turns; medians and their ratios.
//   --reviews FILE   reviews (label, title, content) for the part where each side makes its own batches; default: the
//                    embedded ones
//   --only TEXT      only works whose title holds this text: "train", "infer", "8 x 128", "own"; what the file of results
//                    has of the others stays
//   --compiled       with torch.compile, too, which takes minutes to compile
//   --out FILE       where the results go; default: the file that the README is made from
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDevice } from '#lib/tensorflow/device.js';
import { castTo, matMul } from '#lib/tensorflow/kernels.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { precisionOf } from '#lib/tensorflow/precision.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';
import { resultsFile, type Measurement, type Results } from './results.js';
import { startSide, titleOf, type SideName, type Work } from './sides.js';
import { fixedTokens, writeRows, type Turn } from './work.js';

const { values: options } = parseArgs({
  options: {
    reviews: { type: 'string' },
    only: { type: 'string', default: '' },
    compiled: { type: 'boolean', default: false },
    out: { type: 'string', default: resultsFile },
  },
});
const device = describeDevice();
const onGpu = device.kind === 'GPU';
const best = precisionOf('auto');

const works: Work[] = (['train', 'infer'] as const).flatMap((mode) => [
  { mode, rows: 'fixed', batch: 8, steps: mode === 'train' ? 4 : 12, rounds: 5 },
  { mode, rows: 'fixed', batch: 16, steps: mode === 'train' ? 2 : 6, rounds: 5 },
  // All reviews once, an eighth a turn.
  { mode, rows: 'own', batch: 8, steps: 10, rounds: 8 },
]);
const workTitle = ({ mode, rows, batch }: Work) =>
  `${mode} ${rows === 'fixed' ? `${batch} x ${fixedTokens}` : 'own batching'}`;

const sidesFor = ({ mode, rows }: Work): SideName[] => {
  const precisions: Precision[] = onGpu
    ? ['float32', 'bfloat16', 'float16']
    : best === 'float32'
      ? [best]
      : ['float32', best];
  return precisions.flatMap((precision): SideName[] => [
    { side: 'Tunebook', precision, engine: 'graph' },
    ...(onGpu ? [{ side: 'Tunebook' as const, precision, engine: 'xla' }] : []),
    { side: 'PyTorch', precision, engine: 'eager' },
    // Whole-model bfloat16 is the fastest that PyTorch has for inference.
    ...(precision === 'bfloat16' && mode === 'infer'
      ? [{ side: 'PyTorch' as const, precision: 'bfloat16-weights' as const, engine: 'eager' }]
      : []),
    // Every new shape is compiled anew, so there is no point in it where shapes vary.
    ...(options.compiled && rows === 'fixed' ? [{ side: 'PyTorch' as const, precision, engine: 'compiled' }] : []),
  ]);
};

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Operations per second of products as large as the model's. */
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

const chosen = works.filter((work) => workTitle(work).includes(options.only));

/** What an earlier run measured of works that are not done now. */
function kept(): Measurement[] {
  if (chosen.length === works.length || !fs.existsSync(options.out)) return [];
  const { measurements } = JSON.parse(fs.readFileSync(options.out, 'utf8')) as Results;
  const isDone = ({ mode, rows, batch }: Measurement) =>
    chosen.some((work) => work.mode === mode && work.rows === rows && work.batch === batch);
  return measurements.filter((each) => !isDone(each));
}

const reviews = await writeRows(options.reviews);
const productRates = Object.fromEntries(
  (best === 'float32' ? ['float32' as const] : ['float32' as const, best]).map((each) => [each, productRate(each)]),
);
const versions = spawnSync(
  findPyTorch(),
  ['-c', 'import torch, transformers; print(torch.__version__, transformers.__version__)'],
  { encoding: 'utf8' },
).stdout.trim();
const [pytorch = '', transformers = ''] = versions.split(' ');
const results: Results = {
  date: new Date().toISOString().slice(0, 10),
  machine: {
    processor: os.cpus()[0]?.model ?? '',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    gpu: onGpu ? device.name : null,
  },
  versions: { node: process.versions.node, tensorflow: device.tensorflow, pytorch, transformers },
  reviews,
  productRates,
  measurements: kept(),
};
console.log(
  `${results.machine.gpu ?? results.machine.processor}, ${results.machine.cores} cores; products at ` +
    Object.entries(productRates)
      .map(([precision, rate]) => `${(rate / 1e9).toFixed(0)} GFLOP/s in ${precision}`)
      .join(', '),
);

for (const work of chosen) {
  console.log(`\n${workTitle(work)}${work.rows === 'own' ? `: ${reviews}` : ''}`);
  const sides = [];
  for (const name of sidesFor(work))
    try {
      sides.push({ name, turns: [] as Turn[], process: await startSide(name, work, onGpu ? 'cuda' : 'cpu') });
    } catch (error) {
      console.log(`  ${titleOf(name)} does not run: ${(error as Error).message.trim().split('\n').at(-1)}`);
    }
  for (let round = 0; round < work.rounds; round++)
    for (const { turns, process } of round % 2 ? [...sides].reverse() : sides)
      turns.push(await process.turn(work.steps));
  for (const { process } of sides) await process.end();
  const measured = sides.map(({ name, turns }): Measurement => {
    const { mode, rows, batch } = work;
    const sum = (key: keyof Turn) => turns.reduce((total, turn) => total + turn[key], 0);
    // Turns on fixed batches are alike; the others differ in what they hold, and count together.
    const rate = (key: keyof Turn) =>
      rows === 'fixed' ? median(turns.map((turn) => turn[key] / turn.seconds)) : sum(key) / sum('seconds');
    return {
      ...{ mode, rows, batch },
      ...name,
      samplesPerSecond: rate('samples'),
      tokensPerSecond: rate('tokens'),
      shareOfProductRate: rate('operations') / productRates[name.precision.replace('-weights', '')]!,
      peakBytes: Math.max(...turns.map(({ peakBytes }) => peakBytes)),
      turns: turns.map(({ samples, seconds }) => samples / seconds),
    };
  });
  results.measurements.push(...measured);
  for (const each of measured) {
    const own = measured.filter(({ side }) => side === 'Tunebook');
    const peer = own.find(({ precision }) => each.precision.startsWith(precision)) ?? own[0]!;
    console.log(
      `  ${titleOf(each).padEnd(36)} ${each.samplesPerSecond.toFixed(2).padStart(7)} samples/s ${each.tokensPerSecond.toFixed(0).padStart(6)} tokens/s` +
        `  ${(100 * each.shareOfProductRate).toFixed(0).padStart(3)} % of the product rate  peak ${(each.peakBytes / 1e9).toFixed(2)} GB` +
        (each.side === 'PyTorch'
          ? `  Tunebook is ${(peer.samplesPerSecond / each.samplesPerSecond).toFixed(2)} times as fast`
          : ''),
    );
  }
  // After each work, so that an early end leaves what was measured.
  fs.mkdirSync(path.dirname(options.out), { recursive: true });
  fs.writeFileSync(options.out, `${JSON.stringify(results, null, 2)}\n`);
}
console.log(`\n${path.relative(root, path.resolve(options.out))}`);
