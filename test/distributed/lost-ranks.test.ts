// Ranks that are killed, freeze, never start, or have different settings: all ranks end soon, with a message that names
// the rank.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { finetuneTiny, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { main, startRanks, type PlannedSignal, type RankCommand } from './ranks.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lost-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'), 0);
writeStarsCsv(inFolder('stars.csv'));

const finetune = (run: string, ...more: string[]): RankCommand => ({
  argv: [main, ...finetuneTiny(folder, run, '--precision', 'float32', ...more)],
});
const endless = ['--epochs', '2000', '--early-stopping-patience', '0', '--save-steps', '20'];
const losses = (run: string) => recordsOf(readJournal(inFolder(run))).map(({ loss }) => loss);

test('a killed rank ends the other, which names it; the chief stores the reason', async () => {
  const signal: PlannedSignal = { rank: 1, signal: 'SIGKILL', after: 'step 1/', delay: 1500 };
  const [chief, other] = await startRanks([finetune('killed', ...endless), finetune('killed', ...endless)], {
    signals: [signal],
  });
  assert.equal(other!.signal, 'SIGKILL');
  assert.equal(chief!.code, 138, chief!.output);
  assert.ok(chief!.secondsSinceSignals[0]! < 15, `${chief!.secondsSinceSignals[0]} s`);
  assert.match(chief!.output, /rank 1 \(worker 1, 127\.0\.0\.1:21001\) was lost: .*Restart all of them with --resume/);
  const { status } = new RunFolder(inFolder('killed'));
  assert.deepEqual([status?.state, status?.exitCode], ['failed', 138]);
});

test('a stopped chief counts as lost; it ends too when it continues', async () => {
  const [chief, other] = await startRanks([finetune('stopped', ...endless), finetune('stopped', ...endless)], {
    signals: [
      { rank: 0, signal: 'SIGSTOP', after: 'step 1/', delay: 1500 },
      { rank: 0, signal: 'SIGCONT', after: 'was lost', delay: 1000 },
    ],
  });
  assert.equal(other!.code, 138, other!.output);
  assert.match(other!.output, /rank 0 \(worker 0, 127\.0\.0\.1:21000\) was lost: it sends no heartbeats/);
  assert.ok(other!.secondsSinceSignals[0]! < 15);
  assert.equal(chief!.code, 138, chief!.output);
  assert.match(chief!.output, /rank 1 .* was lost/);
  assert.ok(chief!.secondsSinceSignals[1]! < 15);
});

test('a signal to one rank ends all after the same step; another number of ranks can resume', async () => {
  const epochs = ['--epochs', '6', '--early-stopping-patience', '0'];
  const [uninterrupted] = await startRanks([finetune('uninterrupted', ...epochs)]);
  assert.equal(uninterrupted!.code, 0, uninterrupted!.output);

  const resume = [...epochs, '--resume'];
  const signal: PlannedSignal = { rank: 1, signal: 'SIGTERM', after: 'validation loss' };
  const stopped = await startRanks([finetune('elastic', ...resume), finetune('elastic', ...resume)], {
    signals: [signal],
  });
  for (const rank of stopped) assert.equal(rank!.code, 143, rank!.output);
  const stoppedAt = losses('elastic').length;
  assert.ok(stoppedAt > 0 && stoppedAt < losses('uninterrupted').length, `stopped after ${stoppedAt} steps`);

  const three = await startRanks(Array.from({ length: 3 }, () => finetune('elastic', ...resume)));
  for (const rank of three) assert.equal(rank!.code, 0, rank!.output);
  const [expected, actual] = [losses('uninterrupted'), losses('elastic')];
  assert.equal(actual.length, expected.length);
  expected.forEach((loss, i) =>
    assert.ok(Math.abs(loss - actual[i]!) < 1e-5, `step ${i + 1}: ${loss} and ${actual[i]}`),
  );
  const [one, several] = ['uninterrupted', 'elastic'].map((run) =>
    new RunFolder(inFolder(run)).read<FinetuneMetrics>('metrics.json')!,
  );
  assert.equal(several!.test.accuracy, one!.test.accuracy);

  const again = await startRanks([finetune('elastic', ...resume), finetune('elastic', ...resume)]);
  for (const rank of again) assert.equal(rank!.code, 0, rank!.output);
  assert.match(again[0]!.output, /is finished \(completed\); there is nothing to resume/);
});

test('ranks with different settings are rejected, with each difference', async () => {
  const ranks = await startRanks([finetune('differ'), finetune('differ', '--lr', '1e-3', '--seed', '7')]);
  for (const rank of ranks) {
    assert.equal(rank!.code, 2, rank!.output);
    assert.match(rank!.output, /learningRate is 0\.001 on rank 1 \(worker 1, .*\), and 0\.003 on rank 0/);
    assert.match(rank!.output, /seed is 7 on rank 1/);
    assert.match(rank!.output, /the same command line, environment, version and data/);
  }
  assert.equal(fs.existsSync(inFolder('differ')), false, 'nothing was created');
});

test('different rows with the same file name are rejected; all ranks report the error of one', async () => {
  for (const [name, rows] of [
    ['a', 240],
    ['b', 250],
  ] as const) {
    fs.mkdirSync(inFolder(name));
    writeStarsCsv(inFolder(name, 'reviews.csv'), rows);
  }
  const commandIn = (place: string, run: string, file: string) => {
    const { argv } = finetune(run, '--dataset', file);
    // Each rank has its own folder, like machines without a shared disk.
    return { argv: ['--import', `data:text/javascript,process.chdir(${JSON.stringify(inFolder(place))})`, ...argv] };
  };
  const ranks = await startRanks([commandIn('a', 'rows', 'reviews.csv'), commandIn('b', 'rows', 'reviews.csv')]);
  for (const rank of ranks) {
    assert.equal(rank!.code, 2, rank!.output);
    assert.match(rank!.output, /the training set is \w+ on rank 1 .*, and \w+ on rank 0/);
  }
  fs.renameSync(inFolder('b', 'reviews.csv'), inFolder('b', 'elsewhere.csv'));
  const [chief, other] = await startRanks([
    commandIn('a', 'missing', 'reviews.csv'),
    commandIn('b', 'missing', 'reviews.csv'),
  ]);
  assert.equal(other!.code, 2, other!.output);
  assert.match(other!.output, /There is no file reviews\.csv/);
  assert.equal(chief!.code, 2, chief!.output);
  assert.match(chief!.output, /rank 1 .* failed, and all ranks end with it: There is no file reviews\.csv/);
  const [missing, informed] = await startRanks([
    commandIn('b', 'chief', 'reviews.csv'),
    commandIn('a', 'chief', 'reviews.csv'),
  ]);
  assert.equal(missing!.code, 2, missing!.output);
  assert.equal(informed!.code, 2, informed!.output);
  assert.match(informed!.output, /rank 0 .* failed, and all ranks end with it: There is no file reviews\.csv/);
});

test('a rank that never starts is named, even if it is the chief', async () => {
  for (const missing of [0, 1]) {
    const ranks = [0, 1].map((rank) => (rank === missing ? null : finetune('never', '--cluster-timeout', '4')));
    const result = (await startRanks(ranks)).find((rank) => rank !== null)!;
    assert.equal(result.code, 138, result.output);
    assert.match(result.output, new RegExp(`rank ${missing} \\(worker ${missing}, .*\\) did not join in time`));
    assert.ok(result.seconds < 25);
  }
});
