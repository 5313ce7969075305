/**
 * Checks that a cluster's addresses are on a private network. TensorFlow's servers have no authentication: any client
 * that can connect can make them read and write files.
 */
import { addonFiles } from '#setup/cache.mjs';
import { lookup } from 'node:dns/promises';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import os from 'node:os';
import { ClusterDefinitionError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { describeTask, hostOf, type ClusterDefinition } from './cluster-definition.js';

/**
 * Address ranges that are not routed on the internet (RFC 1918, 1122, 3927, 6598, 4193, 4291; for examples and
 * benchmarks 5737, 2544, 3849).
 */
const privateRanges = new BlockList();
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
  privateRanges.addSubnet(network, bits, 'ipv4');
privateRanges.addAddress('::1', 'ipv6');
privateRanges.addSubnet('2001:db8::', 32, 'ipv6');
privateRanges.addSubnet('fc00::', 7, 'ipv6');
privateRanges.addSubnet('fe80::', 10, 'ipv6');

/** Whether an IP address is outside the ranges that are not routed on the internet. */
export const isPublicAddress = (address: string): boolean =>
  isIPv4(address) ? !privateRanges.check(address, 'ipv4') : isIPv6(address) && !privateRanges.check(address, 'ipv6');

/** Whether a host is a loopback address, which only this machine can reach. */
export const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** The environment variable for libraries to preload. */
export const preloadVariable = process.platform === 'darwin' ? 'DYLD_INSERT_LIBRARIES' : 'LD_PRELOAD';

/** Whether all ranks are on this machine and their servers listen on loopback only: `tunebook launch` preloads native/loopback.cc. */
const usesLoopbackOnly = ({ tasks }: Pick<ClusterDefinition, 'tasks'>): boolean =>
  (process.env[preloadVariable] ?? '').includes(addonFiles.loopback) &&
  tasks.every(({ address }) => isLoopback(hostOf(address)));

const remedy = (): string =>
  `TensorFlow’s servers have no authentication, so on a public network any client could use them. Use addresses of a private network, or set ${settingText('allowPublicCluster', 'true')} behind a firewall that admits only the ranks.`;

/**
 * Checks that a cluster has no public addresses.
 * @param interfaces the network interfaces of this machine; TensorFlow's server listens on all of them
 * @throws ClusterDefinitionError with the public address
 */
export async function rejectPublicAddresses(
  { tasks }: Pick<ClusterDefinition, 'tasks'>,
  interfaces: NodeJS.Dict<os.NetworkInterfaceInfo[]> = os.networkInterfaces(),
): Promise<void> {
  if (usesLoopbackOnly({ tasks })) return;
  for (const task of tasks) {
    // A name that does not resolve yet is not an error: joining waits for that rank.
    const resolved = await lookup(hostOf(task.address), { all: true }).catch(() => []);
    const publicAddress = resolved.find(({ address }) => isPublicAddress(address));
    if (publicAddress)
      throw new ClusterDefinitionError(
        'CLUSTER_ADDRESS_PUBLIC',
        `The address of ${describeTask(task)} is public (${publicAddress.address}). ${remedy()}`,
        { rank: task.rank, address: publicAddress.address },
      );
  }
  for (const [name, addresses = []] of Object.entries(interfaces)) {
    const publicAddress = addresses.find(({ address }) => isPublicAddress(address));
    if (publicAddress)
      throw new ClusterDefinitionError(
        'CLUSTER_ADDRESS_PUBLIC',
        `This machine has the public address ${publicAddress.address} (${name}), on which TensorFlow's server would also listen. ${remedy()}`,
        { address: publicAddress.address, interface: name },
      );
  }
}
