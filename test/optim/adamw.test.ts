/**
 * Parity of AdamW with torch.optim.AdamW after clip_grad_norm_: parameters and moments, also after loading moments from
 * PyTorch. test/fixtures/adamw.py writes the fixture.
 */
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
  scaledStates: Record<'3' | '6', ByName<State>>;
};
const { settings, shapes, gradients, states, scaledStates } = reference;

/** An optimizer for parameters with these values; `run` takes steps of the reference, `assertState` compares. */
function optimizerOf(values: ByName<number[]>, fused: boolean, learningRateFactors?: Map<string, number>) {
  // TensorFlow's kernel computes 1 - beta2 in float32, with a relative error of 1.3e-5.
  const tolerance = fused ? 2e-6 : 2e-5;
  const parameters = new Map(
    Object.entries(values).map(([name, value]) => [name, new ResourceVariable(tf.tensor(value, shapes[name]))]),
  );
  const optimizer = new AdamW(parameters, {
    weightDecay: settings.weightDecay,
    fused,
    ...(learningRateFactors && { learningRateFactors }),
  });
  const run = (from: number, to: number) => {
    for (const step of gradients.slice(from, to)) {
      tf.tidy(() => {
        const tensors = new Map(
          Object.entries(step).map(([name, value]): [string, Tensor] => [name, tf.tensor(value, shapes[name])]),
        );
        optimizer.apply(tensors, {
          learningRate: tf.scalar(settings.learningRate),
          ...optimizer.corrections(),
          factor: clipFactor(globalNorm(tensors, fused), settings.maxGradNorm),
          finite: tf.scalar(true, 'bool'),
        });
      });
      optimizer.applied();
    }
  };
  const assertState = (expected: ByName<State>) => {
    const { tensors } = optimizer.state();
    for (const [name, { value, exp_avg, exp_avg_sq }] of Object.entries(expected))
      for (const [actual, reference] of [
        [parameters.get(name)!.data(), value],
        [tensors.get(`exp_avg.${name}`)!.data, exp_avg],
        [tensors.get(`exp_avg_sq.${name}`)!.data, exp_avg_sq],
      ] as const) {
        const largest = Math.max(...reference.map(Math.abs));
        reference.forEach((number, i) =>
          assert.ok(Math.abs(actual[i]! - number) <= tolerance * largest, `${name}: ${actual[i]} against ${number}`),
        );
      }
  };
  return { optimizer, run, assertState };
}

for (const fused of hasFusedKernels ? [true, false] : [false]) {
  const kernel = fused ? 'the fused kernel' : "TensorFlow's kernel";
  test(`clipped steps with ${kernel} give PyTorch's parameters, exp_avg and exp_avg_sq`, () => {
    const { run, assertState, optimizer } = optimizerOf(reference.start, fused);
    run(0, 3);
    assertState(states[3]);
    run(3, 6);
    assertState(states[6]);
    optimizer.dispose();
  });

  test(`parameters with a learning rate of their own, with ${kernel}, are PyTorch's`, () => {
    const { run, assertState, optimizer } = optimizerOf(reference.start, fused, new Map([['dense.weight', 0.3]]));
    run(0, 3);
    assertState(scaledStates[3]);
    run(3, 6);
    assertState(scaledStates[6]);
    optimizer.dispose();
  });

  test(`steps with ${kernel} after loading PyTorch's moments give PyTorch's parameters and moments`, () => {
    const values = Object.fromEntries(Object.entries(states[3]).map(([name, { value }]) => [name, value]));
    const { run, assertState, optimizer } = optimizerOf(values, fused);
    const stored = (kind: 'exp_avg' | 'exp_avg_sq') =>
      Object.entries(states[3]).map(([name, state]) => [
        `${kind}.${name}`,
        { shape: shapes[name]!, data: Float32Array.from(state[kind]) },
      ]) as [string, { shape: number[]; data: Float32Array<ArrayBuffer> }][];
    optimizer.restore({ steps: 3 }, new Map([...stored('exp_avg'), ...stored('exp_avg_sq')]));
    run(3, 6);
    assertState(states[6]);
    optimizer.dispose();
  });
}
