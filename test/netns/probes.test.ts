import { PacketSocket, UdpSocket } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HoleOptions, openHole } from '../../lab/netns/hole.js';
import { Stream } from '../../lab/netns/stream.js';
import { GUEST_ADDRESS, HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import { TARGETS_MAX } from '../../src/detect/probe/state.js';
import { events, inGuest, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const HOST6 = 'fd00:99::1';
const TARGETS = {
  arp: { arp: HOST_ADDRESS },
  nd: { nd: HOST6 },
  icmp: { icmp: HOST_ADDRESS },
};
const INTERVAL_MS = 40;
const probes = (targets: object[], more: object = {}): object => ({
  probes: { interval_ms: INTERVAL_MS, missed_max: 3, targets, ...more },
});

/** A world whose host can be asked in every way. */
async function probed(targets: object[], more: object = {}, rest: object = {}): Promise<Lab> {
  const l = await lab('veth', { detect: probes(targets, more), ...rest });
  l.world.hostRtnl.addAddress(l.world.bridge, `${HOST6}/64`, true);
  return l;
}

function hole(w: World, o: Partial<HoleOptions> = {}): { close(): void } {
  const h = openHole({ netns: w.host, ifindex: w.vf.hostIfindex, direction: 'both', ...o });
  let open = true;
  const close = () => {
    if (open) h.close();
    open = false;
  };
  onTestFinished(close);
  return { close };
}

const probeOf = (s: Awaited<ReturnType<typeof status>>, role: 'primary' | 'standby') =>
  s[role].detectors.find((d) => d.name === 'probe')!;

/** Both paths answer. */
const untilAnswered = (l: Lab) =>
  until(
    () => status(l),
    (s) =>
      s.active === 'primary' &&
      (['primary', 'standby'] as const).every(
        (r) => /\d\.\d\d ms/.test(probeOf(s, r).detail) && probeOf(s, r).state === 'ok',
      ),
    10_000,
  );

describe.each(Object.entries(TARGETS))('%s', (_kind, target) => {
  test.each(['both', 'from-guest', 'to-guest'] as const)(
    'a black hole (%s) is left, and returned from when it is mended',
    async (direction) => {
      const l = await probed([target]);
      await untilAnswered(l);
      const h = hole(l.world, { direction });
      const s = await untilActive(l, 'standby');
      expect(s).toMatchObject({ state: 'degraded', primary: { carrier: true } });
      const d = (
        await until(
          () => events(l),
          (e) => e.length > 1,
        )
      )[1]!;
      expect(d).toMatchObject({ cause: 'probe', from: 'primary', to: 'standby', health: { standby: 'up' } });
      expect(d.evidence).toMatchObject({ detector: 'probe' });
      expect(d.evidence!.facts.rtt_before_us).toBeGreaterThan(0);
      expect(d.signal).toMatch(
        /probes on the primary are not answered: 3 probes in a row unanswered, last answer/,
      );
      // It stays where it is while the hole is open: both go on being asked.
      await quietFor(INTERVAL_MS * 6);
      expect((await status(l)).active).toBe('standby');
      expect(probeOf(await status(l), 'primary').state).toBe('down');
      h.close();
      await untilActive(l, 'primary');
      const list = await until(
        () => events(l),
        (e) => e.length > 2,
      );
      expect(list.map((e) => e.cause)).toEqual(['join', 'probe', 'failback']);
    },
  );
});

test('as many targets as there may be, all of which have to answer', async () => {
  const half = TARGETS_MAX / 2;
  const hosts = Array.from({ length: half }, (_, i) => `10.98.0.${i + 1}`);
  const hosts6 = Array.from({ length: half }, (_, i) => `fd00:98::${i + 1}`);
  const l = await probed([...hosts.map((arp) => ({ arp })), ...hosts6.map((nd) => ({ nd }))], {
    targets_of: 'all',
    missed_max: 1,
  });
  const { hostRtnl, bridge } = l.world;
  for (const a of hosts) hostRtnl.addAddress(bridge, `${a}/16`);
  for (const a of hosts6) hostRtnl.addAddress(bridge, `${a}/64`, true);
  const s = await until(
    () => status(l),
    (x) =>
      (['primary', 'standby'] as const).every(
        (r) =>
          probeOf(x, r).state === 'ok' && probeOf(x, r).detail.match(/ \d+\.\d\d ms/g)?.length === 2 * half,
      ),
    10_000,
  );
  expect(s.active).toBe('primary');
  hole(l.world);
  const after = await untilActive(l, 'standby');
  expect(probeOf(after, 'standby').detail).not.toContain('missed');
});

test('under load a path that only sends is left too, though the network answers into it', async () => {
  const l = await probed([TARGETS.arp, TARGETS.icmp]);
  await untilAnswered(l);
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.start(2000, 1);
  hole(l.world, { direction: 'to-guest' });
  await untilActive(l, 'standby');
  await stream.stop();
  expect((await events(l)).at(-1)).toMatchObject({ cause: 'probe', health: { standby: 'up' } });
});

test('an inactive path that does not receive is found too, though its answers come in on the other', async () => {
  const l = await probed([TARGETS.arp, TARGETS.icmp]);
  await untilAnswered(l);
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.start(2000, 1);
  hole(l.world, { ifindex: l.world.virtio.hostIfindex, direction: 'to-guest' });
  const s = await until(
    () => status(l),
    (x) => probeOf(x, 'standby').state === 'down',
  );
  expect(s).toMatchObject({ active: 'primary', state: 'degraded' });
  expect(await events(l)).toHaveLength(1);
  await stream.stop();
});

test('answers end the watchdog’s suspicion of a path that lives again', async () => {
  const l = await lab('veth', {
    detect: {
      unanswered: { timeout_us: 20_000, min_frames: 5, udp: [7412], retry_ms: 60_000 },
      // Too patient for a verdict of their own.
      probes: { interval_ms: INTERVAL_MS, missed_max: 255, targets: [TARGETS.arp] },
    },
  });
  await untilAnswered(l);
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.startRequests(2000);
  const h = hole(l.world);
  await untilActive(l, 'standby');
  h.close();
  await untilActive(l, 'primary');
  await stream.stop();
  expect((await events(l)).map((e) => e.cause)).toEqual(['join', 'unanswered', 'failback']);
});

describe('validate', () => {
  const VALIDATE = ['all', 'active', 'inactive', 'none'] as const;

  // The network goes on sending to the active slave, since the other one says nothing: asked by ARP it would, when it misses one broadcast.
  test.each(VALIDATE)('%s: an active slave that receives and whose questions get lost', async (validate) => {
    // More than a sender that has to share its CPU stands still for.
    const l = await probed([TARGETS.icmp], { validate, inactive: false, missed_max: 8 });
    await until(
      () => status(l),
      (s) => s.active === 'primary' && /\d\.\d\d ms/.test(probeOf(s, 'primary').detail),
    );
    l.world.startTraffic(null);
    const stream = new Stream(l.world, 1 << 17);
    onTestFinished(() => stream.close());
    await stream.start(2000, 2);
    const h = hole(l.world, { direction: 'from-guest' });
    if (validate === 'all' || validate === 'active') await untilActive(l, 'standby');
    else {
      await quietFor(INTERVAL_MS * 20);
      const s = await status(l);
      expect(s).toMatchObject({ active: 'primary', state: 'ok' });
      expect(probeOf(s, 'primary').detail).toMatch(/other frames were taken for answers in \d+ rounds/);
      // A slave that receives nothing is dead to everybody.
      h.close();
      hole(l.world);
      await untilActive(l, 'standby');
      expect((await events(l)).at(-1)).toMatchObject({ cause: 'probe', tier: 1 });
    }
    await stream.stop();
  });

  test.each(VALIDATE)(
    '%s: an inactive slave that hears the active one’s questions only',
    async (validate) => {
      const l = await probed([TARGETS.arp], { validate });
      await untilAnswered(l);
      hole(l.world, { ifindex: l.world.virtio.hostIfindex, direction: 'from-guest' });
      const state = validate === 'all' || validate === 'inactive' ? 'down' : 'ok';
      await quietFor(INTERVAL_MS * 20);
      const s = await until(
        () => status(l),
        (now) => probeOf(now, 'standby').state === state,
      );
      expect(s.active).toBe('primary');
      expect([probeOf(s, 'primary').state, probeOf(s, 'standby').state]).toEqual(['ok', state]);
    },
  );
});

describe('targets', () => {
  const nobody = { arp: '10.99.0.77' };
  test('any: one that never answers does no harm', async () => {
    const l = await probed([nobody, TARGETS.arp]);
    const s = await untilAnswered(l);
    expect(probeOf(s, 'primary').detail).toMatch(/arp 10.99.0.77 (missed \d+ \()?never answered/);
    await quietFor(INTERVAL_MS * 10);
    expect(await status(l)).toMatchObject({ active: 'primary', state: 'ok' });
    hole(l.world);
    await untilActive(l, 'standby');
  });

  test('all: one that does not answer condemns both paths, and moves nothing', async () => {
    const l = await probed([nobody, TARGETS.arp], { targets_of: 'all' });
    await until(
      () => status(l),
      (s) => probeOf(s, 'primary').state === 'down' && probeOf(s, 'standby').state === 'down',
    );
    const before = (await events(l)).length;
    await quietFor(INTERVAL_MS * 10);
    const list = (await events(l)).filter((e) => e.cause === 'probe');
    expect(list).toEqual([]);
    expect(await events(l)).toHaveLength(before);
  });

  test('all of them gone at once are no fault of the path', async () => {
    const l = await probed([TARGETS.arp, TARGETS.icmp]);
    await untilAnswered(l);
    // The target does not answer any more; the network is well.
    l.world.hostRtnl.setLink(l.world.bridge, { up: false });
    await until(
      () => status(l),
      (s) => probeOf(s, 'primary').state === 'down' && probeOf(s, 'standby').state === 'down',
    );
    await quietFor(INTERVAL_MS * 10);
    expect((await events(l)).map((e) => e.cause)).toEqual(['join']);
  });

  test('our own address is refused with its reason, the others go on', async () => {
    const l = await probed([
      { arp: GUEST_ADDRESS },
      { arp: '10.99.0.255' },
      { icmp: '192.0.2.1' },
      TARGETS.arp,
    ]);
    const { detail } = probeOf(await untilAnswered(l), 'primary');
    expect(detail).toContain(`arp ${GUEST_ADDRESS} is not asked: is an address of this machine`);
    expect(detail).toContain('arp 10.99.0.255 is not asked: is the broadcast address');
    expect(detail).toContain('icmp 192.0.2.1 is not asked: there is no route to it');
    expect(detail).toMatch(/^arp 10.99.0.1 \d/);
  });

  test('with none that can be asked the detector is off, and nothing is held against the paths', async () => {
    const l = await probed([{ arp: GUEST_ADDRESS }]);
    await untilActive(l, 'primary');
    await quietFor(INTERVAL_MS * 5);
    expect(await status(l)).toMatchObject({ state: 'ok' });
    expect(probeOf(await status(l), 'primary').state).toBe('off');
  });

  test('a host behind a gateway', async () => {
    const l = await lab('veth', { detect: probes([{ icmp: '203.0.113.1' }]) });
    const { world: w } = l;
    w.hostRtnl.addAddress(w.bridge, '203.0.113.1/32');
    w.guestRtnl.addRoute({ dst: '203.0.113.0/24', via: HOST_ADDRESS });
    // The way is looked up again within 5 s.
    await untilAnswered(l);
    hole(w);
    await untilActive(l, 'standby');
  });
});

/** Frames that came to a socket; of IPv6 neighbour discovery's only: the host tells of its multicast groups in its own time. */
function heard(socket: PacketSocket): number {
  const bytes = new Uint8Array(256);
  let n = 0;
  while (socket.recv(bytes) > 0) {
    const ipv6 = bytes[12] === 0x86 && bytes[13] === 0xdd;
    if (!ipv6 || (bytes[20] === 58 && (bytes[54] === 135 || bytes[54] === 136))) n++;
  }
  return n;
}

test('the stack of neither end notices: no answer reaches ours, none of its own is taken', async () => {
  const l = await probed([TARGETS.arp, TARGETS.nd, TARGETS.icmp], { targets_of: 'all' });
  await untilAnswered(l);
  const { world: w } = l;
  const sockets = [0x0806, 0x0800, 0x86dd].map(
    (protocol) => new PacketSocket({ netns: w.guest, ifindex: w.virtio.guestIfindex, protocol }),
  );
  onTestFinished(() => {
    for (const s of sockets) s.close();
  });
  const counters = () =>
    inGuest(w, 'cat', '/proc/self/net/snmp', '/proc/self/net/snmp6')
      .split('\n')
      .filter((line) => /^Icmp:|Icmp6In(Echo|Neighbor)/.test(line))
      .join('\n');
  const before = counters();
  const neighbours = inGuest(w, 'ip', 'neigh');
  for (const s of sockets) s.drain();
  await quietFor(INTERVAL_MS * 15);
  expect(counters()).toBe(before);
  expect(inGuest(w, 'ip', 'neigh')).toBe(neighbours);
  expect(sockets.map(heard)).toEqual([0, 0, 0]);
  // The guest's own questions to the same neighbour are answered as ever.
  w.guestRtnl.addAddress(w.virtio.guestIfindex, 'fd00:99::2/64', true);
  inGuest(w, 'ip', 'neigh', 'flush', 'nud', 'all', 'dev', 'virtio0');
  for (const to of [HOST_ADDRESS, HOST6]) {
    const own = new UdpSocket({
      netns: w.guest,
      bindAddr: to === HOST6 ? '::' : '0.0.0.0',
      connectAddr: to,
      connectPort: 9,
    });
    own.send(new Uint8Array(1));
    await until(
      () => inGuest(w, 'ip', 'neigh', 'show', to),
      (line) => /lladdr 02:76:66:00:00:fe .*(REACHABLE|DELAY|STALE)/.test(line),
    );
    own.close();
  }
  expect(await status(l)).toMatchObject({ active: 'primary', state: 'ok' });
});

test('with the controller killed nothing is asked, and that alone moves nothing', async () => {
  const l = await probed([TARGETS.arp], { missed_max: 1 });
  await untilAnswered(l);
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.start(2000);
  l.client.close();
  await l.daemon.kill('SIGKILL');
  await quietFor(INTERVAL_MS * 20);
  const r = await stream.stop();
  expect(r.out.lost + r.in.lost).toBe(0);
  await l.daemon.start();
  const client = await l.daemon.client();
  onTestFinished(() => client.close());
  const again = { ...l, client };
  await untilAnswered(again);
  expect((await events(again)).map((e) => e.cause)).toEqual([]);
  hole(l.world);
  await untilActive(again, 'standby');
});

test('one that stops with a question outstanding has left the answer’s deadline to the programs', async () => {
  // Long rounds, so that the stop falls between question and deadline with certainty once the hole is open.
  const l = await probed([TARGETS.icmp], { interval_ms: 600, timeout_ms: 400, missed_max: 1 });
  await until(
    () => status(l),
    (s) =>
      s.active === 'primary' &&
      probeOf(s, 'primary').state === 'ok' &&
      /\d ms/.test(probeOf(s, 'primary').detail),
    15_000,
  );
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.start(1000, 1);
  const onlooker = new PacketSocket({ netns: l.world.host, ifindex: l.world.vf.hostIfindex });
  onTestFinished(() => onlooker.close());
  hole(l.world);
  while (onlooker.drain() > 0);
  // The next echo request that arrives over the VF is the last one that it sends.
  const buffer = new Uint8Array(2048);
  await until(
    () => {
      while (onlooker.recv(buffer) > 0)
        if (buffer[12] === 8 && buffer[13] === 0 && buffer[23] === 1 && buffer[34] === 8) return true;
      return false;
    },
    (seen) => seen,
  );
  const { pid } = l.daemon;
  process.kill(pid!, 'SIGSTOP');
  await elapse(1500).finally(() => process.kill(pid!, 'SIGCONT'));
  const list = await until(
    () => events(l),
    (e) => e.length > 1,
  );
  await stream.stop();
  expect(list[1]).toMatchObject({ cause: 'probe', tier: 0, to: 'standby', evidence: { detector: 'probe' } });
});

test('a slave whose link comes back is asked init_wait_ms later, and not before', async () => {
  const l = await probed([TARGETS.icmp], { init_wait_ms: 700 });
  await untilAnswered(l);
  l.world.cutVf();
  await untilActive(l, 'standby');
  const onlooker = new PacketSocket({ netns: l.world.host, ifindex: l.world.vf.hostIfindex });
  onTestFinished(() => onlooker.close());
  while (onlooker.drain() > 0);
  const mended = performance.now();
  l.world.mendVf();
  await until(
    () => status(l),
    (s) => /^it is asked in \d+ ms for the first time/.test(probeOf(s, 'primary').to_switch),
  );
  const buffer = new Uint8Array(2048);
  await until(
    () => onlooker.recv(buffer) > 0 && buffer[12] === 8 && buffer[13] === 0 && buffer[23] === 1,
    (asked) => asked,
  );
  expect(performance.now() - mended).toBeGreaterThanOrEqual(700);
  // Asked at last, it answers, and is judged by that.
  await untilAnswered(l);
  expect((await events(l)).map((e) => e.cause)).toEqual(['join', 'carrier', 'failback']);
});

test('failback waits for as many probes answered in a row as the policy asks for', async () => {
  const policy = { hold_down_ms: 0, healthy_probes: 30 };
  const l = await probed([TARGETS.arp], {}, { policy });
  await untilAnswered(l);
  const h = hole(l.world);
  await untilActive(l, 'standby');
  h.close();
  const s = await until(
    () => status(l),
    (x) => /primary must answer another \d+ probes?/.test(x.would_switch),
  );
  expect(s.active).toBe('standby');
  const list = await until(
    () => events(l),
    (e) => e.length > 2,
  );
  expect(list.map((e) => e.cause)).toEqual(['join', 'probe', 'failback']);
  expect((list[2]!.detected_ns - list[1]!.detected_ns) / 1e6).toBeGreaterThan(30 * INTERVAL_MS);
});

test('neither an answer nor a frame of the traffic wakes the worker: what runs in JavaScript goes by rounds', async () => {
  const hosts = Array.from({ length: 16 }, (_, i) => `10.99.0.${101 + i}`);
  const l = await lab(
    'veth',
    {
      detect: probes(
        hosts.map((arp) => ({ arp })),
        { targets_of: 'all' },
      ),
    },
    // Otherwise it looks at the links a thousand times a second.
    { worker: { poll_interval_us: 1_000_000 } },
  );
  for (const host of hosts) l.world.hostRtnl.addAddress(l.world.bridge, `${host}/24`);
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await untilAnswered(l);
  await stream.start(5000);
  const turns = async (): Promise<number> =>
    (await l.client.request('status', {})).worker.shards.reduce((n, s) => n + s.wakeups, 0);
  const [before, from] = [await turns(), performance.now()];
  await elapse(2000);
  const [woken, rounds] = [(await turns()) - before, (performance.now() - from) / INTERVAL_MS];
  const s = await status(l);
  const { sent } = await stream.stop();
  // All 16 have been answered on both slaves, in every round.
  for (const r of ['primary', 'standby'] as const) expect(probeOf(s, r).state).toBe('ok');
  expect(woken).toBeGreaterThan(rounds / 2);
  expect(woken).toBeLessThan((rounds * 2 * hosts.length) / 4);
  expect(woken).toBeLessThan(2 * sent);
});

test('a slave that is not watched is not asked, nor left; while it carries traffic it is asked along', async () => {
  const l = await probed([TARGETS.arp], { slaves: ['primary'] });
  await until(
    () => status(l),
    (s) => probeOf(s, 'primary').state === 'ok',
  );
  expect(probeOf(await status(l), 'standby')).toMatchObject({
    state: 'off',
    detail: 'not watched',
    to_switch: 'nothing: detect.probes.slaves does not name the standby',
  });
  const far = new PacketSocket({ netns: l.world.host, ifindex: l.world.virtio.hostIfindex, protocol: 3 });
  onTestFinished(() => far.close());
  /** ARP replies that the bridge sends to the standby, in so many rounds. */
  const answered = async () => {
    const buffer = new Uint8Array(64);
    while (far.recv(buffer) > 0);
    await elapse(20 * INTERVAL_MS);
    let n = 0;
    while (far.recv(buffer) > 0) if (buffer[12] === 8 && buffer[13] === 6 && buffer[21] === 2) n++;
    return n;
  };
  expect(await answered()).toBeLessThan(5);
  // The programs leave for it.
  const h = hole(l.world);
  await untilActive(l, 'standby');
  expect((await events(l)).at(-1)).toMatchObject({ cause: 'probe', to: 'standby' });
  h.close();
  await untilActive(l, 'primary');
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  await untilActive(l, 'standby');
  expect(await answered()).toBeGreaterThan(10);
  const n = (await events(l)).length;
  hole(l.world, { ifindex: l.world.virtio.hostIfindex });
  await quietFor(10 * INTERVAL_MS);
  expect(await events(l)).toHaveLength(n);
  expect(probeOf(await status(l), 'standby').state).toBe('off');
});
