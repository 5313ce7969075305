/**
 * Ranks that are all on this machine, one process each, as `tunebook launch --workers` starts them: they are watched, ended
 * together, and started again where that may help.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import readline from 'node:readline';
import { exitCodes } from '../errors.js';
import { handSignalsTo } from '../signals.js';
import { environmentOfRank, visibleGpus } from './rank-environment.js';

/**
 * Seconds that the other ranks have after the first has failed, before they are killed: to notice and to say so; where the first
 * has ended since it has lost another, that one is frozen, and cannot.
 */
const graceAfter = ({ code }: RankEnd): number => (code === exitCodes.rankLost ? 2 : 8);

/** How a rank ended. */
export interface RankEnd {
  rank: number;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Ports that are free on loopback now. */
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

/** What a rank says, each line with its number before it. */
function pass(child: ChildProcess, rank: number): void {
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    if (from) readline.createInterface({ input: from }).on('line', (line) => to.write(`[${rank}] ${line}\n`));
}

/** How a rank ended, in words. */
export const describeEnd = ({ rank, code, signal }: RankEnd): string =>
  `Rank ${rank} ${signal ? `was ended by ${signal}` : `ended with exit code ${code}`}`;

/** Exit codes that another start would only repeat, or that somebody asked for. */
const final: number[] = [
  exitCodes.refused,
  exitCodes.data,
  exitCodes.diverged,
  exitCodes.diskFull,
  exitCodes.SIGHUP,
  exitCodes.SIGINT,
  exitCodes.SIGTERM,
];

/** The exit code of all: of the rank that went first and not because another had. */
export function exitCodeOfRanks(ends: RankEnd[]): number {
  const failed = ends.filter(({ code }) => code !== 0);
  const cause = failed.find(({ code }) => code !== exitCodes.rankLost) ?? failed[0];
  if (!cause) return exitCodes.done;
  // Who was killed can be started again.
  return cause.code ?? exitCodes.rankLost;
}

/** Whether another start may help. */
export const isWorthAnotherStart = (exitCode: number): boolean => exitCode !== 0 && !final.includes(exitCode);

/**
 * Starts ranks and waits for all to end. When one has failed the others have a few seconds to notice, and are then killed:
 * one of them may be frozen.
 * @param command a program and its arguments, the same for all
 * @returns how each ended, in the order in which they did
 */
export async function runRanks(workers: number, [program, ...argv]: [string, ...string[]]): Promise<RankEnd[]> {
  const addresses = (await freePorts(workers)).map((port) => `127.0.0.1:${port}`);
  const gpus = visibleGpus();
  const children = addresses.map((_, rank) => {
    const place = { addresses, rank, localRank: rank, localSize: workers };
    const child = spawn(program, argv, {
      // The chief has the terminal, its progress bar too. All are in groups of their own: Ctrl-C reaches them below, once.
      stdio: ['ignore', rank === 0 ? 'inherit' : 'pipe', rank === 0 ? 'inherit' : 'pipe'],
      env: environmentOfRank(place, gpus),
      detached: true,
    });
    pass(child, rank);
    return child;
  });
  const stop = handSignalsTo(children);
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
    if (first) await Promise.race([all, pause(1000 * graceAfter(first), undefined, { ref: false })]);
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await all;
  } finally {
    stop();
  }
  return ends;
}
