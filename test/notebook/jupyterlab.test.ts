// Tests finetune.ipynb in a real JupyterLab in Chromium: live charts, the stop button, completion, and a second complete
// run. Also tests the notebooks as HTML without a network. Each step waits for the effect of the previous one, never for
// a fixed time, so that on a busy machine the test is only slower. TUNEBOOK_SCREENSHOTS names a folder for screenshots.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../browser.js';
import { root, writeTwoLayers } from '../checkout.js';
import { openInLab, startAllCells, startCommand, stepTimeout, waitForAllCells } from './lab.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lab-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const prompts = (page: Page) =>
  page.$$eval('.jp-CodeCell .jp-InputPrompt', (elements) => elements.map(({ textContent }) => textContent));

/** Runs code in the kernel, outside the notebook's cells. */
const runInKernel = (page: Page, code: string) =>
  page.evaluate(
    `window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code: ${JSON.stringify(code)} }).done.then(() => true)`,
  );
/** Expression for the page: no cell is running or waiting. */
const allCellsIdle =
  "![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some((prompt) => prompt.textContent.includes('*'))";

/**
 * Opens the completer at the cursor and returns its items. JupyterLab ignores completions that arrive after more than
 * a second, so a busy machine may need several attempts.
 */
async function complete(page: Page): Promise<string[]> {
  for (const end = Date.now() + stepTimeout; ;) {
    await startCommand(page, 'completer:invoke-notebook');
    const item = await page.waitForSelector('.jp-Completer-item', { timeout: 10_000 }).catch(() => null);
    if (item) break;
    assert.ok(Date.now() < end, 'the completer did not open');
  }
  return page.$$eval('.jp-Completer-item', (items) => items.map(({ textContent }) => textContent ?? ''));
}

