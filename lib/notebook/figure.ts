/**
 * Figures as cell outputs, in three formats: Plotly JSON for JupyterLab and VS Code, a PNG for GitHub, nbconvert and
 * mail, and text for terminals. There is no HTML with scripts, since notebooks are untrusted by default.
 */
import { renderPng } from '../figures/render.js';
import type { Figure } from '../figures/figure.js';
import { inKernel, outputsSent, show } from './kernel.js';

/**
 * Shows a figure.
 * @param displayId the output to replace. @default a new output
 * @example
 * await showFigure(figures.confusionMatrix(metrics.confusion, labels));
 */
export async function showFigure(figure: Figure, displayId?: string): Promise<void> {
  if (!inKernel()) return show({ 'text/plain': figure.description });
  const { data, layout } = figure;
  const png = await renderPng(figure);
  show(
    {
      'application/vnd.plotly.v1+json': { data, layout },
      'image/png': png.toString('base64'),
      'text/plain': figure.description,
    },
    displayId,
    displayId !== undefined,
  );
  await outputsSent();
}
