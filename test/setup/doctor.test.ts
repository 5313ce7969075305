// Runs the doctor in a copy of the checkout in which one thing after another is broken. The doctor must report each
// problem once, with a remedy that fixes it. Set-up is also tested in this copy, because no other test uses it.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import * as installed from '#setup/cache.mjs';
import { lockContent } from '#setup/lock.mjs';
import { cacheFolder } from '#setup/paths.mjs';
import { root } from '../checkout.js';

interface ShownCheck {
  name: string;
  status: 'ok' | 'warning' | 'failed' | 'skipped';
  found: string;
  remedy?: string;
}

type Variables = Record<string, string | undefined>;

// On the disks of the originals, since large files are linked, not copied; git ignores the first folder.
const scratch = fs.mkdtempSync(path.join(root, '.tunebook/doctor-'));
const checkout = path.join(scratch, 'checkout');
const inCheckout = (...parts: string[]) => path.join(checkout, ...parts);
const cacheHome = fs.mkdtempSync(path.join(cacheFolder, 'doctor-'));
/** The copy of a folder of the per-user cache. */
const inCache = (folder: string, ...parts: string[]) =>
  path.join(cacheHome, 'tunebook', path.basename(folder), ...parts);
after(() => {
  for (const folder of [scratch, cacheHome]) fs.rmSync(folder, { recursive: true, force: true });
});

/** Environment without this machine's variables that the checks read. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(HF_|MLFLOW_|TUNEBOOK_|DISABLE_MLFLOW|CUDA_VISIBLE|NODE_TEST)|proxy$/i.test(name),
    ),
  ),
  XDG_CACHE_HOME: cacheHome,
};

const run = (command: string, argv: string[], variables: Variables = {}) =>
  new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const env = { ...environment, HF_HUB_OFFLINE: '1', HF_HOME: path.join(scratch, 'hub'), ...variables };
    execFile(command, argv, { cwd: checkout, encoding: 'utf8', env }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

const node = (argv: string[], variables?: Variables) => run(process.execPath, argv, variables);

async function doctor(names: string[], variables?: Variables): Promise<{ status: number; checks: ShownCheck[] }> {
  const { status, stdout, stderr } = await node(['lib/setup/doctor.mjs', '--json', ...names], variables);
  assert.equal(stderr, '');
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: ShownCheck[] };
  assert.equal(ok, status === 0);
  return { status, checks };
}

/** Asserts that exactly one check reports a problem and that the checks that depend on it are skipped. */
async function assertFinding(
  names: string[],
  [name, status, found, remedy]: [string, ShownCheck['status'], RegExp, string | RegExp],
  variables?: Variables,
): Promise<void> {
  const result = await doctor(names, variables);
  const { [name]: fault, ...others } = Object.fromEntries(result.checks.map((check) => [check.name, check]));
  assert.equal(fault?.status, status, JSON.stringify(result.checks));
  assert.match(fault.found, found);
  if (typeof remedy === 'string') assert.equal(fault.remedy, remedy);
  else assert.match(fault.remedy ?? '', remedy);
  for (const other of Object.values(others))
    if (other.status !== 'ok')
      assert.deepEqual([other.status, other.found], ['skipped', `needs ${name}`], JSON.stringify(other));
  assert.equal(result.status, status === 'failed' ? 1 : 0);
}

/** Runs a remedy and asserts that the checks then pass. */
async function assertRemedy(remedy: string, ...names: string[]): Promise<void> {
  const { status, stderr } = await run('sh', ['-c', remedy]);
  assert.equal(status, 0, stderr);
  const { checks } = await doctor(names);
  for (const check of checks) assert.equal(check.status, 'ok', JSON.stringify(check));
}

/**
 * Replaces a file during an action. The file is moved, because writing to it would change the file that it is
 * hard-linked to.
 */
async function withReplaced(file: string, create: ((file: string) => void) | undefined, action: () => Promise<void>) {
  const original = `${file}.original`;
  fs.renameSync(file, original);
  create?.(file);
  await action().finally(() => {
    fs.rmSync(file, { recursive: true, force: true });
    fs.renameSync(original, file);
  });
}

