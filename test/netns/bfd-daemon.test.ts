import { readFileSync } from 'node:fs';
import { withNetns } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import { openHole } from '../../lab/netns/hole.js';
import { GUEST_ADDRESS, HOST_ADDRESS } from '../../lab/netns/world.js';
import { Frr } from '../../lab/vm/frr.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** An instance's BFD session, of the daemon, with FRR's bfdd on the host. */

const KEY = `${GUEST_ADDRESS} local-address ${HOST_ADDRESS} interface br0`;
/** Slow enough for a machine under load: a second of silence. */
const BFD = {
  peer: HOST_ADDRESS,
  local: GUEST_ADDRESS,
  tx_interval_us: 100_000,
  rx_interval_us: 100_000,
  multiplier: 10,
  retry_ms: 60_000,
};
const LONG = 30_000;

interface Pair extends Lab {
  frr: Frr;
}

async function pair(bfd: object = {}, rest: object = {}, daemon: object = {}): Promise<Pair> {
  const l = await lab('veth', { detect: { bfd: { ...BFD, ...bfd } }, ...rest }, daemon);
  await untilActive(l, 'primary');
  const frr = await Frr.start(l.world.host);
  onTestFinished(() => frr.close());
  await frr.peer(KEY, 'receive-interval 100', 'transmit-interval 100', 'detect-multiplier 10', 'no shutdown');
  return { ...l, frr };
}

const detector = async (l: Lab, role: 'primary' | 'standby') =>
  (await status(l))[role].detectors.find((d) => d.name === 'bfd')!;
const up = async (l: Pair, role: 'primary' | 'standby') => {
  await until(
    () => detector(l, role),
    (d) => d.state === 'ok',
    LONG,
  );
  await until(
    () => l.frr.of(GUEST_ADDRESS),
    (p) => p.status === 'up',
    LONG,
  );
};

test('a peer is told the discriminator that is configured', async () => {
  const l = await pair({ discriminator: '10.0.0.2' });
  await up(l, 'primary');
  expect((await l.frr.of(GUEST_ADDRESS))['remote-id']).toBe(0x0a000002);
});

/** Packet sockets that past our programs send on a slave: bound to a device and to no protocol. */
const packetSockets = (l: Lab): { ifindex: number; inode: string }[] =>
  withNetns(l.world.guest, () => readFileSync('/proc/thread-self/net/packet', 'utf8'))
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((f) => f.length >= 9 && f[3] === '0000' && f[4] !== '0')
    .map((f) => ({ ifindex: Number(f[4]), inode: f[8]! }));

test('steady state costs no JavaScript per packet', async () => {
  const l = await pair(
    { tx_interval_us: 10_000, rx_interval_us: 10_000, multiplier: 100 },
    { policy: { hold_down_ms: 20 } },
    { worker: { poll_interval_us: 100_000 } },
  );
  await l.frr.peer(KEY, 'receive-interval 10', 'transmit-interval 10', 'detect-multiplier 100');
  await up(l, 'primary');
  await until(
    () => l.frr.of(GUEST_ADDRESS),
    (p) => p['remote-transmit-interval'] === 10,
    LONG,
  );
  const counters = async () => JSON.parse(await l.frr.ask('show bfd peers counters json'))[0];
  const ticks = async () => (await l.client.request('status', {})).worker.shards[0]!.ticks;
  const [packets, turns] = [await counters(), await ticks()];
  await elapse(3000);
  const [after, turned] = [await counters(), await ticks()];
  const carried =
    after['control-packet-input'] +
    after['control-packet-output'] -
    packets['control-packet-input'] -
    packets['control-packet-output'];
  // About 700 and 30 on a machine that lets both in.
  expect(carried).toBeGreaterThan(100);
  expect(turned - turns).toBeLessThan(carried / 4);
  expect((await detector(l, 'primary')).state).toBe('ok');
});

test('the session is up on the active slave, and what it says stands in the status', async () => {
  const l = await pair();
  await up(l, 'primary');
  expect(await detector(l, 'primary')).toMatchObject({
    detail: `up with ${HOST_ADDRESS}, a packet each 100 ms`,
    to_switch: `no packet from ${HOST_ADDRESS} for 1000 ms`,
  });
  expect(await detector(l, 'standby')).toMatchObject({ state: 'off' });
  expect(await l.frr.of(GUEST_ADDRESS)).toMatchObject({
    'remote-transmit-interval': 100,
    'remote-detect-multiplier': 10,
  });
  // A planned switch takes it along, by sockets that are there: opening and closing them would hold its packets up.
  const sockets = packetSockets(l);
  expect(new Set(sockets.map((s) => s.ifindex))).toEqual(
    new Set([l.world.vf.guestIfindex, l.world.virtio.guestIfindex]),
  );
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  await untilActive(l, 'standby');
  await until(
    () => detector(l, 'standby'),
    (d) => d.state === 'ok',
  );
  await quietFor(1500);
  expect(await detector(l, 'standby')).toMatchObject({ state: 'ok' });
  expect((await l.frr.of(GUEST_ADDRESS)).status).toBe('up');
  expect(await events(l)).toHaveLength(2);
  expect(packetSockets(l)).toEqual(sockets);
});

