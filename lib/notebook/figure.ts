/**
 * A figure in a cell, in one bundle: Plotly's own for JupyterLab and VS Code, a PNG for GitHub, nbconvert and mail, words
 * for terminals. No script in HTML: notebooks are untrusted until their reader says otherwise.
 */
import { renderPng } from '../figures/render.js';
import type { Figure } from '../figures/figure.js';
import { inKernel, show } from './kernel.js';

/** Shows a figure; with `displayId` in place of that output. */
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
}
