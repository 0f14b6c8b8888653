import { closeFd, NetlinkSocket, netnsCreate } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Stream, type StreamResult } from '../../lab/netns/stream.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import type { InstanceStatus } from '../../src/api/index.js';
import { Ethtool, Rtnl } from '../../src/netlink/index.js';
import { MessageBuilder } from '../../src/netlink/message.js';
import { cli, events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const PPS = 5000;

/** A stream through the instance; nothing is sent before its `start`. */
function streamOf(l: Lab): Stream {
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 18);
  onTestFinished(() => stream.close());
  return stream;
}

const damage = ({ out, in: back }: StreamResult) => ({
  lost: out.lost + back.lost,
  duplicated: out.duplicated + back.duplicated,
  reordered: out.reordered + back.reordered,
});
const NONE = { lost: 0, duplicated: 0, reordered: 0 };

/** Kills the daemon and starts it again. */
async function restart(l: Lab, between: () => Promise<void> = async () => {}): Promise<void> {
  await l.daemon.kill('SIGKILL');
  await between();
  await l.daemon.start();
  l.client.close();
  l.client = await l.daemon.client();
  onTestFinished(() => l.client.close());
}

describe.each(['veth', 'tap'] as const)('a primary that flaps, on %s', (kind) => {
  const damping = {
    half_life_ms: 3000 * SLOWDOWN,
    suppress: 2000,
    reuse: 1000,
    max_suppress_ms: 6000 * SLOWDOWN,
  };

  /** Takes the primary's carrier and gives it back, until that has been one time too many. */
  async function untilSuppressed(l: Lab): Promise<void> {
    for (let flaps = 0; flaps < 12; flaps++) {
      l.world.cutVf();
      await untilActive(l, 'standby');
      l.world.mendVf();
      const s = await until(
        () => status(l),
        (x) => x.active === 'primary' || (x.primary.damping.suppressed_until !== null && x.primary.carrier),
      );
      if (s.primary.damping.suppressed_until !== null) return;
    }
    throw new Error('it was never suppressed');
  }

  test('is suppressed, says until when, and is returned to after that; no frame is lost', async () => {
    const l = await lab(kind, { policy: { hold_down_ms: 20, damping } });
    await untilActive(l, 'primary');
    const stream = streamOf(l);
    // Once, so that it starts at once the next time.
    await stream.start(PPS);
    await stream.stop();
    await untilSuppressed(l);
    const before = await until(
      () => events(l),
      (list) => list.at(-1)?.to === 'standby',
    );
    expect(before.at(-1)!.signal).toMatch(/it flaps and is suppressed for \d+\.\d s$/);
    await stream.start(PPS);
    let suppressedUntil = 0;
    for (let i = 0; i < 8; i++) {
      l.world.cutVf();
      await until(
        () => status(l),
        (s) => !s.primary.carrier,
      );
      l.world.mendVf();
      const s = await until(
        () => status(l),
        (x) => x.primary.carrier,
      );
      expect(s).toMatchObject({ active: 'standby', primary: { state: 'joined' } });
      expect(s.primary.damping.penalty).toBeGreaterThan(1000);
      expect(s.would_switch).toMatch(/primary is suppressed, since it flapped, for another \d+ m?s/);
      expect(s.tier0.armed).not.toContain('standby unusable: go to the primary');
      suppressedUntil = Date.parse(s.primary.damping.suppressed_until!);
      await elapse(20);
    }
    expect(suppressedUntil).toBeGreaterThan(Date.now());
    const shown = cli('--socket', l.daemon.socket, 'status', 'net0').out;
    expect(shown).toMatch(/primary flaps: suppressed for .* more \(until 20\d\d-.*Z\), penalty \d+/);
    expect(await events(l)).toHaveLength(before.length);
    await until(
      () => status(l),
      (s) => s.active === 'primary',
      20_000,
    );
    const back = (
      await until(
        () => events(l),
        (list) => list.length > before.length,
      )
    ).at(-1)!;
    expect(back).toMatchObject({ cause: 'failback', tier: 1, from: 'standby', to: 'primary' });
    // Two clocks, which are read one after the other, on a machine that may pause in between.
    expect(Date.parse(back.at)).toBeGreaterThan(suppressedUntil - 500);
    await elapse(100);
    expect(damage(await stream.stop())).toEqual(NONE);
    expect((await status(l)).primary.damping.suppressed_until).toBeNull();
  });

  test('is so for the next daemon, too', async () => {
    // Longer than a daemon takes to start.
    const slow = { ...damping, half_life_ms: 60_000, max_suppress_ms: 120_000 };
    const l = await lab(kind, { policy: { hold_down_ms: 20, damping: slow } });
    await untilActive(l, 'primary');
    await untilSuppressed(l);
    const before = await status(l);
    await restart(l);
    const after = await until(
      () => status(l),
      (s) => s.primary.carrier,
    );
    expect(after).toMatchObject({ active: 'standby' });
    const end = (s: InstanceStatus) => Date.parse(s.primary.damping.suppressed_until!);
    // Each is computed by two clocks that are read one after the other.
    expect(Math.abs(end(after) - end(before))).toBeLessThan(200 * SLOWDOWN);
    expect(after.tier0.armed).not.toContain('standby unusable: go to the primary');
    expect(after.primary.damping.penalty).toBeGreaterThan(1000);
  });

  test('is used when the standby dies', async () => {
    const l = await lab(kind, { policy: { hold_down_ms: 20, damping } });
    await untilActive(l, 'primary');
    await untilSuppressed(l);
    l.world.virtio.carrier(false);
    const s = await untilActive(l, 'primary');
    const last = await until(
      () => events(l),
      (list) => list.at(-1)?.from === 'standby',
    );
    expect(last.at(-1)).toMatchObject({ cause: 'carrier', tier: 1 });
    expect(s.state).toBe('degraded');
  });
});

