// The command line as a person or a scheduler runs it: a process of its own, on a model and reviews small enough for tests.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { parseConfig } from '#lib/model/config.js';
import { embeddedModel, root } from '../checkout.js';

const main = path.join(root, 'lib/dist/cli/main.js');

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Environment of a scheduler that knows nothing of the hub and of tracking. */
const bare = { HF_HUB_OFFLINE: '1', MLFLOW_TRACKING_URI: '', DISABLE_MLFLOW_INTEGRATION: '' };

/**
 * Starts `tunebook …`.
 * @param options.npx as `npx tunebook …` in the checkout; the child is npx then
 * @param options.inside a command that runs it, such as nsenter
 */
export function start(
  argv: string[],
  {
    cwd,
    env = {},
    npx = false,
    inside = [],
  }: { cwd?: string; env?: Record<string, string>; npx?: boolean; inside?: string[] } = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const [command, ...words] = npx ? ['npx', 'tunebook'] : [...inside, process.execPath, main];
  const child = spawn(command, [...words, ...argv], {
    cwd: npx ? root : cwd,
    env: { ...process.env, ...bare, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // When the last process that writes to the pipes has ended, which is not npx.
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr })),
  );
  return { child, ended };
}

/** Runs `tunebook …` to its end. */
export const tunebook = (argv: string[], options?: Parameters<typeof start>[1]): Promise<Ended> =>
  start(argv, options).ended;

/** Waits until a process has written a line that holds something; its standard output must be a pipe. */
export function says(child: ChildProcess, words: string | RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = '';
    child.stdout!.on('data', (text: string) => {
      seen += text;
      if (typeof words === 'string' ? seen.includes(words) : words.test(seen)) resolve();
    });
    child.on('close', () => reject(new Error(`ended without saying ${String(words)}:\n${seen}`)));
  });
}

/** A DistilBERT of two narrow layers with the embedded model's words. @param dropout default: DistilBERT's own */
export function writeTinyModel(folder: string, dropout?: number): void {
  const model = TextClassifier.create(
    parseConfig({
      vocab_size: 30522,
      dim: 32,
      hidden_dim: 64,
      n_layers: 2,
      n_heads: 2,
      max_position_embeddings: 64,
      initializer_range: 0.2,
      ...(dropout !== undefined && { dropout, attention_dropout: dropout, seq_classif_dropout: dropout }),
    }),
    {},
    readTokenizer(embeddedModel),
  );
  model.save(folder);
  model.dispose();
}

const openings = ['I bought this', 'My sister got one', 'We ordered two', 'Arrived on Monday', 'A present'];
const things = ['kettle', 'lamp', 'radio', 'jacket', 'novel', 'camera', 'chair'];
const praise = ['wonderful', 'excellent', 'perfect', 'lovely'];
const blame = ['terrible', 'broken', 'useless', 'awful'];

/** Reviews with 1 to 5 stars in a CSV with two text columns; three stars are neither good nor bad. */
export function writeStarsCsv(file: string, rows = 240): void {
  const lines = Array.from({ length: rows }, (_, i) => {
    const stars = 1 + (i % 5);
    const words = stars > 3 ? praise : stars < 3 ? blame : [...praise.slice(0, 1), ...blame.slice(0, 1)];
    const thing = things[i % 7];
    return `${stars},"${words[i % words.length]} ${thing}","${openings[i % 5]}, a ${thing} number ${i}, and it was ${words[(i + 1) % words.length]}."`;
  });
  fs.writeFileSync(file, `stars,title,content\n${lines.join('\n')}\n`);
}
