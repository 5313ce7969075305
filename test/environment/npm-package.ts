// `npm run test:package [-- arm64]`: publishes the npm packages to a registry on loopback (verdaccio) and uses them as a person
// would, in an empty project on a Debian without a compiler and without Python: installs, trains, exports and scores, imports them
// from CommonJS, ES modules and TypeScript, and checks them with publint and @arethetypeswrong/cli. Prints times and sizes. Needs
// root and debootstrap, and takes some minutes. On an emulated processor (see debian.ts), whose addons another Debian compiles, it
// trains a few steps only and takes half an hour.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openReviews, sampleReviews } from 'tunebook';
import { root } from '../checkout.js';
import { createDebian, ownArchitecture, run } from './debian.js';

const architecture = process.argv[2] ?? ownArchitecture;
if (architecture !== 'amd64' && architecture !== 'arm64')
  throw new Error(`Unknown architecture '${architecture}'. Choose amd64 or arm64.`);
const emulated = architecture !== ownArchitecture;
/** Emulation trains a review in some seconds. */
const training = emulated ? '--rows 60 --max-steps 4 --train-batch-size 4' : '--epochs 3';

const work = path.join(root, '.tunebook/package');
const tools = path.join(root, '.tunebook/package-tools');
const port = 4873;
const registry = `http://127.0.0.1:${port}/`;

/** The tools, which only this check needs. verdaccio names a version of node-fetch by a tag, which mirrors may lack. */
const toolPackage = {
  private: true,
  dependencies: { verdaccio: '6.5.0', publint: '0.3.25', '@arethetypeswrong/cli': '0.18.5' },
  overrides: { 'node-fetch': '2.7.0' },
};

const output = (command: string, argv: string[]) => run(command, argv, { capture: true });

