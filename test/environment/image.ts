// Builds environment.Dockerfile with buildah, without a daemon or a registry: the base image is made by debootstrap. Needs root,
// buildah and debootstrap.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';
import { checkTools, debootstrap, ownArchitecture, run, type Architecture } from './debian.js';

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

/**
 * Builds the image and starts a container of it.
 * @param kind build of TensorFlow
 * @throws Error if a tool is missing or the image cannot be built
 */
export function buildImage(kind: 'cpu' | 'gpu', architecture: Architecture): Image {
  checkTools(['buildah', 'debootstrap'], architecture);
  const work = path.join(root, '.tunebook/image', architecture);
  const rootfs = path.join(work, 'rootfs');
  const base = 'docker.io/library/debian:trixie-slim';
  const image = `localhost/tunebook:${kind}`;
  const buildah = (argv: string[], capture = false) =>
    run('buildah', ['--root', path.join(work, 'store'), '--runroot', path.join(work, 'run'), ...argv], { capture });

  fs.mkdirSync(work, { recursive: true });
  if (buildah(['images', '--quiet', '--filter', `reference=${base}`], true) === '') {
    debootstrap(rootfs, architecture);
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
