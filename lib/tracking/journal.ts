/** A run's journal: one JSON object a line, written as it happens. A run that dies leaves all it had said; `npm start` reads along. */
import fs from 'node:fs';
import path from 'node:path';

export interface Journal {
  /** Appends one entry with the time. */
  write(kind: string, entry: object): void;
}

/** Opens `journal.jsonl` in the run's folder, which is made if need be. */
export function openJournal(runFolder: string): Journal {
  fs.mkdirSync(runFolder, { recursive: true });
  const file = path.join(runFolder, 'journal.jsonl');
  return {
    write: (kind, entry) =>
      fs.appendFileSync(file, `${JSON.stringify({ kind, time: new Date().toISOString(), ...entry })}\n`),
  };
}
