/**
 * Ctrl-C and the notebook's stop button, for long loops: the work ends itself after its current step, with everything
 * it holds intact. tslab alone would report the cell as interrupted and let the loop run on behind it.
 */

/**
 * Runs work that watches a signal; the first interrupt aborts it, a second goes to whoever listened before.
 * Listeners are given back when the work ends.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  // A listener added in the synchronous part of a cell gets the kernel killed by the next interrupt.
  await new Promise((resolve) => setImmediate(resolve));
  const controller = new AbortController();
  const others = process.listeners('SIGINT');
  const interrupt = () => {
    if (controller.signal.aborted) for (const listener of others) listener('SIGINT');
    else controller.abort();
  };
  process.on('SIGINT', interrupt);
  for (const listener of others) process.off('SIGINT', listener);
  try {
    return await work(controller.signal);
  } finally {
    for (const listener of others) process.on('SIGINT', listener);
    process.off('SIGINT', interrupt);
  }
}