const withoutFile = (file: string, action: () => Promise<void>) => withReplaced(file, undefined, action);
const writeContent = (content: string) => (file: string) => fs.writeFileSync(file, content);

/** Creates a folder with scripts and links to programs. */
function programs(name: string, content: Record<string, string>): string {
  const folder = path.join(scratch, name);
  fs.mkdirSync(folder, { recursive: true });
  for (const [program, script] of Object.entries(content)) {
    const file = path.join(folder, program);
    if (path.isAbsolute(script)) fs.symlinkSync(script, file);
    else fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return folder;
}

const which = (program: string) => spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
const tools = {
  node: process.execPath,
  npm: fs.realpathSync(which('npm')),
  'g++': which('g++'),
  python3: fs.realpathSync(path.join(root, '.venv/bin/python')),
};
const { npm: _npm, ...noNpm } = tools;
const { 'g++': _compiler, ...noCompiler } = tools;
const { python3: _python, ...noPython } = tools;
const pathNoNpm = programs('no-npm', noNpm);
const pathNoCompiler = programs('no-compiler', noCompiler);
const pathNoPython = programs('no-python', noPython);
const pathNoVenv = programs('no-venv', { ...tools, python3: 'case "$*" in *venv*) exit 1;; esac; echo 3.11' });

/** Starts a server that sends the same response to every request. */
async function serve(
  status: number,
  body: string,
): Promise<{ address: string; close: () => void; requests: string[] }> {
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.authorization}`);
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, close: () => server.close(), requests };
}

/** Returns an address without a server. */
async function closedAddress(): Promise<string> {
  const { address, close } = await serve(200, '');
  close();
  return address;
}

const setupCommand = 'npm run setup';
const kind = installed.installedKind();
const addonFolder = inCache(installed.addonFolder(kind));
const addon = path.join(addonFolder, installed.addonFiles.tfjs);
const addonRemedy = `rm -r ${addonFolder} && ${setupCommand}`;
const runtime = inCache(installed.runtimeFolder(kind));
const modelFolder = inCache(installed.embeddedModelFolder());
const reviewsFolder = inCache(installed.embeddedReviewsFolder());

test('a complete checkout passes all checks, and the doctor changes no file', async () => {
  for (const folder of ['data', '.tunebook']) fs.mkdirSync(inCheckout(folder), { recursive: true });
  fs.mkdirSync(path.dirname(runtime), { recursive: true });
  for (const folder of [
    installed.addonFolder(kind),
    installed.runtimeFolder(kind),
    installed.embeddedModelFolder(),
    installed.embeddedReviewsFolder(),
  ])
    assert.equal(spawnSync('cp', ['-al', folder, inCache(folder)]).status, 0, folder);
  const linked = ['.venv'];
  // Not hard links: they would change the time of the original files, which the tslab kernels of other tests watch.
  const copied = [
    'node_modules',
    'lib',
    'package.json',
    'package-lock.json',
    '.npmrc',
    'tsconfig.json',
    'data/sources.json',
  ];
  for (const [flag, names] of [
    ['-al', linked],
    ['-a', [...copied, '.tunebook/done']],
  ] as const)
    for (const name of names)
      assert.equal(spawnSync('cp', [flag, path.join(root, name), inCheckout(name)]).status, 0, name);
  // The kernel specification contains the path of the checkout.
  assert.equal((await node(['lib/setup/main.mjs', '--quiet'])).status, 0);

  const mark = path.join(scratch, 'mark');
  fs.writeFileSync(mark, '');
  const { status, checks } = await doctor([]);
  assert.deepEqual(
    checks.filter((check) => check.status !== 'ok'),
    [],
  );
  assert.equal(status, 0);
  assert.equal(checks.length, 20);
  assert.match(checks.find(({ name }) => name === 'product')?.found ?? '', /correct, \d+ GFLOP\/s in float32/);
  // By modification time; the change time also changes when the same files are linked elsewhere.
  const { stdout: changed } = spawnSync('find', [checkout, '-newer', mark], { encoding: 'utf8' });
  assert.equal(changed, '');
});

test('text output: one line per check, its remedy below, and a summary at the end', async () => {
  const healthy = await node(['lib/cli/tunebook.mjs', 'doctor', 'system', 'node']);
  assert.match(healthy.stdout, /^✓ system +Linux (x64|arm64), glibc .*\n✓ node +\d+.*\n\nAll checks passed\.\n$/);
  const { stdout, status } = await node(['lib/setup/doctor.mjs', 'settings'], { TUNEBOOK_EPOCHS: 'many' });
  assert.match(
    stdout,
    /^✗ settings +TUNEBOOK_EPOCHS is 'many'.*\n +→ unset TUNEBOOK_EPOCHS.*\n\n1 remedy to apply: unset/,
  );
  assert.equal(status, 1);
});

test('several problems give one list of remedies in which set-up occurs once', async () => {
  const variables = { PATH: pathNoCompiler, CXX: undefined, TUNEBOOK_EPOCHS: 'many' };
  await withoutFile(addon, () =>
    withoutFile(path.join(modelFolder, 'config.json'), async () => {
      const { stdout } = await node(['lib/setup/doctor.mjs', 'compiler', 'addon', 'embedded', 'settings'], variables);
      assert.match(
        stdout,
        /3 remedies to apply, in this order:\n {2}1\. compiler: Install one .*\n {2}2\. embedded: rm -r .* && npm run setup\n {2}3\. settings: unset/,
      );
    }),
  );
  await withoutFile(runtime, () =>
    withoutFile(path.join(modelFolder, 'config.json'), async () => {
      const { stdout } = await node(['lib/setup/doctor.mjs', 'tensorflow', 'embedded']);
      assert.ok(stdout.endsWith(`\n1 remedy to apply: rm -rf ${modelFolder} && npm run setup\n`), stdout);
    }),
  );
});

test('unknown flags and checks are errors that print the help', async () => {
  for (const [argument, message] of [
    ['--jsno', 'Unknown flag --jsno.'],
    ['hubb', 'Unknown check hubb.'],
  ] as const) {
    const { status, stdout, stderr } = await node(['lib/setup/doctor.mjs', argument]);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, new RegExp(`^${message}\n\nUsage: tunebook doctor`));
  }
  const help = await node(['lib/setup/doctor.mjs', '--help']);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /^ {2}mlflow +the MLflow server/m);
});

test('while a set-up is running, files that it has not created yet are not a problem', async () => {
  const lock = inCheckout('.tunebook/set-up.lock');
  fs.writeFileSync(lock, lockContent());
  await withoutFile(path.join(modelFolder, 'model.safetensors'), () =>
    assertFinding(
      ['packages', 'embedded'],
      ['set-up', 'warning', /running \(process \d+\)/, 'Wait until it has finished.'],
    ),
  );
  fs.rmSync(lock);
});

test('missing npm: an error if packages must be installed, otherwise a warning', async () => {
  const remedy = /Install npm/;
  await assertFinding(['packages'], ['npm', 'warning', /npm cannot be started/, remedy], { PATH: pathNoNpm });
  await withoutFile(inCheckout('node_modules'), () =>
    assertFinding(['packages'], ['npm', 'failed', /npm cannot be started/, remedy], { PATH: pathNoNpm }),
  );
});

test('missing C++ compiler: an error if the addon must be compiled, otherwise a warning', async () => {
  const remedy = /apt-get install g\+\+/;
  const variables = { PATH: pathNoCompiler, CXX: undefined };
  await assertFinding(['compiler'], ['compiler', 'warning', /No C\+\+ compiler was found/, remedy], variables);
  await withoutFile(addon, () =>
    assertFinding(['addon'], ['compiler', 'failed', /No C\+\+ compiler was found/, remedy], variables),
  );
});

test('missing Python, or one without venv: an error if .venv must be created, otherwise a warning', async () => {
  const remedy = /apt-get install .*python3-venv/;
  for (const [PATH, found] of [
    [pathNoPython, /No Python 3\.10/],
    [pathNoVenv, /python3 lacks venv or pip/],
  ] as const) {
    await assertFinding(['python'], ['python', 'warning', found, remedy], { PATH });
    await withoutFile(inCheckout('.venv/bin/python'), () =>
      assertFinding(['venv'], ['python', 'failed', found, remedy], { PATH }),
    );
  }
});

test('a .venv whose base Python was removed', async () => {
  const createDanglingLink = (file: string) => fs.symlinkSync('/gone/python3', file);
  await withReplaced(inCheckout('.venv/bin/python3'), createDanglingLink, () =>
    assertFinding(
      ['venv', 'kernel'],
      ['venv', 'failed', /\.venv\/bin\/python cannot be started \(ENOENT\)/, setupCommand],
    ),
  );
});

test('a .venv that lacks a package', async () => {
  const python = fs.readdirSync(inCheckout('.venv/lib'))[0]!;
  await withoutFile(inCheckout('.venv/lib', python, 'site-packages/nbclient'), () =>
    assertFinding(['venv'], ['venv', 'failed', /nbclient cannot be imported/, `rm -r .venv && ${setupCommand}`]),
  );
});

test('a kernel specification with a missing Node; the remedy fixes it', async () => {
  const file = inCheckout('.venv/share/jupyter/kernels/tslab/kernel.json');
  const content = fs.readFileSync(file, 'utf8').replace(process.execPath, '/gone/node');
  fs.rmSync(file);
  fs.writeFileSync(file, content);
  const remedy = `rm -r ${path.relative(checkout, file)} && ${setupCommand}`;
  await assertFinding(['kernel'], ['kernel', 'failed', /kernel\.json refers to \/gone\/node/, remedy]);
  await assertRemedy(remedy, 'kernel');
});

test('npm packages: all missing, one missing, one of another version', async () => {
  await withoutFile(inCheckout('node_modules'), async () => {
    await assertFinding([], ['packages', 'failed', /node_modules is missing/, setupCommand]);
    const { status, stdout } = await run('npm', ['run', '--silent', 'doctor', '--', 'packages', 'library']);
    assert.equal(status, 1);
    assert.match(stdout, /✗ packages +node_modules is missing\.\n +→ npm run setup\n– library +needs packages\n/);
    await node(['lib/cli/tunebook.mjs', 'doctor', 'packages']);
    assert.ok(!fs.existsSync(inCheckout('node_modules')), 'the doctor installed packages');
  });
  const remedy = `rm -r node_modules && ${setupCommand}`;
  await withoutFile(inCheckout('node_modules/picomatch'), () =>
    assertFinding(['packages', 'settings'], ['packages', 'failed', /picomatch is missing/, remedy]),
  );
  const file = inCheckout('node_modules/picomatch/package.json');
  const other = fs.readFileSync(file, 'utf8').replace(/"version": "[^"]*"/, '"version": "0.0.1"');
  await withReplaced(file, writeContent(other), () =>
    assertFinding(['packages'], ['packages', 'failed', /picomatch is 0\.0\.1, not \d/, remedy]),
  );
});

test('a compiled library that is out of date or incomplete; the remedy fixes it', async () => {
  const source = inCheckout('lib/version.ts');
  const before = fs.readFileSync(source);
  fs.appendFileSync(source, '\n// Changed.\n');
  await assertFinding(['library'], ['library', 'failed', /lib\/dist is out of date/, setupCommand]);
  fs.writeFileSync(source, before);
  fs.rmSync(inCheckout('lib/dist/version.js'));
  const remedy = `rm -r lib/dist lib/tsconfig.tsbuildinfo && ${setupCommand}`;
  await assertFinding(['library'], ['library', 'failed', /lib\/dist\/version\.js is missing/, remedy]);
  await assertRemedy(remedy, 'library');
});

test('an addon that is missing or out of date, which set-up detects too', async () => {
  await withoutFile(addon, () =>
    assertFinding(['product'], ['addon', 'failed', /tfjs_binding\.node is missing or damaged/, setupCommand]),
  );
  const source = inCheckout('lib', installed.nativeFolder, 'graph.cc');
  const before = fs.readFileSync(source);
  fs.appendFileSync(source, '\n// Changed.\n');
  await assertFinding(
    ['product'],
    ['addon', 'failed', /addon is not compiled from the current sources and libraries\.$/, setupCommand],
  );
  // Compiling takes 30 s, so only check that set-up would do it.
  const { stdout } = await node([
    '--input-type=module',
    '-e',
    `import { isDone } from './lib/setup/steps.mjs';
     import { addon } from './lib/setup/addon.mjs';
     console.log(isDone(addon))`,
  ]);
  assert.equal(stdout, 'false\n');
  fs.writeFileSync(source, before);
});

test('fused kernels that do not compile: three lines, a log file, and a retry with another compiler', async () => {
  // A compiler that fails on TensorFlow's headers, as g++ 12 did for CPUs with AVX512-FP16.
  const failing = path.join(
    programs('failing', {
      'c++': `case "$*" in *--version*) echo failing 1.0;; *ops.cc*) echo 'header.h:1: error: expected initializer' >&2; exit 1;; *) exec ${tools['g++']} "$@";; esac`,
    }),
    'c++',
  );
  const folder = fs.mkdtempSync(path.join(scratch, 'kernels-'));
  const compile = (CXX: string) =>
    node(
      [
        '--input-type=module',
        '-e',
        `import { compileKernels, compilerHasChanged } from './lib/setup/kernels.mjs';
         const again = compilerHasChanged(${JSON.stringify(folder)});
         console.log(JSON.stringify([again, (await compileKernels(${JSON.stringify(folder)}, [], '/target')).length]))`,
      ],
      { CXX },
    );
  const log = path.join(folder, 'kernels.log');
  const first = await compile(failing);
  assert.equal(first.stdout, '[false,0]\n', first.stderr);
  assert.equal(
    first.stderr,
    `      The fused kernels do not compile with ${failing}: failing 1.0: header.h:1: error: expected initializer
      Training uses TensorFlow's own kernels instead and is slower.
      Compiler output: /target/kernels.log. To use another compiler: CXX=clang++ npm run setup\n`,
  );
  assert.equal(fs.readFileSync(log, 'utf8'), `${failing}: failing 1.0\nheader.h:1: error: expected initializer\n`);
  fs.copyFileSync(log, path.join(addonFolder, 'kernels.log'));
  await assertFinding(
    ['addon'],
    [
      'addon',
      'warning',
      /kernels do not compile with .*failing 1\.0, so training is slower\. Compiler output: .*\/addon-.*\/kernels\.log/,
      /CXX=/,
    ],
    { CXX: failing },
  );
  fs.rmSync(path.join(addonFolder, 'kernels.log'));
  assert.equal((await compile(failing)).stdout, '[false,0]\n', 'the same compiler is not tried again');
  assert.match((await compile(tools['g++'])).stdout, /^\[true,/);
});

test('an addon that is not a library, lacks a dependency, or crashes', async () => {
  const compile = (...argv: string[]) => assert.equal(spawnSync('g++', argv, { cwd: scratch }).status, 0);
  await withReplaced(addon, writeContent('no library'), () =>
    assertFinding(['product'], ['addon', 'failed', /tfjs_binding\.node is missing or damaged/, setupCommand]),
  );
  const sizes = path.join(addonFolder, '.sizes.json');
  for (const damaged of ['', 'null'])
    await withReplaced(sizes, writeContent(damaged), () =>
      assertFinding(['addon'], ['addon', 'failed', /tfjs_binding\.node is missing or damaged/, setupCommand]),
    );
  /** Replaces the addon by another complete file. */
  const withAddon = (content: Buffer, action: () => Promise<void>) => {
    const expected = JSON.parse(fs.readFileSync(sizes, 'utf8')) as Record<string, number>;
    const changed = JSON.stringify({ ...expected, [path.basename(addon)]: content.length });
    return withReplaced(sizes, writeContent(changed), () =>
      withReplaced(addon, (file) => fs.writeFileSync(file, content), action),
    );
  };
  await withAddon(Buffer.from('no library'), () =>
    assertFinding(['product'], ['product', 'failed', /addon does not load: /, addonRemedy]),
  );
  fs.writeFileSync(path.join(scratch, 'empty.cc'), '');
  fs.writeFileSync(path.join(scratch, 'trap.cc'), '__attribute__((constructor)) static void f() { __builtin_trap(); }');
  compile('-shared', '-o', 'libgone.so', 'empty.cc');
  compile('-shared', '-Wl,--no-as-needed', '-o', 'lacking.node', 'empty.cc', '-L.', '-lgone');
  compile('-shared', '-fPIC', '-o', 'trap.node', 'trap.cc');
  for (const [name, found] of [
    ['lacking.node', /does not load: it needs libgone\.so, which is not found/],
    ['trap.node', /TensorFlow's process was terminated by SIGILL/],
  ] as const)
    await withAddon(fs.readFileSync(path.join(scratch, name)), () =>
      assertFinding(['product'], ['product', 'failed', found, addonRemedy]),
    );
});

test('a missing library of TensorFlow, and an invalid TUNEBOOK_TENSORFLOW', async () => {
  await withoutFile(path.join(runtime, 'tensorflow/libtensorflow_cc.so.2'), () =>
    assertFinding(['product'], ['tensorflow', 'failed', /libtensorflow_cc\.so\.2 is missing or damaged/, setupCommand]),
  );
  await assertFinding(
    ['disk', 'gpu'],
    ['tensorflow', 'failed', /'tpu'; it must be cpu or gpu/, /unset TUNEBOOK_TENSORFLOW/],
    {
      TUNEBOOK_TENSORFLOW: 'tpu',
    },
  );
});

test('a GPU with the wrong build, with an old driver, and with a driver that fails', async () => {
  const smi = (name: string, script: string) => ({
    PATH: `${programs(name, { 'nvidia-smi': script })}:${process.env['PATH']}`,
  });
  const card = (driver: string, capability: string) =>
    `case "$*" in
