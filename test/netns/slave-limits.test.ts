import { describe, expect, test } from 'vitest';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { FLAGS } from '../../src/slave/flags.js';
import { FOREIGN } from '../../src/slave/foreign.js';
import { GROUPS } from '../../src/slave/groups.js';
import { UNICAST } from '../../src/slave/unicast.js';
import { inHost } from '../helpers/daemon.js';
import { Filters, groupsOf } from '../helpers/filters.js';
import { type SlaveRig, slaveRig } from '../helpers/slave-rig.js';
import { until } from '../helpers/wait.js';

/** What does not fit a NIC's tables, on veth's real lists: its driver is said to be another. The NICs themselves are in test/vm. */

const ALL = [GROUPS, UNICAST, FLAGS, FOREIGN];

/** Looks, as the daemon does, until it holds. */
const looks = async (rig: SlaveRig, holds: () => boolean): Promise<unknown> =>
  until(
    () => {
      rig.look();
      return holds();
    },
    (x) => x,
  );

describe('a driver with 30 groups, one MAC and neither allmulti nor promisc', () => {
  test('gets the groups of neighbour discovery first and no more than it has room for; the rest is told', () => {
    const rig = slaveRig(ALL, 'igbvf');
    const f = new Filters(rig.world);
    // Later in the list than what fits.
    f.join('virtio0', [...groupsOf(40), '33:33:ff:00:00:77']);
    const leave = rig.join();
    expect(f.groups('vf0').size).toBe(30);
    expect(f.groups('vf0')).toContain('33:33:ff:00:00:77');
    expect(f.groups('vf0')).toContain('33:33:00:00:00:01');
    expect(rig.told.get('groups')).toEqual([
      expect.objectContaining({
        key: 'table',
        severity: 'note',
        message: expect.stringContaining('30 groups'),
      }),
    ]);
    // Room that is made is used.
    f.leave('virtio0', groupsOf(40));
    rig.look();
    expect(rig.told.get('groups')).toEqual([]);
    leave();
    expect(groupsOf(40).some((mac) => f.groups('vf0').has(mac))).toBe(false);
    expect(f.groups('vf0')).not.toContain('33:33:ff:00:00:77');
  });

  const MAC = '02:00:00:00:01:10';

  test('takes MACs once the network has shown that it lets them in; until then, and above three, their frames go by the standby', async () => {
    const rig = slaveRig(ALL, 'igbvf');
    const f = new Filters(rig.world);
    const leave = rig.join();
    expect(rig.told.get('foreign')).toEqual([]);
    f.fdb('add', 'virtio0', MAC);
    rig.look();
    expect(f.unicast('vf0').size).toBe(0);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    expect(rig.told.get('foreign')).toMatchObject([
      { key: 'standby', severity: 'note', message: expect.stringContaining(MAC) },
    ]);

    rig.world.guestRtnl.setLink(rig.world.vf.guestIfindex, { up: true });
    await looks(rig, () => f.unicast('vf0').has(MAC));
    // The MAC that was tried is gone.
    expect([...f.unicast('vf0')]).toEqual([MAC]);
    expect(rig.foreign.at(-1)).toBeUndefined();
    expect(rig.told.get('foreign')).toEqual([]);

    const more = [1, 2, 3].map((n) => `02:00:00:00:02:0${n}`);
    for (const mac of more) f.fdb('add', 'virtio0', mac);
    rig.look();
    expect(f.unicast('vf0').size).toBe(0);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    leave();
    expect(rig.foreign.at(-1)).toBeUndefined();
    expect(f.unicast('vf0').size).toBe(0);
    expect(f.flags('vf0')).toEqual({ promisc: false, allmulti: false });
  });

  test('in net-failover the kernel gives it the MACs; they go by it once the network has shown that it lets them in', async () => {
    const rig = slaveRig(ALL, 'igbvf', undefined, 'net-failover');
    const f = new Filters(rig.world);
    const kernel = (verb: 'add' | 'del', mac: string): void => {
      for (const name of ['master0', 'virtio0', 'vf0']) f.fdb(verb, name, mac);
      rig.look();
    };
    const leave = rig.join();
    kernel('add', MAC);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    rig.world.guestRtnl.setLink(rig.world.vf.guestIfindex, { up: true });
    await looks(rig, () => rig.foreign.at(-1) === undefined);
    expect([...f.unicast('vf0')]).toEqual([MAC]);
    expect(rig.told.get('foreign/primary')).toEqual([]);

    const more = [1, 2, 3].map((n) => `02:00:00:00:02:0${n}`);
    for (const mac of more) kernel('add', mac);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    for (const mac of more) kernel('del', mac);
    expect(rig.foreign.at(-1)).toBeUndefined();
    leave();
    expect([...f.unicast('vf0')], 'the kernel takes its own back').toEqual([MAC]);
  });

  test('in net-failover no MAC is tried where the kernel has filled its room', async () => {
    const rig = slaveRig(ALL, 'igbvf', undefined, 'net-failover');
    const f = new Filters(rig.world);
    rig.world.guestRtnl.setLink(rig.world.vf.guestIfindex, { up: true });
    const all = [1, 2, 3].map((n) => `02:00:00:00:02:0${n}`);
    for (const mac of all) for (const name of ['master0', 'vf0']) f.fdb('add', name, mac);
    const leave = rig.join();
    rig.look();
    expect([...f.unicast('vf0')].sort()).toEqual(all);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    f.fdb('del', 'vf0', all[0]!);
    f.fdb('del', 'master0', all[0]!);
    await looks(rig, () => rig.foreign.at(-1) === undefined);
    leave();
  });

  test('takes none where a frame to an unknown MAC does not arrive: the host refuses it, or nobody knows', async () => {
    const rig = slaveRig(ALL, 'igbvf');
    const f = new Filters(rig.world);
    rig.world.guestRtnl.setLink(rig.world.vf.guestIfindex, { up: true });
    inHost(rig.world, 'bridge', 'link', 'set', 'dev', 'port-vf', 'flood', 'off');
    const leave = rig.join();
    f.fdb('add', 'virtio0', MAC);
    rig.look();
    expect(f.unicast('vf0').size, 'one is tried').toBe(1);
    await looks(rig, () => f.unicast('vf0').size === 0);
    expect(rig.foreign.at(-1)).toBe(GUEST_MAC);
    expect(rig.told.get('foreign')).toHaveLength(1);
    leave();
  });
});

