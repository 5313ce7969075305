// Starts ranks as schedulers do: as separate processes, here in a network namespace, so that TensorFlow's servers
// cannot be reached from outside. All processes are killed after a timeout.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { root } from '../checkout.js';

const python = process.env['TUNEBOOK_PYTHON'] ?? 'python3';
const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];

/** Wraps a command to run in a network namespace that has only loopback. */
export const inNamespace = (command: string[]): [string, ...string[]] => [
  'unshare',
  '--net',
  ...asRoot,
  python,
  path.join(root, 'test/distributed/namespace.py'),
  ...command,
];

/** A signal that is sent to a rank. */
export interface PlannedSignal {
  rank: number;
  signal: NodeJS.Signals;
  /** Output of any rank that triggers the signal. */
  after: string;
  /** Delay after the output, in milliseconds. */
  delay?: number;
}

/** The command of a rank: a module of this folder, or the command line. */
export interface RankCommand {
  argv: string[];
  env?: Record<string, string>;
}

/** Input of start-ranks.js. */
export interface Plan {
  ranks: (RankCommand | null)[];
  signals: PlannedSignal[];
  /** Seconds after which all remaining ranks are killed. */
  timeout: number;
}

/** Result of a rank. */
export interface RankResult {
  code: number | null;
  signal: string | null;
  /** Seconds from its start, and from each signal that was sent before its end. */
  seconds: number;
  secondsSinceSignals: number[];
  output: string;
}

export const main = path.join(root, 'lib/dist/cli/main.js');
export const distFolder = path.dirname(fileURLToPath(import.meta.url));

/**
 * Runs ranks with a TF_CONFIG and waits for their end.
 * @param ranks command of each rank; null for one that never starts
 */
export function startRanks(
  ranks: Plan['ranks'],
  { signals = [], timeout = 300 }: Partial<Pick<Plan, 'signals' | 'timeout'>> = {},
): Promise<(RankResult | null)[]> {
  const plan: Plan = { ranks, signals, timeout };
  const [program, ...argv] = inNamespace([
    process.execPath,
    path.join(distFolder, 'start-ranks.js'),
    JSON.stringify(plan),
  ]);
  return new Promise((resolve, reject) => {
    let [stdout, stderr] = ['', ''];
    const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(stdout) as (RankResult | null)[]);
      else reject(new Error(`The ranks could not be started (${code}):\n${stderr}`));
    });
  });
}
