// The web page in a real Chromium: judged by either engine with the same verdict, explained, a CSV scored, errors shown.
// TUNEBOOK_SCREENSHOTS names a folder for pictures.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import type { Page } from 'playwright-core';
import { exportModel } from '#lib/export/export.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { openBrowser } from '../browser.js';
import { says, start, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-app-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Waits for something in the page, whose policy allows no waitForFunction: it evaluates text there. */
async function until(page: Page, expression: string): Promise<void> {
  for (const end = Date.now() + 300_000; !(await page.evaluate(expression));) {
    if (Date.now() > end) throw new Error(`Never came: ${expression}. ${(await page.textContent('#trouble')) ?? ''}`);
    await pause(100);
  }
}
/** Waits until the page has nothing to say any more. */
const settled = (page: Page) => until(page, "document.getElementById('status').textContent === ''");

test('the page: judge, explain, switch engines, score a file, and see what went wrong', async () => {
  const model = path.join(folder, 'model');
  writeTinyModel(model);
  await exportModel(model, await sampleReviews(embeddedReviews(), { rows: 50 }), { version: '0' });
  const { child, ended } = start(['app', model, '--port', '0']);
  let said = '';
  child.stdout!.on('data', (text: string) => (said += text));
  await says(child, /is to be seen at http\S+/);
  const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0];
  const browser = await openBrowser();
  const troubles: string[] = [];
  const hosts = new Set<string>();
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 1200 } });
    page.setDefaultTimeout(300_000);
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(message.text());
    });
    page.on('request', (request) => hosts.add(new URL(request.url()).origin));
    const picture = async (name: string) => {
      const pictures = process.env['TUNEBOOK_SCREENSHOTS'];
      if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
    };
    const text = async (selector: string) => (await page.textContent(selector)) ?? '';
    const response = await page.goto(address);
    assert.match(
      response!.headers()['content-security-policy']!,
      /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'/,
    );

    // Nothing written is said, not sent.
    await page.click('button[type=submit]');
    assert.equal(await text('#trouble'), 'Write or paste a review first.');

    // By keyboard alone; what looks like markup stays text.
    await page.focus('#review');
    await page.keyboard.type('It <img src=x onerror=alert(1)> stopped <b>working</b> after two days.');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('#words span');
    await settled(page);
    assert.equal(await text('#words'), 'It <img src=x onerror=alert(1)> stopped <b>working</b> after two days.');
    assert.equal(await page.$('main img, main b'), null);
    assert.equal(await text('#trouble'), '');
    const byServer = await text('#verdict');
    assert.match(byServer, /^(negative|positive), \d+\.\d %$/);
    assert.match((await page.getAttribute('#chart', 'aria-label'))!, /negative: .* %, positive: .* %/);
    assert.ok(await page.$('#chart .main-svg'), 'a chart');
    const pulls = await page.$$eval('#words span[title]', (spans) =>
      spans.map((span) => span.getAttribute('title') ?? ''),
    );
    assert.equal(pulls.length, 9, 'each word has its pull');
    assert.ok(pulls.every((pull) => /^[+−]\d+\.\d points$/.test(pull)));
    await picture('app-server');

    await page.selectOption('#engine', 'browser');
    await page.click('button[type=submit]');
    await until(page, "document.querySelectorAll('#history li').length === 2");
    await settled(page);
    assert.equal(await text('#trouble'), '');
    assert.equal(await text('#verdict'), byServer, 'the same label and probability');
    await picture('app-browser');
    // To the last digits, not only as the page rounds them. (A text that is too long transformers.js cuts without its closing token.)
    const asked = ['Great.', 'The item came damanged, 1 star.', 'bad '.repeat(50)];
    const inBrowser = await page.evaluate<Record<string, number>[]>(
      `import('/app/engines.js').then(({ browserEngine }) => browserEngine(() => {})(${JSON.stringify(asked)}))`,
    );
    const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
    const { logits } = await evaluate(
      classifier,
      classifier.encode(
        asked.map((text) => ({ text, label: 0 })),
        64,
      ),
    );
    classifier.dispose();
    inBrowser.forEach(({ negative, positive }, row) => {
      const apart = Math.log(positive! / negative!);
      const expected = logits[2 * row + 1]! - logits[2 * row]!;
      assert.ok(Math.abs(apart - expected) < 1e-4, `${asked[row]!.slice(0, 20)}: ${apart}, not ${expected}`);
    });

    await page.click('#examples button:nth-child(2)');
    await until(page, "document.querySelectorAll('#history li').length === 3");
    await settled(page);
    assert.equal(await page.inputValue('#review'), 'Works as described and was easy to set up.');

    // A file, by the server.
    await page.selectOption('#engine', 'server');
    const rows = Array.from({ length: 150 }, (_, i) => ({
      id: String(i),
      review: i === 7 ? '' : `"odd", ${i}\nand even`,
    }));
    const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
    const csv = `id,review\n${rows.map(({ id, review }) => `${id},${quoted(review)}`).join('\n')}\n`;
    await page.setInputFiles('#file', { name: 'reviews.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
    await until(page, "!document.getElementById('score').disabled");
    assert.equal(await page.inputValue('#column'), 'review');
    await page.click('#score');
    await page.waitForSelector('#download:not([hidden])');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    const scored = parse<Record<string, string>>(fs.readFileSync(await download.path(), 'utf8'), { columns: true });
    assert.deepEqual(
      scored.map(({ id, review }) => ({ id, review })),
      rows,
    );
    assert.ok(
      scored.every(({ predicted_label: label }, i) => (i === 7 ? label === '' : /negative|positive/.test(label!))),
    );
    assert.match(await text('#counts'), /(negative|positive): \d+/);
    await picture('app-file');
    await page.setInputFiles('#file', { name: 'broken.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n"1') });
    await until(page, "document.getElementById('trouble').textContent !== ''");
    assert.match(await text('#trouble'), /This is no CSV that can be read: /);

    // In the dark, on a phone.
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 800 });
    await until(page, 'document.documentElement.scrollWidth <= 390');
    assert.notEqual(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    await picture('app-phone');
    assert.deepEqual(troubles, []);
    assert.deepEqual(
      [...hosts].filter((host) => host.startsWith('http')),
      [address],
      'nothing comes from elsewhere',
    );

    // The server gone: said in words.
    child.kill('SIGTERM');
    await ended;
    await page.click('button[type=submit]');
    await until(page, "document.getElementById('trouble').textContent.includes('does not answer')");
    assert.equal(await text('#trouble'), 'The server does not answer. Is it still running?');
  } finally {
    await browser.close();
    child.kill('SIGTERM');
  }
});
