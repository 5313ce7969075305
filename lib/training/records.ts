/** What is remembered of a run's updates: all of them, or of a long run evenly chosen ones, so that memory stays level. */
import type { TrainingRecord } from './loop.js';

/** More points than a curve can show. */
const mostRecords = 10_000;

/** Adds a record; when there are too many, every second one goes, but none that holds an evaluation. */
export function remember(records: TrainingRecord[], record: TrainingRecord): void {
  records.push(record);
  if (records.length < mostRecords) return;
  const kept = records.filter((record, i) => i % 2 === 1 || record.evalAccuracy !== undefined);
  records.splice(0, records.length, ...kept);
}
