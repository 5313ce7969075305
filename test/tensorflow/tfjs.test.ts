/** Parity of tfjs's WASM backend with TensorFlow's library: the same code and weights, bundled as for a browser. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Tensor } from '@tensorflow/tfjs';
import esbuild from 'esbuild';
import { packTexts } from '#lib/model/batch.js';
import { readSafetensors, type StoredTensor } from '#lib/model/safetensors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import type { ResourceVariable } from '#lib/tensorflow/variables.js';
import { tfjsInNode } from '#browser/bundle.mjs';
import { embeddedModel, fixtures, packPadded, root } from '../checkout.js';
import { trainingResults, type Case } from './tfjs-results.js';

/** Is an error of the compiler if a module of tfjs does not have what the library's code imports from the one that it replaces. */
type Replaces<Expected, _Actual extends Expected> = true;
type Variable = Omit<ResourceVariable, 'handle'>;
export type Interface = [
  Replaces<typeof import('#lib/tensorflow/kernels.js'), typeof import('#lib/tensorflow/tfjs/kernels.js')>,
  Replaces<
    Omit<typeof import('#lib/tensorflow/fused-kernels.js'), 'kernelLevel' | 'kernelLevels'>,
    typeof import('#lib/tensorflow/tfjs/fused-kernels.js')
  >,
  Replaces<
    Pick<typeof import('#lib/tensorflow/function.js'), 'tensorFunction' | 'capturesGraphs'>,
    typeof import('#lib/tensorflow/tfjs/function.js')
  >,
  Replaces<
    Pick<typeof import('#lib/tensorflow/precision.js'), 'choosePrecision'>,
    typeof import('#lib/tensorflow/tfjs/precision.js')
  >,
  Replaces<
    { ResourceVariable: new (initial: Tensor) => Variable; zerosVariable: (shape: number[]) => Variable },
    typeof import('#lib/tensorflow/tfjs/variables.js')
  >,
  Replaces<
    Pick<typeof import('#lib/tensorflow/runtime.js'), 'nativeType'> & {
      backend: { isUsingGpuDevice: boolean };
      binding: { TF_FLOAT: number };
    },
    typeof import('#lib/tensorflow/tfjs/runtime.js')
  >,
];

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
const { status, stderr } = spawnSync(process.execPath, [program, casesFile, `${wasm}/`], { encoding: 'utf8' });
assert.equal(status, 0, stderr);

/** Maximum differences, relative to the largest value of the same kind. */
const tolerances = { logits: 1e-5, gradient: 1e-5, losses: 1e-4, norms: 1e-4, parameter: 1e-3 };

/**
 * The maximum difference of all values of a kind, relative to the largest one: the gradients of some parameters are 0 but for
 * rounding. NaN counts as infinite.
 */
function differenceOf(actual: Map<string, StoredTensor>, expected: Map<string, StoredTensor>, kind: string): number {
  let [difference, size] = [0, 0];
  for (const [name, { data }] of expected) {
    if (!name.startsWith(kind)) continue;
    const other = actual.get(name)!.data;
    for (let i = 0; i < data.length; i++) {
      const each = Math.abs(other[i]! - data[i]!);
      difference = Math.max(difference, Number.isNaN(each) ? Infinity : each);
      size = Math.max(size, Math.abs(data[i]!));
    }
  }
  return difference / size;
}

for (const each of cases)
  test(`${each.name}: logits, gradients and ${each.steps} steps on WASM are those of TensorFlow's library`, async () => {
    const actual = readSafetensors(`${casesFile}.${each.name}.safetensors`);
    const expected = await trainingResults(each);
    assert.deepEqual([...actual.keys()], [...expected.keys()]);
    for (const [kind, tolerance] of Object.entries(tolerances)) {
      const difference = differenceOf(actual, expected, kind);
      assert.ok(difference < tolerance, `${kind}: ${difference}`);
    }
  });
