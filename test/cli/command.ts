// Runs the command line as a separate process, and creates a model and reviews that are small enough for tests.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { parseConfig } from '#lib/model/config.js';
import { embeddedModel, root } from '../checkout.js';

const main = path.join(root, 'lib/dist/cli/main.js');

/** Result of a process that has ended. */
export interface ProcessResult {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Environment variables that disable the hub and tracking. */
const isolated = { HF_HUB_OFFLINE: '1', MLFLOW_TRACKING_URI: '', DISABLE_MLFLOW_INTEGRATION: '' };

/**
 * Starts `tunebook …`.
 * @param options.npx runs `npx tunebook …` in the checkout; then the child process is npx
 * @param options.inside prefix of the command, such as nsenter
 */
export function start(
  argv: string[],
  {
    cwd,
    env = {},
    npx = false,
    inside = [],
  }: { cwd?: string; env?: Record<string, string>; npx?: boolean; inside?: string[] } = {},
): { child: ChildProcess; ended: Promise<ProcessResult> } {
  const [command, ...prefix] = npx ? ['npx', 'tunebook'] : [...inside, process.execPath, main];
  const child = spawn(command, [...prefix, ...argv], {
    cwd: npx ? root : cwd,
    env: { ...process.env, ...isolated, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // Resolves when the last process that writes to the pipes has ended, which can be after npx.
  const ended = new Promise<ProcessResult>((resolve) =>
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr })),
  );
  return { child, ended };
}

/** Runs `tunebook …` and waits for its end. */
export const tunebook = (argv: string[], options?: Parameters<typeof start>[1]): Promise<ProcessResult> =>
  start(argv, options).ended;

/** Waits until the standard output of a process, which must be a pipe, contains or matches a pattern. */
export function waitForOutput(child: ChildProcess, pattern: string | RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout!.on('data', (text: string) => {
      output += text;
      if (typeof pattern === 'string' ? output.includes(pattern) : pattern.test(output)) resolve();
    });
    child.on('close', () => reject(new Error(`ended without printing ${String(pattern)}:\n${output}`)));
  });
}

/**
 * Writes a DistilBERT with two narrow layers and the vocabulary of the embedded model.
 * @param dropout default: DistilBERT's values
 */
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
const products = ['kettle', 'lamp', 'radio', 'jacket', 'novel', 'camera', 'chair'];
const positiveWords = ['wonderful', 'excellent', 'perfect', 'lovely'];
const negativeWords = ['terrible', 'broken', 'useless', 'awful'];

/** Writes a CSV of reviews with 1 to 5 stars and two text columns. Reviews with three stars are neutral. */
export function writeStarsCsv(file: string, rows = 240): void {
  const lines = Array.from({ length: rows }, (_, i) => {
    const stars = 1 + (i % 5);
    const words =
      stars > 3
        ? positiveWords
        : stars < 3
          ? negativeWords
          : [...positiveWords.slice(0, 1), ...negativeWords.slice(0, 1)];
    const product = products[i % 7];
    return `${stars},"${words[i % words.length]} ${product}","${openings[i % 5]}, a ${product} number ${i}, and it was ${words[(i + 1) % words.length]}."`;
  });
  fs.writeFileSync(file, `stars,title,content\n${lines.join('\n')}\n`);
}

/** Flags that select the reviews of `writeStarsCsv`, in two classes. */
export const starsFlags = (file: string): string[] => [
  '--dataset',
  file,
  '--text-columns',
  'title,content',
  '--label-column',
  'stars',
  '--label-mapping',
  '1,2 -> negative; 4,5 -> positive',
];

/** Writes a CSV of 120 pairs, of which each text occurs with several others, and two rows that lack a text. */
export function writePairsCsv(file: string): void {
  const things = ['product', 'seller', 'item', 'price'];
  const rows = Array.from({ length: 120 }, (_, i) => {
    const [asked, answered] = [things[i % 4]!, things[Math.floor(i / 4) % 4]!];
    return `is the ${asked} good,the ${answered} is good at ${i},${asked === answered ? 'yes' : 'no'}`;
  });
  fs.writeFileSync(file, `question,answer,fits\n${rows.join('\n')}\nis it good,,no\n,it is,yes\n`);
}

/** Flags that select the pairs of `writePairsCsv`. */
export const pairFlags = ['--text-columns', 'question', '--text-pair-column', 'answer', '--label-column', 'fits'];

/**
 * Arguments that fine-tune the model of `writeTinyModel` in `folder/model` on the reviews of `writeStarsCsv` in
 * `folder/stars.csv`.
 * @param run name of the run folder in the folder
 */
export const finetuneTiny = (folder: string, run: string, ...more: string[]): string[] => [
  'finetune',
  ...starsFlags(path.join(folder, 'stars.csv')),
  ...['--model', path.join(folder, 'model'), '--run-folder', path.join(folder, run)],
  ...['--max-length', '32', '--batch-size', '8', '--lr', '3e-3'],
  ...more,
];
