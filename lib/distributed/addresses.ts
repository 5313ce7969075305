/**
 * Whether the addresses of a cluster are of a private network. TensorFlow's servers ask nobody for a password: whoever
 * reaches one can have it read and write files.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import os from 'node:os';
import { ClusterDefinitionError } from '../errors.js';
import { describeTask, hostOf, type ClusterDefinition } from './cluster-definition.js';

/** What no router of the internet forwards (RFC 1918, 1122, 3927, 6598, 4193, 4291; for examples and benchmarks 5737, 2544, 3849). */
const notPublic = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
] as const)
  notPublic.addSubnet(network, bits, 'ipv4');
notPublic.addAddress('::1', 'ipv6');
notPublic.addSubnet('2001:db8::', 32, 'ipv6');
notPublic.addSubnet('fc00::', 7, 'ipv6');
notPublic.addSubnet('fe80::', 10, 'ipv6');

/** Whether an IP address can be reached from the internet, as far as the address tells. */
export const isPublicAddress = (address: string): boolean =>
  isIPv4(address) ? !notPublic.check(address, 'ipv4') : isIPv6(address) && !notPublic.check(address, 'ipv6');

/** Whether a host is this machine, and nobody else can reach it by that name. */
export const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** The library that has servers listen on loopback alone (native/loopback.cc), as `tunebook launch` preloads it. */
export const loopbackLibrary = 'loopback.so';

/** The environment variable that names libraries to load first. */
export const preloadVariable = process.platform === 'darwin' ? 'DYLD_INSERT_LIBRARIES' : 'LD_PRELOAD';

/** Whether all ranks are on this machine, and their servers kept to it. */
const isKeptToLoopback = ({ tasks }: Pick<ClusterDefinition, 'tasks'>): boolean =>
  (process.env[preloadVariable] ?? '').includes(loopbackLibrary) &&
  tasks.every(({ address }) => isLoopback(hostOf(address)));

const remedy =
  'TensorFlow’s servers ask for no password: on a public network anybody could use them. Name addresses of a private network, or say --allow-public-cluster behind a firewall that lets in the ranks alone.';

/**
 * Refuses a cluster that could be reached from outside.
 * @param interfaces of this machine, on all of which TensorFlow's server listens
 * @throws ClusterDefinitionError naming the address
 */
export async function refusePublicAddresses(
  { tasks }: Pick<ClusterDefinition, 'tasks'>,
  interfaces: NodeJS.Dict<os.NetworkInterfaceInfo[]> = os.networkInterfaces(),
): Promise<void> {
  if (isKeptToLoopback({ tasks })) return;
  for (const task of tasks) {
    // A name that is not known yet is one that does not answer yet: joining will wait for it.
    const found = await lookup(hostOf(task.address), { all: true }).catch(() => []);
    const open = found.find(({ address }) => isPublicAddress(address));
    if (open)
      throw new ClusterDefinitionError(
        'CLUSTER_ADDRESS_PUBLIC',
        `The address of ${describeTask(task)} is public (${open.address}). ${remedy}`,
        { rank: task.rank, address: open.address },
      );
  }
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    const open = addresses.find(({ address }) => isPublicAddress(address));
    if (open)
      throw new ClusterDefinitionError(
        'CLUSTER_ADDRESS_PUBLIC',
        `This machine has the public address ${open.address} (${name}), on which TensorFlow's server would listen too. ${remedy}`,
        { address: open.address, interface: name },
      );
  }
}
