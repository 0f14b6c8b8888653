import { execFileSync } from 'node:child_process';
import { UdpSocket, withNetns } from 'bpf-loader-ts/sys';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { parseGroups } from '../../src/announce/groups.js';
import type { World } from '../../src/lab/world.js';
import { type Lab, lab, until, untilActive } from '../helpers/daemon.js';
import { sleep } from '../helpers/sleep.js';

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

/** A guest that has joined both groups while its primary was active, behind a bridge that snoops, asks once, and not again for two minutes. */
async function joined(announce: object, igmp: 2 | 3 = 3): Promise<Lab> {
  const l = await lab('veth', { announce });
  await untilActive(l, 'primary');
  const { world } = l;
  inNetns(
    world.host,
    ...'ip link set br0 type bridge mcast_snooping 1 mcast_startup_query_count 1'.split(' '),
  );
  // Of 1/100 s.
  const asks = `mcast_query_response_interval 100 mcast_igmp_version ${igmp} mcast_mld_version ${igmp - 1}`;
  inNetns(world.host, ...`ip link set br0 type bridge ${asks} mcast_querier 1`.split(' '));
  const join = ['ip', 'address', 'add', 'dev', 'virtio0'];
  inNetns(world.guest, ...join, `${GROUP4}/32`, 'autojoin');
  inNetns(world.guest, ...join, `${GROUP6}/128`, 'nodad', 'autojoin');
  for (const group of [GROUP4, GROUP6])
    await until(
      () => members(world, group),
      (ports) => ports.includes('port-vf'),
      20_000,
    );
  // The kernel repeats its report once, after a second at most (RFC 3376 8.11): none of its own comes after the switch.
  await sleep(2500);
  // Prepared for the worker.
  await sleep(5500);
  return l;
}

test.each([3, 2] as const)(
  'after a switch both are asked for where the traffic is now, with IGMPv%i and the like of MLD',
  async (igmp) => {
    const l = await joined({ count: 1 }, igmp);
    for (const group of [GROUP4, GROUP6]) expect(members(l.world, group)).toEqual(['port-vf']);
    l.world.cutVf();
    await untilActive(l, 'standby');
    for (const group of [GROUP4, GROUP6])
      await until(
        () => members(l.world, group),
        (ports) => ports.includes('port-virtio'),
      );
  },
);

test('without rejoin they are not', async () => {
  const l = await joined({ count: 1, rejoin: false });
  l.world.cutVf();
  await untilActive(l, 'standby');
  await sleep(500);
  for (const group of [GROUP4, GROUP6]) expect(members(l.world, group)).not.toContain('port-virtio');
});

test('a frame to the group arrives on the new path', async () => {
  const l = await joined({ count: 2 });
  const { world } = l;
  inNetns(world.host, ...'ip route add 239.0.0.0/8 dev br0'.split(' '));
  world.cutVf();
  await untilActive(l, 'standby');
  const sender = withNetns(world.host, () => new UdpSocket({ connectAddr: GROUP4, connectPort: 5000 }));
  onTestFinished(() => sender.close());
  /** Multicast that the guest's stack has taken. */
  const heard = (): number => {
    const text = inNetns(world.guest, 'cat', '/proc/net/netstat');
    const [names, values] = [...text.matchAll(/^IpExt: (.*)$/gm)].map((m) => m[1]!.split(' '));
    return Number(values![names!.indexOf('InMcastPkts')]);
  };
  const before = heard();
  await until(
    () => {
      sender.send(new Uint8Array(64));
      return heard();
    },
    (n) => n > before,
  );
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
