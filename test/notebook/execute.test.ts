// Headless execution of notebooks: the committed ones contain the outputs of a complete run, and a notebook with an
// error fails (negative controls).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { CellError } from '#lib/errors.js';
import { executeNotebook } from '#lib/notebook/execute.js';
import { readKeyNumbers } from '#lib/notebook/review.js';
import { root } from '../checkout.js';
import { joined, readNotebook, writeNotebook, type StoredNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Writes a notebook of the given cells and runs it. */
async function run(...sources: string[]): Promise<StoredNotebook> {
  const executed = path.join(folder, 'executed.ipynb');
  await executeNotebook(writeNotebook(folder, sources), { executed, report: path.join(folder, 'report.html') });
  return readNotebook(executed);
}

const committed = fs.readdirSync(path.join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));

for (const name of committed)
  test(`the committed ${name} contains the outputs of one complete run, static images, and no more than the allowed size`, () => {
    const file = path.join(root, 'notebooks', name);
    assert.ok(fs.statSync(file).size < 1_000_000);
    const { cells } = readNotebook(file);
    assert.ok(cells.length >= 15 && cells.length <= 40);
    const code = cells.filter(({ cell_type }) => cell_type === 'code');
    assert.deepEqual(
      code.map(({ execution_count }) => execution_count),
      code.map((_, i) => i + 1),
    );
    assert.ok(code.every(({ outputs }) => (outputs ?? []).length > 0));
    for (const { source } of code) assert.ok(joined(source).split('\n').length <= 12, joined(source));
    // A notebook begins with prose.
    cells.forEach(({ cell_type }, i) => assert.ok(cell_type === 'markdown' || i > 0));
    const outputs = code.flatMap((cell) => cell.outputs ?? []);
    assert.ok(outputs.every(({ output_type, name: stream }) => output_type !== 'error' && stream !== 'stderr'));
    for (const { data } of outputs)
      if (data?.['application/vnd.plotly.v1+json']) assert.ok(data['image/png'] && data['text/plain']);
    const text = JSON.stringify(readNotebook(file));
    assert.ok(
      !text.includes(root) && !text.includes(os.homedir() + path.sep),
      'the notebook contains a path of the machine on which it ran',
    );
    assert.ok(readKeyNumbers(file).length >= 3);
    assert.match(text, /<details><summary>Answer/);
    assert.match(text, /\*\*You will learn\*\*/);
  });

test('the error for a failing cell contains its number, its line and the message', async () => {
  await assert.rejects(
    run('const a = 1;', "const b = a + 1;\nthrow new Error('broken on purpose');"),
    (error: unknown) => {
      assert.ok(error instanceof CellError);
      assert.equal(error.cell, 2);
      assert.equal(error.line, 2);
      assert.match(error.message, /broken on purpose/);
      return true;
    },
  );
});

test('a type error in a cell is reported with its line', async () => {
  await assert.rejects(run("const first = 1;\nconst n: number = 'text';"), (error: unknown) => {
    assert.ok(error instanceof CellError);
    assert.equal(error.line, 2);
    return true;
  });
});

test('an undefined key number is shown and stored', async () => {
  const { cells } = await run(
    "import { showKeyNumbers } from 'tunebook';",
    "showKeyNumbers([{ name: 'ROC AUC', value: null, tolerance: 0.01 }]);",
  );
  assert.match(joined(cells[1]!.outputs![0]!.data!['text/plain'] as string), /ROC AUC +undefined/);
  assert.deepEqual(readKeyNumbers(path.join(folder, 'executed.ipynb')), [
    { name: 'ROC AUC', value: null, tolerance: 0.01 },
  ]);
});

test('an unhandled promise rejection is an error, although tslab reports success for its cell', async () => {
  await assert.rejects(
    run("void new Promise((_, reject) => setTimeout(() => reject(new Error('late failure')), 50));", 'const b = 2;'),
    /late failure/,
  );
});

test('no output is lost: 600 lines, and the last of 600 display updates', async () => {
  const { cells } = await run(
    "import { show } from 'tunebook';",
    "for (let i = 0; i < 600; i++) { console.log('line ' + i); show({ 'text/plain': 'update ' + i }, 'one', i > 0); await new Promise((r) => setTimeout(r, 1)); }",
  );
  const outputs = cells[1]!.outputs!;
  const lines = joined(outputs.filter(({ name }) => name === 'stdout').map(({ text }) => joined(text)))
    .trim()
    .split('\n');
  assert.equal(lines.length, 600);
  assert.equal(lines.at(-1), 'line 599');
  const displays = outputs.filter(({ data }) => data);
  assert.equal(displays.length, 1);
  assert.equal(joined(displays[0]!.data!['text/plain'] as string), 'update 599');
});
