// Builds environment.Dockerfile with buildah, without a daemon or a registry. debootstrap creates the base image from a Debian
// mirror (DEBIAN_MIRROR selects another one). Needs root, buildah and debootstrap. qemu emulates architectures other than this
// machine's.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/** Architectures, with Debian's names. */
export type Architecture = 'amd64' | 'arm64';

/** The architecture of this machine. */
export const ownArchitecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** A built image with a running container. */
export interface Image {
  /** Duration of the build in seconds. */
  seconds: number;
  /** Name and size. */
  description: string;
  /** Runs a command in the container and shows its output. @throws Error if it fails */
  inside: (command: string) => void;
  /** Removes the container. The image and its layers remain cached. */
  close: () => void;
}

/** Runs a program. @returns its standard output if `capture` is true; otherwise the output is shown */
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

/** @throws Error if a program or the emulator is missing */
function checkTools(architecture: Architecture): void {
  if (process.getuid?.() !== 0) throw new Error('Building without a daemon needs root. Run the command with sudo.');
  for (const tool of ['buildah', 'debootstrap'])
    if (spawnSync('which', [tool]).status !== 0)
      throw new Error(`${tool} is missing. Install it (Debian, Ubuntu: sudo apt-get install buildah debootstrap).`);
  if (architecture !== ownArchitecture && !fs.existsSync('/proc/sys/fs/binfmt_misc/qemu-aarch64'))
    throw new Error(
      'This machine cannot run programs for arm64. Install an emulator (Debian, Ubuntu: sudo apt-get install qemu-user-static binfmt-support).',
    );
}

/**
 * Builds the image and starts a container of it.
 * @param kind build of TensorFlow
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
  // Certificates and mirrors that this machine needs to reach the registries. They are mounted during the build and never
  // become part of a layer.
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
        // qemu does not support the system call that tini -s uses.
        ...(architecture === ownArchitecture ? ['tini', '-s', '--'] : []),
        'sh',
        '-c',
        command,
      ]),
    close: () => void buildah(['rm', container], true),
  };
}
