// A file system of a given size, which fills up as a disk does. It is mounted in a namespace of its own, for which an ordinary user needs
// no root. Commands run inside the namespace; the test looks in through /proc. It is gone with the process that holds the namespace,
// however the test ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import readline from 'node:readline';

export interface SmallDisk {
  /** A path on it as processes outside the namespace name it. */
  fromOutside: (file: string) => string;
  /** What is put before a command to run it inside the namespace. */
  inside: string[];
  enlarge: (size: string) => Promise<void>;
  release: () => Promise<void>;
}

/**
 * @param folder made here, and where the file system is mounted
 * @param size as mount takes it
 */
export async function smallDisk(folder: string, size: string): Promise<SmallDisk> {
  fs.mkdirSync(folder);
  const isRoot = process.getuid?.() === 0;
  // Each line that the shell reads is a size; it answers when the file system has it.
  const script = `mount -t tmpfs -o "size=$1" tmpfs "$2" && echo done && while read -r size; do
    mount -o "remount,size=$size" tmpfs "$2" || exit 1; echo done; done`;
  const holder = spawn(
    'unshare',
    [...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-c', script, 'sh', size, folder],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let trouble = '';
  holder.stderr.setEncoding('utf8').on('data', (text: string) => (trouble += text));
  const answers = readline.createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { done } = await answers.next();
    if (done)
      throw new Error(
        `A file system of ${size} could not be mounted: ${trouble.trim()}. Run the test as root, or allow namespaces of ordinary ` +
          'users (Ubuntu: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0).',
      );
  };
  await answer();
  return {
    fromOutside: (file) => `/proc/${holder.pid}/root${file}`,
    inside: [
      ...['nsenter', '--target', String(holder.pid), '--mount'],
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
    ],
    async enlarge(larger) {
      holder.stdin.write(`${larger}\n`);
      await answer();
    },
    async release() {
      holder.stdin.end();
      if (holder.exitCode === null) await once(holder, 'exit');
    },
  };
}
