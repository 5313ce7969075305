import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { accuraciesFigure } from 'tunebook/figures/accuracies.js';
import { confusionMatrixFigure } from 'tunebook/figures/confusion-matrix.js';
import { renderPng, renderSvg } from 'tunebook/figures/render.js';
import { stagesFigure } from 'tunebook/figures/stages.js';
import { escapeHtml } from 'tunebook/notebook/html.js';

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
