// The commands of a block of shell, as bash itself understands it: quotes, variables, loops and pipes need no parser of ours.
// Bash runs the block where no command is to be found, and each that it does not find is written down, not run.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { problemAt, type Block, type Problem } from './blocks.js';

export interface Command {
  words: string[];
  /** Variables that stand before it, or were exported. */
  environment: Record<string, string>;
  /** In the block's code, counted from 1; of a command that goes on over lines one of them. */
  line: number;
}

// A record is written at once: the commands of a pipe run at the same time. npm and npx are functions: bash shows the variables
// before a command to these, not to its handler. A command with a slash in its name has no handler. What stands behind `||` is not reached, since all succeeds.
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

/** Records as the preamble writes them: line, number of words, words, names and values of variables, and an empty name. */
function parseRecords(text: string): Command[] {
  const fields = text.split('\0').slice(0, -1);
  const commands: Command[] = [];
  for (let at = 0; at < fields.length; at++) {
    const [line, count] = [Number(fields[at]), Number(fields[at + 1])];
    const words = fields.slice(at + 2, (at += 2 + count));
    const environment: Record<string, string> = {};
    for (; at < fields.length && fields[at] !== ''; at += 2) environment[fields[at]!] = fields[at + 1]!;
    commands.push({ words, environment, line });
  }
  return commands;
}

/** The commands in the order in which bash comes to them, or what it cannot make sense of. */
export function commandsOf(block: Block): { commands: Command[]; problems: Problem[] } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-shell-'));
  try {
    const of = (name: string) => path.join(folder, name);
    const [script, start, record] = [of('block.sh'), of('preamble.sh'), of('record')];
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
      .map((words) => {
        const [, line, message] = /block\.sh: line (\d+): (.*)/.exec(words) ?? [words, '1', words];
        return problemAt(block, Number(line), message);
      });
    return { commands: parseRecords(fs.readFileSync(record, 'utf8')), problems };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
