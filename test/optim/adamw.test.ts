// AdamW against torch.optim.AdamW with clip_grad_norm_: parameters and moments, also after loading PyTorch's moments (fixtures/adamw.py).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Tensor } from '@tensorflow/tfjs';
import { AdamW, clipFactor, globalNorm } from '#lib/optim/adamw.js';
import { hasFusedKernels } from '#lib/tensorflow/fused-kernels.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { ResourceVariable } from '#lib/tensorflow/variables.js';
import { root } from '../checkout.js';

type ByName<Value> = Record<string, Value>;
interface State {
  value: number[];
  exp_avg: number[];
  exp_avg_sq: number[];
}
const reference = JSON.parse(fs.readFileSync(path.join(root, 'test/fixtures/adamw.json'), 'utf8')) as {
  settings: { learningRate: number; weightDecay: number; maxGradNorm: number };
  shapes: ByName<number[]>;
  start: ByName<number[]>;
  gradients: ByName<number[]>[];
  states: Record<'3' | '6', ByName<State>>;
};
const { settings, shapes, gradients, states } = reference;

/** Parameters with an optimizer, and the steps of the reference from one to another. */
function optimizerOf(values: ByName<number[]>, fused: boolean) {
  // TensorFlow's kernel computes 1 - beta2 in float32, with a relative error of 1.3e-5.
  const tolerance = fused ? 2e-6 : 2e-5;
  const parameters = new Map(
    Object.entries(values).map(([name, value]) => [name, new ResourceVariable(tf.tensor(value, shapes[name]))]),
  );
  const optimizer = new AdamW(parameters, { weightDecay: settings.weightDecay, fused });
  const run = (from: number, to: number) => {
    for (const step of gradients.slice(from, to)) {
      tf.tidy(() => {
        const given = new Map(
          Object.entries(step).map(([name, value]): [string, Tensor] => [name, tf.tensor(value, shapes[name])]),
        );
        optimizer.apply(given, {
          learningRate: tf.scalar(settings.learningRate),
          ...optimizer.corrections(),
          factor: clipFactor(globalNorm(given, fused), settings.maxGradNorm),
          finite: tf.scalar(true, 'bool'),
        });
      });
      optimizer.applied();
    }
  };
  const assertIs = (expected: ByName<State>) => {
    const { tensors } = optimizer.state();
    for (const [name, { value, exp_avg, exp_avg_sq }] of Object.entries(expected))
      for (const [found, wanted] of [
        [parameters.get(name)!.data(), value],
        [tensors.get(`exp_avg.${name}`)!.data, exp_avg],
        [tensors.get(`exp_avg_sq.${name}`)!.data, exp_avg_sq],
      ] as const) {
        const largest = Math.max(...wanted.map(Math.abs));
        wanted.forEach((number, i) =>
          assert.ok(Math.abs(found[i]! - number) <= tolerance * largest, `${name}: ${found[i]} ${number}`),
        );
      }
  };
  return { optimizer, run, assertIs };
}

for (const fused of hasFusedKernels ? [true, false] : [false]) {
  const kernel = fused ? 'the fused kernel' : "TensorFlow's kernel";
  test(`clipped steps with ${kernel}: parameters, exp_avg and exp_avg_sq are PyTorch's`, () => {
    const { run, assertIs, optimizer } = optimizerOf(reference.start, fused);
    run(0, 3);
    assertIs(states[3]);
    run(3, 6);
    assertIs(states[6]);
    optimizer.dispose();
  });

  test(`moments loaded from PyTorch continue with ${kernel} as in PyTorch`, () => {
    const values = Object.fromEntries(Object.entries(states[3]).map(([name, { value }]) => [name, value]));
    const { run, assertIs, optimizer } = optimizerOf(values, fused);
    const stored = (kind: 'exp_avg' | 'exp_avg_sq') =>
      Object.entries(states[3]).map(([name, state]) => [
        `${kind}.${name}`,
        { shape: shapes[name]!, data: Float32Array.from(state[kind]) },
      ]) as [string, { shape: number[]; data: Float32Array<ArrayBuffer> }][];
    optimizer.restore({ steps: 3 }, new Map([...stored('exp_avg'), ...stored('exp_avg_sq')]));
    run(3, 6);
    assertIs(states[6]);
    optimizer.dispose();
  });
}
