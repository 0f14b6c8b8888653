import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { withNetns } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { World } from '../../lab/netns/world.js';
import type { Shortfall } from '../../src/impairments.js';
import { Pacing } from '../../src/slave/qdisc.js';
import { slaveRig } from '../helpers/slave-rig.js';

/** fq of the master on the slave. test/vm/pacing has a NIC with several queues, the daemon, and TCP. */

const tc = (w: World, command: string): string =>
  withNetns(w.guest, () => execFileSync('tc', command.split(' '), { encoding: 'utf8', stdio: 'pipe' }));
const shown = (w: World, dev: string): string[] =>
  tc(w, `qdisc show dev ${dev}`)
    .split('\n')
    .map((l) => l.trim())
    .filter(Boolean);
const up = (w: World): void => w.guestRtnl.setLink(w.vf.guestIfindex, { up: true });

/** What the kernel says to a device that is to have fq; '' if it has one. */
function refusal(): string {
  const world = new World('veth');
  onTestFinished(() => world.close());
  try {
    tc(world, 'qdisc add dev virtio0 root fq');
    return '';
  } catch (e) {
    return String((e as { stderr: string }).stderr);
  }
}

/** Ends the test, in words, where the kernel is built without fq. A kernel with modules has it: there is no way out on Debian's. */
function requiresFq(context: TestContext): void {
  const why = refusal();
  if (why === '') return;
  expect(why).toContain('Specified qdisc kind is unknown');
  expect(existsSync(`/lib/modules/${release()}`), 'a kernel with modules, and none of fq').toBe(false);
  context.skip('fq (CONFIG_NET_SCH_FQ): this kernel is built without it');
}

const FOREIGN = ['pfifo limit 77', 'tbf rate 10mbit burst 10k latency 50ms'];

test.each(FOREIGN)('no other kind is copied, and what the slave has stays: %s', (qdisc) => {
  const rig = slaveRig([new Pacing()]);
  const w = rig.world;
  up(w);
  const before = shown(w, 'vf0');
  tc(w, `qdisc add dev virtio0 root ${qdisc}`);
  const leave = rig.join();
  rig.look();
  expect(shown(w, 'vf0')).toEqual(before);
  expect(rig.told.get('qdisc')).toEqual([]);
  expect(rig.context().undo.of(VfUndoKind.VF_UNDO_QDISC)).toEqual([]);
  leave();
  expect(shown(w, 'vf0')).toEqual(before);
});

test('fq comes to the slave with its options, follows, goes with the master’s, and at the leave', (context) => {
  requiresFq(context);
  const rig = slaveRig([new Pacing()]);
  const w = rig.world;
  up(w);
  const before = shown(w, 'vf0');
  tc(w, 'qdisc add dev virtio0 root fq maxrate 80mbit flow_limit 55 buckets 64');
  const same = (): void => {
    const [of] = shown(w, 'virtio0');
    const [on, ...more] = shown(w, 'vf0');
    expect(more).toEqual([]);
    expect(on).toMatch(/^qdisc fq 7666: root /);
    expect(on!.replace(/.* limit /, '')).toBe(of!.replace(/.* limit /, ''));
    expect(rig.told.get('qdisc')).toEqual([]);
  };
  const leave = rig.join();
  same();
  tc(w, 'qdisc change dev virtio0 root fq maxrate 40mbit quantum 9000');
  rig.look();
  same();
  tc(w, 'qdisc del dev virtio0 root');
  rig.look();
  expect(shown(w, 'vf0')).toEqual(before);
  tc(w, 'qdisc add dev virtio0 root fq');
  rig.look();
  same();
  leave();
  expect(shown(w, 'vf0')).toEqual(before);
  expect(rig.context().undo.of(VfUndoKind.VF_UNDO_QDISC)).toEqual([]);
});

test('a slave that was never up, with several queues, has an mq with fq for each', (context) => {
  requiresFq(context);
  const rig = slaveRig([new Pacing()]);
  const w = rig.world;
  tc(w, 'qdisc add dev virtio0 root fq maxrate 80mbit');
  // Since 5.14 a veth can have as many queues as there are processors.
  const several = (w.guestRtnl.link('vf0')!.txQueues ?? 1) > 1;
  rig.join();
  up(w);
  rig.look();
  const lines = shown(w, 'vf0');
  expect(lines[0]).toMatch(several ? /^qdisc mq 7666: root/ : /^qdisc fq 7666: root/);
  for (const line of lines.slice(several ? 1 : 0)) expect(line).toMatch(/^qdisc fq .* maxrate 80Mbit /);
  expect(lines.length).toBeGreaterThan(several ? 1 : 0);
});

test('what somebody has configured on the slave stays, whenever; what he leaves is ours again', (context) => {
  requiresFq(context);
  const rig = slaveRig([new Pacing()]);
  const w = rig.world;
  up(w);
  tc(w, 'qdisc add dev virtio0 root fq');
  tc(w, 'qdisc add dev vf0 root handle 1: pfifo limit 9');
  const theirs = shown(w, 'vf0');
  const leave = rig.join();
  expect(shown(w, 'vf0')).toEqual(theirs);
  tc(w, 'qdisc del dev vf0 root');
  rig.look();
  expect(shown(w, 'vf0')).toEqual([expect.stringMatching(/^qdisc fq 7666: /)]);
  tc(w, 'qdisc replace dev vf0 root handle 1: pfifo limit 9');
  rig.look();
  expect(shown(w, 'vf0')).toEqual(theirs);
  expect(rig.told.get('qdisc')).toEqual([]);
  leave();
  expect(shown(w, 'vf0')).toEqual(theirs);
});

test('somebody who removes it again and again is answered five times at once, then later, and told of', (context) => {
  requiresFq(context);
  const rig = slaveRig([new Pacing()]);
  const w = rig.world;
  up(w);
  const before = shown(w, 'vf0');
  tc(w, 'qdisc add dev virtio0 root fq');
  const leave = rig.join();
  const told = (): readonly Shortfall[] => rig.told.get('qdisc') ?? [];
  // A slow machine may need more than the five: each further wait is twice as long.
  for (let i = 0; i < 12 && told().length === 0; i++) {
    if (i > 0) expect(shown(w, 'vf0')).toEqual([expect.stringMatching(/^qdisc fq 7666: (?!.*maxrate)/)]);
    tc(w, i % 2 ? 'qdisc change dev vf0 root handle 7666: fq maxrate 1mbit' : 'qdisc del dev vf0 root');
    rig.look();
  }
  expect(told()).toMatchObject([
    { key: 'removed', severity: 'note', message: expect.stringMatching(/set ([5-9]|1\d) times/) },
  ]);
  leave();
  expect(shown(w, 'vf0')).toEqual(before);
});
