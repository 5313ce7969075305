/** Trains a model in a worker of a page and posts what happens; bundled by tfjs-page.test.ts. */
import fs from 'node:fs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import { useFastestBackend } from '#lib/lesson/fastest-backend.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import type { Review } from '#lib/reviews/review.js';
import type { TrainingSettings } from '#lib/settings/settings.js';
import { moveVariables } from '#lib/tensorflow/tfjs/move-variables.js';
import { useBackend } from '#lib/tensorflow/tfjs/runtime.js';
import { Trainer } from '#lib/training/trainer.js';

interface Task {
  files: Record<string, Uint8Array>;
  reviews: Review[];
  settings: Partial<TrainingSettings>;
  backend: 'wasm' | 'webgpu';
}
const controller = new AbortController();

async function train({ files, reviews, settings, backend }: Task) {
  setWasmPaths(`${location.origin}/`);
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(`/model/${name}`, bytes);
  const create = () => TextClassifier.fromFolder('/model');
  const choice = await useFastestBackend(create, reviews, () => Promise.resolve(backend === 'webgpu'));
  await useBackend(backend);
  const model = create();
  const trainer = new Trainer(model, settings);
  const { end, step } = await trainer.train(reviews, {
    signal: controller.signal,
    onRecord: ({ step, loss }) => postMessage({ step, loss }),
  });
  await moveVariables(model.parameters.values(), 'wasm');
  const metrics = await trainer.evaluate(reviews);
  model.save('/saved');
  const saved = fs.readdirSync('/saved').map((name) => [name, [...fs.readFileSync(`/saved/${name}`)]]);
  return {
    end,
    step,
    choice,
    loss: metrics.loss,
    predictions: model.predict(reviews),
    saved: Object.fromEntries(saved) as object,
  };
}

addEventListener('message', ({ data }: MessageEvent<Task | 'stop'>) => {
  if (data === 'stop') controller.abort();
  else train(data).then(postMessage, (error: unknown) => postMessage({ error: String(error) }));
});
