// Runs programs and sends requests with a timeout, and imports the compiled library, so that checks read environment
// variables as the library does.
// @ts-check
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { packageFolder } from '../paths.mjs';

/** Imports a module of the compiled library. @param {string} module path below lib/dist */
export const compiled = (module) => import(path.join(packageFolder, 'dist', module));

/**
 * @typedef {object} ProgramResult
 * @property {string} [failure] how the program failed, as the predicate of a sentence; undefined if it succeeded
 * @property {boolean} missing whether there is no such program
 * @property {string} stdout
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
    let [stdout, stderr, timedOut] = ['', '', false];
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    }, seconds * 1000);
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    /** @param {string} [failure] @param {boolean} [missing] */
    const end = (failure, missing = false) => {
      clearTimeout(timer);
      resolve({ ...(failure && { failure }), missing, stdout });
    };
    child.on('error', (/** @type {NodeJS.ErrnoException} */ { code, message }) =>
      end(`cannot be started (${code ?? message})`, code === 'ENOENT'),
    );
    child.on('close', (status, signal) => {
      if (timedOut) end('timed out');
      else if (signal) end(`was terminated by ${signal}`);
      else end(status === 0 ? undefined : stderr.trim().split('\n').pop() || `exited with status ${status}`);
    });
  });
}

/** @typedef {Error & { code?: string, cause?: { code?: string, message?: string } }} FetchError */

/**
 * Fetches a URL as the library does, through the proxy of the environment; a failed connection is a result, not an error.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {number} [seconds]
 * @returns {Promise<{ status: number, text: string } | { unreachable: string }>} unreachable: the reason, such as
 *   ENOTFOUND
 */
export async function reach(url, headers = {}, seconds = 5) {
  const { fetch } = await compiled('hub/fetch.js');
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(seconds * 1000) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const { name, message, code, cause } = /** @type {FetchError} */ (error);
    const unreachable =
      name === 'TimeoutError' ? `no response within ${seconds} s` : (code ?? cause?.code ?? cause?.message ?? message);
    return { unreachable };
  }
}
