/**
 * A run's journal: one JSON object per line, appended at each event. If the process is killed, all events until then
 * are in the journal. `npm start`, the tracker and the report read it.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Warning } from '../evaluation/warnings.js';
import type { DownloadProgress } from '../hub/download.js';
import type { DataSummary } from '../reviews/describe-source.js';
import type { TrainingRecord } from '../training/training-record.js';
import type { RunMetrics } from './metrics.js';

/** The journal's file name in a run folder. */
export const journalFile = 'journal.jsonl';

/** The fields of each kind of entry. */
export interface JournalContent {
  start: { command: string; starts: number; step: number };
  banner: { message: string };
  note: { message: string };
  data: DataSummary & { rows: Record<'train' | 'validation' | 'test', number>; labelNames?: string[] };
  warning: Warning;
  download: DownloadProgress;
  step: TrainingRecord & { memoryBytes?: number };
  checkpoint: { step: number; folder: string };
  /** The result. */
  summary: RunMetrics;
  end: { state: string; exitCode?: number; message?: string; code?: string | undefined };
}

/** A kind of entry. */
export type JournalKind = keyof JournalContent;

/** One line of a journal: the kind of event, its time, and the kind's own fields. */
export type JournalEntry = {
  [Kind in JournalKind]: { kind: Kind; time: string } & JournalContent[Kind];
}[JournalKind];

/** An open journal; see `openJournal`. */
export interface Journal {
  /** Appends an entry with the current time. */
  write<Kind extends JournalKind>(kind: Kind, content: JournalContent[Kind]): void;
}

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
 * @example
 * const journal = openJournal('runs/mine');
 * await trainer.train(reviews.train, { onRecord: (record) => journal.write('step', record) });
 */
export function openJournal(runFolder: string, onEntry: (entry: JournalEntry) => void = () => {}): Journal {
  fs.mkdirSync(runFolder, { recursive: true });
  const file = path.join(runFolder, journalFile);
  // A killed process may have left a partial line. It gets a line of its own, which readers skip.
  if (endsInPartialLine(file)) fs.appendFileSync(file, '\n');
  return {
    write(kind, content) {
      const entry = { kind, time: new Date().toISOString(), ...content } as JournalEntry;
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

/**
 * The complete lines of a run's journal from an offset on.
 * @param offset in bytes; 0, or as returned before
 * @returns their entries, and the offset of the rest
 */
export function readEntriesFrom(runFolder: string, offset: number): { entries: JournalEntry[]; offset: number } {
  const file = path.join(runFolder, journalFile);
  if (!fs.existsSync(file)) return { entries: [], offset };
  const descriptor = fs.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fs.fstatSync(descriptor).size - offset));
    fs.readSync(descriptor, bytes, 0, bytes.length, offset);
    const end = bytes.lastIndexOf(10) + 1;
    const lines = bytes.subarray(0, end).toString('utf8').split('\n').filter(Boolean);
    return { entries: lines.flatMap((line) => parseEntry(line) ?? []), offset: offset + end };
  } finally {
    fs.closeSync(descriptor);
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
    while (records.length > 0 && records.at(-1)!.step >= entry.step) records.pop();
    records.push(entry);
  }
  return records;
}
