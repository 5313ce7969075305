// Runs the doctor in a copy of the checkout in which one thing after another is broken. The doctor must report each
// problem once, with a remedy that fixes it. Set-up is also tested in this copy, because no other test uses it.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { root } from '../checkout.js';

interface Shown {
  name: string;
  status: 'ok' | 'warning' | 'failed' | 'skipped';
  found: string;
  remedy?: string;
}

type Variables = Record<string, string | undefined>;

// On the checkout's own disk, since large files are linked, not copied; git ignores the folder.
const scratch = fs.mkdtempSync(path.join(root, '.tunebook/doctor-'));
const checkout = path.join(scratch, 'checkout');
const at = (...parts: string[]) => path.join(checkout, ...parts);
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Environment without this machine's variables that the checks read. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(HF_|MLFLOW_|TUNEBOOK_|DISABLE_MLFLOW|CUDA_VISIBLE|NODE_TEST)|proxy$/i.test(name),
  ),
);

const run = (command: string, argv: string[], variables: Variables = {}) =>
  new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const env = { ...environment, HF_HUB_OFFLINE: '1', HF_HOME: path.join(scratch, 'hub'), ...variables };
    execFile(command, argv, { cwd: checkout, encoding: 'utf8', env }, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

const node = (argv: string[], variables?: Variables) => run(process.execPath, argv, variables);

async function doctor(names: string[], variables?: Variables): Promise<{ status: number; checks: Shown[] }> {
  const { status, stdout, stderr } = await node(['lib/setup/doctor.mjs', '--json', ...names], variables);
  assert.equal(stderr, '');
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Shown[] };
  assert.equal(ok, status === 0);
  return { status, checks };
}

