// The lesson page in Chromium: the whole lesson by keyboard, without findings of axe-core in light and dark mode; the same features,
// classifier and accuracy as in Node; from a disk, and without a network after the first visit; reviews of a CSV file.
// TUNEBOOK_SCREENSHOTS names a folder for screenshots.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import type { Browser, Page } from 'playwright-core';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { linearLogits } from '#lib/evaluation/linear-classifier.js';
import { FileError } from '#lib/errors.js';
import { buildLesson } from '#lib/lesson/build.js';
import { finetuningSettings } from '#lib/lesson/finetuning-settings.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { Trainer } from '#lib/training/trainer.js';
import { computeFeatures } from '#lib/training/head.js';
import { assertAccessible } from '../accessibility.js';
import { openBrowser } from '../browser.js';
import { failure } from '../failure.js';
import { featuresModelOfPage, modelOfPage, openLesson, reviewsOf, serveLesson, type PageLesson } from './page.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lesson-'));
const lessonFolder = path.join(folder, 'lesson');
const fileAddress = pathToFileURL(path.join(lessonFolder, 'index.html')).href;

let browser: Browser;
before(async () => {
  await buildLesson(lessonFolder);
  browser = await openBrowser();
});
after(async () => {
  await browser.close();
  fs.rmSync(folder, { recursive: true });
});
const open = (address: string, use: (page: Page) => Promise<void>) => openLesson(browser, address, use);

/** Waits for a text in an element. */
const waitForText = (page: Page, id: string, text: string) =>
  page.waitForFunction(([id, text]) => document.getElementById(id!)!.textContent.includes(text!), [id, text]);

/** Checks a step in light and dark mode. */
async function assertStepAccessible(page: Page, step: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await assertAccessible(page, `${step}, ${colorScheme}`);
    const screenshots = process.env['TUNEBOOK_SCREENSHOTS'];
    if (screenshots)
      await page.screenshot({ path: path.join(screenshots, `lesson-${step}-${colorScheme}.png`), fullPage: true });
  }
}

