// Extracts the commands of a shell block with bash itself, which handles quotes, variables, loops and pipes. Bash runs the
// block with an empty PATH, so that every command is recorded instead of executed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { problemAt, type Block, type Problem } from './blocks.js';

export interface Command {
  argv: string[];
  /** Variables that are set before the command, or were exported. */
  environment: Record<string, string>;
  /** Line in the block's code, from 1; for a command of several lines, one of them. */
  line: number;
}

// Each record is written at once, because the commands of a pipe run concurrently. npm and npx are functions, because bash
// passes the variables before a command to functions but not to command_not_found_handle, which also does not handle
// commands with a slash. A command after `||` is never recorded, because all commands succeed.
const preamble = `
PATH=/dev/null
record() {
  local name all=("\${BASH_LINENO[1]}" "$#" "$@")
  for name in "\${!TUNEBOOK_@}" "\${!HF_@}" "\${!MLFLOW_@}"; do all+=("$name" "\${!name}"); done
  printf '%s\\0' "\${all[@]}" '' >> "$RECORD"
}
command_not_found_handle() { record "$@"; }
npm() { record npm "$@"; }
npx() { record npx "$@"; }
node_modules/.bin/tunebook() { record npx tunebook "$@"; }
cd() { record cd "$@"; }
`;

/** Parses the records of the preamble: line, number of arguments, arguments, names and values of variables, an empty name. */
function parseRecords(text: string): Command[] {
  const fields = text.split('\0').slice(0, -1);
  const commands: Command[] = [];
  for (let index = 0; index < fields.length; index++) {
    const [line, count] = [Number(fields[index]), Number(fields[index + 1])];
    const argv = fields.slice(index + 2, (index += 2 + count));
    const environment: Record<string, string> = {};
    for (; index < fields.length && fields[index] !== ''; index += 2) environment[fields[index]!] = fields[index + 1]!;
    commands.push({ argv, environment, line });
  }
  return commands;
}

/** Returns the commands in the order in which bash reaches them, and its syntax errors. */
export function commandsOf(block: Block): { commands: Command[]; problems: Problem[] } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-shell-'));
  try {
    const inFolder = (name: string) => path.join(folder, name);
    const [script, start, record] = [inFolder('block.sh'), inFolder('preamble.sh'), inFolder('record')];
    fs.writeFileSync(script, block.code);
    fs.writeFileSync(start, preamble);
    fs.writeFileSync(record, '');
    const bash = (argv: string[], environment: Record<string, string>) =>
      spawnSync('bash', [...argv, script], {
        cwd: folder,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] ?? '', ...environment },
        timeout: 60_000,
      });
    const parsed = bash(['-n'], {});
    const { stderr, error } = parsed.status === 0 ? bash([], { BASH_ENV: start, RECORD: record }) : parsed;
    if (error) throw error;
    const problems = stderr
      .split('\n')
      .filter(Boolean)
      .map((message) => {
        const [, line, text] = /block\.sh: line (\d+): (.*)/.exec(message) ?? [message, '1', message];
        return problemAt(block, Number(line), text);
      });
    return { commands: parseRecords(fs.readFileSync(record, 'utf8')), problems };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
