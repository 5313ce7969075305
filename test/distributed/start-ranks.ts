// Runs the ranks of the plan (ranks.ts) that its argument contains as JSON, and prints their results as JSON.
import { spawn } from 'node:child_process';
import type { Plan, RankResult } from './ranks.js';

const { ranks, signals, timeout } = JSON.parse(process.argv[2]!) as Plan;
const worker = ranks.map((_, rank) => `127.0.0.1:${21000 + rank}`);
const listeners: (() => void)[] = [];
const started = performance.now();
const signalTimes: number[] = [];

const children = ranks.map((command, index) => {
  if (!command) return null;
  const child = spawn(process.execPath, command.argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TF_NUM_INTRAOP_THREADS: '1',
      TF_NUM_INTEROP_THREADS: '1',
      HF_HUB_OFFLINE: '1',
      DISABLE_MLFLOW_INTEGRATION: 'true',
      ...command.env,
      TF_CONFIG: JSON.stringify({ cluster: { worker }, task: { type: 'worker', index } }),
    },
  });
  let output = '';
  const onOutput = (text: string) => {
    output += text;
    listeners.forEach((listener) => listener());
  };
  child.stdout.setEncoding('utf8').on('data', onOutput);
  child.stderr.setEncoding('utf8').on('data', onOutput);
  const ended = new Promise<RankResult>((resolve) =>
    child.on('close', (code, signal) =>
      resolve({
        code,
        signal,
        output,
        seconds: (performance.now() - started) / 1000,
        secondsSinceSignals: signalTimes.map((time) => (performance.now() - time) / 1000),
      }),
    ),
  );
  return { child, ended, printed: () => output };
});

for (const { rank, signal, after, delay = 0 } of signals) {
  let pending = true;
  listeners.push(() => {
    if (!pending || !children.some((each) => each?.printed().includes(after))) return;
    pending = false;
    setTimeout(() => {
      signalTimes.push(performance.now());
      children[rank]!.child.kill(signal);
    }, delay);
  });
}
const timer = setTimeout(() => children.forEach((each) => each?.child.kill('SIGKILL')), 1000 * timeout);
const results = await Promise.all(children.map((each) => each?.ended ?? Promise.resolve(null)));
clearTimeout(timer);
process.stdout.write(JSON.stringify(results));
