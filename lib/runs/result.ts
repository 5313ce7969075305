/** The result of a run: the model with its card, the metrics, figures and report. */
import fs from 'node:fs';
import path from 'node:path';
import { replaceFolder } from '../replace-folder.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import type { RunEnvironment } from './environment.js';
import type { RunMetrics } from './metrics.js';
import type { Journal } from './journal.js';
import { modelCard } from './model-card.js';
import { writeReport } from './report.js';
import type { RunFolder } from './run-folder.js';

/** Writes the result of a completed run. */
export async function writeResult(
  { run, journal }: { run: RunFolder; journal: Journal },
  metrics: RunMetrics,
  model: PretrainedModel,
): Promise<void> {
  const environment = run.read<RunEnvironment>('environment.json')!;
  const { settings } = run.settings!;
  // The model card states the maximum length that was used.
  const usedSettings = { ...settings, maxLength: Math.min(settings.maxLength, model.maxTokens) };
  replaceFolder(run.path('model'), (folder) => {
    model.save(folder);
    fs.writeFileSync(
      path.join(folder, 'README.md'),
      modelCard({ ...run.settings!, settings: usedSettings }, metrics, environment),
    );
  });
  run.write('metrics.json', metrics);
  journal.write('summary', metrics);
  await writeReport(run);
}
