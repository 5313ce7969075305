// The processes that are measured: started, asked for a turn at a time, ended.
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';
import { rowsFile, type Rows, type Turn } from './work.js';

export interface Work {
  mode: 'train' | 'infer';
  rows: Rows;
  batch: number;
  /** Steps a turn. */
  steps: number;
  /** Turns of each side, alternating. */
  rounds: number;
}

export interface SideName {
  side: 'Tunebook' | 'PyTorch';
  precision: 'float32' | 'bfloat16' | 'bfloat16-weights' | 'float16';
  /** Tunebook: graph, eager, xla. PyTorch: eager, compiled. */
  engine: string;
}

export const titleOf = ({ side, precision, engine }: SideName): string => `${side} ${precision}, ${engine}`;

/** Starts a side and resolves when it is warm, so that no side's start is in another's time. */
export async function startSide(name: SideName, { mode, rows, batch }: Work, device: 'cpu' | 'cuda') {
  const [command, argv] =
    name.side === 'Tunebook'
      ? [
          process.execPath,
          [path.join(root, 'test/dist/bench/tunebook.js'), mode, rows, String(batch), name.precision, name.engine],
        ]
      : [
          findPyTorch(),
          [
            ...[path.join(root, 'test/bench/pytorch.py'), mode, rowsFile(rows), String(batch), name.precision],
            ...[name.engine, device],
          ],
        ];
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done) throw new Error(`${titleOf(name)} ended before its turn was over:\n${words}`);
    return line.value;
  };
  await next();
  return {
    async turn(steps: number): Promise<Turn> {
      child.stdin.write(`${steps}\n`);
      return JSON.parse(await next()) as Turn;
    },
    async end(): Promise<void> {
      const ended = new Promise((resolve) => child.on('close', resolve));
      child.stdin.end();
      await ended;
    },
  };
}
