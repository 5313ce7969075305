// The commands of the documentation, each in one of three classes. What takes seconds is run, in a folder that holds what the
// pages speak of under the very names that they use; what trains or sets up is parsed by the program that would do it, which then
// does nothing; of other programs' commands what can be known without them is looked at. A command of no class is a problem.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';
import { start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { problemAt, type Block, type Problem } from './blocks.js';
import { commandsOf, type Command } from './shell-commands.js';

export type CommandClass = 'run' | 'parsed' | 'external';

/** What came of a command: its class, and what is wrong with it, if anything is. */
interface Verdict {
  is: CommandClass;
  wrong?: string | undefined;
}

const stars = ['--label-column', 'stars', '--label-mapping', '1,2 -> negative; 4,5 -> positive'];

/**
 * Fills a folder with what the pages speak of.
 * @throws Error when a run cannot be made or exported
 */
export async function writeSandbox(folder: string): Promise<void> {
  const of = (...names: string[]) => path.join(folder, ...names);
  writeTinyModel(of('models/distilbert'));
  writeStarsCsv(of('reviews.csv'));
  const run = 'runs/2026-11-24T09-30-00';
  for (const argv of [
    [
      'finetune',
      '--model',
      'models/distilbert',
      '--dataset',
      'reviews.csv',
      ...stars,
      '--fast-dev-run',
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

/** The end of a process that failed, in a line. */
const failure = (status: number | null, stderr: string) =>
  status === 0 ? undefined : stderr.replace(/\s+/g, ' ').trim().slice(-300) || `ended with ${status}`;

/** `npm …`: the script is there, and takes what is given. */
function npm([word = '', ...others]: string[], sandbox: string, environment: Record<string, string>): Verdict {
  const [script, ...rest] = ['start', 'test'].includes(word) ? [word, ...others] : others;
  if (!['run', 'start', 'test'].includes(word) || script === undefined)
    return { is: 'parsed', wrong: `nothing is known of npm ${word}` };
  if (!(script in scripts)) return { is: 'parsed', wrong: `package.json has no script ${script}` };
  if (rest.length > 0 && rest[0] !== '--')
    return { is: 'parsed', wrong: `npm takes ${rest[0]} for its own: -- is missing` };
  const argv = rest.slice(1);
  if (script === 'start') {
    const program = path.join(root, 'lib/dist/cli/start.js');
    const { status, stderr } = spawnSync(process.execPath, [program, ...argv, '--print-config'], {
      cwd: sandbox,
      encoding: 'utf8',
      env: { ...process.env, ...environment },
    });
    return { is: 'parsed', wrong: failure(status, stderr) };
  }
  if (script === 'test') {
    const files = fs.readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' });
    const none = argv
      .filter((part) => part !== '--quick')
      .find((part) => !files.some((file) => file.replace(/\.ts$/, '.js').includes(part)));
    return { is: 'parsed', wrong: none && `no test's name has ${none} in it` };
  }
  return { is: 'parsed' };
}

/** A server that a block has started, and what is asked of it afterwards. */
interface Server {
  child: ChildProcess;
  ended: ReturnType<typeof start>['ended'];
  /** As the page has it, `localhost:8000`, and where it really is. */
  named: string;
  address: string;
}

/** Starts `tunebook serve` or `app` on a port that is free, and waits until it answers. */
async function serve(argv: string[], sandbox: string, env: Record<string, string>): Promise<Server | string> {
  const { child, ended } = start([...argv, '--port', '0'], { cwd: sandbox, env });
  const address = await new Promise<string | undefined>((resolve) => {
    let said = '';
    child.stdout!.on('data', (text: string) => {
      const found = /at http:\/\/([\w.]+:\d+)/.exec((said += text))?.[1];
      if (found) resolve(found);
    });
    child.on('close', () => resolve(undefined));
  });
  if (!address) return failure((await ended).status, (await ended).stderr) ?? 'ended without a word';
  const { status } = await fetch(`http://${address}/health/ready`);
  if (status !== 200) return `answers /health/ready with ${status}`;
  const port = argv.includes('--port') ? argv[argv.indexOf('--port') + 1] : '8000';
  return { child, ended, named: `localhost:${port}`, address };
}

/** Asks the server of the block. */
async function curl(words: string[], server: Server | undefined): Promise<Verdict> {
  if (!server) return { is: 'run', wrong: 'no server was started in this block that curl could ask' };
  const argv = words.map((word) => word.replace(server.named, server.address));
  const child = spawn('curl', ['--fail-with-body', '--silent', '--show-error', '--max-time', '20', ...argv]);
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      said = error.message;
      resolve(1);
    });
    child.on('close', resolve);
  });
  return { is: 'run', wrong: failure(status, said) };
}

/** `docker build` and its like: the file is there and knows the arguments. Others cannot be looked at without docker. */
function container([word, ...rest]: string[]): Verdict {
  if (word !== 'build') return { is: 'external' };
  const valuesOf = (...flags: string[]) =>
    rest.flatMap((each, i) => {
      const flag = flags.find((name) => each === name || each.startsWith(`${name}=`));
      return flag === undefined ? [] : [each === flag ? (rest[i + 1] ?? '') : each.slice(flag.length + 1)];
    });
  const file = valuesOf('--file', '-f')[0] ?? 'Dockerfile';
  if (!fs.existsSync(path.join(root, file))) return { is: 'external', wrong: `there is no ${file}` };
  const content = fs.readFileSync(path.join(root, file), 'utf8');
  const unknown = valuesOf('--build-arg')
    .map((value) => value.split('=')[0]!)
    .find((name) => !new RegExp(`^\\s*ARG\\s+${name}\\b`, 'm').test(content));
  return { is: 'external', wrong: unknown && `${file} has no argument ${unknown}` };
}

/** What makes each only say what it would do. */
const dry: Record<string, string> = {
  finetune: '--print-config',
  adapt: '--print-config',
  launch: '--print-config',
  sweep: '--print-config',
  notebooks: '--list',
};
/** Programs that start ranks on clusters: run in test/distributed; here only that their files are there, and what they start. */
const launchers = ['kubectl', 'sbatch', 'mpirun', 'python3'];
const quick = ['export', 'score', 'runs', 'report', 'help'];
const servers = ['serve', 'app'];

/** One command; a server goes on until the block is through. */
async function check(
  { words: [program, ...argv], environment }: Command,
  sandbox: string,
  server: Server | undefined,
): Promise<Verdict & { server?: Server }> {
  const [name, ...rest] = argv;
  if (program === 'npm') return npm(argv, sandbox, environment);
  if (program === 'curl') return curl(argv, server);
  if (program === 'docker' || program === 'podman') return container(argv);
  if (program === 'jupyter') {
    // Run in test/notebook; here only that it is of a notebook that there is.
    const missing = argv.find((word) => word.endsWith('.ipynb') && !fs.existsSync(path.join(root, word)));
    return { is: 'external', wrong: missing && `there is no ${missing}` };
  }
  if (program === 'git' || program === 'cd') return { is: 'external' };
  if (launchers.includes(program!)) {
    const missing = argv.find((word) => /^lib\/.*\.\w+$/.test(word) && !fs.existsSync(path.join(root, word)));
    const at = argv.findIndex((word) => /^(finetune|adapt)$/.test(word));
    // What a manifest gets is finetune's.
    const own =
      at >= 0
        ? argv.slice(at)
        : ['finetune', ...argv.filter((_, i) => i > argv.findIndex((word) => /^(\d+|.*\.sh)$/.test(word)))];
    if (program === 'kubectl' || missing) return { is: 'external', wrong: missing && `there is no ${missing}` };
    const { status, stderr } = await tunebook([...own, '--print-config'], { cwd: sandbox, env: environment });
    return { is: 'parsed', wrong: failure(status, stderr) };
  }
  if (program === 'npx' && name === 'tunebook' && rest.length > 0) {
    if (servers.includes(rest[0]!)) {
      const started = await serve(rest, sandbox, environment);
      return typeof started === 'string' ? { is: 'run', wrong: started } : { is: 'run', server: started };
    }
    if (rest[0] === 'doctor') {
      // What it finds is the machine's; that it knows the arguments is the page's.
      const { status, stderr } = spawnSync(
        process.execPath,
        [path.join(root, 'lib/setup/doctor.mjs'), ...rest.slice(1)],
        {
          encoding: 'utf8',
        },
      );
      return { is: 'run', wrong: status === 2 ? failure(status, stderr) : undefined };
    }
    const dryFlag = dry[rest[0]!];
    if (dryFlag !== undefined || quick.includes(rest[0]!)) {
      const { status, stderr } = await tunebook([...rest, ...(dryFlag === undefined ? [] : [dryFlag])], {
        cwd: sandbox,
        env: environment,
      });
      return { is: dryFlag === undefined ? 'run' : 'parsed', wrong: failure(status, stderr) };
    }
  }
  return { is: 'external', wrong: 'is of no class that shell-blocks.ts knows' };
}

/** The commands of a block with their classes, and what is wrong with them. */
export async function checkShell(
  block: Block,
  sandbox: string,
): Promise<{ problems: Problem[]; classes: { command: string; is: CommandClass }[] }> {
  const { commands, problems } = commandsOf(block);
  const classes: { command: string; is: CommandClass }[] = [];
  let server: Server | undefined;
  try {
    for (const command of commands) {
      const verdict = await check(command, sandbox, server);
      server = verdict.server ?? server;
      const words = command.words.join(' ');
      classes.push({ command: words, is: verdict.is });
      if (verdict.wrong) problems.push(problemAt(block, command.line, `${words}: ${verdict.wrong}`));
    }
  } finally {
    if (server) {
      server.child.kill('SIGTERM');
      const { status, stderr } = await server.ended;
      const wrong = failure(status, stderr);
      if (wrong) problems.push(problemAt(block, 1, `the server: ${wrong}`));
    }
  }
  return { problems, classes };
}
