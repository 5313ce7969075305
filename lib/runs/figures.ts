/** Writes a run's figures as interactive HTML, which uses the copy of Plotly in the same folder, and as PNG. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { accuraciesFigure } from '../figures/accuracies.js';
import { classScoresFigure } from '../figures/class-scores.js';
import { confusionMatrixFigure } from '../figures/confusion-matrix.js';
import type { Figure } from '../figures/figure.js';
import { learningCurvesFigure } from '../figures/learning-curves.js';
import { predictedNumbersFigure } from '../figures/predicted-numbers.js';
import { renderPng } from '../figures/render.js';
import { escapeHtml } from '../figures/html-table.js';
import { readJournal, recordsOf } from './journal.js';
import { isClassification, isMultiLabel, isRegression, type RunMetrics } from './metrics.js';
import type { RunFolder } from './run-folder.js';

const require = createRequire(import.meta.url);

/** The figures of a run, by file name; an unfinished run has learning curves only. */
export function figuresOf(run: RunFolder): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  const records = recordsOf(readJournal(run.folder));
  const metrics = run.read<RunMetrics>('metrics.json');
  if (records.length > 0)
    figures['learning-curves'] = learningCurvesFigure(
      records,
      run.settings?.command === 'adapt' ? 'Masked-language modeling' : 'Fine-tuning',
    );
  if (isRegression(metrics))
    figures['predicted-numbers'] = predictedNumbersFigure(metrics.predictions, metrics.labelNames[0]!);
  if (isMultiLabel(metrics)) figures['classes'] = classScoresFigure('Scores of each class', metrics.test.perClass);
  if (isClassification(metrics)) {
    figures['accuracies'] = accuraciesFigure('Accuracy of baselines and fine-tuned model', [
      ...metrics.baselines,
      { name: 'fine-tuned', accuracy: metrics.test.accuracy, interval: metrics.test.interval },
    ]);
    figures['confusion-matrix'] = confusionMatrixFigure(metrics.test.confusion, metrics.labelNames);
    figures['accuracy-by-length'] = accuraciesFigure('Accuracy by length', metrics.byLength);
  }
  return figures;
}

/** JSON that is safe inside a script element. */
const scriptJson = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');

const page = (name: string, { data, layout, description }: Figure) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeHtml(name)}</title>
<body style="margin:0">
<div id="figure" role="img" aria-label="${escapeHtml(description)}"></div>
<script src="plotly.js"></script>
<script>Plotly.newPlot('figure', ${scriptJson(data)}, ${scriptJson(layout)}, { responsive: true, displaylogo: false });</script>
</body>
</html>
`;

/**
 * Writes a run's figures into its folder.
 * @returns the PNGs by name, with their text alternatives
 */
export async function writeFigures(run: RunFolder): Promise<Map<string, { png: Buffer; description: string }>> {
  const written = new Map<string, { png: Buffer; description: string }>();
  for (const [name, figure] of Object.entries(figuresOf(run))) {
    const png = await renderPng(figure);
    run.write(`figures/${name}.html`, page(name, figure));
    run.write(`figures/${name}.png`, png);
    written.set(name, { png, description: figure.description });
  }
  const plotly = run.path('figures/plotly.js');
  if (written.size > 0 && !fs.existsSync(plotly)) fs.copyFileSync(require.resolve('plotly.js-dist'), plotly);
  return written;
}