describe.each(['veth', 'tap'] as const)('maintenance on %s', (kind) => {
  test('moves the traffic at once and back, without a loss', async () => {
    const l = await lab(kind);
    await untilActive(l, 'primary');
    const stream = streamOf(l);
    await stream.start(PPS);
    for (let i = 0; i < 5; i++) {
      const r = await l.client.request('maintenance', { name: 'net0', slave: 'primary', on: true });
      expect(r.decision).toMatchObject({ cause: 'maintenance', tier: 1, from: 'primary', to: 'standby' });
      expect(r.status).toMatchObject({ active: 'standby', maintenance: 'primary', notes: [] });
      await quietFor(50);
      const s = await status(l);
      expect(s.active).toBe('standby');
      expect(s.tier0.armed).not.toContain('standby unusable: go to the primary');
      expect(s.would_switch).toContain('the maintenance of primary be ended');
      await l.client.request('maintenance', { name: 'net0', slave: 'primary', on: false });
      await untilActive(l, 'primary');
    }
    await elapse(50);
    expect(damage(await stream.stop())).toEqual(NONE);
  });

  test('a slave in maintenance carries traffic when the other dies, and only then', async () => {
    const l = await lab(kind);
    await untilActive(l, 'primary');
    const done = cli('--socket', l.daemon.socket, 'maintenance', 'net0', 'primary', 'on');
    expect(done).toMatchObject({ code: 0 });
    expect(done.out).toMatch(
      /^net0: the primary is in maintenance; maintenance \(tier 1\), primary → standby/,
    );
    l.world.virtio.carrier(false);
    const s = await untilActive(l, 'primary');
    expect(s.maintenance).toBe('primary');
    await until(
      () => status(l),
      (x) => x.notes.some((n) => n.startsWith('the primary carries traffic although it is in maintenance')),
    );
    l.world.virtio.carrier(true);
    await untilActive(l, 'standby');
    await until(
      () => events(l),
      (list) => list.at(-1)?.cause === 'maintenance' && list.at(-1)?.to === 'standby',
    );
  });
});

test('maintenance: what is refused, and what is no change', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  const ask = (slave: 'primary' | 'standby', on: boolean) =>
    l.client.request('maintenance', { name: 'net0', slave, on });
  expect((await ask('primary', false)).decision).toBeNull();
  expect(await ask('standby', true)).toMatchObject({
    decision: null,
    status: { active: 'primary', maintenance: 'standby' },
  });
  expect((await ask('standby', true)).decision).toBeNull();
  await expect(ask('primary', true)).rejects.toMatchObject({
    code: 'PATH_IN_MAINTENANCE',
    field: 'slave',
    fix: expect.stringContaining('vfailover maintenance net0 standby off'),
  });
  await expect(l.client.request('switch', { name: 'net0', to: 'standby' })).rejects.toMatchObject({
    code: 'PATH_IN_MAINTENANCE',
    field: 'to',
  });
  await expect(
    l.client.request('maintenance', { name: 'nope', slave: 'primary', on: true }),
  ).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
  await ask('primary', false);
  expect(await status(l)).toMatchObject({ active: 'primary', maintenance: 'standby' });
  await ask('standby', false);
  expect(await status(l)).toMatchObject({ active: 'primary', maintenance: null });
});

