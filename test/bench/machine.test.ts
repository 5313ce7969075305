// Names of CPUs and of their result files.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { describeProcessor } from './machine.js';
import { resultsFile } from './results.js';

const cpuinfo = (family: number, model: number, flags: string) =>
  `processor\t: 0\nvendor_id\t: X\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: X\nflags\t\t: fpu ${flags} sse\n`;

test('CPUs with the same name are distinguished by family, model number and instructions', () => {
  const names = [
    describeProcessor('AMD EPYC', cpuinfo(25, 17, 'avx2 avx512f avx512_bf16')),
    describeProcessor('AMD EPYC', cpuinfo(25, 1, 'avx2')),
    describeProcessor('Intel(R) Xeon(R) Processor', cpuinfo(6, 143, 'avx2 avx512f avx512_bf16 amx_bf16')),
    describeProcessor('arm64 CPU', 'CPU part\t: 0xd40\nFeatures\t: fp asimd bf16\n'),
    describeProcessor('Apple M2', ''),
  ];
  assert.deepEqual(names, [
    'AMD EPYC (family 25, model 17, bfloat16 by AVX-512)',
    'AMD EPYC (family 25, model 1, AVX2)',
    'Intel(R) Xeon(R) Processor (family 6, model 143, bfloat16 by AMX)',
    'arm64 CPU (part 0xd40, bfloat16 by NEON)',
    'Apple M2',
  ]);
  const files = names.map((processor) =>
    path.basename(resultsFile('speed', { processor, cores: 2, memoryBytes: 1, gpu: null }, '2.15.0')),
  );
  assert.equal(files[0], 'speed-amd-epyc-family-25-model-17-bfloat16-by-avx-512-pytorch-2.15.0.json');
  assert.equal(new Set(files).size, names.length);
});
