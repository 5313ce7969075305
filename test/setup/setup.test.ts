// Errors of set-up and the platforms that it supports. Complete set-up runs before any test.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { addonFiles, addonFolder, installedKind } from '#setup/cache.mjs';
import { root } from '../checkout.js';

/** Runs code in the checkout, by default set-up. */
const runSetup = (environment: Record<string, string> = {}, code = "await import('./lib/setup/main.mjs')") =>
  spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });

/** Runs code without blocking this process, which serves it. @returns standard output */
async function spawnNode(code: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const base = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^PIP_/.test(name)));
  const argv = ['--input-type=module', '-e', code];
  return (await promisify(execFile)(process.execPath, argv, { cwd: root, env: { ...base, ...environment } })).stdout;
}

test('a second run does nothing', () => {
  const { stderr, status } = runSetup();
  assert.equal(status, 0);
  assert.match(stderr, /Everything is set up/);
});

test('an invalid TUNEBOOK_TENSORFLOW is an error that lists the valid values', () => {
  const { stderr, status } = runSetup({ TUNEBOOK_TENSORFLOW: 'tpu' });
  assert.equal(status, 1);
  assert.match(stderr, /TUNEBOOK_TENSORFLOW is 'tpu'; it must be cpu or gpu/);
});

/** Evaluates code of set-up as if on another platform. @param platform a key of data/sources.json */
function evaluateOn(platform: string, code: string, environment: Record<string, string> = {}): unknown {
  const [system, arch] = platform.split('-');
  const { stdout, stderr } = runSetup(
    environment,
    `Object.defineProperty(process, 'platform', { value: '${system}' });
     Object.defineProperty(process, 'arch', { value: '${arch}' });
     const { sourcesOf } = await import('./lib/setup/sources.mjs');
     const { linking } = await import('./lib/setup/platform.mjs');
     const { checkSystem, compilerCommand, findPython } = await import('./lib/setup/tools.mjs');
     const { tensorflowKind, tensorflowRuntime } = await import('./lib/setup/tensorflow.mjs');
     const message = (action) => { try { return action() } catch (error) { return error.message } };
     console.log(JSON.stringify(${code}));`,
  );
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

test('each supported platform has its own build of the same TensorFlow, with the library names of its loader', () => {
  const sources = JSON.parse(fs.readFileSync(path.join(root, 'data/sources.json'), 'utf8')) as {
    'tensorflow-cpu': Record<string, { version: string; file: string; sha256: string }[]>;
  };
  const builds = Object.entries(sources['tensorflow-cpu']);
  assert.deepEqual(
    builds.map(([platform, [{ version, file } = assert.fail()]]) => [platform, version, file.replace(/.*-cp311-/, '')]),
    [
      ['linux-x64', '2.21.0', 'manylinux_2_27_x86_64.whl'],
      ['linux-arm64', '2.21.0', 'manylinux_2_27_aarch64.whl'],
      ['darwin-arm64', '2.21.0', 'macosx_12_0_arm64.whl'],
    ],
  );
  for (const [platform, files] of builds) {
    const actual = evaluateOn(
      platform,
      `[checkSystem() ?? 'supported', sourcesOf('tensorflow-cpu'), sourcesOf('embedded-model').length, tensorflowRuntime.files()]`,
    ) as [string, unknown, number, string[]];
    const extension = platform.startsWith('darwin') ? 'dylib' : 'so';
    assert.deepEqual(actual.slice(0, 3), ['supported', files, 1]);
    assert.deepEqual(
      actual[3].slice(2).map((file) => path.basename(file)),
      [`libtensorflow.${extension}`, `libtensorflow_framework.${extension}`],
    );
  }
});

test('an unsupported platform and an unavailable GPU build are rejected', () => {
  assert.match(
    String(evaluateOn('win32-x64', 'message(checkSystem)')),
    /supports Linux x64, Linux arm64, macOS arm64, but this is win32 x64\. Use a supported platform/,
  );
  for (const platform of ['linux-arm64', 'darwin-arm64'])
    assert.match(
      String(evaluateOn(platform, 'message(tensorflowKind)', { TUNEBOOK_TENSORFLOW: 'gpu' })),
      /TUNEBOOK_TENSORFLOW is 'gpu', but TensorFlow has no GPU build for (Linux|macOS) arm64\. Set it to cpu/,
    );
});

test('errors about a missing compiler or Python contain the command that installs it', () => {
  const emptyFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-path-'));
  const messages = (platform: string) =>
    evaluateOn(platform, '[message(compilerCommand), message(findPython)]', { PATH: emptyFolder, CXX: '' }) as [
      string,
      string,
    ];
  const [compiler, python] = messages('linux-x64');
  assert.match(compiler, /No C\+\+ compiler was found.*apt-get install g\+\+/);
  assert.match(python, /No Python 3\.10.*apt-get install python3/);
  // TensorFlow's build for macOS uses clang's C++ library.
  const [clang, homebrew] = messages('darwin-arm64');
  assert.match(clang, /looked for clang\+\+, c\+\+\).*xcode-select --install/);
  assert.match(homebrew, /No Python 3\.10.*brew install python/);
  fs.rmdirSync(emptyFolder);
});

