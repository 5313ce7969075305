// Builds environment.Dockerfile with buildah, with no daemon and no registry: the base is a Debian that debootstrap makes of its own
// mirror (DEBIAN_MIRROR names another). Needs root, buildah and debootstrap. A processor's architecture other than this machine's is
// emulated by qemu.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/** The architectures as Debian names them. */
export type Architecture = 'amd64' | 'arm64';

/** The architecture of this machine. */
export const ownArchitecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** An image that was built. */
export interface Image {
  /** Seconds that building took. */
  seconds: number;
  /** Its name and size. */
  description: string;
  /** Runs a command in a container of the image, with its output shown. @throws Error if it fails */
  inside: (command: string) => void;
  /** Removes the container. The image and its layers stay, for the next time. */
  close: () => void;
}

/** Runs a program. @returns its standard output if `capture`, else it is shown */
function run(command: string, argv: string[], capture = false): string {
  if (!capture) console.error(`\n$ ${command} ${argv.join(' ')}`);
  const { status, stdout, error } = spawnSync(command, argv, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
  });
  if (error || status !== 0)
    throw new Error(`${command} ${argv[0]} ended with ${error?.message ?? `status ${status}`}.`);
  return stdout?.trim() ?? '';
}

/** @throws Error if a program is missing, or emulation */
function checkTools(architecture: Architecture): void {
  if (process.getuid?.() !== 0) throw new Error('Building without a daemon needs root: run it with sudo.');
  for (const tool of ['buildah', 'debootstrap'])
    if (spawnSync('which', [tool]).status !== 0)
      throw new Error(`${tool} is missing. Install it (Debian, Ubuntu: sudo apt-get install buildah debootstrap).`);
  if (architecture !== ownArchitecture && !fs.existsSync('/proc/sys/fs/binfmt_misc/qemu-aarch64'))
    throw new Error(
      'Programs for arm64 cannot run here. Install an emulator (Debian, Ubuntu: sudo apt-get install qemu-user-static binfmt-support).',
    );
}

/**
 * Builds the image and starts a container of it.
 * @param kind the build of TensorFlow
 * @throws Error if a tool is missing or the image cannot be built
 */
export function buildImage(kind: 'cpu' | 'gpu', architecture: Architecture): Image {
  checkTools(architecture);
  const work = path.join(root, '.tunebook/image', architecture);
  const rootfs = path.join(work, 'rootfs');
  const base = 'docker.io/library/debian:trixie-slim';
  const image = `localhost/tunebook:${kind}`;
  const buildah = (argv: string[], capture = false) =>
    run('buildah', ['--root', path.join(work, 'store'), '--runroot', path.join(work, 'run'), ...argv], capture);

  fs.mkdirSync(work, { recursive: true });
  if (buildah(['images', '--quiet', '--filter', `reference=${base}`], true) === '') {
    fs.rmSync(rootfs, { recursive: true, force: true });
    run('debootstrap', [
      `--arch=${architecture}`,
      '--variant=minbase',
      'trixie',
      rootfs,
      ...(process.env['DEBIAN_MIRROR'] ? [process.env['DEBIAN_MIRROR']] : []),
    ]);
    const container = buildah(['from', 'scratch'], true);
    buildah(['add', '--quiet', container, rootfs, '/']);
    buildah(['config', '--arch', architecture, '--cmd', 'bash', container]);
    buildah(['commit', '--quiet', '--rm', container, base]);
    fs.rmSync(rootfs, { recursive: true });
  }
  /** Certificates and mirrors that this machine needs to reach the registries: mounted while building, never part of a layer. */
  const mounts = ['/usr/local/share/ca-certificates', '/etc/pip.conf', '/etc/npmrc']
    .filter((file) => fs.existsSync(file))
    .flatMap((file) => ['--volume', `${file}:${file}:ro`]);
  const options = ['--isolation', 'chroot', '--pull=never', '--layers', '--arch', architecture, ...mounts];
  const started = performance.now();
  buildah([
    'bud',
    ...options,
    '--build-arg',
    `TENSORFLOW=${kind}`,
    '--tag',
    image,
    '--file',
    'environment.Dockerfile',
    '.',
  ]);
  const seconds = Math.round((performance.now() - started) / 1000);
  const container = buildah(['from', '--pull=never', '--arch', architecture, image], true);
  return {
    seconds,
    description: buildah(['images', '--format', '{{.Name}}:{{.Tag}} {{.Size}}'], true),
    inside: (command) =>
      void buildah([
        'run',
        '--isolation',
        'chroot',
        ...mounts,
        container,
        '--',
        // The emulator does not know the system call of tini -s.
        ...(architecture === ownArchitecture ? ['tini', '-s', '--'] : []),
        'sh',
        '-c',
        command,
      ]),
    close: () => void buildah(['rm', container], true),
  };
}
