// `npm run bench:lesson`: fine-tunes the whole model on the lesson page, in headless Chromium, and natively with the same weights,
// settings and batches: accuracy on the same test reviews, steps per second and memory. Prints both.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { buildLesson } from '#lib/lesson/build.js';
import { finetuningSettings } from '#lib/lesson/finetuning-settings.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { Trainer } from '#lib/training/trainer.js';
import { describeDevice } from '#lib/tensorflow/device.js';
import { openBrowser } from '../browser.js';
import { modelOfPage, openLesson, reviewsOf } from '../lesson/page.js';
import { currentMachine } from './machine.js';

/** Resident memory of a process and its descendants, in MB. */
function memoryOf(pid: number): number {
  const children = fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean));
  const own = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return own + children.reduce((sum, child) => sum + memoryOf(Number(child)), 0);
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-bench-lesson-'));
const built = await buildLesson(path.join(folder, 'lesson'));
console.log(JSON.stringify({ machine: currentMachine(describeDevice()), built }));
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
const address = pathToFileURL(path.join(folder, 'lesson/index.html')).href;
await openLesson(
  browser,
  address,
  async (page) => {
    const started = performance.now();
    await page.waitForSelector('#loading', { state: 'hidden' });
    const { labels, train, test } = await reviewsOf(page);
    console.log(
      JSON.stringify({
        page: 'features',
        seconds: (performance.now() - started) / 1000,
        reviews: train.length + test.length,
      }),
    );
    await page.click('nav >> text=Fine-tune');
    await page.click('#finetune-start');
    await page.waitForFunction(() => document.getElementById('finetune-result')!.textContent !== '');
    const [result, details] = await Promise.all(
      ['#finetune-result', '#finetune-details'].map((id) => page.textContent(id)),
    );
    console.log(JSON.stringify({ page: 'fine-tuning', result, details, peakMegabytes: Math.round(peak) }));
    for (const [name, layers] of Object.entries({ composed: composedLayers, fused: undefined })) {
      const model = modelOfPage(labels, layers);
      const trainer = new Trainer(model, finetuningSettings);
      const { step, seconds } = await trainer.train(train);
      const { accuracy } = await trainer.evaluate(test);
      model.dispose();
      console.log(JSON.stringify({ native: name, accuracy, steps: step, stepsPerSecond: step / seconds }));
    }
  },
  1_800_000,
);
isDone = true;
await watch;
await browser.close();
fs.rmSync(folder, { recursive: true });
