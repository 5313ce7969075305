/** Parses the host lists of Slurm and MPI. */
import fs from 'node:fs';
import { SettingsError } from '../errors.js';

/** A host and its number of ranks. */
export interface Host {
  name: string;
  slots: number;
}

/** Splits at commas that are not inside brackets. */
const outsideBrackets = (text: string): string[] => text.match(/[^,[]+(?:\[[^\]]*\][^,[]*)*/g) ?? [];

/**
 * Parses a Slurm node list: `node[01-03,7],login` (slurm.schedmd.com/hostlist.html). Numbers keep their leading zeros.
 * @throws SettingsError if the list is invalid
 */
export function hostsOfNodeList(list: string): string[] {
  return outsideBrackets(list).flatMap((part) => {
    const open = part.indexOf('[');
    if (open < 0) return [part.trim()];
    const close = part.indexOf(']', open);
    const [prefix, rest] = [part.slice(0, open).trim(), part.slice(close + 1)];
    const numbers = part
      .slice(open + 1, close)
      .split(',')
      .flatMap((range) => {
        const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range.trim()) ?? [];
        if (!from)
          throw new SettingsError(
            'LAUNCH_HOSTS_INVALID',
            `Slurm's node list '${list}' is invalid: '${range}' is not a number or a range.`,
            { list, value: range },
          );
        return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) =>
          String(Number(from) + i).padStart(from.length, '0'),
        );
      });
    return numbers.flatMap((number) => hostsOfNodeList(prefix + number + rest));
  });
}

/** Parses Slurm's tasks per node, `2(x3),1`, to one number per node. */
export const tasksOfNodes = (list: string): number[] =>
  list.split(',').flatMap((part) => {
    const [, tasks, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? [];
    if (!tasks)
      throw new SettingsError(
        'LAUNCH_HOSTS_INVALID',
        `Slurm's list of tasks per node '${list}' is invalid. The format is 2(x3),1.`,
        { list },
      );
    return new Array<number>(Number(times)).fill(Number(tasks));
  });

/**
 * Parses a host list of MPI: `node1:2,node2:2`, the lines of a hostfile (`node1 slots=2`), or the path of a hostfile.
 * @throws SettingsError if the list is invalid
 */
export function hostsOfMpi(list: string): Host[] {
  const text = fs.existsSync(list) ? fs.readFileSync(list, 'utf8') : list;
  const hosts = text
    .split(/[\n,]/)
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line): Host => {
      const [, name, colon, slots] =
        /^([\w.-]+|\[[\da-f:]+\])(?::(\d+))?(?:\s+(?:.*\s)?slots\s*=\s*(\d+).*)?$/i.exec(line) ?? [];
      if (!name)
        throw new SettingsError(
          'LAUNCH_HOSTS_INVALID',
          `'${line}' is not a valid host. Use node1, node1:2, or, as in a hostfile, node1 slots=2.`,
          { list, value: line },
        );
      return { name, slots: Number(colon ?? slots ?? 1) };
    });
  if (hosts.length === 0) throw new SettingsError('LAUNCH_HOSTS_INVALID', `'${list}' contains no hosts.`, { list });
  return hosts;
}
