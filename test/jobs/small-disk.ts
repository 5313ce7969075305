// Mounts a file system of a given size to test a full disk. It is mounted in a separate namespace, so that no root is
// needed. Commands run inside the namespace; the test accesses the files through /proc. The file system disappears with
// the process that holds the namespace, however the test ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import readline from 'node:readline';

export interface SmallDisk {
  /** Converts a path on it to a path for processes outside the namespace. */
  fromOutside: (file: string) => string;
  /** Command prefix that runs a command inside the namespace. */
  inside: string[];
  enlarge: (size: string) => Promise<void>;
  release: () => Promise<void>;
}

/**
 * @param folder mount point, which is created
 * @param size in the syntax of mount
 */
export async function smallDisk(folder: string, size: string): Promise<SmallDisk> {
  fs.mkdirSync(folder);
  const isRoot = process.getuid?.() === 0;
  // Each input line is a new size; the shell prints a line when the file system has that size.
  const script = `mount -t tmpfs -o "size=$1" tmpfs "$2" && echo done && while read -r size; do
    mount -o "remount,size=$size" tmpfs "$2" || exit 1; echo done; done`;
  const holder = spawn(
    'unshare',
    [...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-c', script, 'sh', size, folder],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let errors = '';
  holder.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const lines = readline.createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => {
    const { done } = await lines.next();
    if (done)
      throw new Error(
        `A file system of ${size} could not be mounted: ${errors.trim()}. Run the test as root, or allow user ` +
          'namespaces (Ubuntu: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0).',
      );
  };
  await nextLine();
  return {
    fromOutside: (file) => `/proc/${holder.pid}/root${file}`,
    inside: [
      'nsenter',
      '--target',
      String(holder.pid),
      '--mount',
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
    ],
    async enlarge(newSize) {
      holder.stdin.write(`${newSize}\n`);
      await nextLine();
    },
    async release() {
      holder.stdin.end();
      if (holder.exitCode === null) await once(holder, 'exit');
    },
  };
}
