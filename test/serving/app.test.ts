// The web page in Chromium: the same prediction by both engines, word attributions, scoring of a CSV file, and errors.
// TUNEBOOK_SCREENSHOTS names a folder for screenshots.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import Papa from 'papaparse';
import type { Page } from 'playwright-core';
import { exportModel, exportMultiLabel, exportRegression } from '#lib/export/export.js';
import { writeCalibration } from '#lib/model/calibration-file.js';
import { writePreprocessing } from '#lib/model/preprocessing.js';
import type { Prediction } from '#lib/model/prediction.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { openBrowser } from '../browser.js';
import { waitForOutput, start, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-app-'));
after(() => fs.rmSync(folder, { recursive: true }));

async function startApp(model: string, ...flags: string[]) {
  const { child, ended } = start(['app', model, '--port', '0', ...flags]);
  let output = '';
  child.stdout!.on('data', (text: string) => (output += text));
  await waitForOutput(child, /Serving the web page of .* at http\S+/);
  return { child, ended, address: /http:\/\/127\.0\.0\.1:\d+/.exec(output)![0] };
}

/** Waits until an expression is true in the page; waitForFunction evaluates text, which the page's policy forbids. */
async function waitUntil(page: Page, expression: string): Promise<void> {
  for (const end = Date.now() + 300_000; !(await page.evaluate(expression));) {
    if (Date.now() > end)
      throw new Error(`Timed out waiting for: ${expression}. ${(await page.textContent('#trouble')) ?? ''}`);
    await pause(100);
  }
}
/** Waits until the page shows no status. */
const untilIdle = (page: Page) => waitUntil(page, "document.getElementById('status').textContent === ''");

/** Serves a model and opens its page. */
async function withPage(model: string, use: (page: Page) => Promise<void>): Promise<void> {
  const { child, address } = await startApp(model);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 1200 } });
    page.setDefaultTimeout(300_000);
    await page.goto(address);
    await use(page);
  } finally {
    await browser.close();
    child.kill('SIGTERM');
  }
}

/** Predicts a text by an engine, server or browser, with word attributions. */
async function predict(page: Page, engine: string, text: string): Promise<void> {
  const before = await page.locator('#history li').count();
  await page.selectOption('#engine', engine);
  await page.fill('#review', text);
  await page.click('button[type=submit]');
  await waitUntil(page, `document.querySelectorAll('#history li').length === ${before + 1}`);
  await untilIdle(page);
  assert.equal(await page.textContent('#trouble'), '');
}

/** The prediction of a text in the page. */
interface Scored {
  label: string;
  labels: string[];
  probabilities: Record<string, number>;
}

/** What an engine computes for texts, without the page's rounding. */
const scoredBy = (page: Page, engine: string, texts: string[]) =>
  page.evaluate<Scored[]>(
    `Promise.all([import('/app/engines.js'), fetch('/app/preprocessing.json').then((response) => response.json())])
      .then(([{ browserEngine, serverEngine }, model]) =>
        (${engine === 'browser'} ? browserEngine(model, () => {}) : serverEngine(model))(${JSON.stringify(texts.map((text) => ({ text })))}))`,
  );

