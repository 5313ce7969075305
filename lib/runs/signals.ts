/**
 * Signals that end a job, and those that are passed on to child processes. During training the first one makes it write a
 * checkpoint and end after its step; a second one, or one at any other time, ends the process at once.
 */
import type { ChildProcess } from 'node:child_process';
import { exitCodes, type EndingSignal } from './exit-codes.js';

const names: EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Hands on the signals that would end this process.
 * @returns to be called when the processes have ended: gives the signals back
 */
export function handSignalsTo(children: ChildProcess[]): () => void {
  const handlers = names.map((name) => [name, () => children.forEach((child) => child.kill(name))] as const);
  for (const [name, handler] of handlers) process.on(name, handler);
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
}

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
  const listeners = names.map((name) => {
    const listener = () => {
      if (controller && !controller.signal.aborted) {
        received = name;
        onFirst(name);
        controller.abort();
        return;
      }
      const exitCode = exitCodes[received ?? name];
      onLeave(name, exitCode);
      process.exit(exitCode);
    };
    process.on(name, listener);
    return [name, listener] as const;
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
    stop() {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}
