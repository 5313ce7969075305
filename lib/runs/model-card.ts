/**
 * The model card, README.md: model, training data, training procedure and test results, with the metadata that the
 * Hugging Face hub reads (a model-index).
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

/** The settings in the model card. */
const listedSettings = [
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
  const rows = `Training set: ${metrics.rows.train} reviews. Validation set: ${metrics.rows.validation}. Test set: ${metrics.rows.test}.`;
  if (metrics.command === 'adapt')
    return `${rows} Results on ${metrics.after.count} masked tokens of the test set, with the same masks before and after:

| | before | after |
| - | - | - |
| loss | ${metrics.before.loss.toFixed(4)} | ${metrics.after.loss.toFixed(4)} |
| perplexity | ${metrics.before.perplexity.toFixed(2)} | ${metrics.after.perplexity.toFixed(2)} |
| accuracy | ${percent(metrics.before.accuracy)} | ${percent(metrics.after.accuracy)} |`;
  const { test, labelNames, baselines } = metrics;
  return `${rows} The test set was used for this evaluation only.

| | accuracy | 95 % interval |
| - | - | - |
${[...baselines, { name: '**this model**', ...test }].map(({ name, accuracy, interval }) => `| ${name} | ${percent(accuracy)} | ${percentInterval(interval)} |`).join('\n')}

Precision ${test.precision.toFixed(3)}, recall ${test.recall.toFixed(3)}, F1 ${test.f1.toFixed(3)}, loss ${test.loss.toFixed(3)}. Confusion matrix on the test set (rows: true label, columns: predicted label):

| | ${labelNames.join(' | ')} |
| - | ${labelNames.map(() => '-').join(' | ')} |
${test.confusion.map((row, i) => `| ${labelNames[i]} | ${row.join(' | ')} |`).join('\n')}`;
}

/** What was read and how, and the rows by class. */
function data({ data }: RunMetrics): string {
  const classes = data?.classes ?? [];
  const table = `| class | rows |\n| - | - |\n${classes.map(({ name, rows }) => `| ${name} | ${rows} |`).join('\n')}`;
  return [
    ...(data?.sentences ?? []).map((sentence) => `- ${sentence}`),
    ...(classes.length > 0 ? ['', table] : []),
  ].join('\n');
}

/** Creates the model card, in Markdown with a YAML header. */
export function modelCard(
  { settings }: RunSettings,
  metrics: RunMetrics,
  { tunebook, git, device, node }: RunEnvironment,
): string {
  const { training } = metrics;
  const description =
    metrics.command === 'finetune'
      ? `A text classifier for reviews with the labels ${metrics.labelNames.join(', ')}.`
      : 'A masked-language model adapted to reviews, as a base for fine-tuning.';
  return `---
${header(metrics)}---

# ${metrics.command === 'finetune' ? 'Review classifier' : 'Masked-language model for reviews'}

${description} ${metrics.command === 'finetune' ? 'Fine-tuned' : 'Adapted'} from \`${metrics.model}\` on reviews of \`${metrics.dataset}\` with Tunebook ${tunebook}${git ? ` (commit ${git.commit.slice(0, 7)}${git.changed ? ', with changes' : ''})` : ''}, in TypeScript.

## Results

${results(metrics)}

## Data

${data(metrics)}

## Training

${training.step} steps on ${training.samples} samples in ${training.seconds.toFixed(0)} s (${training.samplesPerSecond.toFixed(1)} samples/s; ${training.engine}) on ${device.kind} ${device.name}, with TensorFlow ${device.tensorflow} and Node ${node}. End of training: ${metrics.end}.

| setting | value |
| - | - |
${listedSettings.map((name) => `| ${name} | ${settings[name]} |`).join('\n')}

## Limitations

The model is meant for reviews like those of its training set, in the same language. It was not evaluated on other
texts. Such models fail most often on irony, mixed opinions and praise by negation. Texts are truncated to
${settings.maxLength} tokens.
`;
}
