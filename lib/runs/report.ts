/** report.html: a report of a run in a single file without scripts; figures are embedded as PNG. */
import path from 'node:path';
import { describeCalibration } from './describe-calibration.js';
import { describeClasses, type ClassificationMetrics } from '../evaluation/metrics.js';
import { escapeHtml, tableBundle, type TableRow } from '../figures/html-table.js';
import { flagOf } from '../settings/setting-text.js';
import { formatSetting, settingsList, type ResolvedSettings, type Settings } from '../settings/settings.js';
import { describeClassWeights } from '../training/class-weights.js';
import type { RunEnvironment } from './environment.js';
import { htmlPage, picture, section } from '../figures/html-page.js';
import { writeFigures } from './figures.js';
import { isClassification, isMultiLabel, type RunMetrics } from './metrics.js';
import { describeResult } from './describe-result.js';
import { resultTable, type ResultDescription } from './result-description.js';
import type { RunFolder } from './run-folder.js';
import { percent, percentInterval, duration } from '../figures/format.js';

const table = (rows: TableRow[]) => tableBundle(rows)['text/html'];

function headline(metrics: RunMetrics): string {
  if (metrics.command === 'adapt') {
    const { before, after } = metrics;
    return `Perplexity ${before.perplexity.toFixed(2)} before, <strong>${after.perplexity.toFixed(2)}</strong> after, on ${after.count} masked tokens of the test set.`;
  }
  if (!isClassification(metrics)) return escapeHtml(describeResult(metrics).summary);
  const { test } = metrics;
  return `<strong>${percent(test.accuracy)}</strong> accuracy on ${test.count} test reviews (95 % interval ${percentInterval(test.interval)}).`;
}

/** What was read, as a list. Runs of earlier versions lack it. */
const dataList = ({ data }: RunMetrics): string =>
  `<ul>${(data?.sentences ?? []).map((sentence) => `<li>${escapeHtml(sentence)}</li>`).join('')}</ul>`;

/** Rows by class, with their share; several classes may apply to a row, so that there the shares do not sum to 100 %. */
function dataTable(metrics: RunMetrics): string {
  const classes = metrics.data?.classes ?? [];
  const { train, validation, test } = metrics.rows;
  const all = isMultiLabel(metrics) ? train + validation + test : classes.reduce((sum, { rows }) => sum + rows, 0);
  return classes.length === 0
    ? ''
    : table(classes.map(({ name, rows }) => ({ class: name, rows, share: percent(rows / all) })));
}

/** The scores of each class; for star ratings also the mean absolute error. */
const classesSection = (test: ClassificationMetrics): string[] => [
  '<p>Results on the test reviews. The ROC AUC is that of the class against all others.</p>',
  table(describeClasses(test)),
  ...(test.meanAbsoluteError === null
    ? []
    : [`<p>Mean absolute error: ${test.meanAbsoluteError.toFixed(2)} stars.</p>`]),
];

/** The metrics of a result without a single accuracy, of its classes, and the largest errors. */
const resultSection = (result: ResultDescription, loss: number): string[] => [
  `<p>Results on the test reviews. The loss is the ${result.loss}: ${loss.toFixed(3)}.</p>`,
  table(resultTable(result, 'this model')),
  ...(result.classes.length > 0 ? ['<p>The scores of each class:</p>', table(result.classes)] : []),
  ...(result.errors.rows.length > 0 ? [`<p>${result.errors.title}</p>`, table(result.errors.rows)] : []),
];

function trainingRows(metrics: RunMetrics): TableRow[] {
  const { training, rows, end } = metrics;
  const classWeights = isClassification(metrics) ? metrics.classWeights : null;
  return [
    { what: 'end', value: end },
    { what: 'steps', value: String(training.step) },
    { what: 'reviews', value: `${rows.train} training, ${rows.validation} validation, ${rows.test} test` },
    { what: 'time', value: `${duration(training.seconds)}, ${training.samplesPerSecond.toFixed(1)} samples/s` },
    { what: 'time waiting for data', value: `${(100 * training.dataWaitFraction).toFixed(2)} %` },
    { what: 'engine', value: training.engine },
    ...(classWeights
      ? [{ what: 'class weights of the training loss', value: describeClassWeights(classWeights) }]
      : []),
  ];
}

