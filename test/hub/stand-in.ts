/**
 * A mock of the hub on 127.0.0.1 with its real routes, real files, and injected faults. Large files redirect to another
 * path and old names to current ones, as on the hub.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Hub } from '#lib/hub/environment.js';

export interface StoredRepository {
  type: 'model' | 'dataset';
  id: string;
  /** Names that redirect to the id. */
  aliases?: string[];
  /** Contents by path: bytes, or the path of a local file. Revisions other than main: `revision:path`. */
  files: Record<string, Buffer | string>;
  /** Access: public, with a token, or with a token after approval. */
  access?: 'open' | 'private' | 'gated';
  /** Pull requests: number and title. */
  discussions?: { num: number; title: string; author: string }[];
}

export interface Fault {
  /** Affects requests whose path matches. */
  path: RegExp;
  /** Number of requests to affect; default: all. */
  times?: number;
  status?: number;
  headers?: Record<string, string>;
  /** Closes the connection after this number of bytes of the body. */
  cutAfter?: number;
  /** Stops sending after this number of bytes of the body. */
  stallAfter?: number;
  /** Sends the whole file regardless of the requested range. */
  ignoreRange?: boolean;
  /** Changes a byte of the body. */
  corrupt?: boolean;
}

export interface StandInHub {
  endpoint: string;
  /** The repositories, with the files that were uploaded. */
  repositories: StoredRepository[];
  /** Path and range of each request, and the number of body bytes sent. */
  requests: { path: string; range: string | undefined; bytes: number }[];
  faults: Fault[];
  /** Limit in bytes per second for each body; default: none. */
  rate?: number;
  close(): Promise<void>;
}

/** The only valid token. */
export const standInToken = 'hf_stand_in_token';

/** Minimum size in bytes of large files (LFS), which have a sha256. */
const largeFrom = 1 << 16;

const commitOf = (repository: StoredRepository, revision: string) =>
  createHash('sha1').update(`${repository.type} ${repository.id} ${revision}`).digest('hex');

const hashes = new Map<string, { oid: string; sha256: string; size: number }>();

/** Returns the git hash and the sha256 of a file, which are cached. */
function describe(content: Buffer | string) {
  const key = typeof content === 'string' ? content : createHash('md5').update(content).digest('hex');
  const cached = hashes.get(key);
  if (cached) return cached;
  const size = typeof content === 'string' ? fs.statSync(content).size : content.length;
  const git = createHash('sha1').update(`blob ${size}\0`);
  const sha256 = createHash('sha256');
  if (typeof content === 'string') {
    const descriptor = fs.openSync(content, 'r');
    const buffer = Buffer.alloc(1 << 22);
    for (let count; (count = fs.readSync(descriptor, buffer)) > 0;) {
      git.update(buffer.subarray(0, count));
      sha256.update(buffer.subarray(0, count));
    }
    fs.closeSync(descriptor);
  } else {
    git.update(content);
    sha256.update(content);
  }
  const described = { oid: git.digest('hex'), sha256: sha256.digest('hex'), size };
  hashes.set(key, described);
  return described;
}