/** Asserts that exactly one check reports a problem and that the checks that depend on it are skipped. */
async function finds(
  names: string[],
  [name, status, found, remedy]: [string, Shown['status'], RegExp, string | RegExp],
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
async function isRepairedBy(remedy: string, ...names: string[]): Promise<void> {
  const { status, stderr } = await run('sh', ['-c', remedy]);
  assert.equal(status, 0, stderr);
  const { checks } = await doctor(names);
  for (const check of checks) assert.equal(check.status, 'ok', JSON.stringify(check));
}

/**
 * Replaces a file during an action. The file is moved, because writing to it would change the file that it is
 * hard-linked to.
 */
async function replaced(file: string, make: ((file: string) => void) | undefined, during: () => Promise<void>) {
  const aside = path.join(fs.mkdtempSync(path.join(scratch, 'aside-')), path.basename(file));
  fs.renameSync(file, aside);
  make?.(file);
  await during().finally(() => {
    fs.rmSync(file, { recursive: true, force: true });
    fs.renameSync(aside, file);
  });
}

const without = (file: string, during: () => Promise<void>) => replaced(file, undefined, during);
const text = (content: string) => (file: string) => fs.writeFileSync(file, content);

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

const whereIs = (program: string) => spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
const tools = {
  node: process.execPath,
  npm: fs.realpathSync(whereIs('npm')),
  'g++': whereIs('g++'),
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

const setUp = 'npm run setup';
const addon = at('node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node');
const addonAgain = `rm -r ${path.relative(checkout, addon)} && ${setUp}`;
/** Whether the GPU build is installed; if not, the test imitates it. */
const gpuBuild = fs.existsSync(path.join(root, '.tunebook/tensorflow/gpu'));

test('a complete checkout passes all checks, and the doctor changes no file', async () => {
  for (const folder of ['data', '.tunebook']) fs.mkdirSync(at(folder), { recursive: true });
  const linked = ['.venv', 'data/embedded', '.tunebook/tensorflow'];
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
    for (const name of names) assert.equal(spawnSync('cp', [flag, path.join(root, name), at(name)]).status, 0, name);
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
  await without(addon, () =>
    without(at('data/embedded/model/config.json'), async () => {
      const { stdout } = await node(['lib/setup/doctor.mjs', 'compiler', 'addon', 'embedded', 'settings'], variables);
      assert.match(
        stdout,
        /3 remedies to apply, in this order:\n {2}1\. compiler: Install one .*\n {2}2\. embedded: rm -r .* && npm run setup\n {2}3\. settings: unset/,
      );
    }),
  );
  await without(at('.tunebook/tensorflow'), () =>
    without(at('data/embedded/model/config.json'), async () => {
      const { stdout } = await node(['lib/setup/doctor.mjs', 'tensorflow', 'embedded']);
      assert.match(stdout, /\n1 remedy to apply: rm -rf data\/embedded\/model && npm run setup\n$/);
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
  const lock = at('.tunebook/set-up.pid');
  fs.writeFileSync(lock, String(process.pid));
  await without(at('data/embedded/model/model.safetensors'), () =>
    finds(['packages', 'embedded'], ['set-up', 'warning', /running \(process \d+\)/, 'Wait until it has finished.']),
  );
  fs.rmSync(lock);
});

test('missing npm: an error if packages must be installed, otherwise a warning', async () => {
  const remedy = /Install npm/;
  await finds(['packages'], ['npm', 'warning', /npm cannot be started/, remedy], { PATH: pathNoNpm });
  await without(at('node_modules'), () =>
    finds(['packages'], ['npm', 'failed', /npm cannot be started/, remedy], { PATH: pathNoNpm }),
  );
});

test('missing C++ compiler: an error if the addon must be compiled, otherwise a warning', async () => {
  const remedy = /apt-get install g\+\+/;
  const variables = { PATH: pathNoCompiler, CXX: undefined };
  await finds(['compiler'], ['compiler', 'warning', /No C\+\+ compiler was found/, remedy], variables);
  await without(addon, () =>
    finds(['addon'], ['compiler', 'failed', /No C\+\+ compiler was found/, remedy], variables),
  );
});

test('missing Python, or one without venv: an error if .venv must be created, otherwise a warning', async () => {
  const remedy = /apt-get install .*python3-venv/;
  for (const [PATH, found] of [
    [pathNoPython, /No Python 3\.10/],
    [pathNoVenv, /python3 lacks venv or pip/],
  ] as const) {
    await finds(['python'], ['python', 'warning', found, remedy], { PATH });
    await without(at('.venv/bin/python'), () => finds(['venv'], ['python', 'failed', found, remedy], { PATH }));
  }
});

test('a .venv whose base Python was removed', async () => {
  const gone = (file: string) => fs.symlinkSync('/gone/python3', file);
  await replaced(at('.venv/bin/python3'), gone, () =>
    finds(['venv', 'kernel'], ['venv', 'failed', /\.venv\/bin\/python cannot be started \(ENOENT\)/, setUp]),
  );
});

test('a .venv that lacks a package', async () => {
  const python = fs.readdirSync(at('.venv/lib'))[0]!;
  await without(at('.venv/lib', python, 'site-packages/nbclient'), () =>
    finds(['venv'], ['venv', 'failed', /nbclient cannot be imported/, `rm -r .venv && ${setUp}`]),
  );
});

test('a kernel specification with a missing Node; the remedy fixes it', async () => {
  const file = at('.venv/share/jupyter/kernels/tslab/kernel.json');
  const content = fs.readFileSync(file, 'utf8').replace(process.execPath, '/gone/node');
  fs.rmSync(file);
  fs.writeFileSync(file, content);
  const remedy = `rm -r ${path.relative(checkout, file)} && ${setUp}`;
  await finds(['kernel'], ['kernel', 'failed', /kernel\.json refers to \/gone\/node/, remedy]);
  await isRepairedBy(remedy, 'kernel');
});

test('npm packages: all missing, one missing, one of another version', async () => {
  await without(at('node_modules'), async () => {
    await finds([], ['packages', 'failed', /node_modules is missing/, setUp]);
    const { status, stdout } = await run('npm', ['run', '--silent', 'doctor', '--', 'packages', 'library']);
    assert.equal(status, 1);
    assert.match(stdout, /✗ packages +node_modules is missing\.\n +→ npm run setup\n– library +needs packages\n/);
    await node(['lib/cli/tunebook.mjs', 'doctor', 'packages']);
    assert.ok(!fs.existsSync(at('node_modules')), 'nothing was set up');
  });
  const remedy = `rm -r node_modules && ${setUp}`;
  await without(at('node_modules/picomatch'), () =>
    finds(['packages', 'settings'], ['packages', 'failed', /picomatch is missing/, remedy]),
  );
  const file = at('node_modules/picomatch/package.json');
  const other = fs.readFileSync(file, 'utf8').replace(/"version": "[^"]*"/, '"version": "0.0.1"');
  await replaced(file, text(other), () =>
    finds(['packages'], ['packages', 'failed', /picomatch is 0\.0\.1, not \d/, remedy]),
  );
});

test('a compiled library that is out of date or incomplete; the remedy fixes it', async () => {
  const source = at('lib/version.ts');
  const before = fs.readFileSync(source);
  fs.appendFileSync(source, '\n// Changed.\n');
  await finds(['library'], ['library', 'failed', /lib\/dist is out of date/, setUp]);
  fs.writeFileSync(source, before);
  fs.rmSync(at('lib/dist/version.js'));
  const remedy = `rm -r lib/dist lib/tsconfig.tsbuildinfo && ${setUp}`;
  await finds(['library'], ['library', 'failed', /lib\/dist\/version\.js is missing/, remedy]);
  await isRepairedBy(remedy, 'library');
});

test('an addon that is missing or out of date, which set-up detects too', async () => {
  await without(addon, () => finds(['product'], ['addon', 'failed', /tfjs_binding\.node is missing/, setUp]));
  const stamp = at('.tunebook/done/addon');
  const made = fs.readFileSync(stamp, 'utf8');
  const changeStamp = (parts: Record<string, string>) =>
    fs.writeFileSync(stamp, JSON.stringify({ ...(JSON.parse(made) as object), ...parts }));
  changeStamp({ sources: '0' });
  await finds(['addon'], ['addon', 'failed', /out of date: its sources have changed\.$/, setUp]);
  changeStamp({ runtime: '0' });
  await finds(['product'], ['addon', 'failed', /out of date: TensorFlow's libraries have changed\.$/, setUp]);
  // Compiling takes 30 s, so only check that set-up would do it.
  const { stdout } = await node([
    '--input-type=module',
    '-e',
    `import { isDone } from './lib/setup/steps.mjs';
     import { addon } from './lib/setup/tensorflow.mjs';
     console.log(isDone(addon))`,
  ]);
  assert.equal(stdout, 'false\n');
  fs.writeFileSync(stamp, made);
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
         const again = compilerHasChanged();
         console.log(JSON.stringify([again, (await compileKernels(${JSON.stringify(folder)}, [])).length]))`,
      ],
      { CXX },
    );
  const log = at('.tunebook/kernels.log');
  const first = await compile(failing);
  assert.equal(first.stdout, '[false,0]\n', first.stderr);
  assert.equal(
    first.stderr,
    `      The fused kernels do not compile with ${failing}: failing 1.0: header.h:1: error: expected initializer
      Training uses TensorFlow's own kernels instead and is slower.
      Compiler output: .tunebook/kernels.log. To use another compiler: CXX=clang++ npm run setup\n`,
  );
  assert.equal(fs.readFileSync(log, 'utf8'), `${failing}: failing 1.0\nheader.h:1: error: expected initializer\n`);
  await finds(
    ['addon'],
    [
      'addon',
      'warning',
      /kernels do not compile with .*failing 1\.0, so training is slower\. Compiler output: \.tunebook\/kernels\.log/,
      /CXX=/,
    ],
    { CXX: failing },
  );
  assert.equal((await compile(failing)).stdout, '[false,0]\n', 'the same compiler is not tried again');
  assert.match((await compile(tools['g++'])).stdout, /^\[true,/);
  fs.rmSync(log, { force: true });
});

test('an addon that is not a library, lacks a dependency, or crashes', async () => {
  const compile = (...argv: string[]) => assert.equal(spawnSync('g++', argv, { cwd: scratch }).status, 0);
  await replaced(addon, text('no library'), () =>
    finds(['product'], ['product', 'failed', /addon does not load: /, addonAgain]),
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
    await replaced(
      addon,
      (file) => fs.copyFileSync(path.join(scratch, name), file),
      () => finds(['product'], ['product', 'failed', found, addonAgain]),
    );
});

test('a missing library of TensorFlow, and an invalid TUNEBOOK_TENSORFLOW', async () => {
  const kind = gpuBuild ? 'gpu' : 'cpu';
  await without(at('.tunebook/tensorflow', kind, 'tensorflow/libtensorflow_cc.so.2'), () =>
    finds(['product'], ['tensorflow', 'failed', /libtensorflow_cc\.so\.2 is missing/, setUp]),
  );
  await finds(['disk', 'gpu'], ['tensorflow', 'failed', /'tpu'; it must be cpu or gpu/, /unset TUNEBOOK_TENSORFLOW/], {
    TUNEBOOK_TENSORFLOW: 'tpu',
  });
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
  const old = smi('old', card('470.57.02', 'exit 2'));
  const silent = smi(
    'silent',
    "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9",
  );
  const update = 'Update the NVIDIA driver.';
  const repair = /Repair the NVIDIA driver/;
  const hidden = { ...good, CUDA_VISIBLE_DEVICES: '' };
  const withBuild = async (cudnn: string, during: () => Promise<void>) => {
    await finds(['gpu'], ['gpu', 'failed', /470\.57\.02: CUDA 12 needs driver 525\.60\.13/, update], old);
    const lacking = /not used, since libcudnn\.so\.9 is missing/;
    await without(cudnn, () =>
      finds(['gpu'], ['gpu', 'failed', lacking, `rm -r .tunebook/tensorflow && ${setUp}`], good),
    );
    await during();
    await finds(['gpu'], ['gpu', 'failed', /CUDA_VISIBLE_DEVICES is ''/, 'unset CUDA_VISIBLE_DEVICES'], hidden);
    await finds(['gpu'], ['gpu', 'failed', /nvidia-smi: NVIDIA-SMI has failed/, repair], silent);
  };
  if (gpuBuild)
    return withBuild(at('.tunebook/tensorflow/gpu/nvidia/cudnn/lib/libcudnn.so.9'), async () => {
      const { checks } = await doctor(['gpu'], good);
      assert.match(checks.find(({ name }) => name === 'gpu')?.found ?? '', /NVIDIA H100, driver 550.*, in use/);
    });
  await finds(['gpu'], ['gpu', 'failed', /NVIDIA H100, driver 550.*9\.0: not used, since the CPU build/, setUp], good);
  await finds(['gpu'], ['gpu', 'failed', /470\.57\.02: CUDA 12 needs driver 525\.60\.13/, update], old);
  await finds(['gpu'], ['gpu', 'warning', /nvidia-smi: NVIDIA-SMI has failed/, repair], silent);

  // Imitates the GPU build with empty libraries.
  const folder = at('.tunebook/tensorflow');
  assert.equal(spawnSync('cp', ['-al', path.join(folder, 'cpu'), path.join(folder, 'gpu')]).status, 0);
  const fingerprints = await node(
    [
      '--input-type=module',
      '-e',
      `import { addon, tensorflowRuntime } from './lib/setup/tensorflow.mjs';
       console.log(JSON.stringify({ tensorflow: tensorflowRuntime.fingerprint(), addon: addon.fingerprint() }))`,
    ],
    { TUNEBOOK_TENSORFLOW: 'gpu' },
  );
  const stamps = JSON.parse(fingerprints.stdout) as Record<string, string>;
  const before = Object.keys(stamps).map((name) => [name, fs.readFileSync(at('.tunebook/done', name))] as const);
  for (const [name, stamp] of Object.entries(stamps)) fs.writeFileSync(at('.tunebook/done', name), stamp);
  const libraries = path.join(folder, 'gpu/nvidia/all/lib');
  fs.mkdirSync(libraries, { recursive: true });
  for (const name of (
    'cudart.so.12 cublas.so.12 cublasLt.so.12 cufft.so.11 curand.so.10 cusolver.so.11 cusparse.so.12 nccl.so.2 nvrtc.so.12 ' +
    'cupti.so.12 nvJitLink.so.12'
  ).split(' '))
    fs.writeFileSync(path.join(libraries, `lib${name}`), '');
  const cudnn = path.join(libraries, 'libcudnn.so.9');
  fs.writeFileSync(cudnn, '');
  const remedy = /^Read why in the output of: .* node lib\/setup\/doctor\/multiply\.mjs$/;
  await withBuild(cudnn, () => finds(['gpu'], ['gpu', 'failed', /TensorFlow uses the CPU instead/, remedy], good));
  fs.rmSync(path.join(folder, 'gpu'), { recursive: true });
  for (const [name, stamp] of before) fs.writeFileSync(at('.tunebook/done', name), stamp);
});

test('a truncated embedded model, and truncated embedded reviews', async () => {
  for (const [file, found] of [
    ['model/model.safetensors', /model\.safetensors is incomplete or damaged/],
    ['reviews/amazonReviewSnippets_GroundTruth.txt', /contains \d+ reviews instead of 3708/],
  ] as const) {
    const start = fs.readFileSync(at('data/embedded', file)).subarray(0, 300_000);
    const remedy = `rm -r data/embedded/${path.dirname(file)} && ${setUp}`;
    await replaced(
      at('data/embedded', file),
      (place) => fs.writeFileSync(place, start),
      () => finds(['embedded'], ['embedded', 'failed', found, remedy]),
    );
  }
});

test('an unreachable hub is a warning, an invalid token an error; the token is not printed', async () => {
  const online = { HF_HUB_OFFLINE: undefined };
  const nowhere = { ...online, HF_ENDPOINT: await closedAddress() };
  await finds(
    ['hub'],
    ['hub', 'warning', /127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/, /HF_ENDPOINT.*proxy/],
    nowhere,
  );
  const rejecting = await serve(401, '{"error":"Invalid credentials"}');
  const withToken = { ...online, HF_ENDPOINT: rejecting.address, HF_TOKEN: 'hf_secret' };
  await finds(['hub'], ['hub', 'failed', /rejects the token from HF_TOKEN/, /Create a new token/], withToken);
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
  await finds(['cache'], ['cache', 'failed', /package\.json\/hub is not writable/, /HF_HUB_CACHE or HF_HOME/], {
    HF_HUB_CACHE: at('package.json/hub'),
  });
});

test('an MLflow server that is unreachable, rejects the credentials, or is not a server', async () => {
  const named = (address: string) => ({ MLFLOW_TRACKING_URI: address, MLFLOW_TRACKING_TOKEN: 'secret' });
  const nowhere = named(await closedAddress());
  await finds(['mlflow'], ['mlflow', 'failed', /127\.0\.0\.1:\d+ cannot be reached/, /tunebook track RUN/], nowhere);
  const rejecting = await serve(401, '');
  const token = /MLFLOW_TRACKING_TOKEN/;
  await finds(['mlflow'], ['mlflow', 'failed', /rejects the credentials \(401\)/, token], named(rejecting.address));
  assert.match(rejecting.requests[0] ?? '', /experiments\/search.* Bearer secret$/);
  rejecting.close();
  const database = named('sqlite:///mlflow.db');
  await finds(['mlflow'], ['mlflow', 'failed', /must be the .* address of a tracking server/, /unset it/], database);
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
  await finds(
    ['settings'],
    ['settings', 'failed', /TUNEBOOK_EPOCH\. Did you mean TUNEBOOK_EPOCHS\?$/, /^unset TUNEBOOK_EPOCH,/],
    { TUNEBOOK_EPOCH: '1' },
  );
});

test('only a step that was interrupted, and so has no stamp, runs again', async () => {
  fs.rmSync(at('.tunebook/done/kernel'));
  const { stderr, status } = await node(['lib/setup/main.mjs']);
  assert.equal(status, 0);
  assert.deepEqual(stderr.match(/^\[.*…$/gm), ['[3/8] tslab kernel …']);
});

test('concurrent set-ups wait for each other, and the lock of a process that has ended is ignored', async () => {
  const lock = at('.tunebook/set-up.pid');
  fs.rmSync(at('.tunebook/done/kernel'));
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
  fs.writeFileSync(lock, String(process.pid));
  const waiting = [startSetUp(), startSetUp(), startSetUp()];
  await Promise.all(waiting.map(({ firstOutput }) => firstOutput));
  fs.rmSync(lock);
  const ended = await Promise.all(waiting.map(({ ended }) => ended));
  for (const { status, output } of ended) {
    assert.equal(status, 0, output);
    assert.match(
      output,
      new RegExp(`Another set-up is running in this checkout \\(process ${process.pid}\\); waiting`),
    );
  }
  const made = ended.filter(({ output }) => output.includes('tslab kernel …'));
  assert.equal(made.length, 1, 'once');
  fs.rmSync(at('.tunebook/done/kernel'));
  fs.writeFileSync(lock, '4194305');
  const { stdout } = await node([
    '--input-type=module',
    '-e',
    `import fs from 'node:fs';
     import { setUp } from './lib/setup/set-up.mjs';
     await setUp({ quiet: true, tests: false });
     console.log('locked:', fs.existsSync('.tunebook/set-up.pid'));`,
  ]);
  assert.match(stdout, /locked: false/, 'the lock is released before the command runs');
});
