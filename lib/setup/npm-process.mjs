// Finds the npm or npx that started this process and waits for it. npm starts a command through a shell and passes
// SIGTERM on to that shell only; dash does not pass it on to the command, and no process passes on SIGKILL. The command
// therefore has to watch npm itself: see endWhen in runs/signals.ts. Plain Node, because npm may be killed during
// set-up, before anything is compiled.
// @ts-check
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/**
 * @param {number} id
 * @returns {{ parent: number, group: number, command: string, started: string } | undefined} undefined for a process that has ended,
 *   even if its parent has not collected it yet
 */
function readProcess(id) {
  try {
    if (process.platform === 'linux') {
      const stat = fs.readFileSync(`/proc/${id}/stat`, 'utf8');
      // The program's name before it is in parentheses and may contain any character.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, parent, group] = fields;
      const command = fs.readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
      // In ticks since the start of the system.
      const started = fields[19] ?? '';
      return state === 'Z' ? undefined : { parent: Number(parent), group: Number(group), command, started };
    }
    const { stdout } = spawnSync('ps', ['-o', 'ppid=,pgid=,lstart=,command=', '-p', String(id)], { encoding: 'utf8' });
    const [, parent, group, started = '', command] = /^\s*(\d+)\s+(\d+)\s+(.{24})\s+(.*)/.exec(stdout) ?? [];
    return command === undefined ? undefined : { parent: Number(parent), group: Number(group), command, started };
  } catch {
    return undefined;
  }
}

/** When a process started; '' if it has ended. @param {number} id */
export const startOf = (id) => readProcess(id)?.started ?? '';

/** @param {number} id @returns {boolean} */
export function isRunning(id) {
  if (process.platform === 'linux') return readProcess(id) !== undefined;
  try {
    return process.kill(id, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Returns the process id of the npm that waits for this process to end; undefined if there is none. No other ancestor
 * counts: a terminal, a script or a scheduler may end before a command that it started in the background.
 * @returns {number | undefined}
 */
export function findNpm() {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  // npm does not wait for a command that its script starts in the background: `tunebook serve & sleep 5`, but not
  // `2>&1` or `&&`.
  if (event === undefined || /(?<![&>])&(?![&>])/.test(script)) return undefined;
  // A different process group means that this process was detached: setsid, a shell with job control, launch, sweep.
  const own = readProcess(process.pid);
  let id = process.ppid;
  let ancestor = readProcess(id);
  // npm's shell. bash replaces itself with the command, dash does not.
  if (ancestor && /^\S+ -c /.test(ancestor.command)) ancestor = readProcess((id = ancestor.parent));
  return ancestor && ancestor.group === own?.group && /^npm\b/.test(ancestor.command) ? id : undefined;
}