*list-gpus*) echo 'GPU 0: NVIDIA H100 (UUID: GPU-0)';;
*compute_cap*) ${capability};;
*) echo 'NVIDIA H100, ${driver}';;
esac`;
  const good = smi('good', card('550.54.15', 'echo 9.0'));
  const blackwell = smi('blackwell', card('570.86.10', 'echo 12.0'));
  const old = smi('old', card('470.57.02', 'exit 2'));
  const silent = smi(
    'silent',
    "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9",
  );
  const update = 'Update the NVIDIA driver.';
  const repair = /Repair the NVIDIA driver/;
  const hidden = { ...good, CUDA_VISIBLE_DEVICES: '' };
  const gpuRuntime = inCache(installed.runtimeFolder('gpu'));
  const withBuild = async (cudnn: string, action: () => Promise<void>) => {
    await assertFinding(['gpu'], ['gpu', 'failed', /470\.57\.02: CUDA 12 needs driver 525\.60\.13/, update], old);
    const lacking = /not used, since libcudnn\.so\.9 is missing/;
    await withoutFile(cudnn, () =>
      assertFinding(['gpu'], ['gpu', 'failed', lacking, `rm -r ${gpuRuntime} && ${setupCommand}`], good),
    );
    await action();
    await assertFinding(['gpu'], ['gpu', 'failed', /CUDA_VISIBLE_DEVICES is ''/, 'unset CUDA_VISIBLE_DEVICES'], hidden);
    await assertFinding(['gpu'], ['gpu', 'failed', /nvidia-smi: NVIDIA-SMI has failed/, repair], silent);
  };
  if (kind === 'gpu')
    return withBuild(path.join(runtime, 'nvidia/cudnn/lib/libcudnn.so.9'), async () => {
      const { checks } = await doctor(['gpu'], good);
      assert.match(checks.find(({ name }) => name === 'gpu')?.found ?? '', /NVIDIA H100, driver 550.*, in use/);
    });
  await assertFinding(['gpu'], ['tensorflow', 'failed', /the GPU build\) are not set up/, setupCommand], good);
  await assertFinding(['gpu'], ['gpu', 'warning', /nvidia-smi: NVIDIA-SMI has failed/, repair], silent);

  // Imitates the GPU build with empty libraries.
  const gpuAddon = inCache(installed.addonFolder('gpu'));
  for (const [from, to] of [
    [runtime, gpuRuntime],
    [addonFolder, gpuAddon],
  ] as const)
    assert.equal(spawnSync('cp', ['-al', from, to]).status, 0);
  const libraries = path.join(gpuRuntime, 'nvidia/all/lib');
  fs.mkdirSync(libraries, { recursive: true });
  for (const name of (
    'cudart.so.12 cublas.so.12 cublasLt.so.12 cufft.so.11 curand.so.10 cusolver.so.11 cusparse.so.12 nccl.so.2 nvrtc.so.12 ' +
    'cupti.so.12 nvJitLink.so.12'
  ).split(' '))
    fs.writeFileSync(path.join(libraries, `lib${name}`), '');
  const cudnn = path.join(libraries, 'libcudnn.so.9');
  fs.writeFileSync(cudnn, '');
  const remedy = /^Read why in the output of: .* node lib\/setup\/doctor\/multiply\.mjs$/;
  await withBuild(cudnn, () =>
    assertFinding(['gpu'], ['gpu', 'failed', /TensorFlow uses the CPU instead/, remedy], good),
  );
  const withoutXla = /12\.0, which XLA \(--jit-compile\) does not support: TensorFlow uses the CPU/;
  await assertFinding(['gpu'], ['gpu', 'failed', withoutXla, remedy], blackwell);
  for (const folder of [gpuRuntime, gpuAddon]) fs.rmSync(folder, { recursive: true });
});

test('a truncated embedded model, and truncated embedded reviews', async () => {
  for (const [folder, name, found] of [
    [modelFolder, 'model.safetensors', /model\.safetensors is incomplete or damaged/],
    [reviewsFolder, installed.embeddedReviewsFile, /contains \d+ reviews instead of 3708/],
  ] as const) {
    const file = path.join(folder, name);
    const start = fs.readFileSync(file).subarray(0, 300_000);
    await withReplaced(
      file,
      (place) => fs.writeFileSync(place, start),
      () => assertFinding(['embedded'], ['embedded', 'failed', found, setupCommand]),
    );
  }
});

test('an unreachable hub is a warning, an invalid token an error; the token is not printed', async () => {
  const online = { HF_HUB_OFFLINE: undefined };
  const nowhere = { ...online, HF_ENDPOINT: await closedAddress() };
  await assertFinding(
    ['hub'],
    ['hub', 'warning', /127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/, /HF_ENDPOINT.*proxy/],
    nowhere,
  );
  const rejecting = await serve(401, '{"error":"Invalid credentials"}');
  const withToken = { ...online, HF_ENDPOINT: rejecting.address, HF_TOKEN: 'hf_secret' };
  await assertFinding(['hub'], ['hub', 'failed', /rejects the token from HF_TOKEN/, /Create a new token/], withToken);
  assert.deepEqual(rejecting.requests, ['/api/whoami-v2 Bearer hf_secret']);
  assert.doesNotMatch(JSON.stringify(await doctor(['hub'], withToken)), /hf_secret/);
  assert.equal((await doctor(['hub'], { ...online, HF_ENDPOINT: rejecting.address })).status, 0);
  rejecting.close();
  const accepting = await serve(200, '{"name":"ada"}');
  const { checks } = await doctor(['hub'], { ...withToken, HF_ENDPOINT: accepting.address });
  assert.match(checks[0]?.found ?? '', /accepts the token of ada/);
  accepting.close();
});

test('a cache of the hub that is not writable', async () => {
  await assertFinding(['cache'], ['cache', 'failed', /package\.json\/hub is not writable/, /HF_HUB_CACHE or HF_HOME/], {
    HF_HUB_CACHE: inCheckout('package.json/hub'),
  });
});

test('an MLflow server that is unreachable, rejects the credentials, or is not a server', async () => {
  const named = (address: string) => ({ MLFLOW_TRACKING_URI: address, MLFLOW_TRACKING_TOKEN: 'secret' });
  const nowhere = named(await closedAddress());
  await assertFinding(
    ['mlflow'],
    ['mlflow', 'failed', /127\.0\.0\.1:\d+ cannot be reached/, /tunebook track RUN/],
    nowhere,
  );
  const rejecting = await serve(401, '');
  const token = /MLFLOW_TRACKING_TOKEN/;
  await assertFinding(
    ['mlflow'],
    ['mlflow', 'failed', /rejects the credentials \(401\)/, token],
    named(rejecting.address),
  );
  assert.match(rejecting.requests[0] ?? '', /experiments\/search.* Bearer secret$/);
  rejecting.close();
  const database = named('sqlite:///mlflow.db');
  await assertFinding(
    ['mlflow'],
    ['mlflow', 'failed', /must be the .* address of a tracking server/, /unset it/],
    database,
  );
  const answering = await serve(200, '3.17.0');
  assert.match(
    (await doctor(['mlflow'], named(answering.address))).checks[0]?.found ?? '',
    /responds, MLflow 3\.17\.0$/,
  );
  answering.close();
  const off = { ...nowhere, DISABLE_MLFLOW_INTEGRATION: 'TRUE' };
  assert.match((await doctor(['mlflow'], off)).checks[0]?.found ?? '', /^off/);
});

test('an unknown TUNEBOOK_ variable', async () => {
  await assertFinding(
    ['settings'],
    ['settings', 'failed', /TUNEBOOK_EPOCH\. Did you mean TUNEBOOK_EPOCHS\?$/, /^unset TUNEBOOK_EPOCH,/],
    { TUNEBOOK_EPOCH: '1' },
  );
});

test('only a step that was interrupted, and so has no stamp, runs again', async () => {
  fs.rmSync(inCheckout('.tunebook/done/kernel'));
  const { stderr, status } = await node(['lib/setup/main.mjs']);
  assert.equal(status, 0);
  assert.deepEqual(stderr.match(/^\[.*…$/gm), ['[3/8] tslab kernel …']);
});

test('concurrent set-ups wait for each other, and the lock of a process that has ended is ignored', async () => {
  const lock = inCheckout('.tunebook/set-up.lock');
  fs.rmSync(inCheckout('.tunebook/done/kernel'));
  const startSetUp = () => {
    const child = spawn(process.execPath, ['lib/setup/main.mjs'], {
      cwd: checkout,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    const firstOutput = new Promise<void>((resolve) =>
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        resolve();
      }),
    );
    const ended = new Promise<{ status: number | null; output: string }>((resolve) =>
      child.on('close', (status) => resolve({ status, output })),
    );
    return { firstOutput: Promise.race([firstOutput, ended]), ended };
  };
  fs.writeFileSync(lock, lockContent());
  const waiting = [startSetUp(), startSetUp(), startSetUp()];
  await Promise.all(waiting.map(({ firstOutput }) => firstOutput));
  fs.rmSync(lock);
  const ended = await Promise.all(waiting.map(({ ended }) => ended));
  for (const { status, output } of ended) {
    assert.equal(status, 0, output);
    assert.match(output, new RegExp(`Another process sets up this checkout \\(process ${process.pid}\\); waiting`));
  }
  const withKernelStep = ended.filter(({ output }) => output.includes('tslab kernel …'));
  assert.equal(withKernelStep.length, 1, 'more or less than one set-up ran the step');
  fs.rmSync(inCheckout('.tunebook/done/kernel'));
  // The id is used again by another process, as in a container that starts again.
  fs.writeFileSync(lock, `${process.pid} ${os.hostname()} 0`);
  const { stdout } = await node([
    '--input-type=module',
    '-e',
    `import fs from 'node:fs';
     import { setUp } from './lib/setup/set-up.mjs';
     await setUp({ quiet: true });
     console.log('locked:', fs.existsSync('.tunebook/set-up.lock'));`,
  ]);
  assert.match(stdout, /locked: false/, 'the lock is released before the command runs');
});
