// The code in the documentation works: TypeScript compiles against the package's types, and shell commands run in a sandbox.
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

/** Checks for languages that can only be parsed. */
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
  // Output of commands.
  text: () => [],
  // The module graph, which is generated.
  mermaid: () => [],
  // Parts of Dockerfiles.
  dockerfile: () => [],
};

const unknownLanguages = (blocks: Block[]): Problem[] =>
  blocks
    .filter(({ language }) => !['ts', 'sh'].includes(language) && !Object.hasOwn(parsers, language))
    .map((block) => problemAt(block, 0, `no check for blocks of language ${block.language || '(none)'}`));

const blocksIn = (blocks: Block[], language: string) => blocks.filter((block) => block.language === language);
const assertNone = (problems: Problem[]) => assert.equal(problems.map(describeProblem).join('\n'), '');
const blocks = blocksOfPages();

test('all pages are read, and there is a check for the language of every block', () => {
  assert.ok(pages().includes('README.md') && pages().includes('data/README.md'));
  assert.ok(blocksIn(blocks, 'ts').length >= 2 && blocksIn(blocks, 'sh').length >= 8);
  assertNone(unknownLanguages(blocks));
});

test('TypeScript blocks compile', () => assertNone(checkTypes(blocksIn(blocks, 'ts'))));

test('shell commands run, or their arguments are accepted', async (t) => {
  const problems: Problem[] = [];
  for (const block of blocksIn(blocks, 'sh')) {
    const result = await checkShell(block, sandbox);
    problems.push(...result.problems);
    assert.ok(result.classes.length > 0, `${block.file}:${block.line}: the block contains no command`);
    for (const { command, commandClass } of result.classes) t.diagnostic(`${commandClass.padEnd(8)} ${command}`);
  }
  assertNone(problems);
});

test('JSON and YAML blocks can be parsed', () =>
  assertNone(blocks.flatMap((block) => parsers[block.language]?.(block) ?? [])));

/** Creates a page with one block, inside a list; its code begins on line 4. */
const page = (language: string, ...code: string[]) =>
  blocksOf('page.md', ['- A page', '', `  \`\`\`${language}`, ...code.map((line) => `  ${line}`), '  ```'].join('\n'));

test('a type error is reported with file and line', () => {
  const code = [
    "import { openSentimentModel } from '#lib/serving/sentiment.js';",
    "const model = await openSentimentModel('folder');",
    'const prediction: number = await model.predictSentiment(7);',
  ];
  const problems = checkTypes(page('ts', ...code)).map(describeProblem);
  assert.ok(problems.length > 0);
  for (const problem of problems) assert.match(problem, /^page\.md:6: /);
  assert.match(checkTypes(page('ts', "import * as all from '#lib/nowhere.js';"))[0]!.message, /Cannot find module/);
});

test('invalid commands are reported with file and line', async () => {
  const expected: [code: string, line: number, message: RegExp][] = [
    ['npm test\nnpm run nowhere', 5, /no script nowhere/],
    ['npm start -- --epoch 3', 4, /has no option --epoch\./],
    ['npm start -- --epochs three', 4, /--epochs is 'three'/],
    ['npm start --epochs 3', 4, /-- is missing/],
    ['npm test -- nowhere', 4, /nowhere/],
    ['# comment\n\nTUNEBOOK_EPOCH=3 npx tunebook finetune', 6, /SETTING_UNKNOWN\]: .*TUNEBOOK_EPOCH/],
    ['npx tunebook finetune --learning_rates 1', 4, /has no option --learning_rates\./],
    ['npx tunebook sweep --lr 1,2 --nowhere 3', 4, /has no option --nowhere\./],
    ['npx tunebook score --fast Fine.', 4, /Unknown flag --fast/],
    ['npx tunebook export runs/nowhere', 4, /nowhere/],
    ['npx tunebook train', 4, /unknown command/],
    ['npx tunebook runs | jq .', 4, /jq \.: unknown command/],
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

test('invalid data and unknown languages are reported with file and line', () => {
  const [yaml, json, other] = [page('yaml', 'epochs: 3', 'lr: ['), page('json', '{'), page('sparql', 'x')];
  assert.equal(parsers['json']!(json[0]!)[0]!.line, 4);
  assert.ok([5, 6].includes(parsers['yaml']!(yaml[0]!)[0]!.line));
  assert.match(describeProblem(unknownLanguages(other)[0]!), /^page\.md:3: .*sparql/);
});
