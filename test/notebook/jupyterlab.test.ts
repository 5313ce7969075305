// finetune.ipynb as a person sees it: a real JupyterLab in a real Chromium, cells run, the stop button pressed, a name completed, all of
// it run again to its end; and the notebooks as HTML where there is no network. Each step waits for what the one before it causes, never
// for a fixed time, so that a busy machine makes it slower only. TUNEBOOK_SCREENSHOTS names a folder for pictures of it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { openBrowser } from '../browser.js';
import { root, writeTwoLayers } from '../checkout.js';

/** For each step, on a machine with other work: what does not happen within it has gone wrong. */
const patience = 300_000;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lab-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });

// Evaluated in the page, where JupyterLab's own application object is. Not awaited there: running all cells takes its time, and others
// are checked by what they cause.
const command = (page: Page, name: string) => page.evaluate(`void window.jupyterapp.commands.execute('${name}')`);
/** Starts all cells; `allRun` waits for their end. */
const runAllCells = (page: Page) =>
  page.evaluate("void (window.allRun = window.jupyterapp.commands.execute('notebook:run-all-cells'))");
const allRun = (page: Page) => page.evaluate('window.allRun.then(() => true)');
const prompts = (page: Page) =>
  page.$$eval('.jp-CodeCell .jp-InputPrompt', (elements) => elements.map(({ textContent }) => textContent));

/** Code run in the kernel, aside of the notebook's cells. */
const inKernel = (page: Page, code: string) =>
  page.evaluate(
    `window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code: ${JSON.stringify(code)} }).done.then(() => true)`,
  );
const allDone =
  "![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some((prompt) => prompt.textContent.includes('*'))";

/** Opens the completer at the cursor. JupyterLab drops what a kernel offers after a second, so a busy machine may need more than one try. */
async function complete(page: Page): Promise<string[]> {
  for (const end = Date.now() + patience; ;) {
    await command(page, 'completer:invoke-notebook');
    const shown = await page.waitForSelector('.jp-Completer-item', { timeout: 10_000 }).catch(() => null);
    if (shown) break;
    assert.ok(Date.now() < end, 'the completer opens');
  }
  return page.$$eval('.jp-Completer-item', (items) => items.map(({ textContent }) => textContent ?? ''));
}