test(
  'in JupyterLab, charts update during training, the stop button keeps model and kernel, and completion and figures work',
  { timeout: 1_800_000 },
  async () => {
    fs.cpSync(path.join(root, 'notebooks/finetune.ipynb'), path.join(folder, 'finetune.ipynb'));
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    writeTwoLayers(path.join(folder, 'model'));
    const settings = {
      TUNEBOOK_SOURCE: 'embedded',
      TUNEBOOK_MODEL: path.join(folder, 'model'),
      TUNEBOOK_ROWS: '400',
      TUNEBOOK_EPOCHS: '30',
      TUNEBOOK_EARLY_STOPPING_PATIENCE: '0',
      TUNEBOOK_RUN_FOLDER: path.join(folder, 'run'),
    };
    await openInLab(folder, 'finetune.ipynb', settings, async (page) => {
      const screenshot = async (name: string) => {
        const screenshots = process.env['TUNEBOOK_SCREENSHOTS'];
        if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
      };
      await startCommand(page, 'notebook:clear-all-cell-outputs');
      await startAllCells(page);

      const liveChart = '.jp-OutputArea-output[data-mime-type="image/svg+xml"]';
      const chart = await page.waitForSelector(liveChart, { state: 'attached' });
      await chart.scrollIntoViewIfNeeded();
      const chartContent = () => page.$eval(liveChart, (element) => element.innerHTML);
      const before = await chartContent();
      await page.waitForFunction(
        `document.querySelector(${JSON.stringify(liveChart)})?.innerHTML !== ${JSON.stringify(before)}`,
      );
      assert.notEqual(await chartContent(), before, 'the chart was not updated');
      await screenshot('training');

      // The command of the stop button: training stops, and the following cells run.
      await startCommand(page, 'notebook:interrupt-kernel');
      assert.equal(await waitForAllCells(page), true);
      await page.waitForFunction(allCellsIdle);
      const outputs = () => page.$$eval('.jp-OutputArea', (areas) => areas.map(({ textContent }) => textContent ?? ''));
      const texts = await outputs();
      assert.ok(texts.some((text) => /end\s*interrupted\s*samples\s*\d+/.test(text)));
      assert.ok(texts.some((text) => text.includes('identical logits')));
      // The final figure has replaced the live chart.
      await page.waitForSelector(liveChart, { state: 'detached' });
      assert.ok((await prompts(page)).every((prompt) => !prompt?.includes('*')));
      await screenshot('end');
      // A static image until the mouse enters it, then an interactive Plotly figure.
      await page.hover('.jp-RenderedPlotly');
      await page.waitForSelector('.js-plotly-plot .main-svg');
      await screenshot('figure');

      // The kernel still works: it completes names of the package, and runs the whole notebook again to its end.
      await startCommand(page, 'notebook:insert-cell-below');
      await page.evaluate(`(() => {
        const { content } = window.jupyterapp.shell.currentWidget;
        content.activeCell.model.sharedModel.setSource('tunebook.load');
        content.mode = 'edit';
        content.activeCell.editor.focus();
        content.activeCell.editor.setCursorPosition({ line: 0, column: 'tunebook.load'.length });
      })()`);
      const completions = await complete(page);
      assert.ok(
        completions.some((text) => text.includes('loadReviews')),
        `loadReviews is not among ${completions.join(', ')}`,
      );
      await screenshot('completion');
      await page.keyboard.press('Escape');
      await startCommand(page, 'notebook:delete-cell');
      const second = { TUNEBOOK_EPOCHS: '1', TUNEBOOK_RUN_FOLDER: path.join(folder, 'second') };
      assert.equal(await runInKernel(page, `Object.assign(process.env, ${JSON.stringify(second)});`), true);
      await startCommand(page, 'notebook:clear-all-cell-outputs');
      await startAllCells(page);
      await page.waitForSelector(liveChart, { state: 'attached' });
      assert.equal(await waitForAllCells(page), true);
      await page.waitForFunction(allCellsIdle);
      const finished = await outputs();
      assert.ok(finished.some((text) => /end\s*completed\s*samples\s*\d+/.test(text)));
      assert.equal(
        await page.$('[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText[data-mime-type*="error"]'),
        null,
      );
      await page.waitForFunction("document.querySelectorAll('.jp-RenderedPlotly').length >= 7");
      assert.equal((await page.$$('.jp-RenderedPlotly')).length, 7);
      await screenshot('finished');
    });
  },
);

test('as HTML without a network, each notebook shows all its figures', { timeout: stepTimeout }, async () => {
  const notebooks = fs.readdirSync(path.join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));
  const { status, stderr } = spawnSync(
    path.join(root, '.venv/bin/jupyter'),
    [
      'nbconvert',
      '--to',
      'html',
      '--output-dir',
      folder,
      ...notebooks.map((name) => path.join(root, 'notebooks', name)),
    ],
    { encoding: 'utf8', env: { ...process.env, JUPYTER_PREFER_ENV_PATH: '1' } },
  );
  assert.equal(status, 0, stderr);
  const browser = await openBrowser();
  try {
    const context = await browser.newContext({ offline: true, viewport: { width: 1000, height: 1400 } });
    for (const name of notebooks) {
      const stored = fs.readFileSync(path.join(root, 'notebooks', name), 'utf8');
      const figures = stored.match(/"application\/vnd\.plotly\.v1\+json": \{/g)?.length ?? 0;
      const page = await context.newPage();
      await page.goto(`file://${path.join(folder, name.replace('.ipynb', '.html'))}`, {
        waitUntil: 'domcontentloaded',
      });
      const shown = await page.$$eval(
        '.jp-OutputArea img',
        (images) =>
          (images as HTMLImageElement[]).filter(({ complete, naturalWidth }) => complete && naturalWidth > 300).length,
      );
      assert.equal(shown, figures, name);
      assert.ok(figures >= (['label.ipynb', 'serve.ipynb'].includes(name) ? 1 : 2), `${name} has ${figures} figures`);
      await page.close();
    }
  } finally {
    await browser.close();
  }
});
