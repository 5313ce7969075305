/**
 * The model card, README.md: model, training data, training procedure and test results, with the metadata that the
 * Hugging Face hub reads (a model-index).
 */
import path from 'node:path';
import { stringify } from 'yaml';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import { describeClasses, type ClassificationMetrics } from '../evaluation/metrics.js';
import type { MultiLabelMetrics } from '../evaluation/multi-label-metrics.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';
import { percent, percentInterval } from '../figures/format.js';
import { isLocalPath } from '../hub/repository.js';
import { isDataFile } from '../reviews/formats/formats.js';
import { formatSetting } from '../settings/settings.js';
import { describeClassWeights } from '../training/class-weights.js';
import { describeCalibration } from './describe-calibration.js';
import type { RunEnvironment } from './environment.js';
import { describeResult } from './describe-result.js';
import { resultTable } from './result-description.js';
import { isClassification, isMultiLabel, isRegression, type RunMetrics } from './metrics.js';
import type { RunSettings } from './run-folder.js';

const isHubName = (name: string) => name !== 'embedded' && !isLocalPath(name, isDataFile);

/** A name for others: of a local file or folder without its path, which exists on one machine only. */
const publicName = (name: string) => (isHubName(name) ? name : path.basename(name));

const withoutRevision = (name: string) => name.replace(/@.*/, '');

/** A metric in the metadata: `args` are those of the metric in Hugging Face's `evaluate`. */
interface MetadataMetric {
  type: string;
  name: string;
  args?: Record<string, string>;
  value: number;
}

function testResults({ accuracy, macro, meanAbsoluteError }: ClassificationMetrics): MetadataMetric[] {
  return [
    { type: 'accuracy', name: 'Accuracy', value: accuracy },
    { type: 'f1', name: 'Macro F1', args: { average: 'macro' }, value: macro.f1 },
    { type: 'precision', name: 'Macro precision', args: { average: 'macro' }, value: macro.precision },
    { type: 'recall', name: 'Macro recall', args: { average: 'macro' }, value: macro.recall },
    ...(macro.rocAuc === null
      ? []
      : [
          {
            type: 'roc_auc',
            name: 'Macro ROC AUC',
            args: { average: 'macro', multi_class: 'ovr' },
            value: macro.rocAuc,
          },
        ]),
    ...(meanAbsoluteError === null
      ? []
      : [{ type: 'mae', name: 'Mean absolute error in stars', value: meanAbsoluteError }]),
  ];
}

function regressionResults(metrics: RegressionMetrics): MetadataMetric[] {
  const all: [type: string, name: string, value: number | null][] = [
    ['mse', 'Mean squared error', metrics.loss],
    ['mae', 'Mean absolute error', metrics.meanAbsoluteError],
    ['r_squared', 'R²', metrics.r2],
    ['pearsonr', 'Pearson correlation', metrics.pearson],
    ['spearmanr', 'Spearman correlation', metrics.spearman],
  ];
  return all.flatMap(([type, name, value]) => (value === null ? [] : [{ type, name, value }]));
}

const multiLabelResults = ({ micro, macro, subsetAccuracy, loss }: MultiLabelMetrics): MetadataMetric[] => [
  { type: 'f1', name: 'Micro F1', args: { average: 'micro' }, value: micro.f1 },
  { type: 'f1', name: 'Macro F1', args: { average: 'macro' }, value: macro.f1 },
  { type: 'precision', name: 'Micro precision', args: { average: 'micro' }, value: micro.precision },
  { type: 'recall', name: 'Micro recall', args: { average: 'micro' }, value: micro.recall },
  { type: 'accuracy', name: 'Subset accuracy', value: subsetAccuracy },
  { type: 'loss', name: 'Binary cross-entropy', value: loss },
];

const adaptationResults = ({ loss, perplexity }: MaskedMetrics): MetadataMetric[] => [
  { type: 'loss', name: 'Masked-LM loss', value: loss },
  { type: 'perplexity', name: 'Masked-LM perplexity', value: perplexity },
];

