/**
 * `npm run bench:scaling`: data-parallel training over 1, 2 and 4 ranks on one machine, a core or a GPU each: how much
 * faster several are than one, what their sums cost, and what follows from that for GPUs on networks.
 *   --ranks 1,2,4            how many; more than there are cores or GPUs share them
 *   --rows 16                of a rank's share of a batch, 128 tokens each
 *   --precision float32      or bfloat16
 *   --rounds 5 --steps 3     turns of each, and updates in a turn; medians count
 *   --gpu-rate 2000          rows a second of one GPU with --gpu-rows a share, for the prediction; default: as measured here,
 *                            where there is a GPU
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
const units = gpus.length || os.availableParallelism();
const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Rank {
  child: ChildProcess;
  answer: () => Promise<Record<string, number>>;
}

function startRank(addresses: string[], rank: number): Rank {
  const place = { addresses, rank, localRank: rank, localSize: addresses.length };
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'scaling-rank.js');
  const command = [process.execPath, script, String(rows), options.precision];
  const [program, ...argv] = gpus.length > 0 ? command : ['taskset', '-c', String(rank % units), ...command];
  const one = gpus.length > 0 ? {} : { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' };
  const child = spawn(program!, argv, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...environmentOfRank(place, gpus), ...one, TF_CPP_MIN_LOG_LEVEL: '3' },
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]() as AsyncIterator<string>;
  return {
    child,
    answer: async () => {
      const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
      if (done) throw new Error(`Rank ${rank} of ${addresses.length} has ended.`);
      return JSON.parse(value) as Record<string, number>;
    },
  };
}

const sizes = options.ranks.split(',').map(Number);
const groups: { size: number; ranks: Rank[]; bytes: number; summed: number[]; alone: number[] }[] = [];
for (const [number, size] of sizes.entries()) {
  const addresses = Array.from({ length: size }, (_, rank) => `127.0.0.1:${22000 + 100 * number + rank}`);
  const ranks = addresses.map((_, rank) => startRank(addresses, rank));
  const ready = await Promise.all(ranks.map(({ answer }) => answer()));
  groups.push({ size, ranks, bytes: ready[0]!['ready']!, summed: [], alone: [] });
}
// Taking turns, so that what else the machine does falls on all alike.
for (let round = 0; round < Number(options.rounds); round++)
  for (const group of groups)
    for (const mode of ['summed', 'alone'] as const) {
      for (const { child } of group.ranks) child.stdin!.write(`${mode} ${options.steps}\n`);
      const answers = await Promise.all(group.ranks.map(({ answer }) => answer()));
      group[mode].push(Math.max(...answers.map(({ seconds }) => seconds!)) / Number(options.steps));
    }
for (const { ranks } of groups) for (const { child } of ranks) child.stdin!.end();

const found = groups.map(({ size, bytes, summed, alone }) => {
  const [step, computing] = [median(summed), median(alone)];
  return { size, bytes, step, computing, rate: (size * rows) / step };
});
const one = found.find(({ size }) => size === 1);
const table = (head: string[], lines: string[][]) =>
  [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
console.log(
  `\nDistilBERT-base's size, ${rows} rows of 128 tokens a rank, ${options.precision}, ${gpus.length > 0 ? 'one GPU' : 'one core'} a rank (${units} here); medians of ${options.rounds} turns of ${options.steps} updates\n`,
);
console.log(
  table(
    [
      'ranks',
      'rows a second',
      'times one rank',
      'efficiency',
      's an update',
      'of it without sums',
      'share of the sums',
    ],
    found.map(({ size, step, computing, rate }) => [
      String(size),
      rate.toFixed(2),
      one ? (rate / one.rate).toFixed(2) : '',
      one ? `${((100 * rate) / one.rate / Math.min(size, units)).toFixed(0)} %` : '',
      step.toFixed(3),
      computing.toFixed(3),
      `${Math.max(0, 100 * (1 - computing / step)).toFixed(0)} %`,
    ]),
  ),
);

/** Bytes that each rank sends: all but one share of the numbers, twice (Patarasuk and Yuan, 2009). */
const sentBytes = (bytes: number, size: number) => (2 * bytes * (size - 1)) / size;
const several = found.find(({ size }) => size > 1);
if (several) {
  const { size, bytes, step, computing } = several;
  const seconds = Math.max(step - computing, 1e-9);
  console.log(
    `\n${(bytes / 1e6).toFixed(0)} MB of gradients; over ${size} ranks ${(sentBytes(bytes, size) / seconds / 1e9).toFixed(2)} GB/s a rank beyond what computing hides`,
  );
}

const bytes = found[0]!.bytes;
const gpuRate = Number(options['gpu-rate'] ?? (gpus.length > 0 && one ? one.rate : 2000));
const gpuRows = gpus.length > 0 && !options['gpu-rate'] ? rows : Number(options['gpu-rows']);
const computing = gpuRows / gpuRate;
/** Of the line's rate, what sums get through. */
const reach = 0.8;
/** Seconds of a message between two machines. */
const latency = 20e-6;
/** Of an update, the backward pass, in which sums may run. */
const backward = 2 / 3;
/** Of the gradients, the last to come: the word embedding's, with nothing left to hide it. */
const last = (30522 * 768 * 4) / bytes;
const buckets = Math.ceil(bytes / (6.5 * 2 ** 20 * 4));
const seen = (size: number, gigabits: number, hides: boolean) => {
  const sums = sentBytes(bytes, size) / ((gigabits * 1e9 * reach) / 8) + 2 * Math.log2(size) * buckets * latency;
  return hides ? Math.max(sums - backward * computing, last * sums) : sums;
};
const networks = [10, 25, 100, 400];
console.log(
  `\nPredicted efficiency, one GPU a machine: ${gpuRate.toFixed(0)} rows a second of one GPU with ${gpuRows} rows a share, sums at ${100 * reach} % of the line's rate, in ${buckets} buckets of 2 log2(ranks) messages (NCCL's trees) of ${latency * 1e6} µs; from no sum hidden behind the backward pass to all hidden that can be\n`,
);
console.log(
  table(
    ['GPUs', ...networks.map((network) => `${network} Gbit/s`)],
    [8, 16, 32, 64].map((size) => [
      String(size),
      ...networks.map((network) =>
        [false, true]
          .map((hides) => `${((100 * computing) / (computing + seen(size, network, hides))).toFixed(0)} %`)
          .join(' to '),
      ),
    ]),
  ),
);