describe('what a restart of the daemon keeps', () => {
  test('maintenance', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    await l.client.request('maintenance', { name: 'net0', slave: 'primary', on: true });
    const before = await events(l);
    await restart(l);
    await until(
      () => status(l),
      (s) => s.state === 'ok',
    );
    await quietFor(200);
    expect(await status(l)).toMatchObject({ active: 'standby', maintenance: 'primary' });
    expect(await events(l)).toEqual([]);
    expect(before.at(-1)).toMatchObject({ cause: 'maintenance' });
    await l.client.request('maintenance', { name: 'net0', slave: 'primary', on: false });
    await untilActive(l, 'primary');
  });

  test('the end of an override', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    const r = await l.client.request('switch', { name: 'net0', to: 'standby', for_ms: 3000 });
    await restart(l);
    const s = await status(l);
    if (s.override !== 'auto')
      expect(Math.abs(Date.parse(s.override_until!) - Date.parse(r.status.override_until!))).toBeLessThan(
        100,
      );
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ override: 'auto', override_until: null });
  });

  test('not an override that ended meanwhile', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    await l.client.request('switch', { name: 'net0', to: 'standby', for_ms: 200 });
    await restart(l, () => elapse(300));
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ override: 'auto', override_until: null });
  });

  test('where the traffic is, with reselect: failure', async () => {
    const l = await lab('veth', { policy: { hold_down_ms: 20, reselect: 'failure' } });
    // It joins, and so is made active.
    await untilActive(l, 'primary');
    l.world.cutVf();
    await untilActive(l, 'standby');
    l.world.mendVf();
    await until(
      () => status(l),
      (s) => s.primary.carrier,
    );
    await quietFor(200);
    expect(await status(l)).toMatchObject({
      active: 'standby',
      would_switch: 'standby must fail, or primary be ordered by `vfailover switch`',
    });
    await restart(l);
    await until(
      () => status(l),
      (s) => s.state === 'ok',
    );
    await quietFor(200);
    expect((await status(l)).active).toBe('standby');
    l.world.virtio.carrier(false);
    const [first] = await until(
      () => events(l),
      (list) => list.length > 0,
    );
    expect(first).toMatchObject({ cause: 'carrier', from: 'standby', to: 'primary' });
  });
});

/** Sets the speed that a tap device claims to have: `ethtool -s`. */
function setSpeed(netns: number, ifindex: number, mbps: number): void {
  const socket = new NetlinkSocket({ protocol: 16, netns });
  const buffer = new Uint8Array(8192);
  const ask = (family: number, command: number, fill: (m: MessageBuilder) => void): DataView => {
    const m = new MessageBuilder(family, 5).raw(Uint8Array.of(command, 1, 0, 0));
    fill(m);
    expect(socket.send(m.finish(1))).toBeGreaterThan(0);
    expect(socket.pollIn(5000)).toBe(1);
    expect(socket.recv(buffer)).toBeGreaterThan(0);
    return new DataView(buffer.buffer);
  };
  try {
    const controller = ask(16, 3, (m) => m.string(2, 'ethtool'));
    // genlmsghdr, then the name (8 + 4 bytes), then the number.
    const family = controller.getUint16(16 + 4 + 12 + 4, true);
    socket.recv(buffer);
    const answer = ask(family, 5, (m) =>
      m
        .nest(1, (h) => h.u32(1, ifindex))
        .u32(5, mbps)
        .u8(6, 1),
    );
    expect([answer.getUint16(4, true), answer.getInt32(16, true)]).toEqual([2, 0]);
  } finally {
    socket.close();
  }
}

test('reselect: better goes by what the drivers say of their links', async () => {
  const l = await lab('tap', { policy: { hold_down_ms: 20, reselect: 'better' } });
  setSpeed(l.world.guest, l.world.vf.guestIfindex, 1000);
  setSpeed(l.world.guest, l.world.virtio.guestIfindex, 10_000);
  await untilActive(l, 'primary');
  l.world.cutVf();
  await untilActive(l, 'standby');
  l.world.mendVf();
  const s = await until(
    () => status(l),
    (x) =>
      x.would_switch ===
      'primary (1000 Mb/s full duplex) must be faster than standby (10000 Mb/s full duplex)',
    15_000,
  );
  expect(s).toMatchObject({ active: 'standby', primary: { speed: 1000 }, standby: { speed: 10_000 } });
  setSpeed(l.world.guest, l.world.vf.guestIfindex, 25_000);
  await until(
    () => status(l),
    (x) => x.active === 'primary',
    15_000,
  );
  await until(
    () => events(l),
    (list) => list.at(-1)?.cause === 'failback',
  );
});

test('a device’s speed: of a veth, of one that has none, of none', () => {
  const ns = netnsCreate();
  using rtnl = new Rtnl({ netns: ns });
  using ethtool = new Ethtool({ netns: ns });
  onTestFinished(() => closeFd(ns));
  rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
  expect(ethtool.speed(rtnl.link('a')!.ifindex)).toEqual({ mbps: 10_000, fullDuplex: true });
  expect(ethtool.speed(1)).toBeUndefined();
  expect(ethtool.speed(4711)).toBeUndefined();
});