/** The model that Tunebook contains, converted to a DistilBERT; see data/README.md. */
const embeddedModel = 'sentence-transformers/all-MiniLM-L6-v2';

const baseModel = ({ model }: RunMetrics) =>
  model === 'embedded'
    ? `Tunebook's embedded model (\`${embeddedModel}\` as a DistilBERT, licence Apache-2.0)`
    : `\`${publicName(model)}\``;

function header(metrics: RunMetrics): string {
  const isFinetune = metrics.command === 'finetune';
  const task = isFinetune ? 'text-classification' : 'fill-mask';
  const dataset = {
    type: withoutRevision(publicName(metrics.dataset)),
    name: publicName(metrics.dataset),
    split: 'test',
  };
  const results = isRegression(metrics)
    ? regressionResults(metrics.test)
    : isMultiLabel(metrics)
      ? multiLabelResults(metrics.test)
      : isClassification(metrics)
        ? testResults(metrics.test)
        : adaptationResults(metrics.after);
  return stringify({
    library_name: 'transformers',
    pipeline_tag: task,
    tags: ['tunebook', ...(isFinetune ? ['sentiment'] : ['domain-adaptation'])],
    ...(metrics.model === 'embedded' && { base_model: embeddedModel }),
    ...(isHubName(metrics.model) && { base_model: withoutRevision(metrics.model) }),
    ...(isHubName(metrics.dataset) && { datasets: [withoutRevision(metrics.dataset)] }),
    metrics: results.map(({ type }) => type),
    'model-index': [
      {
        name: 'tunebook',
        results: [
          {
            task: { type: task },
            dataset,
            metrics: results.map(({ value, ...each }) => ({ ...each, value: Number(value.toFixed(4)) })),
          },
        ],
      },
    ],
  });
}

/** The text of a cell in a Markdown table. */
const cell = (text: string | number) => String(text).replaceAll('|', '\\|').replace(/\s+/g, ' ');

