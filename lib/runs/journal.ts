/**
 * A run's journal: one JSON object per line, appended at each event. If the process is killed, all events until then
 * are in the journal. `npm start`, the tracker and the report read it.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { TrainingRecord } from '../training/training-record.js';

/** The journal's file name in a run folder. */
export const journalFile = 'journal.jsonl';

/** An open journal; see `openJournal`. */
export interface Journal {
  /** Appends an entry with the current time. */
  write(kind: string, entry: object): void;
}

/** One line of a journal: the kind of event, its time, and the kind's own fields. */
export type JournalEntry = { kind: string; time: string } & Record<string, unknown>;

/** Whether a file's last line is incomplete. */
function endsInPartialLine(file: string): boolean {
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
 * Opens `journal.jsonl` in the run's folder for appending; creates the folder if necessary.
 * @param onEntry called after each entry has been written
 */
export function openJournal(runFolder: string, onEntry: (entry: JournalEntry) => void = () => {}): Journal {
  fs.mkdirSync(runFolder, { recursive: true });
  const file = path.join(runFolder, journalFile);
  // A killed process may have left a partial line. It gets a line of its own, which readers skip.
  if (endsInPartialLine(file)) fs.appendFileSync(file, '\n');
  return {
    write(kind, content) {
      const entry: JournalEntry = { kind, time: new Date().toISOString(), ...content };
      fs.appendFileSync(file, `${JSON.stringify(entry)}\n`);
      onEntry(entry);
    },
  };
}

/** Parses a line; returns undefined for a partial line. */
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
 * The training records of a run, one per step. A killed run resumes from its last checkpoint and writes the records
 * after it again; the later ones count.
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
