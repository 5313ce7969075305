// The precision that `auto` takes: by measured rates, kept per device, and measured again where what was kept is of no use.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  candidatePrecisions,
  choosePrecision,
  fastestPrecision,
  measureProductRates,
} from 'tunebook/tensorflow/precision.js';
import { root } from '../checkout.js';

const cache = path.join(root, '.tunebook/product-rates.json');
const before = fs.existsSync(cache) ? fs.readFileSync(cache) : undefined;
after(() => (before ? fs.writeFileSync(cache, before) : fs.rmSync(cache, { force: true })));

test('float32, unless another precision is at least a tenth faster', () => {
  const chosen = (float32: number, bfloat16: number) => fastestPrecision({ float32, bfloat16 }).precision;
  assert.equal(chosen(100e9, 109e9), 'float32');
  assert.equal(chosen(100e9, 111e9), 'bfloat16');
  // A CPU with AVX512-BF16 and without AMX.
  assert.deepEqual(fastestPrecision({ float32: 274e9, bfloat16: 169e9 }), {
    precision: 'float32',
    reason: '274 GFLOP/s in float32, 169 GFLOP/s in bfloat16',
  });
  // A T4.
  assert.equal(fastestPrecision({ float32: 4e12, float16: 25e12 }).precision, 'float16');
  assert.equal(fastestPrecision({ float32: 1 }).precision, 'float32');
});

test('each candidate is measured, in less than a second after the first products', () => {
  const candidates = candidatePrecisions();
  assert.equal(candidates[0], 'float32');
  const rates = measureProductRates(['float32'], { dim: 384, hidden_dim: 1536 });
  assert.deepEqual(Object.keys(rates), ['float32']);
  assert.ok(rates.float32! > 1e8, String(rates.float32));
});

test('a named precision is taken without measuring; auto is measured once and kept for the device and the widths', () => {
  fs.rmSync(cache, { force: true });
  assert.deepEqual(choosePrecision('bfloat16'), { precision: 'bfloat16' });
  assert.ok(!fs.existsSync(cache));
  const [first, again] = [choosePrecision('auto'), choosePrecision('auto')];
  assert.deepEqual(again, first);
  if (candidatePrecisions().length === 1) {
    assert.deepEqual(first, { precision: 'float32' });
    return;
  }
  const [[key, rates]] = Object.entries(JSON.parse(fs.readFileSync(cache, 'utf8')) as object) as [[string, object]];
  assert.match(key, /threads, TensorFlow 2\.\d+\.\d+, .*768, 3072$/);
  assert.deepEqual(Object.keys(rates), candidatePrecisions());
  // What is kept decides, whatever would be measured now.
  fs.writeFileSync(cache, JSON.stringify({ [key]: { float32: 2e9, bfloat16: 1e9 } }));
  assert.equal(choosePrecision('auto').precision, 'float32');
  fs.writeFileSync(cache, JSON.stringify({ [key]: { float32: 1e9, bfloat16: 2e9 } }));
  assert.equal(choosePrecision('auto').reason, '1 GFLOP/s in float32, 2 GFLOP/s in bfloat16');
  fs.writeFileSync(cache, '{"cut');
  assert.equal(choosePrecision('auto').reason?.split(',').length, 2);
});