test('the page shows predictions and word attributions of both engines, scores a file, and reports errors', async () => {
  const model = path.join(folder, 'model');
  writeTinyModel(model);
  // The longest text below has 52 tokens.
  const classes = { names: ['negative', 'positive'], numberOf: {}, partial: false };
  writePreprocessing(model, { maxLength: 52, reading: { textColumns: ['title', 'review'], classes } });
  await exportModel(model, await sampleReviews(await embeddedReviews(), { rows: 50 }), { version: '0' });
  // The threshold predicts the second class always, also where it is less probable.
  writeCalibration(model, { temperature: 2, threshold: 0, rows: 100 });
  const { child, ended, address } = await startApp(model, '--calibrated');
  const browser = await openBrowser();
  const pageErrors: string[] = [];
  const hosts = new Set<string>();
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 1200 } });
    page.setDefaultTimeout(300_000);
    page.on('pageerror', (error) => pageErrors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') pageErrors.push(message.text());
    });
    page.on('request', (request) => hosts.add(new URL(request.url()).origin));
    const screenshot = async (name: string) => {
      const screenshots = process.env['TUNEBOOK_SCREENSHOTS'];
      if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
    };
    const text = async (selector: string) => (await page.textContent(selector)) ?? '';
    const response = await page.goto(address);
    assert.match(
      response!.headers()['content-security-policy']!,
      /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'/,
    );

    assert.equal(await text('#length'), 'Texts are truncated to 52 tokens.');
    assert.match(await text('#lead'), /predicts the class of a review/);
    assert.equal(await page.isVisible('#examples'), true);
    const tokenizer = await page.evaluate<{ model_max_length: number }>(
      "fetch('app/model/tokenizer_config.json').then((response) => response.json())",
    );
    assert.equal(tokenizer.model_max_length, 52, 'transformers.js truncates to the same length');

    // An empty review shows an error and sends no request.
    await page.click('button[type=submit]');
    assert.equal(await text('#trouble'), 'The review is empty. Enter or paste it.');

    // With the keyboard only; markup in a review stays text.
    await page.focus('#review');
    await page.keyboard.type('It <img src=x onerror=alert(1)> stopped <b>working</b> after two days.');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('#words span');
    await untilIdle(page);
    assert.equal(await text('#words'), 'It <img src=x onerror=alert(1)> stopped <b>working</b> after two days.');
    assert.equal(await page.$('main img, main b'), null);
    assert.equal(await text('#trouble'), '');
    const byServer = await text('#prediction');
    assert.match(byServer, /^positive, \d+\.\d %$/);
    assert.match((await page.getAttribute('#chart', 'aria-label'))!, /negative: .* %, positive: .* %/);
    assert.ok(await page.$('#chart .main-svg'), 'a chart');
    const attributions = await page.$$eval('#words span[title]', (spans) =>
      spans.map((span) => span.getAttribute('title') ?? ''),
    );
    assert.equal(attributions.length, 9, 'each word has an attribution');
    assert.ok(attributions.every((attribution) => /^[+−]\d+\.\d points$/.test(attribution)));
    await screenshot('app-server');

    await page.selectOption('#engine', 'browser');
    await page.click('button[type=submit]');
    await waitUntil(page, "document.querySelectorAll('#history li').length === 2");
    await untilIdle(page);
    assert.equal(await text('#trouble'), '');
    assert.equal(await text('#prediction'), byServer, 'the same label and probability');
    await screenshot('app-browser');
    // Probabilities without the page's rounding. The texts need no truncation, since transformers.js truncates without
    // the closing token.
    const texts = ['Great.', 'The item came damanged, 1 star.', 'bad '.repeat(50)];
    const inBrowser = await page.evaluate<Scored[]>(
      `Promise.all([import('/app/engines.js'), fetch('/app/preprocessing.json').then((response) => response.json())])
        .then(([{ browserEngine }, model]) => browserEngine(model, () => {})(${JSON.stringify(texts.map((text) => ({ text })))}))`,
    );
    const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
    const { logits } = await evaluate(
      classifier,
      classifier.encode(
        texts.map((text) => ({ text, label: 0 })),
        64,
      ),
    );
    classifier.dispose();
    inBrowser.forEach(({ label, probabilities: { negative, positive } }, row) => {
      assert.equal(label, 'positive');
      const logit = Math.log(positive! / negative!);
      const expected = (logits[2 * row + 1]! - logits[2 * row]!) / 2;
      assert.ok(Math.abs(logit - expected) < 1e-4, `${texts[row]!.slice(0, 20)}: ${logit}, not ${expected}`);
    });

    await page.click('#examples button:nth-child(2)');
    await waitUntil(page, "document.querySelectorAll('#history li').length === 3");
    await untilIdle(page);
    assert.equal(await page.inputValue('#review'), 'Works as described and was easy to set up.');

    // A file, scored on the server.
    await page.selectOption('#engine', 'server');
    const rows = Array.from({ length: 150 }, (_, i) => ({
      id: String(i),
      title: i === 7 ? '' : 'Très bien',
      review: i === 7 ? '' : `"odd", ${i}\nand even`,
    }));
    const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
    const csv = `id;title;review\n${rows.map(({ id, title, review }) => `${id};${title};${quoted(review)}`).join('\n')}\n`;
    await page.setInputFiles('#file', {
      name: 'reviews.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(csv, 'latin1'),
    });
    await waitUntil(page, "!document.getElementById('score').disabled");
    const columns = await page.$$eval('#column option:checked', (options) => options.map((each) => each.textContent));
    assert.deepEqual(columns, ['title, review'], 'the columns of training');
    await page.click('#score');
    await page.waitForSelector('#download:not([hidden])');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    const { data: scored, meta } = Papa.parse<Record<string, string>>(fs.readFileSync(await download.path(), 'utf8'), {
      header: true,
    });
    assert.deepEqual(
      scored.map(({ id, title, review }) => ({ id, title, review })),
      rows,
    );
    assert.ok(
      scored.every(({ predicted_label: label }, i) => (i === 7 ? label === '' : /negative|positive/.test(label!))),
    );
    assert.equal(meta.delimiter, ';');
    // The columns are joined as in training.
    const [joined] = await page.evaluate<Scored[]>(
      `import('/app/engines.js').then(({ serverEngine }) => serverEngine({})(${JSON.stringify([{ text: `Très bien. ${rows[3]!.review}` }])}))`,
    );
    const probability = joined!.probabilities[scored[3]!['predicted_label']!]!;
    assert.ok(Math.abs(probability - Number(scored[3]!['predicted_score'])) < 1e-5);
    assert.match(await text('#counts'), /(negative|positive): \d+/);
    await screenshot('app-file');
    await page.setInputFiles('#file', { name: 'broken.csv', mimeType: 'text/csv', buffer: Buffer.from('a,b\n"1') });
    await waitUntil(page, "document.getElementById('trouble').textContent !== ''");
    assert.match(await text('#trouble'), /Cannot read the CSV file: /);
    await page.setInputFiles('#file', { name: 'a.xlsx', mimeType: 'text/csv', buffer: Buffer.from('PK\x03\x04\0\0') });
    await waitUntil(page, "/not a CSV file/.test(document.getElementById('trouble').textContent)");
    assert.equal(await page.isDisabled('#score'), true);

    // Dark mode on a phone.
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 800 });
    await waitUntil(page, 'document.documentElement.scrollWidth <= 390');
    assert.notEqual(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
    await screenshot('app-phone');
    assert.deepEqual(pageErrors, []);
    assert.deepEqual(
      [...hosts].filter((host) => host.startsWith('http')),
      [address],
      'all requests go to this server',
    );

    // The page shows an error when the server has stopped.
    child.kill('SIGTERM');
    await ended;
    await page.click('button[type=submit]');
    await waitUntil(page, "document.getElementById('trouble').textContent.includes('does not respond')");
    assert.equal(await text('#trouble'), 'The server does not respond. Check that it is running.');
  } finally {
    await browser.close();
    child.kill('SIGTERM');
  }
});

