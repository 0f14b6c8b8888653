import { expect, onTestFinished, test } from 'vitest';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { Shortfall } from '../../src/impairments.js';
import { LinkMonitor } from '../../src/netlink/index.js';
import { Addresses } from '../../src/slave/addresses.js';
import type { SlaveContext, Takeover } from '../../src/slave/takeover.js';
import { inGuest } from '../helpers/daemon.js';
import { slaveRig } from '../helpers/slave-rig.js';

/** When takeovers are asked again: nothing that a slave has to follow may be missed, and nothing that failed may be left so. */

/** So many looks, as the daemon makes one every KEEP_MS: those in trouble have their turn among them. */
const LOOKS = 3;

/** A takeover that does what `follow` says, and counts. */
function recorded(follow: () => readonly Shortfall[]): Takeover & { calls: number } {
  const takeover = {
    name: 'recorded',
    calls: 0,
    follow: () => {
      takeover.calls++;
      return follow();
    },
    restore: () => {},
  };
  return takeover;
}

test('a change that no fact of a device shows, as one of its offloads, makes a look', () => {
  const seen = recorded(() => []);
  const rig = slaveRig([seen]);
  const monitor = new LinkMonitor({ netns: rig.world.guest }).start({ loop: false });
  onTestFinished(() => monitor.close());
  const context = rig.context();
  const none = () => 0;
  const counts: SlaveContext['changes'] = {
    links: () => monitor.version,
    link: monitor.changes,
    address: none,
    qdisc: none,
    routes: none,
    filters: none,
  };
  rig.changes = counts;
  rig.join();
  for (let i = 0; i < LOOKS; i++) rig.keeper.poll();
  const before = seen.calls;
  for (const { ifindex } of [context.slave, context.master]) {
    const { version } = monitor;
    expect(context.ethtool.setFeature(ifindex, 'rx-gro-list', true)).toBe(true);
    monitor.poll();
    expect(monitor.version).toBe(version);
    rig.keeper.poll();
  }
  expect(seen.calls - before).toBe(2);
});

test('a takeover that failed is asked again soon, though nothing changes, and the failure is told until then', () => {
  let fails = false;
  const failing = recorded(() => {
    if (fails) throw new Error('out of order');
    return [];
  });
  const rig = slaveRig([failing]);
  rig.join();
  fails = true;
  rig.look();
  expect(rig.told.get('recorded')).toMatchObject([
    { key: 'failed', severity: 'degraded', message: 'out of order' },
  ]);
  const before = failing.calls;
  for (let i = 0; i < LOOKS; i++) rig.keeper.poll();
  expect(failing.calls - before).toBe(1);
  fails = false;
  for (let i = 0; i < LOOKS; i++) rig.keeper.poll();
  expect(rig.told.get('recorded')).toEqual([]);
});

test('an address that could not be kept, and so stayed on the slave, is taken away when it can be', () => {
  const rig = slaveRig([new Addresses()]);
  rig.join();
  const { undo } = rig.context();
  const filler = (i: number) => Uint8Array.of(i >> 8, i & 0xff);
  const { VF_UNDO_GROUP } = VfUndoKind;
  let kept = 0;
  expect(() => {
    for (; ; kept++) undo.put(VF_UNDO_GROUP, filler(kept));
  }).toThrow(expect.objectContaining({ code: 'UNDO_FULL' }));
  const address = () => inGuest(rig.world, 'ip', '-o', '-4', 'address', 'show', 'dev', 'vf0');
  inGuest(rig.world, 'ip', 'address', 'add', '192.0.2.9/24', 'dev', 'vf0');
  rig.look();
  for (let i = 0; i < LOOKS; i++) rig.keeper.poll();
  expect(rig.told.get('addresses')).toMatchObject([{ key: 'failed', severity: 'degraded' }]);
  expect(address()).toContain('192.0.2.9');
  for (let i = 0; i < kept; i++) undo.delete(VF_UNDO_GROUP, filler(i));
  for (let i = 0; i < LOOKS; i++) rig.keeper.poll();
  expect(address()).toBe('');
});