const environmentRows = ({
  tunebook,
  git,
  node,
  platform,
  device,
  packages,
  argv,
  ranks,
}: RunEnvironment): TableRow[] => [
  {
    what: 'device',
    value: `${device.kind}: ${device.name}, ${(device.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${device.threads} threads`,
  },
  ...(ranks ? [{ what: 'ranks', value: `${ranks.length}: ${ranks.join(', ')}` }] : []),
  {
    what: 'Tunebook',
    value: `${tunebook}${git ? `, commit ${git.commit.slice(0, 12)}${git.changed ? ', with changes' : ''}` : ''}`,
  },
  { what: 'TensorFlow', value: device.tensorflow },
  { what: 'Node', value: `${node} on ${platform}` },
  ...Object.entries(packages).map(([what, value]) => ({ what, value })),
  { what: 'command line', value: argv.join(' ') },
];

/** The settings that were not left at their defaults, in a sentence. */
function describeChanges(settings: Settings, origins: ResolvedSettings['origins']): string {
  const changed = settingsList.filter(({ name, neutral }) => (origins[name] ?? 'default') !== 'default' && !neutral);
  if (changed.length === 0) return 'All settings have their defaults.';
  return `Settings: ${changed.map(({ name }) => `${flagOf(name)} ${formatSetting(name, settings[name])}`).join(', ')}.`;
}

/**
 * Writes figures and report from a run's settings, journal and metrics. For an unfinished run they contain the results
 * so far.
 * @returns the report's path
 */
export async function writeReport(run: RunFolder): Promise<string> {
  const { settings, origins, command, sources } = run.settings!;
  const metrics = run.read<RunMetrics>('metrics.json');
  const environment = run.read<RunEnvironment>('environment.json');
  const status = run.status;
  const result = describeResult(metrics);
  const figures = await writeFigures(run);
  const pictures = [...figures].map(([name, { png, description }]) => picture(png, description, name));
  const kind = command === 'finetune' ? 'Fine-tuning' : 'Adaptation';
  const title = `${kind}: ${path.basename(run.folder)}, ${status?.startedAt.slice(0, 16).replace('T', ' ') ?? ''}`;
  const parts = [
    `<p>${escapeHtml(sources.banner)}</p>`,
    `<p>${escapeHtml(describeChanges(settings, origins))}</p>`,
    metrics
      ? `<p class="headline">${headline(metrics)}</p>`
      : `<p class="trouble">This run is not finished: ${escapeHtml(run.state)}. ${escapeHtml(status?.message ?? '')}</p>`,
    ...(metrics?.command === 'finetune' ? (metrics.warnings ?? []) : []).map(
      ({ message }) => `<p class="trouble">${escapeHtml(message)}</p>`,
    ),
    ...(pictures.length > 0 ? [section('Figures', ...pictures)] : []),
    ...(metrics ? [section('Data', dataList(metrics), dataTable(metrics))] : []),
    ...(result && metrics?.command === 'finetune'
      ? [section('Results', ...resultSection(result, metrics.test.loss))]
      : []),
    ...(isClassification(metrics) ? [section('Classes', ...classesSection(metrics.test))] : []),
    ...(isClassification(metrics) && metrics.calibration
      ? [
          section(
            'Calibration',
            `<p>${escapeHtml(describeCalibration(metrics.calibration, metrics.labelNames).sentence)}</p>`,
            table(describeCalibration(metrics.calibration, metrics.labelNames).rows),
          ),
        ]
      : []),
    ...(metrics ? [section('Training', table(trainingRows(metrics)))] : []),
    ...(isClassification(metrics) && metrics.errors.length > 0
      ? [
          section(
            'Most confident errors',
            '<p>The wrong predictions with the highest probability.</p>',
            table(metrics.errors),
          ),
        ]
      : []),
    section(
      'Settings',
      table(
        settingsList
          .filter(({ only }) => !only || only === command)
          .map(({ name }) => ({
            setting: name,
            value: formatSetting(name, settings[name]),
            origin: origins[name] ?? 'default',
          })),
      ),
    ),
    ...(environment ? [section('Environment', table(environmentRows(environment)))] : []),
  ];
  run.write('report.html', htmlPage(title, parts));
  return run.path('report.html');
}
