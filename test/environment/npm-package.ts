// `npm run test:package`: publishes the npm packages to a registry on loopback (verdaccio) and uses them as a person would, in an
// empty project on a Debian without a compiler and without Python: installs, trains, exports and scores, imports them from
// CommonJS, ES modules and TypeScript, and checks them with publint and @arethetypeswrong/cli. Needs root and debootstrap, and takes
// some minutes. Prints times and sizes.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openReviews, sampleReviews } from 'tunebook';
import { root } from '../checkout.js';

const work = path.join(root, '.tunebook/package');
const machine = path.join(root, '.tunebook/package-machine');
const tools = path.join(root, '.tunebook/package-tools');
const port = 4873;
const registry = `http://127.0.0.1:${port}/`;

/** The package with Node's binary. */
const nodePackage = `node-linux-${process.arch}`;

/** The tools, which only this check needs. verdaccio names a version of node-fetch by a tag, which mirrors may lack. */
const toolPackage = {
  private: true,
  dependencies: {
    verdaccio: '6.5.0',
    publint: '0.3.25',
    '@arethetypeswrong/cli': '0.18.5',
    [nodePackage]: '24.22.3',
    npm: '11.21.2',
  },
  overrides: { 'node-fetch': '2.7.0' },
};

function run(command: string, argv: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): void {
  console.error(`\n$ ${command} ${argv.join(' ')}`);
  const { status, error } = spawnSync(command, argv, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error || status !== 0) throw new Error(`${command} ended with ${error?.message ?? `status ${status}`}.`);
}

const output = (command: string, argv: string[]) =>
  spawnSync(command, argv, { cwd: root, encoding: 'utf8' }).stdout.trim();

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

/** Creates a minimal Debian with Node and npm, once, and an empty home in it. */
function createMachine(): void {
  if (!fs.existsSync(path.join(machine, 'usr/local/bin/npx'))) {
    fs.rmSync(machine, { recursive: true, force: true });
    const mirror = process.env['DEBIAN_MIRROR'];
    run('debootstrap', [
      '--variant=minbase',
      '--include=ca-certificates',
      'trixie',
      machine,
      ...(mirror ? [mirror] : []),
    ]);
    // Debian's npm would bring Python.
    const local = path.join(machine, 'usr/local');
    fs.copyFileSync(path.join(tools, `node_modules/${nodePackage}/bin/node`), path.join(local, 'bin/node'));
    fs.cpSync(path.join(tools, 'node_modules/npm'), path.join(local, 'lib/npm'), { recursive: true });
    for (const name of ['npm', 'npx']) fs.symlinkSync(`../lib/npm/bin/${name}-cli.js`, path.join(local, 'bin', name));
  }
  fs.rmSync(path.join(machine, 'home/user'), { recursive: true, force: true });
  fs.mkdirSync(path.join(machine, 'home/user/project'), { recursive: true });
  // Settings by which this machine reaches the package index.
  for (const file of ['/etc/resolv.conf', '/etc/pip.conf', process.env['NODE_EXTRA_CA_CERTS'] ?? ''])
    if (file && fs.existsSync(file)) {
      fs.mkdirSync(path.join(machine, path.dirname(file)), { recursive: true });
      fs.copyFileSync(file, path.join(machine, file));
    }
}

const results: string[] = [];

/** Runs a command in the project on that machine, and notes its duration. */
function inProject(title: string, command: string): void {
  const started = performance.now();
  const variables = ['NODE_EXTRA_CA_CERTS', 'PIP_INDEX_URL', 'PIP_CERT']
    .filter((name) => process.env[name])
    .map((name) => `${name}=${process.env[name]}`);
  const environment = [
    'HOME=/home/user',
    'PATH=/usr/local/bin:/usr/bin:/bin',
    `npm_config_registry=${registry}`,
    ...variables,
  ];
  const script = `mountpoint -q /proc || mount -t proc proc /proc; cd /home/user/project && ${command}`;
  run('unshare', ['--mount', 'chroot', machine, 'env', '-i', ...environment, 'sh', '-euc', script]);
  results.push(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${title}`);
}

const noteSize = (title: string, folder: string) =>
  results.push(
    `${output('du', ['-sh', '--apparent-size', path.join(machine, 'home/user', folder)])
      .split('\t')[0]!
      .padStart(8)}  ${title}`,
  );

const program = (file: string, content: string) =>
  fs.writeFileSync(path.join(machine, 'home/user/project', file), content);

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
const archives = fs.readdirSync(work).filter((name) => name.endsWith('.tgz'));
const stop = await startRegistry();
try {
  for (const archive of archives) {
    const env = { ...process.env, [`npm_config_//127.0.0.1:${port}/:_authToken`]: 'none' };
    run('npm', ['publish', '--registry', registry, '--access', 'public', path.join(work, archive)], { env });
  }
  createMachine();
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
    'npx tunebook finetune',
    'npx tunebook finetune --source embedded --dataset reviews.csv --epochs 3 --run-folder run',
  );
  inProject('npx tunebook export', 'npx tunebook export run');
  inProject('npx tunebook score', "npx tunebook score --model run 'The item came damanged, 1 star.'");
  inProject('npx tunebook doctor', 'npx tunebook doctor');
  inProject('npx tunebook init', 'npx tunebook init my-reviews');
  inProject('npm install in it', 'cd my-reviews && npm install');
  inProject('node finetune.ts in it', 'cd my-reviews && node finetune.ts');
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
