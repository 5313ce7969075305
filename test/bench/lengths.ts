// `npm run bench:lengths`: tokens per second of training by the length of the texts, the size of the model and the number of
// cores, of Tunebook and PyTorch in alternating turns. About 15 minutes on two cores that are otherwise idle.
//   --models TEXT        only models whose name contains this text
//   --rounds 2           turns for each length, one batch each; the median counts, of two turns the faster one
//   --pytorch VERSION    version of PyTorch, as for `npm run bench`
//   --out FILE           result file; default: this machine's file, from which the page is generated
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDevice } from '#lib/tensorflow/device.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { median } from '#lib/tensorflow/measurements.js';
import { precisionOf } from '#lib/tensorflow/precision.js';
import { root } from '../checkout.js';
import { currentMachine } from './machine.js';
import { findPyTorch, pytorchVersions } from './pytorch-environment.js';
import { resultsFile, type LengthMeasurement, type LengthResults } from './results.js';
import { startSide, titleOf, type SideName } from './sides.js';
import { writeLengthRows } from './work.js';

const { values: options } = parseArgs({
  options: {
    models: { type: 'string', default: '' },
    rounds: { type: 'string', default: '2' },
    pytorch: { type: 'string' },
    out: { type: 'string' },
  },
});

/** Fields of config.json by model. */
const models: Record<string, Record<string, unknown>> = {
  'MiniLM-L6': { model_type: 'bert', hidden_size: 384, intermediate_size: 1536, num_hidden_layers: 6 },
  'DistilBERT-base': { model_type: 'distilbert' },
  'BERT-base': { model_type: 'bert' },
};
const lengths = [16, 32, 64, 128, 256, 512];
/** Tokens per batch of all lengths, so that lengths differ only in attention. */
const batchTokens = 1024;
/** The first steps capture the graph and prepare its kernels. */
const warmUp = 2;

const device = describeDevice();
if (device.kind === 'GPU') throw new Error('This benchmark measures CPUs. Hide the GPU: CUDA_VISIBLE_DEVICES=-1');
const machine = currentMachine(device);
const resultFile = options.out ?? resultsFile('lengths', machine, options.pytorch);
const rounds = Number(options.rounds);
const cores = [1, 2].filter((count) => count <= machine.cores);
const python = findPyTorch(options.pytorch);
const fastestPrecision = precisionOf('auto');
const precisions: Precision[] = fastestPrecision === 'float32' ? ['float32'] : ['float32', fastestPrecision];
const names = precisions.flatMap((precision): SideName[] => [
  { side: 'Tunebook', precision, engine: 'graph' },
  { side: 'PyTorch', precision, engine: 'eager' },
]);
await writeLengthRows(lengths, batchTokens, warmUp, rounds);

const results: LengthResults = {
  date: new Date().toISOString().slice(0, 10),
  machine,
  versions: { node: process.versions.node, tensorflow: device.tensorflow, ...pytorchVersions(python) },
  batchTokens,
  measurements: [],
};
for (const [model, config] of Object.entries(models).filter(([name]) => name.includes(options.models)))
  for (const count of cores) {
    const sides: { name: SideName; process: Awaited<ReturnType<typeof startSide>>; rates: number[][] }[] = [];
    for (const name of names) {
      const place = { device: 'cpu' as const, python, cores: count, model: config, warmUp };
      const process = await startSide(name, { mode: 'train', rows: 'lengths', batch: 0 }, place);
      sides.push({ name, process, rates: lengths.map(() => []) });
    }
    for (let round = 0; round < rounds; round++)
      for (const i of lengths.keys())
        for (const { process, rates } of (round + i) % 2 ? [...sides].reverse() : sides) {
          const { tokens, seconds } = await process.turn(1);
          rates[i]!.push(tokens / seconds);
        }
    for (const { process } of sides) await process.end();
    console.log(
      `\n${model}, ${count} ${count === 1 ? 'core' : 'cores'}: tokens/s at ${lengths.join(', ')} tokens per text`,
    );
    for (const { name, rates } of sides) {
      const measured = rates.map((turns, i): LengthMeasurement => ({
        model,
        cores: count,
        length: lengths[i]!,
        ...name,
        tokensPerSecond: median([...turns]),
        turns,
      }));
      results.measurements.push(...measured);
      console.log(
        `  ${titleOf(name).padEnd(26)} ${measured.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(0).padStart(6)).join(' ')}`,
      );
    }
    // After each model, so that the results are kept if the run ends early.
    fs.mkdirSync(path.dirname(resultFile), { recursive: true });
    fs.writeFileSync(resultFile, `${JSON.stringify(results, null, 2)}\n`);
  }
console.log(`\n${path.relative(root, path.resolve(resultFile))}`);
