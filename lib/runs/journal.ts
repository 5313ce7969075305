/**
 * A run's journal: one JSON object a line, written as it happens. A run that dies leaves all it had said; `npm start`, the
 * tracker and the report read it.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { TrainingRecord } from '../training/training-record.js';

/** The journal's name in a run's folder. */
export const journalFile = 'journal.jsonl';

/** A journal that is written on, of `openJournal`. */
export interface Journal {
  /** Appends one entry with the time. */
  write(kind: string, entry: object): void;
}

/** One line of a journal: what it tells of, when, and what. */
export type JournalEntry = { kind: string; time: string } & Record<string, unknown>;

/** Whether a file's last line was cut off as it was written. */
function isTorn(file: string): boolean {
  if (!fs.existsSync(file)) return false;
  const { size } = fs.statSync(file);
  if (size === 0) return false;
  const descriptor = fs.openSync(file, 'r');
  try {
    const last = Buffer.alloc(1);
    fs.readSync(descriptor, last, 0, 1, size - 1);
    return last[0] !== 10;
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Opens `journal.jsonl` in the run's folder, which is made if need be, to write on.
 * @param onEntry told of each entry when it is written
 */
export function openJournal(runFolder: string, onEntry: (entry: JournalEntry) => void = () => {}): Journal {
  fs.mkdirSync(runFolder, { recursive: true });
  const file = path.join(runFolder, journalFile);
  // What a killed process left half a line of stays alone on it, and is passed over by who reads.
  if (isTorn(file)) fs.appendFileSync(file, '\n');
  return {
    write(kind, content) {
      const entry: JournalEntry = { kind, time: new Date().toISOString(), ...content };
      fs.appendFileSync(file, `${JSON.stringify(entry)}\n`);
      onEntry(entry);
    },
  };
}

/** An entry of a line; nothing for one that was cut off. */
export function parseEntry(line: string): JournalEntry | undefined {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return undefined;
  }
}

/** All entries of a run's journal. */
export function readJournal(runFolder: string): JournalEntry[] {
  const file = path.join(runFolder, journalFile);
  if (!fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : (parseEntry(line) ?? [])));
}

/**
 * The updates of a run, each once: a run that was killed goes on from its last checkpoint, and what it had said beyond that
 * it says again.
 */
export function recordsOf(entries: JournalEntry[]): TrainingRecord[] {
  const records: TrainingRecord[] = [];
  for (const entry of entries) {
    if (entry.kind !== 'step') continue;
    const record = entry as unknown as TrainingRecord;
    while (records.length > 0 && records.at(-1)!.step >= record.step) records.pop();
    records.push(record);
  }
  return records;
}
