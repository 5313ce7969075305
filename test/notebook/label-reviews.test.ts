// Labeling reviews below a cell of a real JupyterLab: by buttons and keys, stored at once, continued later, and never over another's labels.
// TUNEBOOK_SCREENSHOTS names a folder for screenshots.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ArgumentError, FileError } from '#lib/errors.js';
import { labelReviews } from '#lib/notebook/label-reviews.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { assertAccessible } from '../accessibility.js';
import { failure } from '../failure.js';
import { openInLab, startAllCells, stepTimeout, waitForAllCells } from './lab.js';
import { writeNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-labels-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const texts = ['Says "good",\nthen\r\nbreaks', '</script><b>bold</b> <!--<script>', '=1+1; süß 🙂', "It's fine"];
const reviews = texts.map((text, i) => ({ text, label: i % 2 }));
const split = {
  train: reviews,
  validation: [{ text: 'Works.', label: 1 }],
  test: [
    { text: 'Broken.', label: 0 },
    { text: 'Perfect, really', label: 1 },
  ],
};
const labelNames = ['negative', 'positive'];

test(
  'below a cell, labels are stored at once, and continued when the cell runs again',
  { timeout: 900_000 },
  async () => {
    const subfolder = path.join(folder, 'class a');
    fs.mkdirSync(subfolder);
    writeNotebook(subfolder, [
      `import * as tunebook from 'tunebook'; const split = ${JSON.stringify(split)};`,
      `const labeling = await tunebook.labelReviews(split, { labelNames: ${JSON.stringify(labelNames)}, folder: '../labels #1', count: 4 });`,
      'console.log(JSON.stringify(labeling.labeled()));',
    ]);
    const file = path.join(folder, 'labels #1/train.csv');
    await openInLab(folder, 'class a/tried.ipynb', {}, async (page) => {
      const output = page.locator('.tunebook-labeling');
      const waitFor = (text: string) => output.filter({ hasText: text }).waitFor();
      const runAll = async () => {
        await startAllCells(page);
        assert.equal(await waitForAllCells(page), true);
        await output.locator('.label-choices').waitFor();
      };
      const screenshot = async (name: string) => {
        const screenshots = process.env['TUNEBOOK_SCREENSHOTS'];
        if (screenshots) await output.screenshot({ path: path.join(screenshots, `labeling-${name}.png`) });
      };
      /** Waits until the file has a number of labels. */
      const waitForLabels = async (count: number) => {
        const labels = () => fs.readFileSync(file, 'utf8').match(/"(negative|positive)"$/gm)?.length;
        for (const end = Date.now() + stepTimeout; labels() !== count;) {
          assert.ok(Date.now() < end, fs.readFileSync(file, 'utf8'));
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      await runAll();
      await waitFor('Review 1 of 4');
      await waitFor('Stored in ../labels #1/train.csv.');
      await page.click('.label-choices button:first-child');
      await waitFor('Review 2 of 4');
      await screenshot('second');
      // JupyterLab would delete the cell, change its kind, or turn it into a title.
      for (const key of ['d', 'd', 'm', 'b', '7']) await page.keyboard.press(key);
      await page.keyboard.press('2');
      await waitFor('Review 3 of 4');
      await page.keyboard.press('1');
      await page.keyboard.press('Backspace');
      await waitFor('Review 3 of 4');
      await waitForLabels(2);
      assert.equal(await page.locator('.jp-CodeCell').count(), 3);

      // Again, as after a restart; then another program writes the file.
      await runAll();
      await waitFor('Review 3 of 4');
      await page.click('.label-choices button:last-child');
      await waitFor('Review 4 of 4');
      await page.keyboard.press('1');
      await waitFor('All 4 are labeled.');
      await waitFor('of your 4 labels are those of the data');
      // The focus was on a button that is hidden now.
      await page.keyboard.press('Backspace');
      await waitFor('Review 4 of 4');
      await page.keyboard.press('1');
      await waitFor('All 4 are labeled.');
      for (const theme of ['Dark', 'Light']) {
        await page.evaluate(
          `window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab ${theme}' }).then(() => true)`,
        );
        await page.waitForFunction(
          (light) => document.body.dataset['jpThemeLight'] === light,
          String(theme === 'Light'),
        );
        await assertAccessible(page, theme, '.tunebook-labeling');
        await screenshot(theme.toLowerCase());
      }
      await waitForLabels(4);
      const { labeled } = await labelReviews(split, { labelNames, folder: path.join(folder, 'labels #1') });
      assert.deepEqual(
        labeled().map(({ label }) => label),
        [0, 1, 1, 0],
      );
      assert.deepEqual(new Set(labeled().map(({ text }) => text)), new Set(texts));

      // Without the server, nothing is lost: the next label is stored with all others.
      await page.route('**/api/contents/**', (route) =>
        route.request().method() === 'PUT' ? route.abort() : route.continue(),
      );
      await page.keyboard.press('Backspace');
      await waitFor('These labels are not stored. Download them');
      await page.unroute('**/api/contents/**');
      await page.keyboard.press('1');
      await waitFor('Stored in');
      await waitForLabels(4);

      const others = 'text,label\n"=1+1; süß 🙂",negative\n';
      fs.writeFileSync(file, others);
      await output.locator('.undo').click();
      await waitFor('../labels #1/train.csv has changed since this output was made');
      await screenshot('changed');
      assert.equal(fs.readFileSync(file, 'utf8'), others);
      await runAll();
      await waitFor('Review 2 of 4');
      // An output that is an hour old, as in a copy of a notebook, stores nothing.
      await page.route('**/api/sessions', async (route) => {
        const response = await route.fetch();
        const date = new Date(Date.now() + 3_600_000).toUTCString();
        await route.fulfill({ response, headers: { ...response.headers(), date } });
      });
      await runAll();
      await waitFor('These reviews were shown by an earlier run.');
      assert.equal(fs.readFileSync(file, 'utf8'), others);
    });
  },
);

test('a folder of labels is a dataset; another split, other reviews and damaged files are rejected', async () => {
  const own = path.join(folder, 'own');
  // Without labels, the folder takes another split.
  await labelReviews({ ...split, test: split.validation }, { labelNames, folder: own });
  const { chosen, labeled } = await labelReviews(split, { labelNames, folder: own, count: 2 });
  assert.deepEqual(new Set(chosen.map(({ label }) => label)), new Set([0, 1]));
  assert.deepEqual(labeled(), []);
  const file = path.join(own, 'train.csv');
  fs.writeFileSync(file, '\uFEFFtext,label\r\n"It\'s fine",negative\r\n');
  const source = await openReviews(own, {});
  assert.deepEqual(
    (await sampleReviews(source)).map(({ text, label, split }) => [text, source.labelNames[label], split]),
    [
      ["It's fine", 'negative', 'train'],
      ['Works.', 'positive', 'validation'],
      ['Broken.', 'negative', 'test'],
      ['Perfect, really', 'positive', 'test'],
    ],
  );
  const before = fs.readFileSync(file, 'utf8');
  const again = (change: object) => labelReviews({ ...split, ...change }, { labelNames, folder: own });
  await assert.rejects(
    again({ test: split.validation }),
    failure(FileError, 'FILE_EXISTS', { path: path.join(own, 'test.csv') }),
  );
  await assert.rejects(again({ train: reviews.slice(0, 3) }), failure(FileError, 'FILE_EXISTS', { path: file }));
  await assert.rejects(
    again({ train: [{ text: 'Why?', pair: 'So.', label: 0 }] }),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', {}),
  );
  for (const invalid of [{ count: 0 }, { seed: NaN }])
    await assert.rejects(
      labelReviews(split, { labelNames, folder: own, ...invalid }),
      failure(ArgumentError, 'ARGUMENT_NO_ROWS', invalid),
    );
  await assert.rejects(
    labelReviews(split, { labelNames, folder: file }),
    failure(FileError, 'FILE_UNUSABLE', { path: file }),
  );
  // Files of the user.
  const data = path.join(folder, 'data');
  fs.mkdirSync(data);
  fs.writeFileSync(path.join(data, 'test.csv'), 'mine');
  await assert.rejects(
    labelReviews(split, { labelNames, folder: data }),
    failure(FileError, 'FILE_EXISTS', { path: path.join(data, 'test.csv') }),
  );
  assert.deepEqual(fs.readdirSync(data), ['test.csv']);
  assert.equal(fs.readFileSync(file, 'utf8'), before);
  for (const content of [
    "text,label,name\nIt's fine,negative,Ann\n",
    "text,label\nIt's fine,neutral\n",
    "text,label\nIt's fine,negative\nIt's fine,positive\n",
    "text,label\nIt's fine,negative,Ann\n",
    'text,label\n"It\'s fine,negative\n',
  ]) {
    fs.writeFileSync(file, content);
    await assert.rejects(again({}), failure(FileError, 'FILE_UNUSABLE', { path: file }));
    assert.equal(fs.readFileSync(file, 'utf8'), content);
  }
});
