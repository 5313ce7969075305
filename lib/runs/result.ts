/** What a run leaves behind: the model with its card, the metrics, figures and report. */
import fs from 'node:fs';
import path from 'node:path';
import { maxTokens, readModelConfig } from '../model/config.js';
import { readTokenizer, writeTokenizer } from '../tokenizer/tokenizer.js';
import type { RunEnvironment } from './environment.js';
import type { RunMetrics } from './metrics.js';
import type { Journal } from './journal.js';
import { modelCard } from './model-card.js';
import { writeReport } from './report.js';
import type { RunFolder } from './run-folder.js';

/**
 * The tokenizer in a place of its own: the checkpoint that a run goes on from is pruned when there are newer ones.
 * @param folder the model's
 * @returns where it is
 */
export function keepTokenizer(run: RunFolder, folder: string): string {
  const kept = run.of('tokenizer');
  fs.mkdirSync(kept, { recursive: true });
  writeTokenizer(readTokenizer(folder), kept);
  // It says how long a text the model takes.
  fs.copyFileSync(path.join(folder, 'config.json'), path.join(kept, 'config.json'));
  return kept;
}

/**
 * Writes all that is left to write when a run is through. The model comes under its name in one move.
 * @param save writes the model's files into a folder
 */
export async function keepResult(
  { run, journal }: { run: RunFolder; journal: Journal },
  metrics: RunMetrics,
  save: (folder: string) => void,
): Promise<void> {
  const aside = run.of('.model.partial');
  fs.rmSync(aside, { recursive: true, force: true });
  save(aside);
  const environment = run.read<RunEnvironment>('environment.json')!;
  const { settings } = run.settings!;
  // The card states the length that was used.
  const used = { ...settings, maxLength: Math.min(settings.maxLength, maxTokens(readModelConfig(aside))) };
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
