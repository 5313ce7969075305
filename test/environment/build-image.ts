// `npm run test:image [-- gpu]`: builds environment.Dockerfile for real and runs the quick part of the tests inside. Where a
// container registry cannot be reached docker build cannot either, so this takes buildah, with no daemon and no registry: its base
// is a Debian that debootstrap makes of its own mirror (DEBIAN_MIRROR names another). Needs root, buildah and debootstrap; takes some minutes.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

const kind = process.argv[2] ?? 'cpu';
if (!['cpu', 'gpu'].includes(kind)) throw new Error(`The image is for cpu or gpu, not for '${kind}'.`);

const work = path.join(root, '.tunebook/image');
const rootfs = path.join(work, 'rootfs');
const base = 'docker.io/library/debian:trixie-slim';
const image = `localhost/tunebook:${kind}`;

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

const buildah = (argv: string[], capture = false) =>
  run('buildah', ['--root', path.join(work, 'store'), '--runroot', path.join(work, 'run'), ...argv], capture);

/** Certificates and mirrors that this machine needs to reach the registries: mounted while building, never part of a layer. */
const mounts = ['/usr/local/share/ca-certificates', '/etc/pip.conf', '/etc/npmrc']
  .filter((file) => fs.existsSync(file))
  .flatMap((file) => ['--volume', `${file}:${file}:ro`]);

if (process.getuid?.() !== 0) throw new Error('Building without a daemon needs root: sudo npm run test:image');
for (const tool of ['buildah', 'debootstrap'])
  if (spawnSync('which', [tool]).status !== 0)
    throw new Error(`${tool} is missing. Install it (Debian, Ubuntu: sudo apt-get install buildah debootstrap).`);

fs.mkdirSync(work, { recursive: true });
if (buildah(['images', '--quiet', '--filter', `reference=${base}`], true) === '') {
  fs.rmSync(rootfs, { recursive: true, force: true });
  run('debootstrap', [
    '--variant=minbase',
    'trixie',
    rootfs,
    ...(process.env['DEBIAN_MIRROR'] ? [process.env['DEBIAN_MIRROR']] : []),
  ]);
  const container = buildah(['from', 'scratch'], true);
  buildah(['add', '--quiet', container, rootfs, '/']);
  buildah(['config', '--cmd', 'bash', container]);
  buildah(['commit', '--quiet', '--rm', container, base]);
  fs.rmSync(rootfs, { recursive: true });
}
const options = ['--isolation', 'chroot', '--pull=never', '--layers', ...mounts];
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
console.error(`Built in ${Math.round((performance.now() - started) / 1000)} s.`);

const container = buildah(['from', '--pull=never', image], true);
try {
  const inside = (command: string) =>
    buildah(['run', '--isolation', 'chroot', ...mounts, container, '--', 'tini', '-s', '--', 'sh', '-c', command]);
  inside('npx tunebook doctor');
  inside('npm start');
  inside('npm test -- --quick');
} finally {
  buildah(['rm', container], true);
}
buildah(['images', '--format', '{{.Name}}:{{.Tag}} {{.Size}}']);