export async function startStandInHub(repositories: StoredRepository[]): Promise<StandInHub> {
  const requests: StandInHub['requests'] = [];
  const faults: Fault[] = [];
  const state: { rate?: number } = {};

  const server = http.createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function sendBody(
    response: http.ServerResponse,
    content: Buffer | string,
    range: string | undefined,
    headers: Record<string, string>,
    fault: Fault | undefined,
    entry: { bytes: number },
  ) {
    const size = typeof content === 'string' ? fs.statSync(content).size : content.length;
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = Math.min(size, last ? Number(last) + 1 : size);
    if (start >= size && size > 0) {
      response.writeHead(416).end();
      return;
    }
    response.writeHead(range ? 206 : 200, {
      'content-length': String(end - start),
      'accept-ranges': 'bytes',
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
      ...headers,
    });
    const chunkSize = state.rate ? Math.max(1024, Math.floor(state.rate / 50)) : 1 << 16;
    const descriptor = typeof content === 'string' ? fs.openSync(content, 'r') : undefined;
    try {
      for (let offset = start; offset < end;) {
        const limit = fault?.cutAfter ?? fault?.stallAfter ?? Infinity;
        let count = Math.min(chunkSize, end - offset, limit - (offset - start));
        if (count <= 0) {
          if (fault?.cutAfter !== undefined) response.destroy();
          return;
        }
        let bytes: Buffer;
        if (descriptor === undefined) bytes = Buffer.from((content as Buffer).subarray(offset, offset + count));
        else {
          bytes = Buffer.alloc(count);
          count = fs.readSync(descriptor, bytes, 0, count, offset);
        }
        if (fault?.corrupt && offset === start) bytes[0] = bytes[0]! ^ 1;
        entry.bytes += bytes.length;
        if (!response.write(bytes))
          await new Promise<void>((resolve) => {
            const proceed = () => {
              response.off('drain', proceed).off('close', proceed);
              resolve();
            };
            response.on('drain', proceed).on('close', proceed);
          });
        if (response.destroyed) return;
        offset += count;
        if (state.rate) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      response.end();
    } finally {
      if (descriptor !== undefined) fs.closeSync(descriptor);
    }
  }

  /** Large files that were uploaded, by their sha256. */
  const uploaded = new Map<string, Buffer>();

  /** The routes of an upload: a new repository, how to send each file, large files, and the commit. */
  async function upload(request: http.IncomingMessage, response: http.ServerResponse, route: string): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const json = (value: unknown, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const storage = /^\/storage\/([0-9a-f]{64})$/.exec(route);
    if (storage) {
      const isSame = createHash('sha256').update(body).digest('hex') === storage[1];
      if (isSame) uploaded.set(storage[1]!, body);
      return void response.writeHead(isSame ? 200 : 400).end();
    }
    if (request.headers.authorization !== `Bearer ${standInToken}`) return void json({ error: 'Unauthorized' }, 401);
    if (route === '/api/repos/create') {
      const { organization, name } = JSON.parse(body.toString()) as { organization: string; name: string };
      const id = `${organization}/${name}`;
      if (organization !== 'me') return void json({ error: "You don't have the rights to create a model" }, 403);
      if (repositories.some((known) => known.id === id)) return void json({ error: 'You already created it' }, 409);
      repositories.push({ type: 'model', id, files: {} });
      return void json({ url: `${endpoint}/${id}`, id });
    }
    if (/\/preupload\/main$/.test(route)) {
      const { files } = JSON.parse(body.toString()) as { files: { path: string; size: number }[] };
      const modes = files.map(({ path, size }) => ({ path, uploadMode: size >= largeFrom ? 'lfs' : 'regular' }));
      return void json({ files: modes });
    }
    if (/\.git\/info\/lfs\/objects\/batch$/.test(route)) {
      const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] };
      const actions = ({ oid }: { oid: string }) => ({ upload: { href: `${endpoint}/storage/${oid}` } });
      return void json({ transfer: 'basic', objects: objects.map((each) => ({ ...each, actions: actions(each) })) });
    }
    const [, id] = /^\/api\/models\/(.*)\/commit\/main$/.exec(route) ?? [];
    const repository = repositories.find((known) => known.id === id);
    if (!repository) return void json({ error: 'Not found' }, 404);
    for (const line of body.toString().trim().split('\n')) {
      const { key, value } = JSON.parse(line) as {
        key: string;
        value: { path: string; content: string; oid: string };
      };
      if (key === 'file') repository.files[value.path] = Buffer.from(value.content, 'base64');
      if (key === 'lfsFile') repository.files[value.path] = uploaded.get(value.oid)!;
    }
    json({ success: true, commitOid: '1'.repeat(40), commitUrl: `${endpoint}/${id}/commit/1`, hookOutput: '' });
  }

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url!, endpoint);
    const route = decodeURIComponent(url.pathname);
    const entry = { path: route, range: request.headers.range, bytes: 0 };
    requests.push(entry);
    // Faults of bodies apply to large files, after the redirect.
    const fault = faults.find(
      ({ path, times = Infinity, status }) =>
        times > 0 && path.test(route) && (status !== undefined || url.searchParams.has('cdn')),
    );
    if (fault?.times) fault.times--;
    if (fault?.status) {
      response.writeHead(fault.status, fault.headers).end();
      return;
    }
    const reject = (status: number, code: string, message: string) =>
      response.writeHead(status, { 'x-error-code': code, 'x-error-message': message }).end();
    const json = (value: unknown) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));

    const listing = /^\/api\/(model|dataset)s$/.exec(route);
    if (listing) {
      const query = url.searchParams.get('search') ?? '';
      json(
        repositories
          .filter(({ type, id }) => type === listing[1] && id.includes(query))
          .map(({ id }) => ({ _id: id, id, lastModified: '2024-01-01T00:00:00.000Z', downloads: 1, likes: 1 })),
      );
      return;
    }

    if (request.method === 'POST' || request.method === 'PUT') {
      await upload(request, response, route);
      return;
    }

    const api = /^\/api\/(model|dataset)s\/(.*)$/.exec(route);
    const isDataset = route.startsWith('/datasets/');
    const type = api?.[1] ?? (isDataset ? 'dataset' : 'model');
    const rest = api?.[2] ?? route.slice(isDataset ? '/datasets/'.length : 1);
    const repository = repositories.find(
      (candidate) =>
        candidate.type === type &&
        [candidate.id, ...(candidate.aliases ?? [])].some((name) => rest.startsWith(`${name}/`)),
    );
    if (!repository) {
      reject(401, 'RepoNotFound', 'Repository not found');
      return;
    }
    const alias = repository.aliases?.find((name) => rest.startsWith(`${name}/`));
    if (alias) {
      response.writeHead(307, { location: request.url!.replace(alias, repository.id) }).end();
      return;
    }
    const authorized = request.headers.authorization === `Bearer ${standInToken}`;
    if (request.headers.authorization && !authorized) {
      reject(401, '', 'Invalid credentials in Authorization header');
      return;
    }
    if (repository.access === 'private' && !authorized) {
      reject(401, 'RepoNotFound', 'Repository not found');
      return;
    }
    const action = rest.slice(repository.id.length + 1);
    const revisions = new Set([
      'main',
      ...Object.keys(repository.files).flatMap((name) => /^(refs\/.*?):/.exec(name)?.[1] ?? []),
    ]);
    const revisionOf = (text: string) =>
      [...revisions].find((name) => text === name || text === commitOf(repository, name));
    const filesOf = (revision: string) =>
      Object.entries(repository.files).flatMap(([name, content]) => {
        const [, branch = 'main', path = name] = /^(refs\/.*?):(.*)$/.exec(name) ?? [];
        return branch === revision ? [{ path, content }] : [];
      });

    if (action === 'discussions') {
      json({
        discussions: (repository.discussions ?? []).map(({ num, title, author }) => ({
          num,
          title,
          isPullRequest: true,
          author: { name: author },
        })),
      });
      return;
    }
    const [, kind, tail = ''] = /^(revision|tree|resolve)\/(.*)$/.exec(action) ?? [];
    const revision = kind === 'resolve' ? revisionOf(tail.split('/')[0]!) : revisionOf(tail);
    if (!kind || !revision) {
      reject(404, 'RevisionNotFound', 'Revision not found');
      return;
    }
    if (kind === 'revision') {
      json({
        _id: '1',
        id: repository.id,
        sha: commitOf(repository, revision),
        lastModified: '2024-01-01T00:00:00.000Z',
        private: false,
        gated: false,
        siblings: filesOf(revision).map(({ path }) => ({ rfilename: path })),
      });
      return;
    }
    if (kind === 'tree') {
      json(
        filesOf(revision).map(({ path, content }) => {
          const { oid, sha256, size } = describe(content);
          return {
            type: 'file',
            path,
            size,
            oid,
            ...(size >= largeFrom && { lfs: { oid: sha256, size, pointerSize: 134 } }),
          };
        }),
      );
      return;
    }
    if (repository.access === 'gated' && !authorized) {
      reject(403, 'GatedRepo', 'Access to this repository is restricted');
      return;
    }
    const path = tail.split('/').slice(1).join('/');
    const file = filesOf(revision).find((candidate) => candidate.path === path);
    if (!file) {
      reject(404, 'EntryNotFound', 'Entry not found');
      return;
    }
    const { sha256, oid, size } = describe(file.content);
    if (size >= largeFrom && !url.searchParams.has('cdn')) {
      response
        .writeHead(302, {
          location: `${url.pathname}?cdn=1`,
          'x-repo-commit': commitOf(repository, revision),
          'x-linked-etag': `"${sha256}"`,
          'x-linked-size': String(size),
        })
        .end();
      requests.pop();
      return;
    }
    await sendBody(
      response,
      file.content,
      fault?.ignoreRange ? undefined : request.headers.range,
      { etag: `"${size >= largeFrom ? sha256 : oid}"`, 'x-repo-commit': commitOf(repository, revision) },
      fault,
      entry,
    );
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    endpoint,
    repositories,
    requests,
    faults,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** Returns the settings of the mock hub, with short delays between attempts. */
export const hubOf = ({ endpoint }: StandInHub, cacheFolder: string): Hub => ({
  endpoint,
  cacheFolder,
  token: undefined,
  offline: false,
  timeout: 0.5,
  attempts: 4,
  firstDelay: 0.02,
});