test('a download that does not match the pinned hash is deleted and rejected', () => {
  const target = path.join(os.tmpdir(), `tunebook-six-${process.pid}.whl`);
  const { stdout } = runSetup(
    {},
    `import { downloadFromIndex } from './lib/setup/package-index.mjs';
     await downloadFromIndex('six', 'six-1.17.0-py2.py3-none-any.whl', '${'0'.repeat(64)}', ${JSON.stringify(target)})
       .catch((error) => console.log(error.message));`,
  );
  assert.match(stdout, /has sha256 [0-9a-f]{64}, but 0{64} is pinned/);
  assert.ok(!fs.existsSync(target));
});

const authorization = `Basic ${Buffer.from('ada:s@cret').toString('base64')}`;

/** Starts a package index with one project, which needs a password. @param page the project's page, and its content type */
async function startIndex(page: (address: string) => [type: string, content: string]) {
  const requests: string[] = [];
  const content = Buffer.alloc(300_000, 'wheel ');
  let breaksOff = true;
  const server = http.createServer((request, response) => {
    const { url, headers } = request;
    requests.push([url, headers.authorization, headers.range].filter(Boolean).join(' '));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (url === '/simple/a-project/') {
      if (headers.authorization !== authorization) return void response.writeHead(401).end();
      const [type, text] = page(address);
      response.writeHead(200, { 'content-type': type }).end(text);
    } else if (url === '/files/a_project-1-py3-none-any.whl') {
      if (headers.authorization !== authorization) return void response.writeHead(401).end();
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from });
      if (!breaksOff) return void response.end(content.subarray(from));
      // The first connection breaks off in the middle.
      breaksOff = false;
      response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 100));
    } else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  // Also if the test fails: the process would not end.
  after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, requests, content, index: `http://ada:s%40cret@127.0.0.1:${port}/simple` };
}