test('for a model that predicts a number, the page shows the number, by both engines, without a chart', async () => {
  const base = path.join(folder, 'base');
  writeTinyModel(base);
  const regression = TextClassifier.fromFolder(base, { labels: ['stars'], precision: 'float32' });
  const model = path.join(folder, 'regression');
  regression.save(model);
  const texts = ['Great.', 'The item came damanged, 1 star.'];
  const expected = regression.predict(texts).map(({ score }) => score);
  regression.dispose();
  await exportRegression(model, [{ text: 'Great.', label: 5 }], { version: '0' });
  await withPage(model, async (page) => {
    for (const engine of ['server', 'browser']) {
      await predict(page, engine, texts[1]!);
      assert.equal(await page.textContent('#prediction'), `stars, ${expected[1]!.toFixed(2)}`);
      assert.match((await page.textContent('#lead'))!, /predicts the number stars of a review/);
      assert.match((await page.textContent('#legend'))!, /Blue words increase stars, orange words decrease it\./);
      assert.equal(await page.isVisible('#examples'), false);
      assert.equal(await page.isVisible('#chart'), false);
      assert.match((await page.getAttribute('#words span[title]', 'title'))!, /^[+−]\d+\.\d\d$/);
      // Without the page's rounding.
      const scored = await scoredBy(page, engine, texts);
      scored.forEach(({ probabilities }, row) =>
        assert.ok(Math.abs(probabilities['stars']! - expected[row]!) < 1e-4, `${engine}: ${probabilities['stars']!}`),
      );
    }
  });
});

