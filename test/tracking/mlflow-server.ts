// Starts a real MLflow server from PyPI on loopback, in its own environment with pinned, hashed packages.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pythonWith } from '../python-environment.js';

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });

export interface MlflowServer {
  uri: string;
  /** Sends a request to its REST API. */
  request: <Body>(endpoint: string, body?: object) => Promise<Body>;
  /** Kills the server and its workers with SIGKILL. */
  kill: () => Promise<void>;
  /** Starts the server again with the same database. */
  restart: () => Promise<void>;
}

/** @param folder for its database and artifacts */
export async function startMlflow(folder: string): Promise<MlflowServer> {
  const python = process.env['TUNEBOOK_MLFLOW_PYTHON'] ?? pythonWith('mlflow');
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  fs.mkdirSync(folder, { recursive: true });
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (!child?.pid || child.exitCode !== null) return;
    const exit = new Promise((resolve) => child!.on('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await exit;
  };
  const restart = async () => {
    let output = '';
    child = spawn(
      python,
      [
        '-m',
        'mlflow',
        'server',
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--workers',
        '1',
        '--backend-store-uri',
        `sqlite:///${folder}/mlflow.db`,
        '--artifacts-destination',
        `${folder}/artifacts`,
      ],
      {
        cwd: folder,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        // Job execution, which tracking does not need, would start eight more processes.
        env: { ...process.env, MLFLOW_TRACKING_URI: '', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' },
      },
    );
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += String(data)));
    for (const end = Date.now() + 300_000; ;) {
      if (child.exitCode !== null || Date.now() > end) throw new Error(`The MLflow server did not start:\n${output}`);
      try {
        if ((await fetch(`${uri}/health`)).ok) return;
      } catch {
        // Not started yet.
      }
      await pause(200);
    }
  };
  await restart();
  return {
    uri,
    kill,
    restart,
    async request(endpoint, body) {
      const response = await fetch(`${uri}/api/2.0/${endpoint}`, {
        ...(body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${endpoint}: ${text}`);
      return JSON.parse(text) as never;
    },
  };
}
