// `npm run bench:serving -- --model RUN/model [--reviews FILE]`: measures `tunebook serve` and a FastAPI server with a
// transformers pipeline, with the same model and 32 concurrent clients, in alternating turns of one run.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';
import { servingFile, type ServingResults } from './results.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    reviews: { type: 'string', default: 'embedded' },
    clients: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '12' },
    turns: { type: 'string', default: '3' },
  },
});
if (!values.model) throw new Error('Missing model. Pass an exported one (tunebook export): --model runs/NAME/model');
const [model, clients, seconds, turns] = [
  path.resolve(values.model),
  Number(values.clients),
  Number(values.seconds),
  Number(values.turns),
];

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });

interface Side {
  name: string;
  child: ChildProcess;
  url: string;
  body: (sentence: string) => object;
  runs: autocannon.Result[];
}

async function startSide(
  name: string,
  command: (port: number) => string[],
  { health, route, body }: { health: string; route: string; body: Side['body'] },
): Promise<Side> {
  const port = await freePort();
  const [program, ...argv] = command(port) as [string, ...string[]];
  const child = spawn(program, argv, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const address = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${name} did not start; see its output above.`);
    try {
      if ((await fetch(address + health)).ok) break;
    } catch {
      // Not started yet.
    }
    await pause(200);
  }
  return { name, child, url: address + route, body, runs: [] };
}

const sentences = (await sampleReviews(await openReviews(values.reviews), { rows: 1000 })).map(({ text }) => text);
const program = path.join(root, 'lib/dist/cli/main.js');
const startTunebook = (precision: string) =>
  startSide(
    `tunebook serve, ${precision}`,
    (port) => [process.execPath, program, 'serve', model, '--port', String(port), '--precision', precision],
    { health: '/health/ready', route: '/model', body: (sentence) => ({ data: { sentence } }) },
  );
const sides = [
  await startTunebook('float32'),
  await startTunebook('int8'),
  await startSide(
    'FastAPI and transformers, float32',
    (port) => [findPyTorch(), path.join(root, 'test/bench/serving.py'), model, String(port)],
    { health: '/health', route: '/predict', body: (sentence) => ({ sentence }) },
  ),
];
try {
  const load = ({ url, body }: Side, duration: number) =>
    autocannon({
      url,
      duration,
      connections: clients,
      method: 'POST',
      timeout: 60,
      headers: { 'content-type': 'application/json' },
      requests: sentences.map((sentence) => ({ body: JSON.stringify(body(sentence)) })),
    });
  for (const side of sides) await load(side, 3);
  for (let turn = 0; turn < turns; turn++)
    for (const side of sides) {
      const result = await load(side, seconds);
      if (result.non2xx + result.errors + result.timeouts > 0)
        throw new Error(
          `${side.name}: ${result.non2xx} responses without status 2xx, ${result.errors} errors, ${result.timeouts} timeouts.`,
        );
      side.runs.push(result);
      console.log(
        `${side.name}: ${result.requests.average.toFixed(1)} requests/s, p50 ${result.latency.p50} ms, p99 ${result.latency.p99} ms`,
      );
    }
} finally {
  for (const { child } of sides) child.kill('SIGTERM');
}
const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
const results: ServingResults = {
  date: new Date().toISOString().slice(0, 10),
  machine: { processor: os.cpus()[0]!.model, cores: os.availableParallelism() },
  reviews: values.reviews === 'embedded' ? 'the embedded reviews' : path.basename(values.reviews),
  clients,
  sides: sides.map(({ name, runs }) => ({
    name,
    requestsPerSecond: median(runs.map(({ requests }) => requests.average)),
    p50: median(runs.map(({ latency }) => latency.p50)),
    p99: median(runs.map(({ latency }) => latency.p99)),
    turns: runs.map(({ requests }) => requests.average),
  })),
};
fs.writeFileSync(servingFile, `${JSON.stringify(results, null, 2)}\n`);
console.log(path.relative(root, servingFile));
