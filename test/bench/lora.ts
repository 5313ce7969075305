// `npm run bench:lora [-- FILE]`: speed and memory of LoRA with rank 8 next to training all parameters, for models of the
// size of BERT-base and XLM-R-base, in batches of 8 reviews of a file (label, title, content) or of the embedded ones. Each
// measurement is a process of its own; the methods alternate, and the speeds are medians of three turns.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { trainingBatches } from '#lib/batching/batches.js';
import { tableBundle } from '#lib/figures/html-table.js';
import { parseConfig } from '#lib/model/config.js';
import { familyOf } from '#lib/model/families.js';
import { LoraTraining } from '#lib/model/lora.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { median } from '#lib/tensorflow/measurements.js';
import { TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { readRows, writeRows, rowsFile } from './work.js';

const models: Record<string, Record<string, unknown>> = {
  'BERT-base': { model_type: 'bert' },
  'XLM-R-base': { model_type: 'xlm-roberta', vocab_size: 250002, max_position_embeddings: 514, type_vocab_size: 1 },
};
const methods = ['all parameters', 'queries and values', 'all-linear'] as const;
type Method = (typeof methods)[number];
const warmUp = 1;
const steps = 6;

/** What a process prints. */
interface Turn {
  samplesPerSecond: number;
  peakBytes: number;
  trained: number;
  precision: string;
}

async function measure(name: string, method: Method): Promise<Turn> {
  const model = TextClassifier.create(parseConfig(models[name]!));
  const reviews = readRows(rowsFile('own'));
  const targets = method === 'all-linear' ? method : familyOf(model.config).loraTargetModules;
  const lora =
    method === 'all parameters'
      ? undefined
      : new LoraTraining(model, { r: 8, lora_alpha: 16, lora_dropout: 0, target_modules: targets }, 1);
  const step = new TrainingStep(lora?.model ?? model, classification, {
    weightDecay: 0.01,
    texts: reviews.ids,
    ...(lora && { trained: lora.trained }),
  });
  const batches = trainingBatches(reviews, { batchSize: 8, seed: 42, epoch: 0 });
  for (const batch of batches.slice(0, warmUp)) await step.run([batch], 5e-5);
  const from = performance.now();
  for (const batch of batches.slice(warmUp, warmUp + steps)) await step.run([batch], 5e-5);
  const parameters = [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0);
  return {
    samplesPerSecond: (8 * steps) / ((performance.now() - from) / 1000),
    peakBytes: process.resourceUsage().maxRSS * 1024,
    trained: lora?.size ?? parameters,
    precision: model.engine.precision,
  };
}

const [first, method] = process.argv.slice(2);
if (method) console.log(JSON.stringify(await measure(first!, method as Method)));
else {
  console.log(await writeRows(first, 8 * (warmUp + steps)));
  for (const name of Object.keys(models)) {
    const turns = new Map<Method, Turn[]>(methods.map((each) => [each, []]));
    for (let round = 0; round < 3; round++)
      for (const each of methods) {
        const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), name, each], { encoding: 'utf8' });
        if (child.status !== 0) throw new Error(child.stderr);
        turns.get(each)!.push(JSON.parse(child.stdout.trim().split('\n').at(-1)!) as Turn);
      }
    const speedOf = (each: Method) => median(turns.get(each)!.map(({ samplesPerSecond }) => samplesPerSecond));
    const rows = methods.map((each) => ({
      trained: each,
      parameters: turns.get(each)![0]!.trained.toLocaleString('en'),
      'samples/s': speedOf(each).toFixed(2),
      ratio: (speedOf(each) / speedOf('all parameters')).toFixed(2),
      'peak memory, GB': (Math.max(...turns.get(each)!.map(({ peakBytes }) => peakBytes)) / 2 ** 30).toFixed(2),
    }));
    console.log(`${name}, ${turns.get('all parameters')![0]!.precision}`);
    console.log(tableBundle(rows)['text/plain']);
  }
}