test('a driver that has no room is made promiscuous instead, and no longer when there is less', () => {
  const rig = slaveRig(ALL);
  const f = new Filters(rig.world);
  const many = Array.from({ length: 130 }, (_, i) => `02:00:00:00:02:${i.toString(16).padStart(2, '0')}`);
  for (const mac of many) f.fdb('add', 'virtio0', mac);
  const leave = rig.join();
  expect(f.unicast('vf0').size).toBe(0);
  expect(f.flags('vf0').promisc).toBe(true);
  for (const mac of many.slice(4)) f.fdb('del', 'virtio0', mac);
  rig.look();
  expect(f.unicast('vf0').size).toBe(4);
  // The kernel makes a veth with any such MAC promiscuous itself, the master as well.
  for (const mac of many.slice(0, 4)) f.fdb('del', 'virtio0', mac);
  rig.look();
  expect(f.flags('vf0').promisc).toBe(false);
  leave();
});

test('1,000 groups make the join at most 200 ms longer', () => {
  const rig = slaveRig(ALL);
  const f = new Filters(rig.world);
  const took: Record<'none' | 'most' | 'many', number[]> = { none: [], most: [], many: [] };
  for (let i = 0; i < 5; i++)
    for (const [kind, groups] of [
      ['none', []],
      // So many are added one by one.
      ['most', groupsOf(120)],
      ['many', groupsOf(1_000)],
    ] as const) {
      f.join('virtio0', groups);
      const start = performance.now();
      const leave = rig.join();
      took[kind].push(performance.now() - start);
      leave();
      f.leave('virtio0', groups);
    }
  const [none, most, many] = [took.none, took.most, took.many].map((ms) => Math.min(...ms)) as [
    number,
    number,
    number,
  ];
  console.log(
    `join with 0 / 120 / 1,000 groups: ${none.toFixed(2)} / ${most.toFixed(2)} / ${many.toFixed(2)} ms`,
  );
  expect(most - none).toBeLessThan(200 * SLOWDOWN);
  expect(many - none).toBeLessThan(200 * SLOWDOWN);
});
