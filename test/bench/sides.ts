// Starts the measured processes, runs one turn at a time in them, and ends them.
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { root } from '../checkout.js';
import { rowsFile, type Rows, type Turn } from './work.js';

export interface Workload {
  mode: 'train' | 'infer';
  rows: Rows;
  batch: number;
  /** Steps per turn. */
  steps: number;
  /** Number of turns of each side; the sides alternate. */
  rounds: number;
}

export interface SideName {
  side: 'Tunebook' | 'PyTorch';
  precision: 'float32' | 'bfloat16' | 'bfloat16-weights' | 'float16';
  /** Tunebook: graph, eager, xla. PyTorch: eager, grouped (eager, batches grouped by length), compiled. */
  engine: string;
}

export const titleOf = ({ side, precision, engine }: SideName): string => `${side} ${precision}, ${engine}`;

/** Where and with what a side runs. */
export interface Place {
  device: 'cpu' | 'cuda';
  /** Python with PyTorch. */
  python: string;
  /** Number of cores that the process may use. @default all */
  cores?: number;
  /** Fields of the model's config.json. @default DistilBERT-base */
  model?: Record<string, unknown>;
  /** Number of steps before the first turn: memory is allocated and kernels are selected. @default 3 */
  warmUp?: number;
}

/** Starts a side and resolves when it has warmed up, so that its start does not slow down the turns of another side. */
export async function startSide(
  name: SideName,
  { mode, rows, batch }: Pick<Workload, 'mode' | 'rows' | 'batch'>,
  { device, python, cores, model = { model_type: 'distilbert' }, warmUp = 3 }: Place,
) {
  const work = [mode, rowsFile(rows), String(batch), name.precision, name.engine, JSON.stringify(model)];
  const side =
    name.side === 'Tunebook'
      ? [process.execPath, path.join(root, 'test/dist/bench/tunebook.js'), ...work, rows]
      : [python, path.join(root, 'test/bench/pytorch.py'), ...work, device];
  // Both TensorFlow and PyTorch start as many threads as the process has cores.
  const [command, ...argv] = cores ? ['taskset', '-c', `0-${cores - 1}`, ...side] : side;
  const child = spawn(command!, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done) throw new Error(`${titleOf(name)} ended during a turn:\n${stderr}`);
    return line.value;
  };
  const turn = async (steps: number): Promise<Turn> => {
    child.stdin.write(`${steps}\n`);
    return JSON.parse(await next()) as Turn;
  };
  await next();
  await turn(warmUp);
  return {
    turn,
    async end(): Promise<void> {
      const ended = new Promise((resolve) => child.on('close', resolve));
      child.stdin.end();
      await ended;
    },
  };
}
