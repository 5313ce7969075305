// Figures are rendered as PNG and SVG without a browser: with text, with any class names, and with a compile cache that
// may be damaged.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { cachedDataVersionTag } from 'node:v8';
import sharp from 'sharp';
import { accuraciesFigure } from '#lib/figures/accuracies.js';
import { confusionMatrixFigure } from '#lib/figures/confusion-matrix.js';
import { renderPng, renderSvg } from '#lib/figures/render.js';
import { stagesFigure } from '#lib/figures/stages.js';
import { escapeHtml } from '#lib/figures/html-table.js';
import { root } from '../checkout.js';

const interval = { low: 0.4, high: 0.6 };
const bars = accuraciesFigure('A title', [{ name: 'one', accuracy: 0.5, interval }]);

test('a PNG has the size of its layout, a palette, and less than 40 kB', async () => {
  const png = await renderPng(bars);
  const { width, height, format, isPalette } = await sharp(png).metadata();
  assert.deepEqual([width, height, format], [bars.layout.width, bars.layout.height, 'png']);
  assert.ok(isPalette);
  assert.ok(png.length < 40_000);
});

test('text is drawn with the installed font, not as boxes', async () => {
  // Two names with the same letters in a different order. As boxes they would look the same.
  const draw = async (name: string) =>
    sharp(await renderPng(accuraciesFigure(name, [{ name: 'x', accuracy: 0.5, interval }])))
      .raw()
      .toBuffer();
  const [forward, reversed] = [await draw('abcd'), await draw('dcba')];
  assert.ok(forward.some((value, i) => value !== reversed[i]));
});

test('a truncated or corrupt compile cache is not used and is written again', async () => {
  const expected = (await renderPng(bars)).toString('base64');
  const tag = String(cachedDataVersionTag());
  const folder = path.join(root, '.tunebook/compile-cache');
  const [name, ...others] = fs
    .readdirSync(folder)
    .filter((name) => /^plotly-[\d.]+-\d+$/.test(name) && name.endsWith(tag));
  assert.ok(name && others.length === 0);
  const file = path.join(folder, name);
  const valid = fs.readFileSync(file);
  for (const content of [valid.subarray(0, 1000), Buffer.from(valid).fill(255, 1e6, 1e6 + 99)]) {
    fs.writeFileSync(`${file}.test`, content);
    fs.renameSync(`${file}.test`, file);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { renderPng } from '#lib/figures/render.js';
         console.log((await renderPng(${JSON.stringify(bars)})).toString('base64'));`,
      ],
      { cwd: root, encoding: 'utf8' },
    );
    assert.deepEqual([status, stdout.trim()], [0, expected], stderr);
    assert.ok(fs.statSync(file).size > 2e6 && !fs.readFileSync(file).equals(content));
  }
});

test('the confusion matrix contains counts, percentages and the heatmap', async () => {
  const svg = await renderSvg(
    confusionMatrixFigure(
      [
        [8, 2],
        [1, 9],
      ],
      ['negative', 'positive'],
    ),
  );
  assert.match(svg, /8 \(80\.0 %\)/);
  assert.match(svg, /data:image\/png;base64,/);
});

test('class names may be numbers or contain markup and control characters; twelve classes fit', async () => {
  const names = ['1', '2', '5', '<b>a</b> & b', 'a\u0001b', ...Array.from({ length: 7 }, (_, i) => `class ${i}`)];
  const confusion = names.map((_, i) => names.map((_, j) => (i === j ? 7 : 0)));
  const figure = confusionMatrixFigure(confusion, names);
  const svg = await renderSvg(figure);
  const ticks = [...svg.matchAll(/class="[xy]tick"><text[^>]*>(.*?)<\/text>/g)].map(([, text]) => text);
  const escaped = names.map((name) =>
    name.replace('&', '&amp;').replaceAll('<', '&#60;').replaceAll('>', '&#62;').replace('\u0001', '\uFFFD'),
  );
  assert.deepEqual(ticks, [...escaped, ...escaped], 'each class once on each axis');
  assert.ok(figure.layout.width >= 12 * 110, 'a count and its percentage fit in a cell');
  assert.equal((await sharp(await renderPng(figure)).metadata()).width, figure.layout.width);
});

test('the figure of the stages is rendered', async () => {
  assert.match(await renderSvg(stagesFigure()), /Fine-tuning/);
});

test('markup in review text is escaped', () => {
  assert.equal(
    escapeHtml(`<img src=x onerror="alert('&')">`),
    '&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;',
  );
});
