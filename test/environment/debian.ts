// A minimal Debian with Node and npm in a folder, in which commands run by chroot. debootstrap creates it from a Debian mirror
// (DEBIAN_MIRROR selects another one). Needs root. qemu emulates architectures other than this machine's.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root as checkout } from '../checkout.js';

/** Architectures, with Debian's names. */
export type Architecture = 'amd64' | 'arm64';

/** The architecture of this machine. */
export const ownArchitecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

const node = '24.22.3';
const npm = '11.21.2';

/** Variables by which this machine reaches the registries. */
const passed = ['NODE_EXTRA_CA_CERTS', 'PIP_INDEX_URL', 'PIP_CERT'];

/**
 * Runs a program.
 * @param options.capture whether to return its output instead of showing it
 * @throws Error if it fails
 */
export function run(
  command: string,
  argv: string[],
  options: { capture?: boolean; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const { capture = false, cwd = checkout, env } = options;
  if (!capture) console.error(`\n$ ${command} ${argv.join(' ')}`);
  const { status, stdout, error } = spawnSync(command, argv, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
  });
  if (error || status !== 0)
    throw new Error(`${command} ${argv[0]} ended with ${error?.message ?? `status ${status}`}.`);
  return stdout?.trim() ?? '';
}

/** @throws Error if this process is not root's, or if a program or the emulator is missing */
export function checkTools(tools: string[], architecture: Architecture): void {
  if (process.getuid?.() !== 0) throw new Error('This needs root. Run the command with sudo.');
  for (const tool of tools)
    if (spawnSync('which', [tool]).status !== 0)
      throw new Error(`${tool} is missing. Install it (Debian, Ubuntu: sudo apt-get install ${tools.join(' ')}).`);
  if (architecture !== ownArchitecture && !fs.existsSync('/proc/sys/fs/binfmt_misc/qemu-aarch64'))
    throw new Error(
      'This machine cannot run programs for arm64. Install an emulator (Debian, Ubuntu: sudo apt-get install qemu-user-static binfmt-support).',
    );
}

/** Creates a minimal Debian in a folder, which is emptied. */
export function debootstrap(folder: string, architecture: Architecture, include: string[] = []): void {
  fs.rmSync(folder, { recursive: true, force: true });
  const options = [`--arch=${architecture}`, '--variant=minbase'];
  if (include.length > 0) options.push(`--include=${include.join(',')}`);
  const mirror = process.env['DEBIAN_MIRROR'];
  run('debootstrap', [...options, 'trixie', folder, ...(mirror ? [mirror] : [])]);
}

export interface Debian {
  /** Its root folder. */
  root: string;
  /**
   * Runs a shell command in it and shows its output.
   * @param options.folder in it
   * @param options.checkout whether to mount this checkout as /checkout
   * @throws Error if the command fails
   */
  run: (command: string, options: { folder: string; environment?: Record<string, string>; checkout?: boolean }) => void;
}

/**
 * Creates the system, once per name, with an empty home.
 * @param include names of Debian's packages
 * @throws Error if a tool is missing
 */
export function createDebian(name: string, architecture: Architecture, include: string[] = []): Debian {
  checkTools(['debootstrap'], architecture);
  const work = path.join(checkout, '.tunebook/debian', architecture);
  const root = path.join(work, name);
  const local = path.join(root, 'usr/local');
  if (!fs.existsSync(path.join(local, 'bin/npx'))) {
    fs.mkdirSync(work, { recursive: true });
    debootstrap(root, architecture, ['ca-certificates', ...include]);
    // Debian's npm would bring Python.
    const cpu = architecture === 'amd64' ? 'x64' : architecture;
    // --force, because npm rejects the package of another architecture.
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--force', '--prefix', work];
    run('npm', ['install', ...options, `node-linux-${cpu}@${node}`, `npm@${npm}`]);
    fs.copyFileSync(path.join(work, `node_modules/node-linux-${cpu}/bin/node`), path.join(local, 'bin/node'));
    fs.cpSync(path.join(work, 'node_modules/npm'), path.join(local, 'lib/npm'), { recursive: true });
    fs.mkdirSync(path.join(root, 'checkout'));
    // npx last: it marks the system as complete.
    for (const command of ['npm', 'npx'])
      fs.symlinkSync(`../lib/npm/bin/${command}-cli.js`, path.join(local, 'bin', command));
  }
  fs.rmSync(path.join(root, 'home/user'), { recursive: true, force: true });
  const { NODE_EXTRA_CA_CERTS = '', PIP_CERT = '' } = process.env;
  for (const file of ['/etc/resolv.conf', '/etc/pip.conf', NODE_EXTRA_CA_CERTS, PIP_CERT])
    if (file && fs.existsSync(file)) {
      fs.mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
      fs.copyFileSync(file, path.join(root, file));
    }
  const variables = passed.filter((each) => process.env[each]).map((each) => `${each}=${process.env[each]}`);
  return {
    root,
    run(command, { folder, environment = {}, checkout: mount = false }) {
      const extra = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
      const inside = `mountpoint -q /proc || mount -t proc proc /proc; cd ${folder} && ${command}`;
      const chroot = ['chroot', root, 'env', '-i', 'HOME=/home/user', 'PATH=/usr/local/bin:/usr/bin:/bin'];
      const script = `${mount ? 'mount --bind "$2" "$1/checkout" && ' : ''}shift 2 && exec "$@"`;
      run('unshare', [
        ...['--mount', 'sh', '-euc', script, 'sh', root, checkout],
        ...[...chroot, ...variables, ...extra, 'sh', '-euc', inside],
      ]);
    },
  };
}
