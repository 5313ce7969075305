/** The result of a run: the model with its card, the metrics, figures and report. */
import fs from 'node:fs';
import path from 'node:path';
import type { PretrainedModel } from '../model/pretrained-model.js';
import type { RunEnvironment } from './environment.js';
import type { RunMetrics } from './metrics.js';
import type { Journal } from './journal.js';
import { modelCard } from './model-card.js';
import { writeReport } from './report.js';
import type { RunFolder } from './run-folder.js';

/**
 * Writes the result of a completed run. The model is complete when it appears under its name.
 */
export async function keepResult(
  { run, journal }: { run: RunFolder; journal: Journal },
  metrics: RunMetrics,
  model: PretrainedModel,
): Promise<void> {
  const aside = run.of('.model.partial');
  fs.rmSync(aside, { recursive: true, force: true });
  model.save(aside);
  const environment = run.read<RunEnvironment>('environment.json')!;
  const { settings } = run.settings!;
  // The card states the length that was used.
  const used = { ...settings, maxLength: Math.min(settings.maxLength, model.maxTokens) };
  fs.writeFileSync(
    path.join(aside, 'README.md'),
    modelCard({ ...run.settings!, settings: used }, metrics, environment),
  );
  fs.rmSync(run.of('model'), { recursive: true, force: true });
  fs.renameSync(aside, run.of('model'));
  run.write('metrics.json', metrics);
  journal.write('summary', metrics);
  await writeReport(run);
}
