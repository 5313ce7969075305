/**
 * Signals that end a command. During training, the first signal stops training after the current step with a
 * checkpoint. A second one, or one at any other time, ends the process at once. Some commands forward signals to child
 * processes.
 */
import type { ChildProcess } from 'node:child_process';
import { exitCodes, type EndingSignal } from './errors.js';

const names: EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Milliseconds within which the same signal counts once. A terminal, Slurm and systemd send a signal to all processes
 * of a group; npm and `launch` then forward it to a process that has already received it.
 */
export const sameRequest = 500;

/** Milliseconds between two checks of whether the process has ended that should forward signals. */
const watchInterval = 250;

const ignore = () => {};

type Listener = (name: EndingSignal) => void;
const listeners = new Set<Listener>();
let last: { name: EndingSignal; time: number } | undefined;
let watch: NodeJS.Timeout | undefined;

function receive(name: EndingSignal): void {
  // The signal may also have ended npm; its end must not count as a second signal.
  clearInterval(watch);
  const time = performance.now();
  // SIGHUP after another signal is ignored: the terminal closes if that signal has ended npm or the shell in it.
  if (last && (name === 'SIGHUP' || (last.name === name && time - last.time < sameRequest))) return;
  last = { name, time };
  for (const listener of [...listeners]) listener(name);
}

/**
 * Calls a listener for each signal that would otherwise end this process.
 * @returns a function that removes the listener; without listeners, signals end the process again
 */
export function onEndingSignal(listener: Listener): () => void {
  if (listeners.size === 0) for (const name of names) process.on(name, receive);
  // If output cannot be written, because the terminal or the reader is gone, a checkpoint must still be written.
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) for (const name of names) process.off(name, receive);
  };
}

/**
 * Treats the end of a process that should have forwarded SIGTERM as SIGTERM, unless a signal has been received already.
 * @param hasEnded whether that process has ended
 */
export function endWhen(hasEnded: () => boolean): void {
  watch = setInterval(() => {
    if (!hasEnded()) return;
    clearInterval(watch);
    // A signal that arrived during a training step is handled before this callback and counts instead.
    setImmediate(() => {
      if (last !== undefined) return;
      if (listeners.size > 0) receive('SIGTERM');
      else process.kill(process.pid, 'SIGTERM');
    });
  }, watchInterval).unref();
}

/**
 * Forwards the signals that would end this process to child processes.
 * @returns a function that stops forwarding, to be called when the child processes have ended
 */
export const forwardSignals = (children: ChildProcess[]): (() => void) =>
  onEndingSignal((name) => children.forEach((child) => child.kill(name)));

/** The handling of signals by a job. */
export interface Signals {
  /** Runs work that stops when its AbortSignal is aborted; the first system signal aborts it. */
  during<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
  /** The first signal. */
  readonly received: EndingSignal | undefined;
  /** Stops handling signals. */
  stop(): void;
}

/**
 * Handles signals: the first one during training stops the training, any other one ends the process.
 * @param onFirst called for the first signal during training
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
