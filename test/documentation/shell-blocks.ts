// Checks the shell commands of the documentation. Each command belongs to one of three classes. Commands that take seconds are
// run, in a folder that contains the files that the pages mention. Commands that train or install are only parsed, by the
// program itself (--print-config or --list). Commands of external programs are checked as far as possible without them. A
// command of no class is a problem.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';
import { pairFlags, start, tunebook, writePairsCsv, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { problemAt, type Block, type Problem } from './blocks.js';
import { commandsOf, type Command } from './shell-commands.js';

export type CommandClass = 'run' | 'parsed' | 'external';

/** The class of a command, and what is wrong with it. */
interface CheckResult {
  commandClass: CommandClass;
  problem?: string | undefined;
}

const stars = ['--label-column', 'stars', '--label-mapping', '1,2 -> negative; 4,5 -> positive'];

/**
 * Creates the files that the pages mention.
 * @throws Error if a run cannot be created or exported
 */
export async function writeSandbox(folder: string): Promise<void> {
  const inFolder = (...names: string[]) => path.join(folder, ...names);
  writeTinyModel(inFolder('models/distilbert'));
  // Enough validation reviews for a calibration.
  writeStarsCsv(inFolder('reviews.csv'), 1500);
  writePairsCsv(inFolder('pairs.csv'));
  const run = 'runs/2026-11-24T09-30-00';
  const pairs = 'models/pairs';
  for (const argv of [
    [
      ...['finetune', '--model', 'models/distilbert', '--dataset', 'pairs.csv', ...pairFlags],
      ...['--fast-dev-run', '--run-folder', pairs],
    ],
    ['export', pairs],
    [
      'finetune',
      '--model',
      'models/distilbert',
      '--dataset',
      'reviews.csv',
      ...stars,
      '--fast-dev-run',
      '--rows',
      '1500',
      '--run-folder',
      run,
    ],
    ['export', run],
  ]) {
    const { status, stderr } = await tunebook(argv, { cwd: folder });
    if (status !== 0) throw new Error(`tunebook ${argv.join(' ')}: ${stderr}`);
  }
}

const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** Returns the error of a failed process as one line. */
const failure = (status: number | null, stderr: string) =>
  status === 0 ? undefined : stderr.replace(/\s+/g, ' ').trim().slice(-300) || `ended with ${status}`;

/** Checks that the script of `npm …` exists and accepts the arguments. */
function npm([word = '', ...others]: string[], sandbox: string, environment: Record<string, string>): CheckResult {
  const [script, ...rest] = ['start', 'test'].includes(word) ? [word, ...others] : others;
  if (!['run', 'start', 'test'].includes(word) || script === undefined)
    return { commandClass: 'parsed', problem: `npm ${word} is not known to shell-blocks.ts` };
  if (!(script in scripts)) return { commandClass: 'parsed', problem: `package.json has no script ${script}` };
  if (rest.length > 0 && rest[0] !== '--')
    return { commandClass: 'parsed', problem: `npm would take ${rest[0]} as its own argument: -- is missing` };
  const argv = rest.slice(1);
  if (script === 'start') {
    const program = path.join(root, 'lib/dist/cli/start.js');
    const { status, stderr } = spawnSync(process.execPath, [program, ...argv, '--print-config'], {
      cwd: sandbox,
      encoding: 'utf8',
      env: { ...process.env, ...environment },
    });
    return { commandClass: 'parsed', problem: failure(status, stderr) };
  }
  if (script === 'test') {
    const files = fs.readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' });
    const unmatched = argv
      .filter((part) => part !== '--quick')
      .find((part) => !files.some((file) => file.replace(/\.ts$/, '.js').includes(part)));
    return { commandClass: 'parsed', problem: unmatched && `no test file has ${unmatched} in its name` };
  }
  return { commandClass: 'parsed' };
}

/** A server that a block has started; later commands of the block send requests to it. */
interface Server {
  child: ChildProcess;
  ended: ReturnType<typeof start>['ended'];
  /** The address in the documentation, such as `localhost:8000`, and the real one. */
  documentedAddress: string;
  address: string;
}

/**
 * Starts `tunebook serve` or `app` on a free port and waits until it is ready.
 * @returns the server, or what went wrong
 */
async function serve(argv: string[], sandbox: string, env: Record<string, string>): Promise<Server | string> {
  const { child, ended } = start([...argv, '--port', '0'], { cwd: sandbox, env });
  const address = await new Promise<string | undefined>((resolve) => {
    let output = '';
    child.stdout!.on('data', (text: string) => {
      const host = /at http:\/\/([\w.]+:\d+)/.exec((output += text))?.[1];
      if (host) resolve(host);
    });
    child.on('close', () => resolve(undefined));
  });
  if (!address) return failure((await ended).status, (await ended).stderr) ?? 'ended without printing its address';
  const { status } = await fetch(`http://${address}/health/ready`);
  if (status !== 200) return `answers /health/ready with ${status}`;
  const port = argv.includes('--port') ? argv[argv.indexOf('--port') + 1] : '8000';
  return { child, ended, documentedAddress: `localhost:${port}`, address };
}

/** Runs curl against the server of the block. */
async function curl(args: string[], server: Server | undefined): Promise<CheckResult> {
  if (!server) return { commandClass: 'run', problem: 'no server was started earlier in this block' };
  const argv = args.map((word) => word.replace(server.documentedAddress, server.address));
  const child = spawn('curl', ['--fail-with-body', '--silent', '--show-error', '--max-time', '20', ...argv]);
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      output = error.message;
      resolve(1);
    });
    child.on('close', resolve);
  });
  return { commandClass: 'run', problem: failure(status, output) };
}