/** A Markdown table. */
const markdownTable = (columns: string[], rows: (string | number)[][]): string =>
  [columns, columns.map(() => '-'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

/** The settings in the model card. */
const listedSettings = [
  'problemType',
  'labelMapping',
  'method',
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
  'classWeights',
  'seed',
] as const;

function results(metrics: RunMetrics): string {
  const rows = `Training set: ${metrics.rows.train} reviews. Validation set: ${metrics.rows.validation}. Test set: ${metrics.rows.test}.`;
  if (metrics.command === 'adapt') {
    const { before, after } = metrics;
    const table = markdownTable(
      ['', 'before', 'after'],
      [
        ['loss', before.loss.toFixed(4), after.loss.toFixed(4)],
        ['perplexity', before.perplexity.toFixed(2), after.perplexity.toFixed(2)],
        ['accuracy', percent(before.accuracy), percent(after.accuracy)],
      ],
    );
    return `${rows} Results on ${after.count} masked tokens of the test set, with the same masks before and after:\n\n${table}`;
  }
  if (!isClassification(metrics)) {
    const result = describeResult(metrics);
    const inMarkdown = (rows: Record<string, string>[]) =>
      markdownTable(
        Object.keys(rows[0]!),
        rows.map((row) => Object.values(row)),
      );
    return `${rows} The test set was used for this evaluation only.

${inMarkdown(resultTable(result, '**this model**'))}

The loss is the ${result.loss}: ${metrics.test.loss.toFixed(3)}.${result.classes.length > 0 ? `\n\n${inMarkdown(result.classes)}` : ''}`;
  }
  const { test, labelNames, baselines } = metrics;
  const classes = describeClasses(test);
  const accuracies = [...baselines, { name: '**this model**', ...test }];
  return `${rows} The test set was used for this evaluation only.

${markdownTable(
  ['', 'accuracy', '95 % interval'],
  accuracies.map(({ name, accuracy, interval }) => [name, percent(accuracy), percentInterval(interval)]),
)}

Loss ${test.loss.toFixed(3)}.${test.meanAbsoluteError === null ? '' : ` Mean absolute error ${test.meanAbsoluteError.toFixed(2)} stars.`} Scores of each class, with the ROC AUC of the class against all others:

${markdownTable(
  Object.keys(classes[0]!),
  classes.map((row) => Object.values(row)),
)}

Confusion matrix on the test set (rows: true label, columns: predicted label):

${markdownTable(
  ['', ...labelNames],
  test.confusion.map((row, i) => [labelNames[i]!, ...row]),
)}`;
}

/** What was read and how, and the rows by class. */
function data({ data }: RunMetrics): string {
  const classes = data?.classes ?? [];
  const table = markdownTable(
    ['class', 'rows'],
    classes.map(({ name, rows }) => [name, rows]),
  );
  return [
    ...(data?.sentences ?? []).map((sentence) => `- ${sentence}`),
    ...(classes.length > 0 ? ['', table] : []),
  ].join('\n');
}

/** The warnings of a run as a section; empty if there are none. */
const warningsSection = (metrics: RunMetrics): string =>
  metrics.command === 'finetune' && metrics.warnings && metrics.warnings.length > 0
    ? `\n## Warnings\n\n${metrics.warnings.map(({ message }) => `- ${message}`).join('\n')}\n`
    : '';

/** The effect of the calibration as a section; empty without one. */
function calibrationSection(metrics: RunMetrics): string {
  if (!isClassification(metrics) || !metrics.calibration) return '';
  const { sentence, rows } = describeCalibration(metrics.calibration, metrics.labelNames);
  const table = markdownTable(
    ['', ...Object.keys(rows[0]!).slice(1)],
    rows.map((row) => Object.values(row)),
  );
  return `\n## Calibration\n\n${sentence} Both are in \`calibration.json\`, which \`tunebook score\` and \`tunebook serve\` apply with \`--calibrated\`.\n\n${table}\n`;
}

/** The class weights of a run as a sentence; empty if there are none. */
const classWeightsSentence = (metrics: RunMetrics): string =>
  isClassification(metrics) && metrics.classWeights
    ? ` Class weights of the training loss: ${describeClassWeights(metrics.classWeights)}; the losses of evaluations are unweighted.`
    : '';

/** Creates the model card, in Markdown with a YAML header. */
export function modelCard(
  { settings }: RunSettings,
  metrics: RunMetrics,
  { tunebook, git, device, node }: RunEnvironment,
): string {
  const { training } = metrics;
  const result = describeResult(metrics);
  const [title, description] = result
    ? [result.title, result.predicts]
    : isClassification(metrics)
      ? ['Review classifier', `A text classifier for reviews with the labels ${metrics.labelNames.join(', ')}.`]
      : ['Masked-language model for reviews', 'A masked-language model adapted to reviews, as a base for fine-tuning.'];
  return `---
${header(metrics)}---

# ${title}

${description} ${metrics.command === 'finetune' ? 'Fine-tuned' : 'Adapted'} from ${baseModel(metrics)} on reviews of \`${publicName(metrics.dataset)}\` with Tunebook ${tunebook}${git ? ` (commit ${git.commit.slice(0, 7)}${git.changed ? ', with changes' : ''})` : ''}, in TypeScript.

## Results

${results(metrics)}
${calibrationSection(metrics)}
## Data

${data(metrics)}
${warningsSection(metrics)}
## Training

${training.step} steps on ${training.samples} samples in ${training.seconds.toFixed(0)} s (${training.samplesPerSecond.toFixed(1)} samples/s; ${training.engine}) on ${device.kind} ${device.name}, with TensorFlow ${device.tensorflow} and Node ${node}. End of training: ${metrics.end}.${classWeightsSentence(metrics)}

${markdownTable(
  ['setting', 'value'],
  listedSettings.map((name) => [name, formatSetting(name, settings[name])]),
)}

## Limitations

The model is meant for reviews like those of its training set, in the same language. It was not evaluated on other
texts. Such models fail most often on irony, mixed opinions and praise by negation. Texts are truncated to
${settings.maxLength} tokens.
`;
}
