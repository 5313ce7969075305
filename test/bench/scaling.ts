/**
 * `npm run bench:scaling`: data-parallel training over 1, 2 and 4 ranks on one machine, with one core or one GPU per rank.
 * Prints the speedup, the cost of the all-reduce, and a prediction for GPUs that are connected by networks.
 *   --ranks 1,2,4            numbers of ranks; if there are fewer cores or GPUs, ranks share them
 *   --rows 16                rows per rank and step, of 128 tokens each
 *   --precision float32      float32 or bfloat16
 *   --rounds 5 --steps 3     number of turns, and steps per turn; medians are printed
 *   --gpu-rate 2000          rows per second of one GPU with --gpu-rows rows per step, for the prediction; default: the
 *                            measured rate if this machine has a GPU
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { environmentOfRank, visibleGpus } from '#lib/distributed/rank-environment.js';
import { inNamespace } from '../distributed/ranks.js';

const { values: options } = parseArgs({
  options: {
    ranks: { type: 'string', default: '1,2,4' },
    rows: { type: 'string', default: '16' },
    precision: { type: 'string', default: 'float32' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '3' },
    'gpu-rate': { type: 'string' },
    'gpu-rows': { type: 'string', default: '64' },
    inside: { type: 'boolean', default: false },
  },
});
if (!options.inside) {
  const [program, ...argv] = inNamespace([process.execPath, ...process.argv.slice(1), '--inside']);
  process.exit(spawnSync(program, argv, { stdio: 'inherit' }).status ?? 1);
}

const rows = Number(options.rows);
const gpus = visibleGpus();
const processors = gpus.length || os.availableParallelism();
const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Rank {
  child: ChildProcess;
  readAnswer: () => Promise<Record<string, number>>;
}

function startRank(addresses: string[], rank: number): Rank {
  const placement = { addresses, rank, localRank: rank, localSize: addresses.length };
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'scaling-rank.js');
  const command = [process.execPath, script, String(rows), options.precision];
  const [program, ...argv] = gpus.length > 0 ? command : ['taskset', '-c', String(rank % processors), ...command];
  const threads = gpus.length > 0 ? {} : { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' };
  const child = spawn(program!, argv, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...environmentOfRank(placement, gpus), ...threads, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]() as AsyncIterator<string>;
  return {
    child,
    readAnswer: async () => {
      const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
      if (done) throw new Error(`Rank ${rank} of ${addresses.length} has ended.`);
      return JSON.parse(value) as Record<string, number>;
    },
  };
}

const sizes = options.ranks.split(',').map(Number);
const groups: { size: number; ranks: Rank[]; bytes: number; summed: number[]; local: number[] }[] = [];
for (const [number, size] of sizes.entries()) {
  const addresses = Array.from({ length: size }, (_, rank) => `127.0.0.1:${22000 + 100 * number + rank}`);
  const ranks = addresses.map((_, rank) => startRank(addresses, rank));
  const ready = await Promise.all(ranks.map(({ readAnswer }) => readAnswer()));
  groups.push({ size, ranks, bytes: ready[0]!['ready']!, summed: [], local: [] });
}
// The groups alternate, so that other load on the machine affects all of them equally.
for (let round = 0; round < Number(options.rounds); round++)
  for (const group of groups)
    for (const mode of ['summed', 'local'] as const) {
      for (const { child } of group.ranks) child.stdin!.write(`${mode} ${options.steps}\n`);
      const answers = await Promise.all(group.ranks.map(({ readAnswer }) => readAnswer()));
      group[mode].push(Math.max(...answers.map(({ seconds }) => seconds!)) / Number(options.steps));
    }
for (const { ranks } of groups) for (const { child } of ranks) child.stdin!.end();

const results = groups.map(({ size, bytes, summed, local }) => {
  const [step, computing] = [median(summed), median(local)];
  return { size, bytes, step, computing, rate: (size * rows) / step };
});
const one = results.find(({ size }) => size === 1);
const table = (head: string[], lines: string[][]) =>
  [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
console.log(
  `\nDistilBERT-base's size, ${rows} rows of 128 tokens per rank, ${options.precision}, ${gpus.length > 0 ? 'one GPU' : 'one core'} per rank (${processors} available); medians of ${options.rounds} turns of ${options.steps} steps\n`,
);
console.log(
  table(
    ['ranks', 'rows/s', 'speedup', 'efficiency', 's per step', 's without all-reduce', 'all-reduce'],
    results.map(({ size, step, computing, rate }) => [
      String(size),
      rate.toFixed(2),
      one ? (rate / one.rate).toFixed(2) : '',
      one ? `${((100 * rate) / one.rate / Math.min(size, processors)).toFixed(0)} %` : '',
      step.toFixed(3),
      computing.toFixed(3),
      `${Math.max(0, 100 * (1 - computing / step)).toFixed(0)} %`,
    ]),
  ),
);

/** Bytes that each rank sends in a ring all-reduce (Patarasuk and Yuan, 2009). */
const sentBytes = (bytes: number, size: number) => (2 * bytes * (size - 1)) / size;
const several = results.find(({ size }) => size > 1);
if (several) {
  const { size, bytes, step, computing } = several;
  const seconds = Math.max(step - computing, 1e-9);
  console.log(
    `\n${(bytes / 1e6).toFixed(0)} MB of gradients; over ${size} ranks ${(sentBytes(bytes, size) / seconds / 1e9).toFixed(2)} GB/s per rank, counting only the time that is not hidden behind computation`,
  );
}

const bytes = results[0]!.bytes;
const gpuRate = Number(options['gpu-rate'] ?? (gpus.length > 0 && one ? one.rate : 2000));
const gpuRows = gpus.length > 0 && !options['gpu-rate'] ? rows : Number(options['gpu-rows']);
const computing = gpuRows / gpuRate;
/** Fraction of the network's bandwidth that an all-reduce reaches. */
const bandwidthEfficiency = 0.8;
/** Latency of a message between two machines, in seconds. */
const latency = 20e-6;
/** Fraction of a step's computation in the backward pass, with which the all-reduce can overlap. */
const backwardFraction = 2 / 3;
/** Fraction of the gradients that is computed last, the word embedding's; no computation is left to hide its all-reduce. */
const exposedFraction = (30522 * 768 * 4) / bytes;
const buckets = Math.ceil(bytes / (6.5 * 2 ** 20 * 4));
const exposedSeconds = (size: number, gigabits: number, overlaps: boolean) => {
  const sums =
    sentBytes(bytes, size) / ((gigabits * 1e9 * bandwidthEfficiency) / 8) + 2 * Math.log2(size) * buckets * latency;
  return overlaps ? Math.max(sums - backwardFraction * computing, exposedFraction * sums) : sums;
};
const networks = [10, 25, 100, 400];
console.log(
  `\nPredicted efficiency, one GPU per machine: ${gpuRate.toFixed(0)} rows/s of one GPU with ${gpuRows} rows per step; all-reduce at ${100 * bandwidthEfficiency} % of the bandwidth, in ${buckets} buckets of 2 log2(ranks) messages (NCCL's trees) of ${latency * 1e6} µs; from no overlap with the backward pass to maximum overlap\n`,
);
console.log(
  table(
    ['GPUs', ...networks.map((network) => `${network} Gbit/s`)],
    [8, 16, 32, 64].map((size) => [
      String(size),
      ...networks.map((network) =>
        [false, true]
          .map(
            (overlaps) => `${((100 * computing) / (computing + exposedSeconds(size, network, overlaps))).toFixed(0)} %`,
          )
          .join(' to '),
      ),
    ]),
  ),
);
