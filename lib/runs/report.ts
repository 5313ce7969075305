/** report.html: a run on one page that needs nothing else, to be opened, mailed or kept. No scripts; figures are pictures. */
import { escapeHtml, tableBundle } from '../figures/html-table.js';
import { formatSetting, settingsList } from '../settings/settings.js';
import type { RunEnvironment } from './environment.js';
import { writeFigures } from './figures.js';
import type { RunMetrics } from './metrics.js';
import type { RunFolder } from './run-folder.js';
import { percent, percentInterval, duration } from '../figures/format.js';

type Row = Record<string, string | number>;

const table = (rows: Row[]) => tableBundle(rows)['text/html'];

function headline(metrics: RunMetrics): string {
  if (metrics.command === 'adapt') {
    const { before, after } = metrics;
    return `Perplexity ${before.perplexity.toFixed(2)} before, <strong>${after.perplexity.toFixed(2)}</strong> after, on ${after.count} masked tokens of reviews that played no part in training.`;
  }
  const { test } = metrics;
  return `<strong>${percent(test.accuracy)}</strong> of ${test.count} test reviews judged rightly (95 % interval ${percentInterval(test.interval)}).`;
}

const trainingRows = ({ training, rows, end }: RunMetrics): Row[] => [
  { what: 'end', value: end },
  { what: 'updates', value: String(training.step) },
  { what: 'rows', value: `${rows.train} to learn from, ${rows.validation} to choose by, ${rows.test} for the test` },
  { what: 'time', value: `${duration(training.seconds)}, ${training.samplesPerSecond.toFixed(1)} samples/s` },
  { what: 'waited for data', value: `${(100 * training.dataWaitFraction).toFixed(2)} %` },
  { what: 'computed by', value: training.engine },
];

const environmentRows = ({ tunebook, git, node, platform, device, packages, argv, ranks }: RunEnvironment): Row[] => [
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

const style = `body{font:15px/1.5 "DejaVu Sans",system-ui,sans-serif;color:#222;background:#fff;max-width:900px;margin:32px auto;padding:0 16px}
h1{font-size:24px}h2{font-size:18px;margin-top:36px}
table{border-collapse:collapse;margin:12px 0}td,th{padding:4px 12px 4px 0;border-bottom:1px solid #e6e6e6;vertical-align:top;text-align:left}
img{max-width:100%;height:auto;display:block;margin:12px 0}
.headline{font-size:18px;border-left:4px solid #0072b2;padding:4px 12px}.trouble{border-left:4px solid #d55e00;padding:4px 12px}`;

/**
 * Makes figures and report anew from what lies in the folder: settings, journal and metrics. Of a run that is under way or
 * has died, what there is so far.
 * @returns the report's path
 */
export async function writeReport(run: RunFolder): Promise<string> {
  const { settings, origins, command, sources } = run.settings!;
  const metrics = run.read<RunMetrics>('metrics.json');
  const environment = run.read<RunEnvironment>('environment.json');
  const status = run.status;
  const figures = await writeFigures(run);
  const section = (title: string, ...parts: string[]) => `<h2>${title}</h2>\n${parts.join('\n')}`;
  const pictures = [...figures].map(
    ([name, { png, description }]) =>
      `<img alt="${escapeHtml(description)}" title="${name}" src="data:image/png;base64,${png.toString('base64')}">`,
  );
  const title = `${command === 'finetune' ? 'Fine-tuning' : 'Adaptation'}, ${status?.startedAt.slice(0, 16).replace('T', ' ') ?? ''}`;
  const parts = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p>${escapeHtml(sources.banner)}</p>`,
    metrics
      ? `<p class="headline">${headline(metrics)}</p>`
      : `<p class="trouble">This run is not finished: ${escapeHtml(run.state)}${status?.message ? `. ${escapeHtml(status.message)}` : ''}.</p>`,
    ...(pictures.length > 0 ? [section('Figures', ...pictures)] : []),
    ...(metrics ? [section('Training', table(trainingRows(metrics)))] : []),
    ...(metrics?.command === 'finetune' && metrics.errors.length > 0
      ? [section('Surely wrong', '<p>The mistakes that the model was surest of.</p>', table(metrics.errors))]
      : []),
    section(
      'Settings',
      table(
        settingsList
          .filter(({ only }) => !only || only === command)
          .map(({ name }) => ({
            setting: name,
            value: formatSetting(name, settings[name]),
            from: origins[name] ?? 'default',
          })),
      ),
    ),
    ...(environment ? [section('Environment', table(environmentRows(environment)))] : []),
  ];
  run.write(
    'report.html',
    `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escapeHtml(title)}</title>\n<style>${style}</style>\n<body>\n${parts.join('\n')}\n</body>\n</html>\n`,
  );
  return run.of('report.html');
}