/** Starts a registry with the packages published to it; others come from the configured registry. */
async function startRegistry() {
  const folder = fs.mkdtempSync(path.join(work, 'registry-'));
  const config = path.join(folder, 'config.yaml');
  fs.writeFileSync(
    config,
    `storage: ${folder}/storage
uplinks: { npm: { url: '${output('npm', ['config', 'get', 'registry'])}', max_fails: 100 } }
packages:
  'tunebook': { access: $all, publish: $all }
  '@tunebook/*': { access: $all, publish: $all }
  '**': { access: $all, proxy: npm }
max_body_size: 100mb
log: { type: stdout, level: warn }
`,
  );
  if (await fetch(registry).catch(() => undefined))
    throw new Error(`Another server listens at ${registry}. End it first.`);
  const program = path.join(tools, 'node_modules/verdaccio/bin/verdaccio');
  const server = spawn(process.execPath, [program, '--config', config, '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let attempt = 0; ; attempt++)
    try {
      await fetch(registry);
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(200);
    }
  return async () => {
    server.kill();
    await once(server, 'close');
    fs.rmSync(folder, { recursive: true });
  };
}

const results: string[] = [];

/** Notes a duration. */
function timed(title: string, work: () => void): void {
  const started = performance.now();
  work();
  results.push(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${title}`);
}

/** Settings of TypeScript with which the package must be importable. */
const moduleSettings = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
] as const;

fs.mkdirSync(tools, { recursive: true });
fs.writeFileSync(path.join(tools, 'package.json'), JSON.stringify(toolPackage));
run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: tools });
run(process.execPath, ['lib/release/assemble.mjs']);
if (emulated) {
  const compiling = createDebian('compiler', architecture, ['g++']);
  const steps = ['headers', 'tensorflow', 'addon'].map((step) => `node lib/setup/main.mjs --only ${step}`);
  timed('TensorFlow, and compiling the addons with g++, on another Debian', () =>
    compiling.run([...steps, 'node lib/release/assemble.mjs'].join(' && '), { folder: '/checkout', checkout: true }),
  );
}
const debian = createDebian('bare', architecture);
const project = path.join(debian.root, 'home/user/project');
fs.mkdirSync(project, { recursive: true });

/** Runs a command in the project, and notes its duration. */
const inProject = (title: string, command: string) =>
  timed(title, () =>
    debian.run(command, { folder: '/home/user/project', environment: { npm_config_registry: registry } }),
  );

const noteSize = (title: string, folder: string) =>
  results.push(
    `${output('du', ['-sh', '--apparent-size', path.join(debian.root, 'home/user', folder)])
      .split('\t')[0]!
      .padStart(8)}  ${title}`,
  );

const program = (file: string, content: string) => fs.writeFileSync(path.join(project, file), content);

const archives = fs.readdirSync(work).filter((name) => name.endsWith('.tgz'));
const stop = await startRegistry();
try {
  for (const archive of archives) {
    const env = { ...process.env, [`npm_config_//127.0.0.1:${port}/:_authToken`]: 'none' };
    run('npm', ['publish', '--registry', registry, '--access', 'public', path.join(work, archive)], { env });
  }
  const reviews = (await sampleReviews(await openReviews('embedded'), { rows: 600 })).map(
    ({ text, label }) => `"${text.replaceAll('"', '""')}",${label ? 'positive' : 'negative'}`,
  );
  program('reviews.csv', `text,label\n${reviews.join('\n')}\n`);
  inProject(
    'no compiler and no Python',
    '! command -v g++ && ! command -v cc && ! command -v python3; node --version; npm --version',
  );
  inProject('npm install tunebook', 'npm init --yes > /dev/null && npm install --ignore-scripts tunebook');
  noteSize('node_modules', 'project/node_modules');
  noteSize('node_modules/tunebook', 'project/node_modules/tunebook');
  inProject('npx tunebook setup', 'npx tunebook setup');
  noteSize('~/.cache/tunebook', '.cache/tunebook');
  inProject(
    `npx tunebook finetune ${training}`,
    `npx tunebook finetune --source embedded --dataset reviews.csv --run-folder run ${training}`,
  );
  inProject('npx tunebook export', 'npx tunebook export run');
  inProject('npx tunebook score', "npx tunebook score --model run 'The item came damanged, 1 star.'");
  // Under emulation, the matrix product exceeds its time.
  const checks = emulated ? 'system node compiler tensorflow addon embedded' : '';
  inProject('npx tunebook doctor', `npx tunebook doctor ${checks}`);
  inProject('npx tunebook init', 'npx tunebook init my-reviews');
  inProject('npm install in it', 'cd my-reviews && npm install');
  if (!emulated) inProject('node finetune.ts in it', 'cd my-reviews && node finetune.ts');
  const names = 'Trainer, TextClassifier, loadReviews';
  program(
    'esm.mjs',
    `import { ${names} } from 'tunebook';\nimport { tf } from 'tunebook/tensorflow';\nconsole.log([${names}].map(({ name }) => name), tf.version.tfjs);\n`,
  );
  program(
    'commonjs.cjs',
    `const { ${names} } = require('tunebook');\nconsole.log([${names}].map(({ name }) => name));\n`,
  );
  inProject('import from an ES module', 'node esm.mjs');
  inProject('import from CommonJS', 'node commonjs.cjs');
  program(
    'types.ts',
    `import { loadReviews, TextClassifier, Trainer, type LoadedReviews } from 'tunebook';
import { openSentimentModel } from 'tunebook/serving';
const reviews: LoadedReviews = await loadReviews('embedded');
const model = await TextClassifier.load('embedded', { reading: reviews.source.reading });
await new Trainer(model, { epochs: 1 }).train(reviews.train);
await openSentimentModel('run/model');
`,
  );
  program('package.json', JSON.stringify({ name: 'project', type: 'module', dependencies: { tunebook: '*' } }));
  inProject('npm install typescript', 'npm install --ignore-scripts --save-dev typescript@6.0.3 @types/node@20.19.43');
  for (const [module, resolution] of moduleSettings)
    inProject(
      `TypeScript, module ${module}, moduleResolution ${resolution}`,
      `npx tsc --noEmit --strict --skipLibCheck --target es2022 --module ${module} --moduleResolution ${resolution} --types node types.ts`,
    );
  run(path.join(tools, 'node_modules/.bin/publint'), [path.join(work, 'tunebook'), '--strict']);
  run(path.join(tools, 'node_modules/.bin/attw'), ['--pack', path.join(work, 'tunebook'), '--profile', 'esm-only']);
} finally {
  await stop();
}
console.log(`\n${results.join('\n')}`);
