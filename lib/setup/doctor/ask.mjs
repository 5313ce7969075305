// Runs a program with a timeout and captures its output.
// @ts-check
import { spawn } from 'node:child_process';
import os from 'node:os';

/**
 * @typedef {object} ProgramResult
 * @property {number | null} status
 * @property {string | null} signal that terminated it
 * @property {string} stdout
 * @property {string} stderr
 * @property {boolean} timedOut
 * @property {string} [missing] why it could not be started, such as ENOENT
 */

/**
 * Runs a program to its end, or kills it and its children after the timeout.
 * @param {string} command
 * @param {string[]} argv
 * @param {{ seconds?: number, env?: Record<string, string> }} [options]
 * @returns {Promise<ProgramResult>}
 */
export function runProgram(command, argv, { seconds = 20, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, argv, {
      // Files that a program leaves in its working directory must not end up in the checkout.
      cwd: os.tmpdir(),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // In its own process group, so that its children are killed with it.
      detached: true,
    });
    const result = { stdout: '', stderr: '', timedOut: false };
    const timer = setTimeout(() => {
      result.timedOut = true;
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    }, seconds * 1000);
    child.stdout.setEncoding('utf8').on('data', (text) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (result.stderr += text));
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      clearTimeout(timer);
      resolve({ ...result, status: null, signal: null, missing: error.code ?? error.message });
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ ...result, status, signal });
    });
  });
}

/**
 * Describes how a program failed, as the predicate of a sentence; the last line of its standard error if there is one.
 * @param {ProgramResult} result
 */
export function describeFailure({ status, signal, stderr, timedOut, missing }) {
  if (missing) return `cannot be started (${missing})`;
  if (timedOut) return 'timed out';
  if (signal) return `was terminated by ${signal}`;
  return stderr.trim().split('\n').pop() || `exited with status ${status}`;
}
