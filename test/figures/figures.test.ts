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

test('a PNG has the size of its layout, a palette, and few bytes', async () => {
  const png = await renderPng(bars);
  const { width, height, format, isPalette } = await sharp(png).metadata();
  assert.deepEqual([width, height, format], [bars.layout.width, bars.layout.height, 'png']);
  assert.ok(isPalette);
  assert.ok(png.length < 40_000);
});

test('text is drawn with the shipped font, not as boxes', async () => {
  // Two words of the same letters in another order: boxes would look alike.
  const draw = async (name: string) =>
    sharp(await renderPng(accuraciesFigure(name, [{ name: 'x', accuracy: 0.5, interval }])))
      .raw()
      .toBuffer();
  const [one, other] = [await draw('abcd'), await draw('dcba')];
  assert.ok(one.some((value, i) => value !== other[i]));
});

test('what an earlier process compiled is used only if it is whole, and made again otherwise', async () => {
  const expected = (await renderPng(bars)).toString('base64');
  const tag = String(cachedDataVersionTag());
  const folder = path.join(root, '.tunebook/compile-cache');
  const [name, ...others] = fs
    .readdirSync(folder)
    .filter((name) => /^plotly-[\d.]+-\d+$/.test(name) && name.endsWith(tag));
  assert.ok(name && others.length === 0);
  const file = path.join(folder, name);
  const whole = fs.readFileSync(file);
  for (const content of [whole.subarray(0, 1000), Buffer.from(whole).fill(255, 1e6, 1e6 + 99)]) {
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

test('the confusion matrix names its counts and shares, and has its heat drawn', async () => {
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

test("classes' names are names: numbers, markup, control characters, and as many as there are", async () => {
  const names = ['1', '2', '5', '<b>a</b> & b', 'a\u0001b', ...Array.from({ length: 7 }, (_, i) => `class ${i}`)];
  const confusion = names.map((_, i) => names.map((_, j) => (i === j ? 7 : 0)));
  const figure = confusionMatrixFigure(confusion, names);
  const svg = await renderSvg(figure);
  const ticks = [...svg.matchAll(/class="[xy]tick"><text[^>]*>(.*?)<\/text>/g)].map(([, text]) => text);
  const drawn = names.map((name) =>
    name.replace('&', '&amp;').replaceAll('<', '&#60;').replaceAll('>', '&#62;').replace('\u0001', '\uFFFD'),
  );
  assert.deepEqual(ticks, [...drawn, ...drawn], 'each class once on each axis');
  assert.ok(figure.layout.width >= 12 * 110, 'a count and its share find room in a cell');
  assert.equal((await sharp(await renderPng(figure)).metadata()).width, figure.layout.width);
});

test('the stages are drawn', async () => {
  assert.match(await renderSvg(stagesFigure()), /Fine-tuning/);
});

test('review text can never become markup', () => {
  assert.equal(
    escapeHtml(`<img src=x onerror="alert('&')">`),
    '&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;',
  );
});