test('for a model of pairs, the page takes two texts, shows attributions of both, and scores two columns', async () => {
  const model = path.join(folder, 'pairs');
  writeTinyModel(model);
  const classes = { names: ['negative', 'positive'], numberOf: {}, partial: false };
  const reading = { textColumns: ['question'], textPairColumn: 'answer', classes };
  writePreprocessing(model, { maxLength: 32, reading });
  await exportModel(model, [{ text: 'Is it good?', pair: 'It is great.', label: 1 }], { version: '0' });
  const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
  const rows = [
    { question: 'Is it good?', answer: 'It is great.' },
    { question: 'Is it good?', answer: 'It broke.' },
    { question: 'Is it good?', answer: '' },
  ];
  const inputs = rows.slice(0, 2).map(({ question, answer }) => ({ text: question, pair: answer }));
  const expected = classifier.predict(inputs);
  classifier.dispose();
  await withPage(model, async (page) => {
    assert.deepEqual([await page.isVisible('#engine'), await page.isVisible('#examples')], [false, false]);
    await page.fill('#review', inputs[0]!.text);
    await page.click('button[type=submit]');
    await waitUntil(page, "/second text is empty/.test(document.getElementById('trouble').textContent)");
    await page.fill('#pair', inputs[0]!.pair);
    await page.press('#pair', 'Control+Enter');
    await waitUntil(page, "document.querySelectorAll('#history li').length === 1");
    await untilIdle(page);
    assert.equal(await page.textContent('#trouble'), '');
    const { label, score } = expected[0]!;
    assert.equal(await page.textContent('#prediction'), `${label}, ${(100 * score).toFixed(1)} %`);
    const wordsOf = (id: string) => page.locator(`${id} span[title]`).count();
    assert.deepEqual([await wordsOf('#words'), await wordsOf('#pair-words')], [3, 3]);
    if (process.env.TUNEBOOK_SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.TUNEBOOK_SCREENSHOTS, 'pairs.png'), fullPage: true });

    const buffer = Buffer.from(Papa.unparse(rows));
    await page.setInputFiles('#file', { name: 'pairs.csv', mimeType: 'text/csv', buffer });
    await page.click('#score:enabled');
    const downloading = page.waitForEvent('download');
    await page.click('#download');
    const scored = fs.readFileSync(await (await downloading).path(), 'utf8');
    const { data } = Papa.parse<Record<string, string>>(scored, { header: true });
    assert.deepEqual(
      data.map((row) => row.predicted_label),
      [...expected.map((each) => each.label), ''],
    );
    data.slice(0, 2).forEach(({ predicted_score: found }, i) => {
      assert.ok(Math.abs(Number(found) - expected[i]!.score) < 1e-4, found);
    });
  });
});

