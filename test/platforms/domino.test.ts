// Domino's contracts: the endpoint's Python function, and the app's script.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../checkout.js';
import { finetuneTiny, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-domino-'));
after(() => fs.rmSync(folder, { recursive: true }));
const run = path.join(folder, 'run');

before(async () => {
  writeTinyModel(path.join(folder, 'model'));
  writeStarsCsv(path.join(folder, 'stars.csv'));
  for (const argv of [finetuneTiny(folder, 'run'), ['export', run]]) {
    const { status, stderr } = await tunebook(argv, { cwd: folder });
    assert.equal(status, 0, stderr);
  }
});

test('predict_sentiment of score.py takes a text or a list, as the original, and raises errors of the service', () => {
  const code = `
import json, score
texts = ["The item came damanged, 1 star.", "Works."]
try:
    score.predict_sentiment(texts * 600)
except ValueError as error:
    print(error)
print(json.dumps([score.predict_sentiment(sentence=texts[0]), score.predict_sentiment(texts)]))
`;
  const { status, stdout, stderr } = spawnSync(path.join(root, '.venv/bin/python'), ['-c', code], {
    encoding: 'utf8',
    env: {
      ...process.env,
      PYTHONPATH: path.join(root, 'lib/platforms/domino'),
      PYTHONDONTWRITEBYTECODE: '1',
      TUNEBOOK_RUN: run,
    },
  });
  assert.equal(status, 0, stderr);
  const [message, results] = stdout.trim().split('\n') as [string, string];
  assert.match(message, /1200|1,?024/);
  const [one, several] = JSON.parse(results) as [{ label: string; score: number }, { label: string; score: number }[]];
  assert.ok(['negative', 'positive'].includes(one.label) && one.score >= 0.5);
  assert.equal(several.length, 2);
  assert.deepEqual(several[0], one);
});

test('app.sh serves the page', async () => {
  const script = path.join(root, 'lib/platforms/domino/app.sh');
  const child = spawn(script, [run, '--host', '127.0.0.1', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const text of child.stdout.setEncoding('utf8')) if (/http:\S+\d/.test((output += String(text)))) break;
  child.stdout.resume();
  const [address] = /http:\/\/[\w.]+:\d+/.exec(output)!;
  assert.match(await (await fetch(address)).text(), /<html/);
  child.kill('SIGTERM');
  await once(child, 'close');
});
