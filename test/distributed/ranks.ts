// Ranks as schedulers start them: processes of their own, in a network namespace of their own, where nobody else can reach
// TensorFlow's servers. Bounded in time; nothing is left when the time is over.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { root } from '../checkout.js';

const python = process.env['TUNEBOOK_PYTHON'] ?? 'python3';
const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];

/** A command in a network namespace that has nothing but loopback. */
export const inNamespace = (command: string[]): [string, ...string[]] => [
  'unshare',
  ...['--net', ...asRoot, python, path.join(root, 'test/distributed/namespace.py')],
  ...command,
];

/** What is done to one of the ranks. */
export interface Blow {
  rank: number;
  signal: NodeJS.Signals;
  /** When some rank has said this. */
  after: string;
  /** And so many milliseconds later. */
  delay?: number;
}

/** What a rank runs: a module of this folder, or the command line. */
export interface RankCommand {
  argv: string[];
  env?: Record<string, string>;
}

/** What start-ranks.js is told. */
export interface Plan {
  ranks: (RankCommand | null)[];
  blows: Blow[];
  /** Seconds after which all that are left are killed. */
  timeout: number;
}

/** How a rank ended. */
export interface RankResult {
  code: number | null;
  signal: string | null;
  /** Seconds from its start, and from each blow that was dealt before its end. */
  seconds: number;
  sinceBlows: number[];
  output: string;
}

export const main = path.join(root, 'lib/dist/cli/main.js');
export const here = path.dirname(fileURLToPath(import.meta.url));

/**
 * Runs ranks that TF_CONFIG describes to their end.
 * @param ranks what each runs; null for one that never starts
 */
export function startRanks(
  ranks: Plan['ranks'],
  { blows = [], timeout = 300 }: Partial<Pick<Plan, 'blows' | 'timeout'>> = {},
): Promise<(RankResult | null)[]> {
  const plan: Plan = { ranks, blows, timeout };
  const [program, ...argv] = inNamespace([process.execPath, path.join(here, 'start-ranks.js'), JSON.stringify(plan)]);
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
