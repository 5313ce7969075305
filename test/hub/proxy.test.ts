// Requests through the proxy of the environment: a real proxy, a TLS server behind it, and the mock hub behind that. The names
// end in .test, which no name server knows: only the proxy can reach them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { embeddedModel, fixtures } from '../checkout.js';
import { startStandInHub, type StandInHub } from './stand-in.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-proxy-'));
// Self-signed for hub.test, valid for 100 years, made with `openssl req -x509`.
const certificate = path.join(fixtures, 'tls/certificate.pem');
const program = fileURLToPath(new URL('./fetch-model.js', import.meta.url));
let hub: StandInHub;
const servers: Server[] = [];
/** Requests that the proxy received: `CONNECT hub.test:443`, `GET http://hub.test/api/models`. */
const log: string[] = [];
let password: string | undefined;
let proxyPort: number;

const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

before(async () => {
  const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) => [
    name,
    path.join(embeddedModel, name),
  ]);
  hub = await startStandInHub([
    {
      type: 'model',
      id: 'someone/model',
      files: { ...(Object.fromEntries(files) as object), 'model.safetensors': Buffer.alloc(100_000) },
    },
  ]);
  const hubPort = Number(new URL(hub.endpoint).port);
  const securePort = await listen(
    tls.createServer(
      { cert: fs.readFileSync(certificate), key: fs.readFileSync(path.join(fixtures, 'tls/key.pem')) },
      (socket) => {
        const target = net.connect(hubPort, '127.0.0.1');
        socket.pipe(target).pipe(socket);
        for (const end of [socket, target]) end.on('error', () => [socket, target].forEach((each) => each.destroy()));
      },
    ),
  );
  const isAllowed = ({ headers }: http.IncomingMessage) =>
    password === undefined || headers['proxy-authorization'] === `Basic ${Buffer.from(password).toString('base64')}`;
  const proxy = http.createServer((request, response) => {
    log.push(`${request.method} ${request.url}`);
    if (!isAllowed(request)) return response.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
    const { pathname, search } = new URL(request.url!);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    request.pipe(
      http.request({ port: hubPort, path: pathname + search, method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      }),
    );
  });
  proxy.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    log.push(`CONNECT ${request.url}`);
    if (!isAllowed(request)) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const target = net.connect(securePort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    for (const end of [socket, target]) end.on('error', () => [socket, target].forEach((each) => each.destroy()));
  });
  proxyPort = await listen(proxy);
});
beforeEach(() => {
  log.length = 0;
  hub.requests.length = 0;
  password = undefined;
});
after(async () => {
  servers.forEach((server) => server.close());
  await hub.close();
  fs.rmSync(temporary, { recursive: true });
});

let count = 0;
/** Downloads the model in a new process, since proxies are read once per process. */
async function fetchModel(environment: Record<string, string>) {
  const cache = path.join(temporary, `cache-${count++}`);
  const inherited = Object.entries(process.env).filter(([name]) => !/proxy$/i.test(name));
  const child = spawn(process.execPath, [program, 'someone/model'], {
    env: {
      ...Object.fromEntries(inherited),
      HF_HUB_CACHE: cache,
      HF_HUB_OFFLINE: '',
      HF_TOKEN: '',
      NODE_EXTRA_CA_CERTS: certificate,
      ...environment,
    },
  });
  let stderr = '';
  child.stderr.on('data', (data) => (stderr += String(data)));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const snapshots = path.join(cache, 'models--someone--model/snapshots');
  const commit = fs.existsSync(snapshots) ? fs.readdirSync(snapshots)[0] : undefined;
  return { status, stderr, files: commit ? fs.readdirSync(path.join(snapshots, commit)) : [] };
}

const allFiles = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

test('https:// addresses are reached through a tunnel, with the password of the proxy', async () => {
  password = 'ada:secret';
  const { status, stderr, files } = await fetchModel({
    HF_ENDPOINT: 'https://hub.test',
    HTTPS_PROXY: `http://ada:secret@127.0.0.1:${proxyPort}`,
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(files, allFiles);
  assert.deepEqual([...new Set(log)], ['CONNECT hub.test:443']);
});

test('http:// addresses are requested from the proxy itself, whose address may lack http://', async () => {
  const { status, stderr, files } = await fetchModel({
    HF_ENDPOINT: 'http://hub.test',
    http_proxy: `127.0.0.1:${proxyPort}`,
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(files, allFiles);
  assert.ok(
    log.every((line) => line.startsWith('GET http://hub.test/')),
    log.join('\n'),
  );
});

test('addresses of NO_PROXY are requested directly', async () => {
  const { status, stderr } = await fetchModel({
    HF_ENDPOINT: hub.endpoint,
    HTTP_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: 'localhost,127.0.0.1',
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(log, []);
});

test('a proxy that requires a password, or has no valid address, is an error that says so', async () => {
  password = 'ada:secret';
  const locked = await fetchModel({ HF_ENDPOINT: 'https://hub.test', HTTPS_PROXY: `http://127.0.0.1:${proxyPort}` });
  assert.match(
    locked.stderr,
    /OfflineError: https:\/\/hub\.test is unreachable \(PROXY_407\).*USER:PASSWORD@HOST:PORT/s,
  );
  const plain = await fetchModel({ HF_ENDPOINT: 'http://hub.test', HTTP_PROXY: `http://127.0.0.1:${proxyPort}` });
  assert.match(plain.stderr, /OfflineError: http:\/\/hub\.test is unreachable \(PROXY_407\)/);
  const invalid = await fetchModel({ HF_ENDPOINT: 'https://hub.test', HTTPS_PROXY: 'socks5://ada:secret@127.0.0.1:1' });
  assert.match(invalid.stderr, /SettingsError: HTTPS_PROXY is not the address of an HTTP proxy/);
  assert.doesNotMatch(invalid.stderr, /ada:secret/, 'passwords are not printed');
  assert.equal(log.length, 2, 'no retries');
});