/** Checks that the file of `docker build` exists and declares the build arguments; other commands need docker. */
function container([word, ...rest]: string[]): CheckResult {
  if (word !== 'build') return { commandClass: 'external' };
  const valuesOf = (...flags: string[]) =>
    rest.flatMap((each, i) => {
      const flag = flags.find((name) => each === name || each.startsWith(`${name}=`));
      return flag === undefined ? [] : [each === flag ? (rest[i + 1] ?? '') : each.slice(flag.length + 1)];
    });
  const file = valuesOf('--file', '-f')[0] ?? 'Dockerfile';
  if (!fs.existsSync(path.join(root, file))) return { commandClass: 'external', problem: `there is no ${file}` };
  const content = fs.readFileSync(path.join(root, file), 'utf8');
  const unknown = valuesOf('--build-arg')
    .map((value) => value.split('=')[0]!)
    .find((name) => !new RegExp(`^\\s*ARG\\s+${name}\\b`, 'm').test(content));
  return { commandClass: 'external', problem: unknown && `${file} has no argument ${unknown}` };
}

/** The flag with which each command only prints what it would do. */
const dryRunFlags: Record<string, string> = {
  finetune: '--print-config',
  adapt: '--print-config',
  launch: '--print-config',
  sweep: '--print-config',
  'cross-validate': '--print-config',
  notebooks: '--list',
};
/** Programs that start ranks. test/distributed runs them; here only their files and the command that they start are checked. */
const launchers = ['kubectl', 'sbatch', 'mpirun', 'python3'];
const runCommands = ['lesson', 'export', 'score', 'inspect', 'runs', 'report', 'help', 'init'];
const serverCommands = ['serve', 'app'];

