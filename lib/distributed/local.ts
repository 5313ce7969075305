/**
 * Runs the ranks of this machine, one process each: starts them, monitors them, and ends them together. For
 * `tunebook launch`, they are all ranks or those of one of several machines.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import readline from 'node:readline';
import { exitCodes } from '../errors.js';
import { forwardSignals } from '../signals.js';
import { environmentOfRank, visibleGpus, type RankPlace } from './rank-environment.js';

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

/** The places of ranks that are all on this machine. */
export async function localPlaces(workers: number): Promise<RankPlace[]> {
  const addresses = (await freePorts(workers)).map((port) => `127.0.0.1:${port}`);
  return addresses.map((_, rank) => ({ addresses, rank, localRank: rank, localSize: workers }));
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

/**
 * Forwards the output of a child process line by line.
 * @param format converts a line, for example by adding the name of the process
 */
export function forwardOutput(child: ChildProcess, format: (line: string, isError: boolean) => string): void {
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    if (from)
      readline
        .createInterface({ input: from })
        .on('line', (line) => to.write(`${format(line, to === process.stderr)}\n`));
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
 * @param places the places of the ranks on this machine
 * @param command a program and its arguments, the same for all ranks
 * @param onErrorOutput receives the error output of the first of these ranks, which is printed too. @default only printed
 * @returns the end of each rank, in order of time
 */
export async function runRanks(
  places: RankPlace[],
  [program, ...argv]: [string, ...string[]],
  onErrorOutput?: (text: string) => void,
): Promise<RankEnd[]> {
  const gpus = visibleGpus();
  const children = places.map((place) => {
    const { rank } = place;
    // The first one uses the terminal: on the chief's machine the chief, for its progress bar.
    const isFirst = place === places[0];
    const output = isFirst ? 'inherit' : 'pipe';
    const child = spawn(program, argv, {
      // Each rank is in a process group of its own, so that a rank receives Ctrl-C once, through this process.
      stdio: ['ignore', output, isFirst && onErrorOutput ? 'pipe' : output],
      env: environmentOfRank(place, gpus),
      detached: true,
    });
    if (!isFirst) forwardOutput(child, (line) => `[${rank}] ${line}`);
    else
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        process.stderr.write(text);
        onErrorOutput!(text);
      });
    return child;
  });
  const stop = forwardSignals(children);
  const ends: RankEnd[] = [];
  let failed: () => void;
  const failure = new Promise<void>((resolve) => (failed = resolve));
  const all = Promise.all(
    children.map(
      (child, i) =>
        new Promise<void>((resolve, reject) => {
          child.on('error', reject);
          child.on('exit', (code, signal) => {
            ends.push({ rank: places[i]!.rank, code, signal });
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
