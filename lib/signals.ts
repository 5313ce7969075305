/**
 * Signals that end a command: received here for all commands, and passed on to child processes by some. During training the first
 * one writes a checkpoint and ends training after its step; a second one, or one at any other time, ends the process at once.
 */
import type { ChildProcess } from 'node:child_process';
import { exitCodes, type EndingSignal } from './errors.js';

const names: EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Milliseconds within which the same signal counts once. A terminal, Slurm and systemd send a signal to all processes of a group;
 * npm and `launch` then pass it on to a process that has it already.
 */
export const sameRequest = 500;

/** Milliseconds between two checks of whether npm has ended. */
const watchInterval = 250;

const ignore = () => {};

type Listener = (name: EndingSignal) => void;
const listeners = new Set<Listener>();
let last: { name: EndingSignal; time: number } | undefined;
let watch: NodeJS.Timeout | undefined;

function receive(name: EndingSignal): void {
  // The signal may have ended npm as well, which is not a second request.
  clearInterval(watch);
  const time = performance.now();
  // A terminal that closes is no second request either: it does so when a signal has ended npm or the shell in it.
  if (last && (name === 'SIGHUP' || (last.name === name && time - last.time < sameRequest))) return;
  last = { name, time };
  for (const listener of [...listeners]) listener(name);
}

/**
 * Calls a listener for each signal that would otherwise end this process.
 * @returns stops that; without a listener signals end the process again
 */
export function onEndingSignal(listener: Listener): () => void {
  if (listeners.size === 0) for (const name of names) process.on(name, receive);
  // Output that cannot be written, because its terminal has closed or its reader has ended, must not prevent a checkpoint.
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) for (const name of names) process.off(name, receive);
  };
}

/**
 * Treats the end of a process that should have passed on SIGTERM as SIGTERM, unless a signal has been received already.
 * @param hasEnded whether that process has ended
 */
export function endWhen(hasEnded: () => boolean): void {
  watch = setInterval(() => {
    if (!hasEnded()) return;
    clearInterval(watch);
    // A signal that waits while a training step runs is received before this, and counts instead.
    setImmediate(() => {
      if (last !== undefined) return;
      if (listeners.size > 0) receive('SIGTERM');
      else process.kill(process.pid, 'SIGTERM');
    });
  }, watchInterval).unref();
}

/**
 * Passes on the signals that would end this process.
 * @returns stops that, to be called when the child processes have ended
 */
export const handSignalsTo = (children: ChildProcess[]): (() => void) =>
  onEndingSignal((name) => children.forEach((child) => child.kill(name)));

export interface Signals {
  /** Work that watches its signal and ends itself. */
  during<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
  /** The one that came first. */
  readonly received: EndingSignal | undefined;
  /** Gives the signals back to whoever had them. */
  stop(): void;
}

/**
 * @param onFirst called at the first signal while training is under way
 * @param onLeave called before the process ends at once
 */
export function watchSignals(
  onFirst: (name: EndingSignal) => void,
  onLeave: (name: EndingSignal, exitCode: number) => void,
): Signals {
  let controller: AbortController | undefined;
  let received: EndingSignal | undefined;
  const stop = onEndingSignal((name) => {
    if (controller && !controller.signal.aborted) {
      received = name;
      onFirst(name);
      controller.abort();
      return;
    }
    const exitCode = exitCodes[received ?? name];
    onLeave(name, exitCode);
    process.exit(exitCode);
  });
  return {
    async during(work) {
      controller = new AbortController();
      try {
        return await work(controller.signal);
      } finally {
        controller = undefined;
      }
    },
    get received() {
      return received;
    },
    stop,
  };
}
