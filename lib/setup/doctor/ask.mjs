// Asks a program something, within bounds: what does not answer in time is ended.
// @ts-check
import { spawn } from 'node:child_process';
import os from 'node:os';

/**
 * @typedef {object} Answer
 * @property {number | null} status
 * @property {string | null} signal that ended it
 * @property {string} stdout
 * @property {string} stderr
 * @property {boolean} timedOut
 * @property {string} [missing] why it could not be started, a word like ENOENT
 */

/**
 * @param {string} command
 * @param {string[]} argv
 * @param {{ seconds?: number, env?: Record<string, string> }} [options]
 * @returns {Promise<Answer>}
 */
export function ask(command, argv, { seconds = 20, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, argv, {
      // Nothing that a program leaves where it stands is to land in the checkout.
      cwd: os.tmpdir(),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In a group of its own, so that what it has started ends with it.
      detached: true,
    });
    const answer = { stdout: '', stderr: '', timedOut: false };
    const timer = setTimeout(() => {
      answer.timedOut = true;
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    }, seconds * 1000);
    child.stdout.setEncoding('utf8').on('data', (text) => (answer.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (answer.stderr += text));
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      clearTimeout(timer);
      resolve({ ...answer, status: null, signal: null, missing: error.code ?? error.message });
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ ...answer, status, signal });
    });
  });
}

/**
 * What went wrong with a program, in a few words: its own last line where it has said something.
 * @param {Answer} answer
 */
export function wordsOf({ status, signal, stderr, timedOut, missing }) {
  if (missing) return `cannot be started (${missing})`;
  if (timedOut) return 'does not answer in time';
  if (signal) return `was ended by ${signal}`;
  return stderr.trim().split('\n').pop() || `ended with exit status ${status}`;
}
