// `npm run bench:serving -- --model RUN/model [--reviews FILE]`: measures `tunebook serve`, Infinity, and a FastAPI server with
// a transformers pipeline, with the same model and 32 concurrent clients; and scoring the same texts without a server, next to
// onnxruntime called from Python. All in alternating turns of one run.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { onnxFiles } from '#lib/export/onnx-engine.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { describeDevice } from '#lib/tensorflow/device.js';
import { median } from '#lib/tensorflow/measurements.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { root } from '../checkout.js';
import { currentMachine } from './machine.js';
import { findInfinity, findPyTorch } from './pytorch-environment.js';
import { servingFile, type ServingResults } from './results.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    reviews: { type: 'string', default: 'embedded' },
    clients: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '12' },
    turns: { type: 'string', default: '3' },
    texts: { type: 'string', default: '2000' },
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
  peakBytes: number;
}

async function startSide(
  name: string,
  command: (port: number) => string[],
  { health, route, body }: { health: string; route: string; body: Side['body'] },
): Promise<Side> {
  const port = await freePort();
  const [program, ...argv] = command(port) as [string, ...string[]];
  // The peers need no hub: the model is a folder. Infinity would also report its use.
  const env = { ...process.env, HF_HUB_OFFLINE: '1', DO_NOT_TRACK: '1' };
  const child = spawn(program, argv, { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] });
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
  return { name, child, url: address + route, body, runs: [], peakBytes: 0 };
}

const program = path.join(root, 'lib/dist/cli/main.js');
const folder = path.join(root, '.tunebook/bench/serving');
const textsFile = path.join(folder, 'texts.json');

/** Copies the model with some of its ONNX files; it truncates texts to 512 tokens, as the peers do. */
function copyModel(name: string, files: string[]): string {
  const copy = path.join(folder, name);
  fs.rmSync(copy, { recursive: true, force: true });
  const isLeftOut = (from: string) => from.endsWith('.onnx') && !files.some((file) => from.endsWith(file));
  fs.cpSync(model, copy, { recursive: true, filter: (from) => !isLeftOut(from) });
  const preprocessing = path.join(copy, 'tunebook.json');
  const stored = JSON.parse(fs.readFileSync(preprocessing, 'utf8')) as object;
  fs.writeFileSync(preprocessing, JSON.stringify({ ...stored, maxLength }));
  return copy;
}

const maxLength = 512;
type Precision = keyof typeof onnxFiles;
const precisions: Precision[] = ['float32', 'int8'];

const whole = copyModel('model', Object.values(onnxFiles));
const tokenizer = loadTokenizer(whole);
const sentences = (await sampleReviews(await openReviews(values.reviews), { rows: Number(values.texts) }))
  .map(({ text }) => text)
  // Infinity does not truncate texts.
  .filter((text) => tokenizer.encode(text, maxLength + 1).length <= maxLength);
fs.writeFileSync(textsFile, JSON.stringify(sentences));

const startTunebook = (precision: Precision) =>
  startSide(
    `tunebook serve, ${precision}`,
    (port) => [process.execPath, program, 'serve', whole, '--port', String(port), '--precision', precision],
    { health: '/health/ready', route: '/model', body: (sentence) => ({ data: { sentence } }) },
  );
const startInfinity = (name: string, engine: string, files: string[]) => {
  const copy = copyModel(`infinity ${name}`.replaceAll(' ', '-'), files);
  const options = ['--model-id', copy, '--served-model-name', 'model', '--engine', engine, '--device', 'cpu'];
  return startSide(
    `Infinity, ${name}`,
    (port) => [
      path.join(path.dirname(findInfinity()), 'infinity_emb'),
      'v2',
      ...[...options, '--no-bettertransformer', '--no-model-warmup', '--host', '127.0.0.1', '--port', String(port)],
    ],
    { health: '/health', route: '/classify', body: (sentence) => ({ model: 'model', input: [sentence] }) },
  );
};
const sides = [
  ...(await inSequence(precisions, startTunebook)),
  await startInfinity('PyTorch float32', 'torch', []),
  await startInfinity('ONNX float32', 'optimum', [onnxFiles.float32]),
  await startInfinity('ONNX int8', 'optimum', [onnxFiles.int8]),
  await startSide(
    'FastAPI and transformers, float32',
    (port) => [findPyTorch(), path.join(root, 'test/bench/serving.py'), whole, String(port)],
    { health: '/health', route: '/predict', body: (sentence) => ({ sentence }) },
  ),
];

