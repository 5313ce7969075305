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

/** Writes the result of a completed run. The model is written to a temporary folder and renamed when it is complete. */
export async function writeResult(
  { run, journal }: { run: RunFolder; journal: Journal },
  metrics: RunMetrics,
  model: PretrainedModel,
): Promise<void> {
  const partialFolder = run.path('.model.partial');
  fs.rmSync(partialFolder, { recursive: true, force: true });
  model.save(partialFolder);
  const environment = run.read<RunEnvironment>('environment.json')!;
  const { settings } = run.settings!;
  // The model card states the maximum length that was used.
  const usedSettings = { ...settings, maxLength: Math.min(settings.maxLength, model.maxTokens) };
  fs.writeFileSync(
    path.join(partialFolder, 'README.md'),
    modelCard({ ...run.settings!, settings: usedSettings }, metrics, environment),
  );
  fs.rmSync(run.path('model'), { recursive: true, force: true });
  fs.renameSync(partialFolder, run.path('model'));
  run.write('metrics.json', metrics);
  journal.write('summary', metrics);
  await writeReport(run);
}
