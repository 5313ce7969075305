// `npm run bench:lesson`: the lesson page in headless Chromium. Time until it can be used at 10 Mbit/s; fine-tuning of the whole model and of
// its upper layers, and natively with the same weights, settings and batches: accuracy on the same test reviews, steps per second and memory;
// the logits of transformers with the downloaded model. Prints one line of JSON for each.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import type { Page } from 'playwright-core';
import { buildLesson } from '#lib/lesson/build.js';
import { finetuningSettings } from '#lib/lesson/finetuning-settings.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { Trainer } from '#lib/training/trainer.js';
import { describeDevice } from '#lib/tensorflow/device.js';
import { openBrowser } from '../browser.js';
import { modelOfPage, openLesson, reviewsOf, serveLesson } from '../lesson/page.js';
import { currentMachine } from './machine.js';
import { findPyTorch } from './pytorch-environment.js';
import { compareSavedModel } from './saved-model.js';

// Installed before anything is measured.
findPyTorch();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-bench-lesson-'));
const lessonFolder = path.join(folder, 'lesson');
const print = (record: object) => console.log(JSON.stringify(record));
print({ machine: currentMachine(describeDevice()), built: await buildLesson(lessonFolder) });

/** Resident memory of a process and its descendants, in MB. */
function memoryOf(pid: number): number {
  const children = fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean));
  const own = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return own + children.reduce((sum, child) => sum + memoryOf(Number(child)), 0);
}

/** Runs something in a browser of its own, and returns the peak of the browser's memory in MB. */
async function measureMemory(address: string, use: (page: Page) => Promise<void>): Promise<number> {
  const browser = await openBrowser();
  let peak = 0;
  let isDone = false;
  const watch = (async () => {
    while (!isDone) {
      try {
        peak = Math.max(peak, memoryOf(process.pid) - process.memoryUsage().rss / 2 ** 20);
      } catch {
        // A process ended while it was read.
      }
      await pause(200);
    }
  })();
  try {
    await openLesson(browser, address, use, 1_800_000);
  } finally {
    isDone = true;
    await watch;
    await browser.close();
  }
  return Math.round(peak);
}

const modelIsLoaded = (page: Page) =>
  page.waitForFunction(() => document.getElementById('loading-text')!.textContent.includes('features'));

/** The time until the page shows reviews, and until the model is there, with the bandwidth of a slow network. */
async function measureLoading(): Promise<void> {
  const { address, close } = await serveLesson(lessonFolder);
  const browser = await openBrowser();
  // The limit of bandwidth does not apply to what a service worker requests.
  const context = await browser.newContext({ serviceWorkers: 'block' });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 40,
    downloadThroughput: 10e6 / 8,
    uploadThroughput: 10e6 / 8,
  });
  const from = performance.now();
  const seconds = () => (performance.now() - from) / 1000;
  await page.goto(address);
  await page.waitForSelector('#examples li');
  const usable = seconds();
  await modelIsLoaded(page);
  const modelLoaded = seconds();
  await page.waitForSelector('#loading', { state: 'hidden' });
  print({ page: 'loading at 10 Mbit/s', usable, modelLoaded, featuresComputed: seconds() });
  await browser.close();
  await close();
}

/** The logits of transformers with the downloaded model, compared with those of Node. */
async function compareWithTransformers(page: Page, texts: { text: string; label: number }[]): Promise<void> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download-model')]);
  const target = path.join(folder, 'trained');
  for (const [name, bytes] of Object.entries(unzipSync(fs.readFileSync(await download.path())))) {
    fs.mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    fs.writeFileSync(path.join(target, name), bytes);
  }
  const modelFolder = path.join(target, 'model');
  const model = TextClassifier.fromFolder(modelFolder, { precision: 'float32' });
  compareSavedModel(model, modelFolder, model.encode(texts, finetuningSettings.maxLength));
  model.dispose();
}

await measureLoading();
const address = pathToFileURL(path.join(lessonFolder, 'index.html')).href;
for (const layers of ['none', '3'] as const) {
  let reviews: Awaited<ReturnType<typeof reviewsOf>> | undefined;
  let outcome = {};
  const peakMegabytes = await measureMemory(address, async (page) => {
    await modelIsLoaded(page);
    await page.waitForSelector('#loading', { state: 'hidden' });
    reviews = await reviewsOf(page);
    await page.click('nav >> text=Fine-tune');
    await page.selectOption('#finetune-layers', layers);
    await page.click('#finetune-start');
    await page.waitForFunction(() => document.getElementById('finetune-result')!.textContent !== '');
    const [result, details] = await Promise.all(
      ['#finetune-result', '#finetune-details'].map((id) => page.textContent(id)),
    );
    outcome = { result, details };
    if (layers === 'none') await compareWithTransformers(page, reviews.test.slice(0, 20));
  });
  print({ page: 'fine-tuning', frozen: layers, ...outcome, peakMegabytes });
  const { labels, train, test } = reviews!;
  const freeze = layers === 'none' ? ('none' as const) : Number(layers);
  for (const [name, kind] of Object.entries({ composed: composedLayers, fused: undefined })) {
    const model = modelOfPage(labels, kind);
    const trainer = new Trainer(model, { ...finetuningSettings, freeze });
    const { step, seconds } = await trainer.train(train);
    const { accuracy } = await trainer.evaluate(test);
    model.dispose();
    print({ native: name, frozen: layers, accuracy, steps: step, stepsPerSecond: step / seconds });
  }
}
fs.rmSync(folder, { recursive: true });