async function inSequence<Item, Result>(items: Item[], run: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await run(item));
  return results;
}

/** Peak resident memory of a process in bytes. */
const peakBytes = (pid: number) =>
  1024 * Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

try {
  const load = ({ url, body }: Side, duration: number) => {
    let client = 0;
    return autocannon({
      url,
      duration,
      connections: clients,
      method: 'POST',
      timeout: 60,
      headers: { 'content-type': 'application/json' },
      // Each client sends its own share of the texts. Otherwise all would send the same text at the same time.
      setupClient(each) {
        const share = sentences.filter((_, i) => i % clients === client);
        client++;
        each.setRequests(share.map((sentence) => ({ body: JSON.stringify(body(sentence)) })));
      },
    });
  };
  for (const side of sides) await load(side, 3);
  for (let turn = 0; turn < turns; turn++)
    for (const side of sides) {
      const result = await load(side, seconds);
      if (result.non2xx + result.errors + result.timeouts > 0)
        throw new Error(
          `${side.name}: ${result.non2xx} responses without status 2xx, ${result.errors} errors, ${result.timeouts} timeouts.`,
        );
      side.runs.push(result);
      side.peakBytes = peakBytes(side.child.pid!);
      console.log(
        `${side.name}: ${result.requests.average.toFixed(1)} requests/s, p50 ${result.latency.p50} ms, p99 ${result.latency.p99} ms`,
      );
    }
} finally {
  for (const { child } of sides) child.kill('SIGTERM');
}

// Scoring a list of texts, without a server.
const scorers = await inSequence(
  precisions.flatMap((precision) => [
    {
      name: `tunebook, ${precision}`,
      command: [process.execPath, path.join(root, 'test/dist/bench/score-texts.js'), whole, precision, textsFile],
    },
    ...['4', '32'].map((batch) => ({
      name: `onnxruntime in Python, ${precision}, batches of ${batch}`,
      command: [
        findInfinity(),
        path.join(root, 'test/bench/score-texts.py'),
        whole,
        onnxFiles[precision],
        textsFile,
        batch,
      ],
    })),
  ]),
  async ({ name, command: [command, ...argv] }) => {
    const child = spawn(command!, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => ((await lines.next()) as IteratorResult<string, string>).value;
    await next();
    return { name, child, next, times: [] as number[] };
  },
);
for (let turn = 0; turn < turns; turn++)
  for (const { name, child, next, times } of scorers) {
    child.stdin.write('\n');
    times.push(Number(await next()));
    console.log(`${name}: ${(sentences.length / times.at(-1)!).toFixed(1)} texts/s`);
  }

const results: ServingResults = {
  date: new Date().toISOString().slice(0, 10),
  machine: currentMachine(describeDevice()),
  reviews: values.reviews === 'embedded' ? 'the embedded reviews' : path.basename(values.reviews),
  texts: sentences.length,
  clients,
  sides: sides.map((side) => ({
    name: side.name,
    requestsPerSecond: median(side.runs.map(({ requests }) => requests.average)),
    p50: median(side.runs.map(({ latency }) => latency.p50)),
    p99: median(side.runs.map(({ latency }) => latency.p99)),
    peakBytes: side.peakBytes,
    turns: side.runs.map(({ requests }) => requests.average),
  })),
  scorers: scorers.map(({ name, child, times }) => {
    const bytes = peakBytes(child.pid!);
    child.stdin.end();
    return { name, textsPerSecond: sentences.length / median(times), peakBytes: bytes };
  }),
};
fs.writeFileSync(servingFile, `${JSON.stringify(results, null, 2)}\n`);
console.log(path.relative(root, servingFile));