test(
  'in JupyterLab: curves that move, a stop button that keeps model and kernel, completion, figures that stay',
  { timeout: 1_800_000 },
  async () => {
    fs.cpSync(path.join(root, 'notebooks/finetune.ipynb'), path.join(folder, 'finetune.ipynb'));
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    writeTwoLayers(path.join(folder, 'model'));
    const port = await freePort();
    const lab = spawn(
      process.execPath,
      [
        path.join(root, 'lib/dist/cli/lab.js'),
        '--no-browser',
        `--ServerApp.port=${port}`,
        `--ServerApp.root_dir=${folder}`,
        '--IdentityProvider.token=',
        '--LabApp.expose_app_in_browser=True',
        '--MappingKernelManager.kernel_info_timeout=300',
      ],
      {
        stdio: 'ignore',
        detached: true,
        env: {
          ...process.env,
          TUNEBOOK_SOURCE: 'embedded',
          TUNEBOOK_MODEL: path.join(folder, 'model'),
          TUNEBOOK_ROWS: '400',
          TUNEBOOK_EPOCHS: '30',
          TUNEBOOK_EARLY_STOPPING_PATIENCE: '0',
          TUNEBOOK_RUN_FOLDER: path.join(folder, 'run'),
        },
      },
    );
    const browser = await openBrowser();
    try {
      // As high as the notebook: JupyterLab leaves out of the page what is out of sight.
      const page = await browser.newPage({ viewport: { width: 1200, height: 9000 } });
      page.setDefaultTimeout(patience);
      const picture = async (name: string) => {
        const pictures = process.env['TUNEBOOK_SCREENSHOTS'];
        if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) });
      };
      const address = `http://127.0.0.1:${port}/lab/tree/finetune.ipynb?reset`;
      for (const end = Date.now() + patience; ;)
        try {
          await page.goto(address, { waitUntil: 'domcontentloaded' });
          break;
        } catch (error) {
          if (Date.now() > end || lab.exitCode !== null) throw error;
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      await page.waitForFunction('window.jupyterapp');
      await page.waitForSelector('.jp-NotebookPanel .jp-Cell');
      await page.waitForFunction(
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
      );
      await command(page, 'notebook:clear-all-cell-outputs');
      await runAllCells(page);

      const moving = '.jp-OutputArea-output[data-mime-type="image/svg+xml"]';
      const live = await page.waitForSelector(moving, { state: 'attached' });
      await live.scrollIntoViewIfNeeded();
      const at = () => page.$eval(moving, (element) => element.innerHTML);
      const before = await at();
      await page.waitForFunction(
        `document.querySelector(${JSON.stringify(moving)})?.innerHTML !== ${JSON.stringify(before)}`,
      );
      assert.notEqual(await at(), before, 'the curves move');
      await picture('training');

      // The stop button's command: training ends, and the cells behind it run.
      await command(page, 'notebook:interrupt-kernel');
      assert.equal(await allRun(page), true);
      await page.waitForFunction(allDone);
      const outputs = () => page.$$eval('.jp-OutputArea', (areas) => areas.map(({ textContent }) => textContent ?? ''));
      const texts = await outputs();
      assert.ok(texts.some((text) => /end\s*interrupted\s*samples\s*\d+/.test(text)));
      assert.ok(texts.some((text) => text.includes('identical logits')));
      // The figure has taken the place of the curves.
      await page.waitForSelector(moving, { state: 'detached' });
      assert.ok((await prompts(page)).every((prompt) => !prompt?.includes('*')));
      await picture('end');
      // A picture until the mouse enters, then Plotly's own.
      await page.hover('.jp-RenderedPlotly');
      await page.waitForSelector('.js-plotly-plot .main-svg');
      await picture('figure');

      // The kernel is usable: it completes the package's names, by their types, and runs all of it again, to the end.
      await command(page, 'notebook:insert-cell-below');
      await page.evaluate(`(() => {
        const { content } = window.jupyterapp.shell.currentWidget;
        content.activeCell.model.sharedModel.setSource('tunebook.load');
        content.mode = 'edit';
        content.activeCell.editor.focus();
        content.activeCell.editor.setCursorPosition({ line: 0, column: 'tunebook.load'.length });
      })()`);
      const offered = await complete(page);
      for (const name of ['loadReviews'])
        assert.ok(
          offered.some((text) => text.includes(name)),
          `${name} is not among ${offered.join(', ')}`,
        );
      await picture('completion');
      await page.keyboard.press('Escape');
      await command(page, 'notebook:delete-cell');
      assert.equal(await inKernel(page, "process.env['TUNEBOOK_EPOCHS'] = '1';"), true);
      await command(page, 'notebook:clear-all-cell-outputs');
      await runAllCells(page);
      await page.waitForSelector(moving, { state: 'attached' });
      assert.equal(await allRun(page), true);
      await page.waitForFunction(allDone);
      const finished = await outputs();
      assert.ok(finished.some((text) => /end\s*completed\s*samples\s*\d+/.test(text)));
      assert.equal(
        await page.$('[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText[data-mime-type*="error"]'),
        null,
      );
      await page.waitForFunction("document.querySelectorAll('.jp-RenderedPlotly').length >= 7");
      assert.equal((await page.$$('.jp-RenderedPlotly')).length, 7);
      await picture('finished');
    } finally {
      await browser.close();
      if (lab.exitCode === null) {
        const ended = once(lab, 'exit');
        process.kill(-lab.pid!, 'SIGTERM');
        await ended;
      }
    }
  },
);

test('as HTML, where there is no network, each notebook shows every figure', { timeout: patience }, async () => {
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
          (images as unknown as { complete: boolean; naturalWidth: number }[]).filter(
            ({ complete, naturalWidth }) => complete && naturalWidth > 300,
          ).length,
      );
      assert.equal(shown, figures, name);
      assert.ok(figures >= (name === 'serve.ipynb' ? 1 : 2), `${name} has ${figures} figures`);
      await page.close();
    }
  } finally {
    await browser.close();
  }
});