/** Checks one command. A server that it starts runs until the end of the block. */
async function check(
  { argv: [program, ...argv], environment }: Command,
  sandbox: string,
  server: Server | undefined,
): Promise<CheckResult & { server?: Server }> {
  const [name, ...rest] = argv;
  // test/environment/npm-package.ts installs the package.
  if (program === 'npm' && name === 'install') return { commandClass: 'external' };
  if (program === 'npm') return npm(argv, sandbox, environment);
  if (program === 'curl') return curl(argv, server);
  if (program === 'docker' || program === 'podman') return container(argv);
  if (program === 'jupyter') {
    // test/notebook runs the notebooks; here only their existence is checked.
    const missing = argv.find((word) => word.endsWith('.ipynb') && !fs.existsSync(path.join(root, word)));
    return { commandClass: 'external', problem: missing && `there is no ${missing}` };
  }
  // Of `npx deno`, test/notebook/deno.test.ts runs what the installation registers.
  if (program === 'git' || program === 'cd' || (program === 'npx' && name === 'deno'))
    return { commandClass: 'external' };
  if (launchers.includes(program!)) {
    const missing = argv.find((word) => /^lib\/.*\.\w+$/.test(word) && !fs.existsSync(path.join(root, word)));
    const index = argv.findIndex((word) => /^(finetune|adapt)$/.test(word));
    // Manifests pass their arguments to finetune.
    const ranksCommand =
      index >= 0
        ? argv.slice(index)
        : ['finetune', ...argv.filter((_, i) => i > argv.findIndex((word) => /^(\d+|.*\.sh)$/.test(word)))];
    if (program === 'kubectl' || missing)
      return { commandClass: 'external', problem: missing && `there is no ${missing}` };
    const { status, stderr } = await tunebook([...ranksCommand, '--print-config'], { cwd: sandbox, env: environment });
    return { commandClass: 'parsed', problem: failure(status, stderr) };
  }
  if (program === 'npx' && name === 'tunebook' && rest.length > 0) {
    if (serverCommands.includes(rest[0]!)) {
      const started = await serve(rest, sandbox, environment);
      return typeof started === 'string'
        ? { commandClass: 'run', problem: started }
        : { commandClass: 'run', server: started };
    }
    if (rest[0] === 'doctor') {
      // Only unknown arguments are a problem of the page; other failures depend on the machine.
      const { status, stderr } = spawnSync(
        process.execPath,
        [path.join(root, 'lib/setup/doctor.mjs'), ...rest.slice(1)],
        {
          encoding: 'utf8',
        },
      );
      return { commandClass: 'run', problem: status === 2 ? failure(status, stderr) : undefined };
    }
    // test/cli runs these; here they would change this machine.
    // An upload needs the hub.
    if (rest[0] === 'push' || rest[0] === 'merge') return { commandClass: 'external' };
    if (rest[0] === 'setup' || (rest[0] === 'kernel' && ['install', 'uninstall'].includes(rest[1] ?? '')))
      return { commandClass: 'external' };
    const dryFlag = dryRunFlags[rest[0]!];
    if (dryFlag !== undefined || runCommands.includes(rest[0]!)) {
      const { status, stderr } = await tunebook([...rest, ...(dryFlag === undefined ? [] : [dryFlag])], {
        cwd: sandbox,
        env: environment,
      });
      return { commandClass: dryFlag === undefined ? 'run' : 'parsed', problem: failure(status, stderr) };
    }
  }
  return { commandClass: 'external', problem: 'unknown command; add it to a class in shell-blocks.ts' };
}

/** Checks the commands of a block and returns their classes and problems. */
export async function checkShell(
  block: Block,
  sandbox: string,
): Promise<{ problems: Problem[]; classes: { command: string; commandClass: CommandClass }[] }> {
  const { commands, problems } = commandsOf(block);
  const classes: { command: string; commandClass: CommandClass }[] = [];
  let server: Server | undefined;
  try {
    for (const command of commands) {
      const result = await check(command, sandbox, server);
      server = result.server ?? server;
      const line = command.argv.join(' ');
      classes.push({ command: line, commandClass: result.commandClass });
      if (result.problem) problems.push(problemAt(block, command.line, `${line}: ${result.problem}`));
    }
  } finally {
    if (server) {
      server.child.kill('SIGTERM');
      const { status, stderr } = await server.ended;
      const problem = failure(status, stderr);
      if (problem) problems.push(problemAt(block, 1, `the server: ${problem}`));
    }
  }
  return { problems, classes };
}
