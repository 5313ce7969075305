// `npm run test:arm64`: checks Tunebook on Linux arm64. Builds environment.Dockerfile for arm64, which is a complete setup of a
// clean checkout. Inside it runs the doctor, the tests of the kernels and of parity with PyTorch, and a few training steps. On
// another processor, qemu emulates arm64 (apt-get install qemu-user-static binfmt-support), at a small fraction of the speed
// of a real machine. Needs root, buildah and debootstrap.
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { ownArchitecture } from './debian.js';
import { buildImage } from './image.js';

/** Checks of the doctor that exceed its timeout under emulation: importing JupyterLab alone takes two minutes. */
const slowChecks = ownArchitecture === 'arm64' ? 'venv kernel product' : '';

/** Commands that run inside the image, in this order. */
const checks = {
  versions:
    'uname -sm; node --version; npm --version; python3 --version; g++ --version | head -1; ldd --version | head -1',
  doctor: `tunebook doctor system node npm python compiler packages tensorflow addon embedded ${slowChecks}`,
  'tests of the kernels and of parity with PyTorch': 'npm test -- fused-kernels kernel-levels parity',
  'a few training steps':
    'tunebook finetune --source embedded --rows 60 --max-train-samples 16 --train-batch-size 4 --eval-batch-size 4 --max-steps 4 ' +
    '--precision float32 --run-folder /tmp/run',
};

const machine =
  ownArchitecture === 'arm64'
    ? (os.cpus()[0]?.model ?? 'arm64')
    : `${spawnSync('qemu-aarch64-static', ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0]} on ${os.cpus()[0]?.model}`;
const image = buildImage('cpu', 'arm64');
const durations: [name: string, seconds: number][] = [
  ['setup (building the image; 0 s if its layers are cached)', image.seconds],
];
const failed: string[] = [];
try {
  for (const [name, command] of Object.entries(checks)) {
    const started = performance.now();
    try {
      image.inside(command);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      failed.push(name);
    }
    durations.push([name, Math.round((performance.now() - started) / 1000)]);
  }
} finally {
  image.close();
}
console.log(`\n${machine}, ${os.availableParallelism()} cores\n${image.description}`);
for (const [name, seconds] of durations)
  console.log(`${failed.includes(name) ? 'FAILED' : 'passed'}  ${seconds} s  ${name}`);
if (failed.length > 0) process.exitCode = 1;