test('files come from the index that pip is configured for, with its credentials, and a broken download continues', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-index-'));
  const target = path.join(folder, 'file.whl');
  const link = 'a_project-1-py3-none-any.whl';
  const hash = createHash('sha256').update(Buffer.alloc(300_000, 'wheel ')).digest('hex');
  const download = (environment: NodeJS.ProcessEnv, file = link) =>
    spawnNode(
      `const { downloadFromIndex } = await import('./lib/setup/package-index.mjs');
       await downloadFromIndex('A.project', ${JSON.stringify(file)}, '${hash}', ${JSON.stringify(target)})
         .catch(({ message }) => console.log(message));`,
      { ...environment, HOME: folder, XDG_CONFIG_HOME: folder, XDG_CONFIG_DIRS: folder, NO_PROXY: '127.0.0.1' },
    );
  // In HTML and in JSON, in a configuration file and in the environment.
  for (const [page, configure] of [
    [
      () => [
        'text/html',
        `<!-- <a href="/gone/${link}">${link}</a> --><a href="http://[oops/">x</a><a href="100%.whl">x</a>
         <base href="/simple/a-project/"><a data-requires-python=">=3.8" href='../../files/${link}#sha256=0'>${link}</a>`,
      ],
      (index) => {
        fs.mkdirSync(path.join(folder, 'pip'));
        fs.writeFileSync(
          path.join(folder, 'pip/pip.conf'),
          `[global]\n# Ours\nindex-url = http://127.0.0.1:1/simple\nextra-index-url =\n    ${index}\n[install]\nindex-url = x\n`,
        );
        return {};
      },
    ],
    [
      (address) => [
        'application/vnd.pypi.simple.v1+json',
        JSON.stringify({ files: [{ filename: link, url: `${address}/files/${link}` }] }),
      ],
      (index) => ({ PIP_CONFIG_FILE: os.devNull, PIP_INDEX_URL: index }),
    ],
  ] as [Parameters<typeof startIndex>[0], (index: string) => NodeJS.ProcessEnv][]) {
    const { server, requests, content, index } = await startIndex(page);
    const environment = configure(index);
    const stdout = await download(environment);
    assert.equal(stdout, '');
    assert.ok(fs.readFileSync(target).equals(content));
    assert.equal(requests[0], `/simple/a-project/ ${authorization}`);
    assert.match(requests.at(-1)!, /^\/files\/a_project-1-py3-none-any\.whl .*bytes=\d+-$/);
    fs.rmSync(target);
    const missing = await download(environment, 'other.whl');
    assert.match(
      missing,
      /^other\.whl of A\.project could not be downloaded: .*127\.0\.0\.1:\d+\/simple\/a-project\/ does not have it/,
    );
    assert.doesNotMatch(missing, /cret/);
    server.close();
  }
  // A damaged file in a folder; then the index has the right one.
  fs.writeFileSync(path.join(folder, link), 'damaged');
  const { server, index } = await startIndex(() => ['text/html', `<a href=/files/${link}>${link}</a>`]);
  const links = { PIP_CONFIG_FILE: os.devNull, PIP_FIND_LINKS: '~/' };
  assert.equal(await download({ ...links, PIP_NO_INDEX: '0', PIP_INDEX_URL: index }), '');
  fs.rmSync(target);
  assert.match(await download({ ...links, PIP_NO_INDEX: '1' }), /has sha256 [0-9a-f]{64}, but [0-9a-f]{64} is pinned/);
  assert.match(
    await download({ PIP_CONFIG_FILE: os.devNull, PIP_NO_INDEX: 'true' }),
    /could not be downloaded: pip is configured without an index\./,
  );
  server.close();
  // Addresses and files that are invalid are named without passwords, and without a stack trace.
  for (const [environment, message] of [
    [
      { PIP_INDEX_URL: 'https://bob:pa#ss@127.0.0.1/simple' },
      /contains https:\/\/127\.0\.0\.1\/simple, which is not a valid/,
    ],
    [{ PIP_CERT: '/nonexistent.pem' }, /certificates \/nonexistent\.pem do not exist/],
    [{ PIP_PROXY: 'ftp://proxy' }, /pip's proxy is not the address of an HTTP proxy/],
    [{ PIP_INDEX_URL: index }, /http:\/\/127\.0\.0\.1:\d+\/simple\/a-project\/: .*ECONNREFUSED/],
  ] as const) {
    const stdout = await download({ PIP_CONFIG_FILE: os.devNull, ...environment });
    assert.match(stdout, message);
    assert.doesNotMatch(stdout, /pa#ss|cret|TypeError/);
  }
  fs.rmSync(folder, { recursive: true });
});

test('a patch that does not apply to the installed sources is an error, and the existing addon is kept', () => {
  const addon = path.join(addonFolder(installedKind()), addonFiles.tfjs);
  const { stdout } = runSetup(
    {},
    `import { patchSources } from './lib/setup/addon.mjs';
     await patchSources('--- a/binding/tfjs_backend.h\\n+++ b/binding/tfjs_backend.h\\n@@ -1,1 +1,1 @@\\n-not there\\n+new\\n', 'node_modules/@tensorflow/tfjs-node-gpu')
       .catch((error) => console.log(error.message));`,
  );
  assert.match(stdout, /addon\.patch cannot be applied to tfjs_backend\.h of the installed tfjs-node-gpu/);
  assert.ok(fs.existsSync(addon));
});
