import { execFileSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import type { World } from '../../lab/netns/world.js';
import { parseGroups } from '../../src/announce/groups.js';
import { igmp2Reports } from '../../src/frames/reports.js';
import { type Lab, lab, untilActive } from '../helpers/daemon.js';
import { quietFor, until } from '../helpers/wait.js';

/** Multicast follows a switch: the host's bridge snoops, and forwards groups only where somebody has asked for them. */

const GROUP4 = '239.1.2.3';
const GROUP6 = 'ff15::1:2:3';

const inNetns = (fd: number, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${fd}`, ...command], { encoding: 'utf8' });

/** Ports at which the bridge knows members of a group. */
function members({ host }: World, group: string): string[] {
  const [{ mdb }] = JSON.parse(inNetns(host, 'bridge', '-j', 'mdb', 'show')) as [
    { mdb: { port: string; grp: string }[] },
  ];
  return mdb.filter((e) => e.grp === group && e.port.startsWith('port-')).map((e) => e.port);
}

/** A guest that has joined both groups while its primary was active, behind a bridge that snoops and asks nobody. */
async function joined(announce: object): Promise<Lab> {
  const l = await lab('veth', { announce });
  await untilActive(l, 'primary');
  const { world } = l;
  inNetns(world.host, ...'ip link set br0 type bridge mcast_snooping 1'.split(' '));
  const join = ['ip', 'address', 'add', 'dev', 'virtio0'];
  inNetns(world.guest, ...join, `${GROUP4}/32`, 'autojoin');
  inNetns(world.guest, ...join, `${GROUP6}/128`, 'nodad', 'autojoin');
  for (const group of [GROUP4, GROUP6])
    await until(
      () => members(world, group),
      (ports) => ports.includes('port-vf'),
      20_000,
    );
  // The kernel repeats its report after a second at most: none of its own comes after the switch. And what the worker sends is prepared.
  await quietFor(8000);
  for (const group of [GROUP4, GROUP6]) expect(members(world, group)).toEqual(['port-vf']);
  return l;
}

test('after a switch groups are asked for where the traffic is now', async () => {
  const l = await joined({ count: 1 });
  l.world.cutVf();
  await untilActive(l, 'standby');
  for (const group of [GROUP4, GROUP6])
    await until(
      () => members(l.world, group),
      (ports) => ports.includes('port-virtio'),
    );
});

test('without rejoin they are not', async () => {
  const l = await joined({ count: 1, rejoin: false });
  l.world.cutVf();
  await untilActive(l, 'standby');
  await quietFor(500);
  for (const group of [GROUP4, GROUP6]) expect(members(l.world, group)).toEqual([]);
});

test('IGMPv2 is reported where it is spoken: a frame for each group, to the group', () => {
  const group = Uint8Array.of(239, 129, 2, 3);
  const spec = { mac: new Uint8Array(6).fill(2), source: Uint8Array.of(10, 0, 0, 1), groups: [group, group] };
  const frames = igmp2Reports(spec, 2);
  expect(frames).toHaveLength(2);
  const [f] = frames;
  // The group bit of 129 is not part of the Ethernet address (RFC 1112 6.4).
  expect([...f!.subarray(0, 6)]).toEqual([1, 0, 0x5e, 1, 2, 3]);
  expect([...f!.subarray(30, 34)]).toEqual([...group]);
  expect([f![38], ...f!.subarray(42, 46)]).toEqual([0x16, ...group]);
  // A right sum makes nothing of what it is over.
  const sum = (b: Uint8Array): number => {
    let s = 0;
    for (let i = 0; i < b.length; i += 2) s += (b[i]! << 8) | b[i + 1]!;
    return ((s & 0xffff) + (s >>> 16)) & 0xffff;
  };
  expect([sum(f!.subarray(14, 38)), sum(f!.subarray(38, 46))]).toEqual([0xffff, 0xffff]);
});

describe('groups as the kernel tells them', () => {
  const IGMP = [
    'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter',
    '1\tlo        :     1      V3',
    '\t\t\t\t010000E0     1 0:00000000\t\t0',
    '4\tvirtio0   :     3      V2',
    '\t\t\t\t030201EF     1 0:00000000\t\t1',
    '\t\t\t\t6A0000E0     1 0:00000000\t\t0',
    '',
  ].join('\n');
  const IGMP6 = [
    '4    virtio0         ff150000000000000001000200030000     1 00000004 0',
    '4    virtio0         ff0200000000000000000001ff001234     1 00000004 0',
    '4    virtio0         ff020000000000000000000000000001     1 0000000C 0',
    '4    virtio0         ff010000000000000000000000000001     1 00000008 0',
    '',
  ].join('\n');

  it('by device, without those that are never asked for', () => {
    const hex = (list: Uint8Array[]): string[] => list.map((b) => Buffer.from(b).toString('hex'));
    const groups = parseGroups(IGMP, IGMP6);
    expect([...groups.keys()]).toEqual([1, 4]);
    expect(groups.get(1)).toEqual({ igmp: 3, ip4: [], ip6: [] });
    expect(groups.get(4)!.igmp).toBe(2);
    expect(hex(groups.get(4)!.ip4)).toEqual(['ef010203']);
    expect(hex(groups.get(4)!.ip6)).toEqual([
      'ff150000000000000001000200030000',
      'ff0200000000000000000001ff001234',
    ]);
  });

  it('or of nothing, where there is nothing', () => {
    expect(parseGroups('', '')).toEqual(new Map());
    expect(parseGroups('\t\t\t\t030201EF     1 0:00000000\t\t1\n', 'x y z')).toEqual(new Map());
  });
});
