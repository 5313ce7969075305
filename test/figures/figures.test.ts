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
import { calibration } from '#lib/evaluation/calibration.js';
import { classBalanceFigure } from '#lib/figures/class-balance.js';
import { confusionMatrixFigure } from '#lib/figures/confusion-matrix.js';
import { renderPng, renderSvg } from '#lib/figures/render.js';
import { stagesFigure } from '#lib/figures/stages.js';
import { escapeHtml, tableBundle } from '#lib/figures/html-table.js';
import { reliabilityFigure } from '#lib/figures/reliability.js';
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
  assert.match(svg, />8<\/tspan><tspan[^>]*>80\.0 %</);
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
  assert.equal((await sharp(await renderPng(figure)).metadata()).width, figure.layout.width);
});

/** Twenty names, all longer than an axis has space for. */
const topics = Array.from({ length: 20 }, (_, i) => `a long name of product category ${String.fromCharCode(97 + i)}`);

for (const classes of [2, 3, 5, 20])
  test(`the confusion matrix of ${classes} classes with long names has space for its labels, counts and titles`, async () => {
    const names = topics.slice(0, classes);
    const confusion = names.map((_, i) => names.map((_, j) => (i === j ? 1234 : 0)));
    const figure = confusionMatrixFigure(confusion, names);
    assert.ok(figure.layout.width <= 920 && figure.layout.height <= 900, 'it fits in a report');
    const svg = await renderSvg(figure);
    assert.match(svg, />1234</, 'counts are shown');
    const ticks = [...svg.matchAll(/class="xtick"><text[^>]*transform="translate\(([\d.]+),0\)( rotate\(-45[^"]*)?"/g)];
    assert.equal(ticks.length, classes);
    const distance = Number(ticks[1]![1]) - Number(ticks[0]![1]);
    assert.ok(ticks[0]![2] ? distance > 17 : distance > 28 * 6.5, `${distance} px between names`);
    const shown = [...svg.matchAll(/class="ytick"><text[^>]*>(.*?)<\/text>/g)].map(([, text]) => text);
    assert.equal(new Set(shown).size, classes, 'shortened names differ');
    const [, titleTop] = /class="xtitle"[^>]* y="([\d.]+)"/.exec(svg)!;
    const namesBottom = figure.layout.height - Number((figure.layout['margin'] as { b: number }).b);
    const height = ticks[0]![2] ? Math.SQRT1_2 * 28 * 6 : 14;
    assert.ok(Number(titleTop) > namesBottom + height, 'the title is below the names');
    assert.ok(Number(titleTop) < figure.layout.height - 4, 'the title is inside the figure');
  });

test('class balance: one bar per class with its number and fraction, also for names that look like numbers', async () => {
  const review = (label: number) => ({ text: '', label });
  const train = [0, 0, 0, 1, 1, 2].map(review);
  const figure = classBalanceFigure({ train, test: [review(2), review(0)] }, ['1', '3', '5']);
  const svg = await renderSvg(figure);
  for (const text of ['4 (50.0 %)', '2 (25.0 %)']) assert.ok(svg.includes(text), text);
  const names = [...svg.matchAll(/class="ytick"><text[^>]*>(.*?)<\/text>/g)].map(([, text]) => text);
  assert.deepEqual(names, ['1', '3', '5']);
  assert.equal(figure.description, '1: 3 in train, 1 in test; 3: 2 in train, 0 in test; 5: 1 in train, 1 in test');
  const { layout } = classBalanceFigure({ train }, topics);
  assert.ok(layout.height > 20 * 24 && layout.width < 900);
});

test('the reliability diagram begins at the lowest probability of a prediction, which is lower for more classes', () => {
  const rangeOf = (classes: number) => {
    const logits = Float32Array.from({ length: 2 * classes }, (_, i) => (i % classes) / 100);
    const { layout } = reliabilityFigure({ raw: calibration(logits, [0, classes - 1], classes) });
    return (layout['xaxis'] as { range: [number, number] }).range[0];
  };
  assert.ok(rangeOf(20) < 0.06);
  assert.ok(Math.abs(rangeOf(2) - 0.48) < 1e-9);
});

test('columns of numbers are right-aligned, also as text and with dashes', () => {
  const bundle = tableBundle([
    { class: 'a', area: '0.500' },
    { class: 'b', area: '–' },
  ]);
  assert.equal(bundle['text/plain'], 'class  area\na      0.500\nb      –');
  assert.match(bundle['text/html'], /<td style="text-align:left">b<\/td><td style="text-align:right">–<\/td>/);
});

test('a prediction without a class is an empty cell', () => {
  const bundle = tableBundle([{ text: 'a', prediction: null }]);
  assert.match(bundle['text/html'], /<td style="text-align:left">a<\/td><td style="text-align:left"><\/td>/);
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
