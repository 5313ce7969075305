// What the documentation tells readers to type works: TypeScript against the package's types, commands in a folder made for them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parse, YAMLParseError } from 'yaml';
import { blocksOf, blocksOfPages, describeProblem, pages, problemAt, type Block, type Problem } from './blocks.js';
import { checkShell, writeSandbox } from './shell-blocks.js';
import { checkTypes } from './typescript-blocks.js';

const sandbox = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-documentation-'));
after(() => fs.rmSync(sandbox, { recursive: true }));
before(() => writeSandbox(sandbox));

/** What can be parsed and no more. */
const parsers: Record<string, (block: Block) => Problem[]> = {
  json(block) {
    try {
      JSON.parse(block.code);
      return [];
    } catch (error) {
      return [problemAt(block, 1, (error as Error).message)];
    }
  },
  yaml(block) {
    try {
      parse(block.code);
      return [];
    } catch (error) {
      if (!(error instanceof YAMLParseError)) throw error;
      return [problemAt(block, error.linePos?.[0].line ?? 1, error.message)];
    }
  },
  // What a command printed, and what a container is built from: nothing that a reader types.
  text: () => [],
  // The module graph, which is generated.
  mermaid: () => [],
  dockerfile: () => [],
};

const unknownLanguages = (blocks: Block[]): Problem[] =>
  blocks
    .filter(({ language }) => !['ts', 'sh'].includes(language) && !Object.hasOwn(parsers, language))
    .map((block) => problemAt(block, 0, `nothing is known of blocks of ${block.language || 'no language'}`));

const of = (blocks: Block[], language: string) => blocks.filter((block) => block.language === language);
const nothing = (problems: Problem[]) => assert.equal(problems.map(describeProblem).join('\n'), '');
const blocks = blocksOfPages();

test('every page is read, and every block is of a kind that is checked', () => {
  assert.ok(pages().includes('README.md') && pages().includes('data/README.md'));
  assert.ok(of(blocks, 'ts').length >= 2 && of(blocks, 'sh').length >= 8);
  nothing(unknownLanguages(blocks));
});

test('TypeScript: what a reader writes after it compiles', () => nothing(checkTypes(of(blocks, 'ts'))));

test('commands run, or are accepted by what would run them', async (t) => {
  const problems: Problem[] = [];
  for (const block of of(blocks, 'sh')) {
    const found = await checkShell(block, sandbox);
    problems.push(...found.problems);
    assert.ok(found.classes.length > 0, `${block.file}:${block.line}: a block without a command`);
    for (const { command, is } of found.classes) t.diagnostic(`${is.padEnd(8)} ${command}`);
  }
  nothing(problems);
});

test('what only has a form has a right one', () =>
  nothing(blocks.flatMap((block) => parsers[block.language]?.(block) ?? [])));

/** A page with one block, whose code begins in line 4, in a list as well. */
const page = (language: string, ...code: string[]) =>
  blocksOf('page.md', ['- A page', '', `  \`\`\`${language}`, ...code.map((line) => `  ${line}`), '  ```'].join('\n'));

test('a type error is reported with file and line', () => {
  const code = [
    "import { openSentimentModel } from '#lib/serving/sentiment.js';",
    "const model = await openSentimentModel('folder');",
    'const verdict: number = await model.predictSentiment(7);',
  ];
  const found = checkTypes(page('ts', ...code)).map(describeProblem);
  assert.ok(found.length > 0);
  for (const words of found) assert.match(words, /^page\.md:6: /);
  assert.match(checkTypes(page('ts', "import * as all from '#lib/nowhere.js';"))[0]!.message, /Cannot find module/);
});

test('commands that do not work are reported with file and line', async () => {
  const expected: [code: string, line: number, message: RegExp][] = [
    ['npm test\nnpm run nowhere', 5, /no script nowhere/],
    ['npm start -- --epoch 3', 4, /unknown option '--epoch'/],
    ['npm start -- --epochs three', 4, /--epochs is 'three'/],
    ['npm start --epochs 3', 4, /-- is missing/],
    ['npm test -- nowhere', 4, /nowhere/],
    ['# comment\n\nTUNEBOOK_EPOCH=3 npx tunebook finetune', 6, /SETTING_UNKNOWN\]: .*TUNEBOOK_EPOCH/],
    ['npx tunebook finetune --learning_rates 1', 4, /unknown option '--learning-rates'/],
    ['npx tunebook sweep --lr 1,2 --nowhere 3', 4, /unknown option '--nowhere'/],
    ['npx tunebook score --fast Fine.', 4, /unknown option '--fast'/],
    ['npx tunebook export runs/nowhere', 4, /nowhere/],
    ['npx tunebook train', 4, /of no class/],
    ['npx tunebook runs | jq .', 4, /jq \.: is of no class/],
    ['curl localhost:8000/model', 4, /no server/],
    ["npx tunebook serve --port 8000\ncurl localhost:8000/model -d '{}'", 5, /error/],
    ['docker build -f nowhere.Dockerfile .', 4, /no nowhere\.Dockerfile/],
    ['npm test "', 4, /unexpected EOF/],
  ];
  for (const [code, line, message] of expected) {
    const { problems } = await checkShell(page('sh', ...code.split('\n'))[0]!, sandbox);
    assert.deepEqual(
      problems.map(({ file, line }) => ({ file, line })),
      [{ file: 'page.md', line }],
      code,
    );
    assert.match(problems[0]!.message, message);
  }
  assert.ok(!fs.existsSync(path.join(sandbox, 'runs/nowhere')));
});

test('broken data and unknown languages are reported with file and line', () => {
  const [yaml, json, other] = [page('yaml', 'epochs: 3', 'lr: ['), page('json', '{'), page('sparql', 'x')];
  assert.equal(parsers['json']!(json[0]!)[0]!.line, 4);
  assert.ok([5, 6].includes(parsers['yaml']!(yaml[0]!)[0]!.line));
  assert.match(describeProblem(unknownLanguages(other)[0]!), /^page\.md:3: .*sparql/);
});
