/**
 * Handling of Ctrl-C and of the notebook's stop button in long loops: the loop stops after its current step and keeps
 * its result. tslab alone would report the cell as interrupted, while the loop continued in the background.
 */

/**
 * Runs an asynchronous function that can be interrupted. The first SIGINT aborts its signal; a second one is passed to
 * the previous listeners. These are restored when the function has ended.
 * @example
 * const result = await interruptible((signal) => trainer.train(reviews.train, { signal }));
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  // With a listener that is added in the synchronous part of a cell, the next interrupt would kill the kernel.
  await new Promise((resolve) => setImmediate(resolve));
  const controller = new AbortController();
  const previous = process.listeners('SIGINT');
  const interrupt = () => {
    if (controller.signal.aborted) for (const listener of previous) listener('SIGINT');
    else controller.abort();
  };
  process.on('SIGINT', interrupt);
  for (const listener of previous) process.off('SIGINT', listener);
  try {
    return await work(controller.signal);
  } finally {
    for (const listener of previous) process.on('SIGINT', listener);
    process.off('SIGINT', interrupt);
  }
}
