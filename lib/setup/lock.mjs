// A lock file for set-up, so that concurrent set-ups do not do the same work or write the same files.
// @ts-check
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startOf } from './npm-process.mjs';

/** Seconds after which a lock of another machine that is not renewed counts as abandoned. */
const staleSeconds = 60;

/**
 * Returns the process that holds a lock, as `PROCESS` or, on another machine, `PROCESS on HOST`; '' if there is none. The lock
 * of a process that has ended does not count.
 * @param {string} file
 */
export function lockHolder(file) {
  try {
    const [id = '', host = '', ...started] = fs.readFileSync(file, 'utf8').trim().split(' ');
    // A container that starts again has the same name and process ids.
    if (host === os.hostname()) return startOf(Number(id)) === started.join(' ') ? id : '';
    return Date.now() - fs.statSync(file).mtimeMs < 1000 * staleSeconds ? `${id} on ${host}` : '';
  } catch {
    return '';
  }
}

/** The content of a lock of this process. */
export const lockContent = () => `${process.pid} ${os.hostname()} ${startOf(process.pid)}`;

/** Removes what killed processes on this machine have left while they waited for a lock. @param {string} file */
function removeAbandoned(file) {
  const prefix = `${path.basename(file)}.${os.hostname()}.`;
  for (const name of fs.readdirSync(path.dirname(file)))
    if (name.startsWith(prefix) && !startOf(Number(name.slice(prefix.length))))
      fs.rmSync(path.join(path.dirname(file), name), { force: true });
}

/**
 * Waits for a lock and creates it. It is a hard link, so that it never exists without its content.
 * @param {string} file
 * @param {string} what what is set up, for the message while waiting
 * @returns {Promise<() => void>} releases the lock, as does the end of the process
 */
export async function lock(file, what) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const own = `${file}.${os.hostname()}.${process.pid}`;
  fs.writeFileSync(own, lockContent());
  try {
    for (let waited = 0; ; waited++) {
      try {
        fs.linkSync(own, file);
        break;
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      }
      const holder = lockHolder(file);
      if (holder) {
        if (waited === 0) console.error(`Another process sets up ${what} (process ${holder}); waiting for it …`);
        await pause(200);
        // The holder was killed. A lock that was just released has no file.
      } else if (fs.existsSync(file) && !lockHolder(file)) fs.rmSync(file, { force: true });
    }
  } finally {
    fs.rmSync(own, { force: true });
  }
  removeAbandoned(file);
  const renewal = setInterval(() => fs.utimesSync(file, new Date(), new Date()), (1000 * staleSeconds) / 4);
  renewal.unref();
  const release = () => {
    process.off('exit', release);
    clearInterval(renewal);
    fs.rmSync(file, { force: true });
  };
  process.on('exit', release);
  return release;
}
