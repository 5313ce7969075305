// `npm run bench:families`: training speed of each model family at the size of its base model, of Tunebook and PyTorch in
// alternating turns. Both train on the same reviews, in their own batches of 8: packed without padding in random order, and
// padded batches of similar length. About 20 minutes on two cores that are otherwise idle.
//   --reviews FILE       reviews (label, title, content); default: the embedded reviews, which are single sentences
//   --models TEXT        only families whose name contains this text; the other results in the result file are kept
//   --rows N             number of reviews; default: 64
//   --pytorch VERSION    version of PyTorch, as for `npm run bench`
//   --out FILE           result file; default: this machine's file, from which the page is generated
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDevice } from '#lib/tensorflow/device.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { precisionOf } from '#lib/tensorflow/precision.js';
import { root } from '../checkout.js';
import { currentMachine } from './machine.js';
import { findPyTorch, pytorchVersions } from './pytorch-environment.js';
import { resultsFile, type FamilyMeasurement, type FamilyResults } from './results.js';
import { startSide, titleOf, type SideName } from './sides.js';
import { writeRows, type Turn } from './work.js';

const { values: options } = parseArgs({
  options: {
    reviews: { type: 'string' },
    models: { type: 'string', default: '' },
    rows: { type: 'string', default: '64' },
    pytorch: { type: 'string' },
    out: { type: 'string' },
  },
});

const base = { hidden_size: 768, num_attention_heads: 12, num_hidden_layers: 12, intermediate_size: 3072 };

/** Fields of config.json, as in the base model of each family. The token ids of the reviews are those of BERT's vocabulary. */
const models: Record<string, Record<string, unknown>> = {
  'DistilBERT-base': { model_type: 'distilbert' },
  'BERT-base': { model_type: 'bert' },
  'XLM-R-base': { model_type: 'xlm-roberta', vocab_size: 250002, max_position_embeddings: 514, type_vocab_size: 1 },
  'ELECTRA-base': { model_type: 'electra', ...base, embedding_size: 768 },
  'ALBERT-base': { model_type: 'albert', ...base, vocab_size: 30522 },
  'MPNet-base': { model_type: 'mpnet', max_position_embeddings: 514 },
  'DeBERTa-v3-base': {
    ...{ model_type: 'deberta-v2', ...base, position_buckets: 256, relative_attention: true, share_att_key: true },
    ...{ position_biased_input: false, norm_rel_ebd: 'layer_norm', pos_att_type: ['p2c', 'c2p'] },
  },
  'ModernBERT-base': { model_type: 'modernbert', classifier_pooling: 'mean' },
};
const batch = 8;
/** The turns of each side, with a part of the batches each. */
const rounds = 4;

const device = describeDevice();
if (device.kind === 'GPU') throw new Error('This benchmark measures CPUs. Hide the GPU: CUDA_VISIBLE_DEVICES=-1');
const machine = currentMachine(device);
const resultFile = options.out ?? resultsFile('families', machine, options.pytorch);
const python = findPyTorch(options.pytorch);
const fastestPrecision = precisionOf('auto');
const precisions: Precision[] = fastestPrecision === 'float32' ? ['float32'] : ['float32', fastestPrecision];
const sidesOf = (precision: Precision): SideName[] => [
  { side: 'Tunebook', precision, engine: 'graph' },
  { side: 'PyTorch', precision, engine: 'grouped' },
];
const steps = Number(options.rows) / (batch * rounds);
if (!Number.isInteger(steps)) throw new Error(`--rows must be a multiple of ${batch * rounds}.`);

const selected = Object.keys(models).filter((name) => name.includes(options.models));
const earlier = fs.existsSync(resultFile)
  ? (JSON.parse(fs.readFileSync(resultFile, 'utf8')) as FamilyResults)
  : undefined;
const results: FamilyResults = {
  date: new Date().toISOString().slice(0, 10),
  machine,
  versions: { node: process.versions.node, tensorflow: device.tensorflow, ...pytorchVersions(python) },
  reviews: await writeRows(options.reviews, Number(options.rows)),
  measurements: earlier?.measurements.filter(({ model }) => !selected.includes(model)) ?? [],
};
const measure = async (
  model: string,
  name: SideName,
): Promise<{ turn: () => Promise<Turn>; end: () => Promise<void> }> => {
  const place = { device: 'cpu' as const, python, model: models[model]!, warmUp: 2 };
  const side = await startSide(name, { mode: 'train', rows: 'own', batch }, place);
  return { turn: () => side.turn(steps), end: () => side.end() };
};
for (const model of selected) {
  console.log(`\n${model}: samples/s, tokens/s and peak memory, ${results.reviews}`);
  // One precision at a time: two large models need much memory.
  for (const precision of precisions) {
    const sides: { name: SideName; turns: Turn[]; process: Awaited<ReturnType<typeof measure>> }[] = [];
    for (const name of sidesOf(precision)) sides.push({ name, turns: [], process: await measure(model, name) });
    for (let round = 0; round < rounds; round++)
      for (const { turns, process } of round % 2 ? [...sides].reverse() : sides) turns.push(await process.turn());
    for (const { process } of sides) await process.end();
    for (const { name, turns } of sides) {
      const total = (key: keyof Turn) => turns.reduce((sum, turn) => sum + turn[key], 0);
      const measurement: FamilyMeasurement = {
        ...{ model, ...name },
        samplesPerSecond: total('samples') / total('seconds'),
        tokensPerSecond: total('tokens') / total('seconds'),
        peakBytes: Math.max(...turns.map(({ peakBytes }) => peakBytes)),
        turns: turns.map(({ samples, seconds }) => samples / seconds),
      };
      results.measurements.push(measurement);
      console.log(
        `  ${titleOf(name).padEnd(26)} ${measurement.samplesPerSecond.toFixed(2).padStart(6)} ${measurement.tokensPerSecond.toFixed(0).padStart(6)} ${(measurement.peakBytes / 2 ** 30).toFixed(2)} GB`,
      );
    }
  }
  // After each model, so that the results are kept if the run ends early.
  fs.mkdirSync(path.dirname(resultFile), { recursive: true });
  fs.writeFileSync(resultFile, `${JSON.stringify(results, null, 2)}\n`);
}
console.log(`\n${path.relative(root, path.resolve(resultFile))}`);
