/** Training in a page: a model from bytes, progress, a stop, and a saved model with which TensorFlow's library predicts the same. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import esbuild from 'esbuild';
import { TextClassifier } from '#lib/model/text-classifier.js';
import type { BackendChoice } from '#lib/lesson/fastest-backend.js';
import type { Prediction } from '#lib/model/prediction.js';
import { Trainer } from '#lib/training/trainer.js';
import { tfjsInBrowser } from '#browser/bundle.mjs';
import { openBrowser } from '../browser.js';
import { fixtures, root } from '../checkout.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(temporary, { recursive: true }));
const folder = path.join(fixtures, 'distilbert-multilingual');
const wasm = path.join(root, 'node_modules/@tensorflow/tfjs-backend-wasm/dist');
const texts = ['It stopped working.', 'Great sound.', 'Easy to use', 'Do not buy this one!'];
const reviews = texts.map((text, i) => ({ text, label: i % 2 }));
const settings = { epochs: 50, batchSize: 2, learningRate: 1e-3, maxLength: 16 };

/** Neither the library nor tfjs evaluates code. */
const policy = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";

interface Outcome {
  steps: { step: number; loss: number }[];
  end: string;
  step: number;
  choice: BackendChoice;
  loss: number;
  predictions: Prediction[];
  saved: Record<string, number[]>;
}

/** Trains in a worker of a page until a step. */
async function trainInPage(backend: 'wasm' | 'webgpu', stop: number): Promise<Outcome> {
  const bundle = path.join(temporary, 'worker.js');
  await esbuild.build({
    ...tfjsInBrowser,
    entryPoints: [path.join(root, 'test/dist/tensorflow/tfjs-worker.js')],
    outfile: bundle,
  });
  const files = new Map([
    ['/', Buffer.from('<!doctype html>')],
    ['/worker.js', fs.readFileSync(bundle)],
    ...fs
      .readdirSync(wasm)
      .flatMap((name) =>
        name.endsWith('.wasm') ? [[`/${name}`, fs.readFileSync(path.join(wasm, name))] as const] : [],
      ),
    ...fs.readdirSync(folder).map((name) => [`/model/${name}`, fs.readFileSync(path.join(folder, name))] as const),
  ]);
  const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
  const server = http.createServer(({ url }, response) => {
    const file = files.get(url!);
    const type = types[path.extname(url!)] ?? 'text/html';
    response.writeHead(file ? 200 : 404, { 'content-type': type, 'content-security-policy': policy }).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await openBrowser({ webGpu: backend === 'webgpu' });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return await page.evaluate(
      async ({ names, stop, task }) => {
        const content = async (name: string) => new Uint8Array(await (await fetch(`/model/${name}`)).arrayBuffer());
        const files = Object.fromEntries(
          await Promise.all(names.map(async (name) => [name, await content(name)] as const)),
        );
        const worker = new Worker('/worker.js', { type: 'module' });
        worker.postMessage({ ...task, files });
        const steps: Outcome['steps'] = [];
        return new Promise<Outcome>((resolve, reject) => {
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.onmessage = ({ data }: MessageEvent<Outcome & { error?: string }>) => {
            if (data.error) reject(new Error(data.error));
            else if (data.end) resolve({ ...data, steps });
            else if (steps.push(data) === stop) worker.postMessage('stop');
          };
        });
      },
      { names: fs.readdirSync(folder), stop, task: { reviews, settings, backend } },
    );
  } finally {
    await browser.close();
    server.close();
  }
}

for (const backend of ['wasm', 'webgpu'] as const)
  test(`a page trains a model from bytes on ${backend} until it is stopped, and what it saves is that of TensorFlow`, async () => {
    const { steps, end, step, choice, loss, predictions, saved } = await trainInPage(backend, 6);
    // A processor computes WebGPU more slowly, and the same.
    assert.equal(choice.backend, 'wasm');
    assert.deepEqual(Object.keys(choice.seconds), backend === 'webgpu' ? ['wasm', 'webgpu'] : []);
    if (backend === 'webgpu') assert.ok(choice.difference! < 1e-5, `logits differ by ${choice.difference}`);
    assert.equal(end, 'interrupted');
    assert.equal(steps.length, step);
    assert.ok(step >= 6 && step < 100, `${step} steps`);

    const target = path.join(temporary, backend);
    fs.mkdirSync(target);
    for (const [name, bytes] of Object.entries(saved))
      fs.writeFileSync(path.join(target, name), Uint8Array.from(bytes));
    const model = TextClassifier.fromFolder(target, { precision: 'float32' });
    const here = await new Trainer(model, settings).evaluate(reviews);
    assert.ok(Math.abs(here.loss - loss) < 1e-5, `${loss}, not ${here.loss}`);
    model.predict(texts).forEach(({ label, score }, i) => {
      assert.equal(predictions[i]!.label, label);
      assert.ok(Math.abs(predictions[i]!.score - score) < 1e-5);
    });
    model.dispose();

    // The same training here gives the same losses: the fixture has no dropout.
    const again = TextClassifier.fromFolder(folder, { precision: 'float32' });
    const { records } = await new Trainer(again, settings).train(reviews);
    for (const { step, loss } of records.slice(0, steps.length))
      assert.ok(Math.abs(steps[step - 1]!.loss - loss) < 1e-4, `step ${step}: ${steps[step - 1]!.loss}, not ${loss}`);
    again.dispose();
  });