test('a path that is up and dead: tier 0 leaves it at the deadline, the session comes up on the other', async () => {
  const l = await pair();
  await up(l, 'primary');
  const hole = openHole({ netns: l.world.host, ifindex: l.world.vf.hostIfindex, direction: 'both' });
  onTestFinished(() => hole.close());
  await until(
    () => status(l),
    (s) => s.active === 'standby',
    LONG,
  );
  const [, decision] = await until(
    () => events(l),
    (e) => e.length > 1,
  );
  expect(decision).toMatchObject({
    cause: 'bfd',
    tier: 0,
    from: 'primary',
    to: 'standby',
    health: { primary: 'bfd', standby: 'up' },
    evidence: { detector: 'bfd', facts: { detection_time_us: 1_000_000 } },
  });
  expect(decision!.evidence!.facts.last_heard_us_ago).toBeGreaterThanOrEqual(1_000_000);
  await up(l, 'standby');
  expect(await detector(l, 'primary')).toMatchObject({ state: 'down' });
  // Suspected still: no failback.
  expect(await events(l)).toHaveLength(2);
});

test('combine: all: tier 0 leaves the path when BFD’s is the last verdict', async () => {
  // Of the primary alone: answers to the standby's questions may be sent to the dead wire, and there is no choice while it is doubted, too.
  const probes = { slaves: ['primary'], interval_ms: 50, targets: [{ arp: HOST_ADDRESS }] };
  const l = await pair({}, { detect: { combine: 'all', bfd: BFD, probes } });
  await up(l, 'primary');
  const hole = openHole({ netns: l.world.host, ifindex: l.world.vf.hostIfindex, direction: 'both' });
  onTestFinished(() => hole.close());
  // The probes are sure long before BFD is, and are not enough.
  await until(
    async () => (await status(l)).primary.detectors.find((d) => d.name === 'probe')?.state,
    (state) => state === 'down',
    LONG,
  );
  await until(
    () => status(l),
    (s) => s.active === 'standby',
    LONG,
  );
  const [, decision] = await until(
    () => events(l),
    (e) => e.length > 1,
  );
  expect(decision).toMatchObject({ cause: 'bfd', tier: 0, evidence: { detector: 'bfd' } });
  expect(decision!.evidence!.facts.last_heard_us_ago).toBeGreaterThanOrEqual(1_000_000);
});

test('over a slave that is not watched the session runs as well, and says nothing', async () => {
  const l = await pair({ slaves: ['primary'] });
  await up(l, 'primary');
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  const s = await untilActive(l, 'standby');
  expect(s.tier0.armed).not.toContain('BFD session of the standby down: go to the primary');
  await quietFor(1500);
  expect((await l.frr.of(GUEST_ADDRESS)).status).toBe('up');
  const n = (await events(l)).length;
  const hole = openHole({ netns: l.world.host, ifindex: l.world.virtio.hostIfindex, direction: 'both' });
  onTestFinished(() => hole.close());
  await until(
    () => l.frr.of(GUEST_ADDRESS),
    (p) => p.status === 'down',
    LONG,
  );
  await quietFor(1500);
  expect(await events(l)).toHaveLength(n);
  expect(await detector(l, 'standby')).toMatchObject({
    state: 'off',
    detail: 'not watched, though the session runs here while this slave is active',
  });
});

test('a peer that is taken out of service is no fault, nor one that ends', async () => {
  const l = await pair();
  await up(l, 'primary');
  await l.frr.peer(KEY, 'shutdown');
  await until(
    () => detector(l, 'primary'),
    (d) => d.state === 'suspect',
    LONG,
  );
  await quietFor(1500);
  expect(await events(l)).toHaveLength(1);
  expect((await status(l)).active).toBe('primary');
  await l.frr.peer(KEY, 'no shutdown');
  await up(l, 'primary');
  // The daemon says goodbye.
  await l.daemon.kill('SIGTERM');
  await until(
    () => l.frr.of(GUEST_ADDRESS),
    (p) => p['remote-diagnostic'] === 'administratively down',
    LONG,
  );
});

test('with the daemon killed nothing switches by our own silence, and the next one brings the session up again', async () => {
  const l = await pair();
  await up(l, 'primary');
  await l.daemon.kill('SIGKILL');
  // bfdd says down, which is an answer.
  await until(
    () => l.frr.of(GUEST_ADDRESS),
    (p) => p.status !== 'up',
    LONG,
  );
  await elapse(2500);
  await l.daemon.start();
  const client = await l.daemon.client();
  onTestFinished(() => client.close());
  const again = { ...l, client };
  await up(again, 'primary');
  expect((await status(again)).active).toBe('primary');
  expect((await events(again)).every((e) => e.cause !== 'bfd')).toBe(true);
});
