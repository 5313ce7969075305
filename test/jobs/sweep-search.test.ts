// What `tunebook sweep` samples and prunes: search spaces, and parity with Optuna's TPESampler, MedianPruner and SuccessiveHalvingPruner.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SettingsError } from '#lib/errors.js';
import {
  parzenEstimator,
  splitTrials,
  type ChoiceDensity,
  type NumberDensity,
  type ObservedTrial,
} from '#lib/jobs/parzen-estimator.js';
import { reasonToPrune } from '#lib/jobs/pruner.js';
import { sampleValues, type SampledTrial } from '#lib/jobs/sampler.js';
import {
  describeDimension,
  readDimension,
  valueAt,
  type Dimension,
  type NumberRange,
  type SearchSpace,
} from '#lib/jobs/search-space.js';
import type { SettingName } from '#lib/settings/settings.js';
import { root } from '../checkout.js';
import { failure } from '../failure.js';

type Estimator = Pick<NumberDensity, 'weights' | 'means' | 'bandwidths'> & Pick<ChoiceDensity, 'probabilities'>;

interface Fixture {
  tpe: {
    trials: (ObservedTrial & { positions: Record<string, number> })[];
    best: number[];
    settings: Record<string, { good: Estimator; bad: Estimator; positions: number[]; ratios: number[] }>;
  }[];
  median: { warmup: number; trials: { evaluations: number[]; pruned: number | null }[] }[];
  asha: { evaluations: number[]; pruned: number | null }[];
}

const optuna = JSON.parse(fs.readFileSync(path.join(root, 'test/fixtures/sweep.json'), 'utf8')) as Fixture;

/** The search space of test/fixtures/sweep.py. */
const space: Record<string, Dimension> = {
  learningRate: readDimension('learningRate', '1e-5..1e-3'),
  warmupSteps: readDimension('warmupSteps', '0..0.5'),
  freeze: readDimension('freeze', '1..6'),
  batchSize: readDimension('batchSize', '4..256:log'),
  lrSchedulerType: readDimension('lrSchedulerType', 'linear,cosine,constant'),
};

function assertClose(actual: number[], expected: number[], name: string) {
  assert.equal(actual.length, expected.length, name);
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
  assert.ok(worst < 1e-9, `${name} differ by ${worst}`);
}

test("Parzen estimators and density ratios equal those of Optuna's TPESampler", () => {
  for (const { trials, best, settings } of optuna.tpe) {
    const split = splitTrials(trials);
    assert.deepEqual(
      split.best.map(({ number }) => number),
      best,
    );
    for (const [name, { good, bad, positions, ratios }] of Object.entries(settings)) {
      const [l, g] = [split.best, split.others].map((group) =>
        parzenEstimator(
          space[name]!,
          group.map((trial) => trial.positions[name]!),
        ),
      ) as [NumberDensity & ChoiceDensity, NumberDensity & ChoiceDensity];
      for (const part of ['weights', 'means', 'bandwidths', 'probabilities'] as const)
        for (const [ours, theirs] of [
          [l, good],
          [g, bad],
        ] as const)
          assertClose(ours[part] ?? [], theirs[part] ?? [], `${trials.length} trials: ${part} of ${name}`);
      assertClose(
        positions.map((position) => l.logDensity(position) - g.logDensity(position)),
        ratios,
        `${trials.length} trials: log-density ratios of ${name}`,
      );
    }
  }
});

/** Runs trials one after the other, as the fixture's script does. @returns the evaluation at which each one is pruned */
function decisions(trials: Fixture['asha'], name: 'median' | 'asha', warmup: number): (number | null)[] {
  return trials.map(({ evaluations }, i) => {
    const before = trials
      .slice(0, i)
      .map((trial) => ({ state: trial.pruned ? 'pruned' : 'completed', evaluations: trial.evaluations }));
    const reached = evaluations.findIndex((_, k) =>
      reasonToPrune({ name, warmup }, evaluations.slice(0, k + 1), before),
    );
    return reached < 0 ? null : reached + 1;
  });
}

test("runs are pruned at the evaluations at which Optuna's MedianPruner and SuccessiveHalvingPruner prune", () => {
  const expected = (trials: Fixture['asha']) => trials.map(({ pruned }) => pruned);
  for (const { warmup, trials } of optuna.median)
    assert.deepEqual(decisions(trials, 'median', warmup), expected(trials), `warmup ${warmup}`);
  assert.deepEqual(decisions(optuna.asha, 'asha', 0), expected(optuna.asha));
  assert.equal(
    reasonToPrune({ name: 'none', warmup: 0 }, [0.1], [{ state: 'completed', evaluations: [0.9] }]),
    undefined,
  );
});

