/**
 * Creates a seeded random number generator for shuffling: mulberry32 (Tommy Ettinger, public domain), with 32 bits of
 * state. The same seeds give the same numbers on every machine. Millions of random numbers, as for dropout, come from
 * TensorFlow's stateless kernels instead.
 * @returns a function that returns the next number, from 0 to below 1
 */
export function seededRandom(...seeds: number[]): () => number {
  let state = seeds.reduce((mixed, seed) => Math.imul(mixed ^ (seed | 0), 0x9e3779b1) + 0x7f4a7c15, 0x2545f491) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Shuffles in place (Fisher and Yates) and returns the list. */
export function shuffle<T>(list: T[], random: () => number): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
