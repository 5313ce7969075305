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
import { readSafetensors, type StoredTensor } from '#lib/model/safetensors.js';
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

/** Batches of embedded reviews. Their masks of dropout are the same: the longest text has 32 tokens, to which graphs pad. */
async function embeddedBatches(): Promise<Case['batches']> {
  const { train } = await loadReviews('embedded', { seed: 42 });
  const model = TextClassifier.fromFolder(embeddedModel);
  const encoded = Array.from({ length: 10 }, (_, i) => model.encode(train.slice(4 * i, 4 * i + 4), 32));
  const batches = encoded
    .filter(({ ids }) => ids.some(({ length }) => length === 32))
    .slice(0, 3)
    .map(({ ids, labels }) => asJson(packTexts(ids), [...labels]));
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

/** Maximum differences, relative to the largest value of the same kind. */
const tolerances = { logits: 1e-4, gradient: 1e-3, losses: 1e-3, norms: 1e-3, parameter: 1e-3 };

/** All values of a kind, one after another. The gradients of some parameters are 0 but for rounding. */
const valuesOf = (results: Map<string, StoredTensor>, kind: string) =>
  [...results].filter(([name]) => name.startsWith(kind)).flatMap(([, { data }]) => Array.from(data));

for (const each of cases)
  test(`${each.name}: logits, gradients and ${each.steps} steps on WASM are those of TensorFlow's library`, () => {
    const actual = readSafetensors(`${casesFile}.${each.name}.safetensors`);
    const expected = trainingResults(each);
    assert.deepEqual([...actual.keys()], [...expected.keys()]);
    for (const [kind, tolerance] of Object.entries(tolerances)) {
      const difference = relativeDifference(valuesOf(actual, kind), valuesOf(expected, kind));
      assert.ok(difference < tolerance, `${kind}: ${difference}`);
    }
  });