test('a range has the scale and the integers of its setting; other settings have choices', () => {
  const range = (setting: SettingName, text: string) => readDimension(setting, text) as NumberRange;
  assert.deepEqual(range('learningRate', '1e-5..1e-3'), { low: 1e-5, high: 1e-3, scale: 'log', integers: false });
  assert.deepEqual(range('weightDecay', '0..0.1:linear'), { low: 0, high: 0.1, scale: 'linear', integers: false });
  assert.deepEqual(range('batchSize', ' 8..64:log '), { low: 8, high: 64, scale: 'log', integers: true });
  assert.deepEqual(range('freeze', '1..6'), { low: 1, high: 6, scale: 'linear', integers: true });
  assert.equal(describeDimension(range('learningRate', '1e-5..1e-3')), '0.00001..0.001:log');
  assert.deepEqual(readDimension('model', '../a..b'), ['../a..b'], 'a path is not a range');
  assert.deepEqual(readDimension('learningRate', '1e-5, 3e-5'), ['1e-5', '3e-5']);
});

test('what cannot be a range is rejected', () => {
  const rejected: [SettingName, string][] = [
    ['learningRate', '1e-3..1e-5'],
    ['learningRate', '1e-5..1e-5'],
    ['learningRate', '1e-5..2'],
    ['learningRate', '1e-5..'],
    ['learningRate', '1e-5..1e-4,1e-3'],
    ['learningRate', '1e-5..1e-3:exp'],
    ['weightDecay', '0..0.1'],
    ['batchSize', '8..16.5'],
    ['rows', '-1..100'],
    ['freeze', 'none..3'],
    ['warmupSteps', '0.1..100'],
  ];
  for (const [name, value] of rejected)
    assert.throws(
      () => readDimension(name, value),
      failure(SettingsError, 'SETTING_INVALID', { name, value }),
      `${name} ${value}`,
    );
});

test('sampled values are readable and never outside their range', () => {
  const lr = readDimension('learningRate', '1.23436e-5..1e-3') as NumberRange;
  assert.equal(valueAt(lr, Math.log(3.14159e-5)), '3.142e-5');
  assert.equal(valueAt(lr, Math.log(1.23436e-5)), '1.23436e-5', 'rounding does not leave the range');
  assert.equal(valueAt(readDimension('adamBeta2', '0.99..0.999') as NumberRange, 0.99412345), '0.994123');
  assert.equal(valueAt(readDimension('batchSize', '8..64') as NumberRange, 64.5), '64');
  const sizes = readDimension('maxLength', '16..64:log') as NumberRange;
  const texts = Array.from({ length: 200 }, (_, number) =>
    sampleValues('random', { maxLength: sizes, learningRate: lr }, 1, number, []),
  );
  const lengths = texts.map(({ maxLength }) => Number(maxLength));
  assert.ok(lengths.every((length) => Number.isInteger(length) && length >= 16 && length <= 64));
  const below = lengths.filter((length) => length < 32).length;
  assert.ok(below > 80 && below < 120, `half of a logarithmic range is below its geometric mean: ${below} of 200`);
  assert.ok(texts.every(({ learningRate }) => Number(learningRate) >= lr.low && Number(learningRate) <= lr.high));
});

/** Accuracies of a function whose best values are 1e-4, 32 and cosine. */
function sweepOf(sampler: 'random' | 'tpe', seed: number, trials: number): SampledTrial[] {
  const searched: SearchSpace = {
    learningRate: readDimension('learningRate', '1e-6..1e-2'),
    batchSize: readDimension('batchSize', '8..128:log'),
    lrSchedulerType: ['linear', 'cosine', 'constant'],
  };
  const done: SampledTrial[] = [];
  for (let number = 0; number < trials; number++) {
    const values = sampleValues(sampler, searched, seed, number, done);
    const distance =
      Math.log10(Number(values.learningRate) / 1e-4) ** 2 + Math.log2(Number(values.batchSize) / 32) ** 2 / 4;
    const value = 1 - 0.05 * distance - (values.lrSchedulerType === 'cosine' ? 0 : 0.05);
    done.push({ number, values, state: 'completed', value, evaluations: [value] });
  }
  return done;
}

test('values depend on seed, number and trials only; TPE is random for 10 trials and then finds better ones', () => {
  assert.deepEqual(sweepOf('tpe', 1, 25), sweepOf('tpe', 1, 25));
  assert.notDeepEqual(sweepOf('random', 1, 5), sweepOf('random', 2, 5));
  assert.deepEqual(sweepOf('tpe', 1, 10), sweepOf('random', 1, 10));
  const mean = (sampler: 'random' | 'tpe') =>
    Array.from({ length: 20 }, (_, seed) => Math.max(...sweepOf(sampler, seed, 40).map(({ value }) => value!))).reduce(
      (a, b) => a + b,
      0,
    ) / 20;
  const [random, tpe] = [mean('random'), mean('tpe')];
  assert.ok(tpe > random + 0.005, `best value of 40 trials, mean of 20 seeds: TPE ${tpe}, random ${random}`);
});
