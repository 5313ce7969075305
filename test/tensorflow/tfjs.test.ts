/** Parity of tfjs's WASM backend with TensorFlow's library: the same code and weights, bundled as for a browser. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import esbuild from 'esbuild';
import { packTexts } from '#lib/model/batch.js';
import { readSafetensors } from '#lib/model/safetensors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { tfjsInNode } from '#release/browser-bundle.mjs';
import { embeddedModel, fixtures, packPadded, relativeDifference, root } from '../checkout.js';
import { trainingResults, type Case } from './tfjs-results.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(temporary, { recursive: true }));

const asJson = ({ inputIds, offsets }: ReturnType<typeof packTexts>, labels: number[]) => ({
  inputIds: [...inputIds],
  offsets: [...offsets],
  labels,
});

interface Family {
  inputIds: number[];
  lengths: number[];
  labels: number[];
}
const family = JSON.parse(fs.readFileSync(path.join(fixtures, 'family.json'), 'utf8')) as Record<string, Family>;
const cases: Case[] = Object.entries(family).map(([name, { inputIds, lengths, labels }]) => ({
  name,
  folder: path.join(fixtures, name),
  batches: [asJson(packPadded(inputIds, lengths), labels)],
  steps: 20,
}));

/** Batches of embedded reviews. */
async function embeddedBatches(): Promise<Case['batches']> {
  const { train } = await loadReviews('embedded', { seed: 42 });
  const model = TextClassifier.fromFolder(embeddedModel);
  const batches = [0, 1, 2, 3].map((i) => {
    const { ids, labels } = model.encode(train.slice(8 * i, 8 * i + 8), 128);
    return asJson(packTexts(ids), [...labels]);
  });
  model.dispose();
  return batches;
}
cases.push({ name: 'embedded', folder: embeddedModel, batches: await embeddedBatches(), steps: 20 });

const casesFile = path.join(temporary, 'cases.json');
fs.writeFileSync(casesFile, JSON.stringify(cases));
const program = path.join(temporary, 'program.mjs');
await esbuild.build({
  ...tfjsInNode,
  entryPoints: [path.join(root, 'test/dist/tensorflow/tfjs-program.js')],
  outfile: program,
});
const wasm = path.dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/dist/index.js'));
const { status, stdout, stderr } = spawnSync(process.execPath, [program, casesFile, `${wasm}/`], { encoding: 'utf8' });
assert.equal(status, 0, stderr);
console.log(stdout);

/** Tolerances, relative to the largest value. */
const tolerances = { logits: 1e-4, gradient: 1e-3, losses: 1e-3, norms: 1e-3, parameter: 1e-3 };

for (const each of cases)
  test(`${each.name}: logits, gradients and ${each.steps} steps on WASM are those of TensorFlow's library`, () => {
    const actual = readSafetensors(`${casesFile}.${each.name}.safetensors`);
    const expected = trainingResults(each);
    assert.deepEqual([...actual.keys()], [...expected.keys()]);
    for (const [name, { data }] of expected) {
      const difference = relativeDifference(actual.get(name)!.data, data);
      const kind = name.split(' ')[0] as keyof typeof tolerances;
      assert.ok(difference < tolerances[kind], `${name} differs by ${difference}`);
    }
  });
