/**
 * Runs all ranks on this machine, one process each, for `tunebook launch --workers`: starts them, monitors them, and
 * ends them together.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import readline from 'node:readline';
import { exitCodes } from '../errors.js';
import { forwardSignals } from '../signals.js';
import { environmentOfRank, visibleGpus } from './rank-environment.js';

/**
 * Seconds between the failure of the first rank and SIGKILL for the others, in which they can report the failure. Short
 * if the first rank ended because it lost another one, which is then frozen and cannot report anything.
 */
const gracePeriod = ({ code }: RankEnd): number => (code === exitCodes.rankLost ? 2 : 8);

/** How a rank ended. */
export interface RankEnd {
  rank: number;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Finds free ports on loopback. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<net.Server>((resolve, reject) => {
          const server = net.createServer().once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Forwards a rank's output, with its number before each line. */
function forwardOutput(child: ChildProcess, rank: number): void {
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    if (from) readline.createInterface({ input: from }).on('line', (line) => to.write(`[${rank}] ${line}\n`));
}

/** Describes how a rank ended. */
export const describeEnd = ({ rank, code, signal }: RankEnd): string =>
  `Rank ${rank} ${signal ? `was killed by ${signal}` : `ended with exit code ${code}`}`;

/** Exit codes after which a restart is useless, since it would fail again or the ranks were stopped by a signal. */
const finalExitCodes: number[] = [
  exitCodes.invalid,
  exitCodes.data,
  exitCodes.diverged,
  exitCodes.diskFull,
  exitCodes.SIGHUP,
  exitCodes.SIGINT,
  exitCodes.SIGTERM,
];

/** The exit code of the whole job: that of the first rank that failed for another reason than the loss of a rank. */
export function exitCodeOfRanks(ends: RankEnd[]): number {
  const failed = ends.filter(({ code }) => code !== 0);
  const cause = failed.find(({ code }) => code !== exitCodes.rankLost) ?? failed[0];
  if (!cause) return exitCodes.done;
  // A killed rank has no exit code; a restart may help.
  return cause.code ?? exitCodes.rankLost;
}

/** Whether a restart may help after this exit code. */
export const isRestartable = (exitCode: number): boolean => exitCode !== 0 && !finalExitCodes.includes(exitCode);

/**
 * Starts ranks and waits until all have ended. A few seconds after a rank has failed, the remaining ranks are killed,
 * since one of them may be frozen.
 * @param command a program and its arguments, the same for all ranks
 * @returns the end of each rank, in order of time
 */
export async function runRanks(workers: number, [program, ...argv]: [string, ...string[]]): Promise<RankEnd[]> {
  const addresses = (await freePorts(workers)).map((port) => `127.0.0.1:${port}`);
  const gpus = visibleGpus();
  const children = addresses.map((_, rank) => {
    const place = { addresses, rank, localRank: rank, localSize: workers };
    const child = spawn(program, argv, {
      // The chief uses the terminal, for its progress bar. Each rank is in a process group of its own, so that a rank
      // receives Ctrl-C once, through this process.
      stdio: ['ignore', rank === 0 ? 'inherit' : 'pipe', rank === 0 ? 'inherit' : 'pipe'],
      env: environmentOfRank(place, gpus),
      detached: true,
    });
    forwardOutput(child, rank);
    return child;
  });
  const stop = forwardSignals(children);
  const ends: RankEnd[] = [];
  let failed: () => void;
  const failure = new Promise<void>((resolve) => (failed = resolve));
  const all = Promise.all(
    children.map(
      (child, rank) =>
        new Promise<void>((resolve, reject) => {
          child.on('error', reject);
          child.on('exit', (code, signal) => {
            ends.push({ rank, code, signal });
            if (code !== 0) failed();
            resolve();
          });
        }),
    ),
  );
  try {
    await Promise.race([all, failure]);
    const first = ends.find(({ code }) => code !== 0);
    if (first) await Promise.race([all, pause(1000 * gracePeriod(first), undefined, { ref: false })]);
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await all;
  } finally {
    stop();
  }
  return ends;
}
