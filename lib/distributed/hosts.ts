/** Lists of hosts as Slurm and MPI write them. */
import fs from 'node:fs';
import { SettingsError } from '../errors.js';

/** A machine, and how many ranks it has. */
export interface Host {
  name: string;
  slots: number;
}

/** Splits at commas that are not inside brackets. */
const outsideBrackets = (text: string): string[] => text.match(/[^,[]+(?:\[[^\]]*\][^,[]*)*/g) ?? [];

/**
 * The machines of a Slurm node list: `node[01-03,7],login` (slurm.schedmd.com/hostlist.html). Numbers keep their zeros.
 * @throws SettingsError for a list that cannot be read
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
            `Slurm's list of nodes '${list}' cannot be read: '${range}' is no range.`,
            { list, value: range },
          );
        return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) =>
          String(Number(from) + i).padStart(from.length, '0'),
        );
      });
    return numbers.flatMap((number) => hostsOfNodeList(prefix + number + rest));
  });
}

/** Slurm's tasks a node, `2(x3),1`, as a number for each. */
export const tasksOfNodes = (list: string): number[] =>
  list.split(',').flatMap((part) => {
    const [, tasks, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part.trim()) ?? [];
    if (!tasks)
      throw new SettingsError('LAUNCH_HOSTS_INVALID', `Slurm's tasks a node '${list}' cannot be read.`, { list });
    return new Array<number>(Number(times)).fill(Number(tasks));
  });

/**
 * The machines of MPI: `node1:2,node2:2`, the lines of a hostfile (`node1 slots=2`), or the name of one.
 * @throws SettingsError for a list that cannot be read
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
          `'${line}' is no host: it is to be node1, node1:2, or node1 slots=2 as in a hostfile.`,
          { list, value: line },
        );
      return { name, slots: Number(colon ?? slots ?? 1) };
    });
  if (hosts.length === 0) throw new SettingsError('LAUNCH_HOSTS_INVALID', `There are no hosts in '${list}'.`, { list });
  return hosts;
}