test('for a model of multi-label classification, the page shows each class with its probability, by both engines', async () => {
  const base = path.join(folder, 'base');
  writeTinyModel(base);
  const labels = ['price', 'quality', 'delivery'];
  const options = { labels, problemType: 'multi_label_classification', precision: 'float32' } as const;
  const classifier = TextClassifier.fromFolder(base, options);
  const model = path.join(folder, 'multi-label');
  classifier.save(model);
  const texts = ['Great.', 'The item came damanged, 1 star.'];
  const expected = classifier.predict(texts);
  classifier.dispose();
  await exportMultiLabel(model, [{ text: 'Great.', label: 0, labels: [0, 2] }], { version: '0' });
  const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
  const mostProbable = ({ probabilities }: Prediction) =>
    labels.toSorted((a, b) => probabilities![b]! - probabilities![a]!)[0]!;
  const described = (prediction: Prediction) => {
    const { labels: predicted, probabilities } = prediction;
    const withScore = (name: string) => `${name}, ${percent(probabilities![name]!)}`;
    const byScore = predicted!.toSorted((a, b) => probabilities![b]! - probabilities![a]!);
    return byScore.map(withScore).join('; ') || `no class (most probable: ${withScore(mostProbable(prediction))})`;
  };
  await withPage(model, async (page) => {
    for (const engine of ['server', 'browser']) {
      await predict(page, engine, texts[1]!);
      assert.equal(await page.textContent('#prediction'), described(expected[1]!));
      assert.equal(await page.textContent('#words-title'), `Word attributions of ${mostProbable(expected[1]!)}`);
      assert.match(
        (await page.textContent('#lead'))!,
        /predicts which of the classes price, quality, delivery apply to a review: several, one or none/,
      );
      const legend = (await page.textContent('#legend'))!;
      assert.ok(legend.includes(`Blue words support ${mostProbable(expected[1]!)}, the most probable class`), legend);
      assert.equal(await page.isVisible('#examples'), false);
      const chart = labels.toSorted().map((name) => `${name}: ${percent(expected[1]!.probabilities![name]!)}`);
      assert.equal(await page.getAttribute('#chart', 'aria-label'), chart.join(', '));
      // transformers.js applies the sigmoid by itself, by the problem type in config.json.
      const scored = await scoredBy(page, engine, texts);
      for (const [row, { labels: predicted, probabilities }] of scored.entries()) {
        assert.deepEqual(predicted.toSorted(), expected[row]!.labels!.toSorted());
        for (const name of labels)
          assert.ok(Math.abs(probabilities[name]! - expected[row]!.probabilities![name]!) < 1e-4, `${engine}: ${name}`);
      }
    }
    await page.setInputFiles('#file', {
      name: 'texts.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(Papa.unparse([['text'], ...texts.map((each) => [each])])),
    });
    await waitUntil(page, "!document.getElementById('score').disabled");
    await page.click('#score');
    await page.waitForSelector('#download:not([hidden])');
    const applying = labels.flatMap((name) => {
      const count = expected.filter((each) => each.labels!.includes(name)).length;
      return count > 0 ? [`${name}: ${count}`] : [];
    });
    const none = `no class: ${expected.filter((each) => each.labels!.length === 0).length}`;
    const counts = (await page.textContent('#counts'))!.split(', ');
    assert.deepEqual(counts.toSorted(), [...applying, none].toSorted());
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
    const csv = fs.readFileSync(await download.path(), 'utf8');
    const { data, meta } = Papa.parse<Record<string, string>>(csv, { header: true });
    assert.deepEqual(meta.fields, ['text', 'predicted_labels', ...labels.map((name) => `probability_${name}`)]);
    assert.deepEqual(
      data.map((row) => JSON.parse(row['predicted_labels']!) as string[]),
      expected.map((each) => each.labels),
    );
    // The file with the predictions is not scored again: its columns would be overwritten.
    await page.setInputFiles('#file', { name: 'scored.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
    await waitUntil(
      page,
      "/already has a column 'predicted_labels'/.test(document.getElementById('trouble').textContent)",
    );
    assert.equal(await page.isDisabled('#score'), true);
  });
});
