// The work that both sides do: DistilBERT-base's size with random weights, batches of full length, dropout on.
export const batch = Number(process.env['BENCH_BATCH'] ?? 8);
export const tokens = Number(process.env['BENCH_TOKENS'] ?? 128);
/** Steps measured each time a side's turn comes. */
export const steps = 4;
/** Turns, alternating. */
export const rounds = 5;