/** Presses Tab until an element has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${selector}.`);
}

const pressOn = async (page: Page, selector: string) => {
  await tabTo(page, selector);
  await page.keyboard.press('Enter');
};

test('the whole lesson by keyboard, from a disk, and the results equal those of Node', async () => {
  await open(fileAddress, async (page) => {
    await assertStepAccessible(page, 'reviews');
    const { labels, train, test: testReviews } = await reviewsOf(page);
    await pressOn(page, '#next');
    for (const { label } of train.slice(0, 3)) await page.keyboard.press(String(label + 1));
    await page.keyboard.press('Backspace');
    await waitForText(page, 'labeling', 'Review 3 of 20');
    await assertStepAccessible(page, 'label');
    for (const { label } of train.slice(2, 19)) await page.keyboard.press(String(label + 1));
    await page.keyboard.press(String(2 - train[19]!.label));
    await waitForText(page, 'labeling', '19 of your 20 labels');
    assert.equal(await page.locator('#labeling li').count(), 1);

    await pressOn(page, '#next');
    await waitForText(page, 'train-details', 'Trained with 20 labels');
    await assertStepAccessible(page, 'train');
    // With all labels of the data, as Node's head.
    await page.evaluate(() => ((globalThis as unknown as PageLesson).lesson.session.own.length = 0));
    await pressOn(page, '#more-labels button:last-child');
    await waitForText(page, 'train-details', 'Trained with 500 labels');
    const milliseconds = Number(/in (\d+) ms/.exec((await page.textContent('#train-details'))!)![1]);
    assert.ok(milliseconds < 1000, `Training took ${milliseconds} ms.`);
    const inPage = await page.evaluate(
      async (texts) => {
        const { session } = (globalThis as unknown as PageLesson).lesson;
        const encoder = await session.encoder;
        const features = await Promise.all(texts.map((text) => encoder.features(text)));
        const { classifier, model } = session.trained!;
        return {
          features: features.map((row) => [...row]),
          weight: [...classifier.weight],
          bias: [...classifier.bias],
          accuracy: model.accuracy,
        };
      },
      testReviews.map(({ text }) => text),
    );
    const model = featuresModelOfPage(labels);
    await new Trainer(model, { method: 'head', maxLength: 128 }).train(train);
    const encoded = model.encode(testReviews, 128);
    const features = await computeFeatures(model, encoded);
    const { logits } = await evaluate(model, encoded);
    model.dispose();
    const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from(a).reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
    const featureDifference = largestDifference(inPage.features.flat(), features);
    assert.ok(featureDifference < 1e-4, `The features differ by ${featureDifference}.`);
    const logitsOfPage = linearLogits(features, {
      weight: Float32Array.from(inPage.weight),
      bias: Float32Array.from(inPage.bias),
    });
    const difference = largestDifference(logits, logitsOfPage);
    assert.ok(difference < 1e-4, `The logits differ by ${difference}.`);
    const correct = testReviews.filter(
      ({ label }, row) => (logits[2 * row + 1]! > logits[2 * row]! ? 1 : 0) === label,
    ).length;
    assert.equal(inPage.accuracy, correct / testReviews.length);
    assert.ok(inPage.accuracy > 0.78, `Accuracy ${inPage.accuracy}.`);

    await pressOn(page, '#next');
    await pressOn(page, '#compare-run');
    await waitForText(page, 'compare-text', 'With 500 labels');
    await page.waitForSelector('#compare-run:enabled');
    await assertStepAccessible(page, 'compare');
    const predicting = () => page.evaluate(() => (globalThis as unknown as PageLesson).lesson.session.trained!.count);
    assert.equal(await predicting(), 500, 'the comparison does not change what predicts');
    await pressOn(page, '#next');
    await tabTo(page, '#sentence');
    await page.keyboard.type('It stopped working after two days.');
    await pressOn(page, '#ask button.main');
    await waitForText(page, 'prediction', 'negative');
    await waitForText(page, 'legend', 'Most support');
    await assertStepAccessible(page, 'try');
    await pressOn(page, '#next');
    await waitForText(page, 'errors-count', `of ${testReviews.length} test reviews`);
    await assertStepAccessible(page, 'errors');
    assert.equal(await page.locator('#error-list li').count(), 15);
  });
});

test('without a network after the first visit, and with a CSV file, which is not sent anywhere', async () => {
  const { address, close } = await serveLesson(lessonFolder);
  const predict = async (page: Page) => {
    await page.click('nav >> text=Train');
    await page.click('#more-labels button:has-text("20")');
    await waitForText(page, 'train-details', 'Trained with 20 labels');
  };
  await open(address, async (page) => {
    await predict(page);
    await page.waitForFunction(() => 'Plotly' in globalThis);
    await close();
    await page.reload();
    await predict(page);

    const requests: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith('data:')) requests.push(request.url());
    });
    await page.click('nav >> text=Reviews');
    await page.click('summary');
    const rows = Array.from({ length: 80 }, (_, i) =>
      [`${i} ${['slow and late', 'fine, it works', 'superb'][i % 3]}`, ['1', '3', '5'][i % 3]].join(';'),
    );
    const csv = (lines: string[]) => ({
      name: 'own.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(`\uFEFF${lines.join('\r\n')}\r\n`),
    });
    await page.setInputFiles('#own-file', csv(['comment;stars', ...rows]));
    await page.click('#use-own');
    await waitForText(page, 'reviews-description', 'own.csv: 80 reviews (1 34 %, 3 34 %, 5 33 %)');
    await page.click('nav >> text=Label');
    assert.deepEqual(await page.locator('.label-choices button').allTextContents(), ['1', '3', '5']);
    await page.click('nav >> text=Train');
    await waitForText(page, 'train-result', 'You have not labeled');
    assert.equal(await page.textContent('#train-details'), '');
    await page.click('#more-labels button:has-text("50")');
    await waitForText(page, 'train-result', 'of 16 test reviews');
    assert.equal(await page.locator('#errors-count').textContent(), '');
    assert.deepEqual(requests, []);

    await page.click('nav >> text=Reviews');
    const troubles = {
      'different values': rows.map((row, i) => `${row}${i}`),
      'Each class needs at least 10': [...rows.slice(0, 12), 'x;1'],
    };
    for (const [trouble, lines] of Object.entries(troubles)) {
      await page.setInputFiles('#own-file', csv(['comment;stars', ...lines]));
      await page.click('#use-own');
      await waitForText(page, 'trouble', trouble);
    }
    await page.setInputFiles('#own-file', csv(['only one column', 'x']));
    await waitForText(page, 'trouble', 'needs a header');
  });
});

test('fine-tuning of the whole model: the steps are those of Node, and Node predicts the same with the downloaded model', async () => {
  await open(fileAddress, async (page) => {
    await page.click('nav >> text=Fine-tune');
    await assertStepAccessible(page, 'finetune');
    await page.click('#finetune-start');
    await waitForText(page, 'finetune-details', 'Step 4 of');
    await page.click('#finetune-stop');
    await waitForText(page, 'finetune-details', 'stopped by you');
    const steps = Number(/(\d+) steps/.exec((await page.textContent('#finetune-details'))!)![1]);
    assert.ok(steps >= 4 && steps < 90, `${steps} steps`);
    const accuracy = /^[\d.]+/.exec((await page.textContent('#finetune-result'))!)![0];
    const losses = (await page.getAttribute('#finetune-losses', 'aria-label'))!;
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download-model')]);
    const target = path.join(folder, 'trained');
    for (const [name, bytes] of Object.entries(unzipSync(fs.readFileSync(await download.path())))) {
      fs.mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
      fs.writeFileSync(path.join(target, name), bytes);
    }
    const { labels, train, test: testReviews } = await reviewsOf(page);
    const downloaded = TextClassifier.fromFolder(path.join(target, 'model'), { precision: 'float32' });
    assert.deepEqual(downloaded.labels, labels);
    const evaluated = await new Trainer(downloaded, { maxLength: 128 }).evaluate(testReviews);
    downloaded.dispose();
    assert.equal((100 * evaluated.accuracy).toFixed(1), accuracy);

    // The first step has no update before it, and the same batch; only dropout differs, since attention pads to another length.
    const model = modelOfPage(labels);
    const first = await new Trainer(model, { ...finetuningSettings, maxSteps: 1 }).train(train);
    model.dispose();
    const difference = Math.abs(first.records[0]!.loss - Number(/([\d.]+) at first/.exec(losses)![1]));
    assert.ok(difference < 0.03, `The loss of the first step differs by ${difference}.`);
  });
});

test('only a lesson is replaced, and not the working folder', async () => {
  const other = path.join(folder, 'other');
  fs.mkdirSync(other);
  fs.writeFileSync(path.join(other, 'thesis.txt'), 'x');
  const file = path.join(other, 'thesis.txt');
  // A lesson in a repository for GitHub Pages.
  fs.writeFileSync(path.join(lessonFolder, 'CNAME'), 'x');
  for (const each of [other, file, lessonFolder, '', '.', '..', '/'])
    await assert.rejects(buildLesson(each), failure(FileError, 'FILE_EXISTS', { path: each }));
  assert.deepEqual(fs.readdirSync(other), ['thesis.txt']);
  assert.ok(fs.existsSync(path.join(lessonFolder, 'index.html')));
});
