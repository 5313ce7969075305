/**
 * The model's README.md: what it is, what it learnt from, and how good it was, in the form in which the Hugging Face hub
 * reads it (model cards with a model-index).
 */
import { stringify } from 'yaml';
import { percent, percentInterval } from '../figures/format.js';
import type { RunEnvironment } from './environment.js';
import type { RunMetrics } from './metrics.js';
import type { RunSettings } from './run-folder.js';

const isHubName = (name: string) => name !== 'embedded' && /^[\w.-]+(\/[\w.-]+)?(@.*)?$/.test(name);
const withoutRevision = (name: string) => name.replace(/@.*/, '');

function header(metrics: RunMetrics): string {
  const isFinetune = metrics.command === 'finetune';
  const task = isFinetune ? 'text-classification' : 'fill-mask';
  const dataset = { type: withoutRevision(metrics.dataset), name: metrics.dataset, split: 'test' };
  const results = isFinetune
    ? ([
        ['accuracy', metrics.test.accuracy],
        ['f1', metrics.test.f1],
        ['precision', metrics.test.precision],
        ['recall', metrics.test.recall],
      ] as const)
    : ([
        ['loss', metrics.after.loss],
        ['perplexity', metrics.after.perplexity],
      ] as const);
  return stringify({
    library_name: 'transformers',
    pipeline_tag: task,
    tags: ['tunebook', ...(isFinetune ? ['sentiment'] : ['domain-adaptation'])],
    ...(isHubName(metrics.model) && { base_model: withoutRevision(metrics.model) }),
    ...(isHubName(metrics.dataset) && { datasets: [withoutRevision(metrics.dataset)] }),
    metrics: results.map(([type]) => type),
    'model-index': [
      {
        name: 'tunebook',
        results: [
          {
            task: { type: task },
            dataset,
            metrics: results.map(([type, value]) => ({ type, value: Number(value.toFixed(4)) })),
          },
        ],
      },
    ],
  });
}

/** Settings that say how it was made. */
const told = [
  'learningRate',
  'epochs',
  'maxSteps',
  'batchSize',
  'gradientAccumulationSteps',
  'maxLength',
  'weightDecay',
  'warmupSteps',
  'lrSchedulerType',
  'maxGradNorm',
  'freeze',
  'seed',
] as const;

function results(metrics: RunMetrics): string {
  const rows = `${metrics.rows.train} reviews to learn from, ${metrics.rows.validation} to choose by, ${metrics.rows.test} for the test`;
  if (metrics.command === 'adapt')
    return `${rows}. Of masked tokens in the test reviews (${metrics.after.count}, masked once and for all):

| | before | after |
| - | - | - |
| loss | ${metrics.before.loss.toFixed(4)} | ${metrics.after.loss.toFixed(4)} |
| perplexity | ${metrics.before.perplexity.toFixed(2)} | ${metrics.after.perplexity.toFixed(2)} |
| guessed | ${percent(metrics.before.accuracy)} | ${percent(metrics.after.accuracy)} |`;
  const { test, labelNames, baselines } = metrics;
  return `${rows}. The test reviews played no part before the test.

| | accuracy | 95 % interval |
| - | - | - |
${[...baselines, { name: '**this model**', ...test }].map(({ name, accuracy, interval }) => `| ${name} | ${percent(accuracy)} | ${percentInterval(interval)} |`).join('\n')}

Precision ${test.precision.toFixed(3)}, recall ${test.recall.toFixed(3)}, F1 ${test.f1.toFixed(3)}, loss ${test.loss.toFixed(3)}. What was taken for what (rows: true, columns: said):

| | ${labelNames.join(' | ')} |
| - | ${labelNames.map(() => '-').join(' | ')} |
${test.confusion.map((row, i) => `| ${labelNames[i]} | ${row.join(' | ')} |`).join('\n')}`;
}

/** @returns Markdown with its YAML header */
export function modelCard(
  { settings }: RunSettings,
  metrics: RunMetrics,
  { tunebook, git, device, node }: RunEnvironment,
): string {
  const { training } = metrics;
  const what =
    metrics.command === 'finetune'
      ? `A classifier of reviews: ${metrics.labelNames.join(', ')}.`
      : 'A masked-language model that has read reviews, to be fine-tuned.';
  return `---
${header(metrics)}---

# ${metrics.command === 'finetune' ? 'Reviews, judged' : 'Reviews, read'}

${what} Made from \`${metrics.model}\` with reviews of \`${metrics.dataset}\`, by Tunebook ${tunebook}${git ? ` (${git.commit.slice(0, 7)}${git.changed ? ', changed' : ''})` : ''} in TypeScript.

## Results

${results(metrics)}

## Training

${training.step} updates on ${training.samples} rows in ${training.seconds.toFixed(0)} s (${training.samplesPerSecond.toFixed(1)} samples/s; ${training.engine}), on ${device.kind} ${device.name}, TensorFlow ${device.tensorflow}, Node ${node}. It ended: ${metrics.end}.

| setting | value |
| - | - |
${told.map((name) => `| ${name} | ${settings[name]} |`).join('\n')}

## Limits

It knows reviews like those it learnt from, in their language; of other texts nothing is known. Irony, mixed opinions and
praise by denying a fault are where such models fail most. Texts are cut after ${settings.maxLength} tokens.
`;
}
