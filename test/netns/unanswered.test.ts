import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap } from 'bpf-loader-ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { iperf } from '../../bench/iperf.js';
import { type HoleOptions, openHole } from '../../lab/netns/hole.js';
import { Stream } from '../../lab/netns/stream.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import type { Decision } from '../../src/api/index.js';
import { lineBase, pathOf, readWord } from '../../src/datapath/line.js';
import { STANDBY } from '../../src/device.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const PPS = 5000;
/** Far above what a loaded machine delays an answer by in softirq, far below what a test waits. */
const TIMEOUT_US = 50_000;
const UNANSWERED = { timeout_us: TIMEOUT_US, min_frames: 5, udp: [7412], retry_ms: 60_000 };

interface Watched extends Lab {
  stream: Stream;
}

async function watched(kind: WireKind, unanswered: object = {}, rest: object = {}): Promise<Watched> {
  const l = await lab(kind, { detect: { unanswered: { ...UNANSWERED, ...unanswered } }, ...rest });
  await untilActive(l, 'primary');
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  return { ...l, stream };
}

/** The far end of the VF's wire drops frames while its link stays up. */
function hole({ world }: { world: World }, o: Partial<HoleOptions> = {}): { close(): void } {
  const h = openHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'both', ...o });
  let open = true;
  const close = (): void => {
    if (open) h.close();
    open = false;
  };
  onTestFinished(close);
  return { close };
}

/** True once the pinned steering word names the standby: asked of the map, since the daemon cannot answer. */
async function steeredToStandby(pins: string): Promise<void> {
  using map = BpfMap.fromPin(`${pins}/maps/lines`);
  using lines = map.mmap();
  await until(
    () => pathOf(readWord(lines.int32(), lineBase(0))),
    (path) => path === STANDBY,
    20_000,
  );
}

describe.each(['veth', 'tap'] as const)('a path that is up and dead, on %s', (kind) => {
  test.each(['both', 'from-guest', 'to-guest'] as const)(
    '%s: tier 0 moves the traffic, with the daemon stopped',
    async (direction) => {
      const l = await watched(kind);
      await l.stream.startRequests(PPS);
      await elapse(100);
      expect(await events(l)).toHaveLength(1);
      // Nobody but the programs can see it.
      process.kill(l.daemon.pid!, 'SIGSTOP');
      onTestFinished(() => void (l.daemon.pid && process.kill(l.daemon.pid, 'SIGCONT')));
      hole(l, { direction });
      await steeredToStandby(l.pins);
      process.kill(l.daemon.pid!, 'SIGCONT');
      const [, decision] = await until(
        () => events(l),
        (e) => e.length > 1,
      );
      expect(decision).toMatchObject({
        cause: 'unanswered',
        tier: 0,
        from: 'primary',
        to: 'standby',
        health: { primary: 'unanswered', standby: 'up' },
        evidence: { detector: 'unanswered', facts: { timeout_us: TIMEOUT_US } },
      });
      const { frames, waited_us: waited } = decision!.evidence!.facts;
      expect(frames).toBeGreaterThanOrEqual(UNANSWERED.min_frames);
      expect(waited).toBeGreaterThanOrEqual(TIMEOUT_US);
      expect(decision!.signal).toMatch(/frames sent on the primary are not answered: \d+ frames/);
      await quietFor(100);
      const s = await status(l);
      expect(s.state).toBe('degraded');
      expect(s.primary).toMatchObject({ carrier: true, health: decision!.health.primary });
      expect(s.primary.detectors).toMatchObject([{ name: 'unanswered', state: 'down' }]);
      expect(s.standby.detectors).toMatchObject([{ name: 'unanswered', state: 'ok' }]);
      expect(s.would_switch).toContain('primary must satisfy its detectors');
      // It stays there, and traffic with it.
      expect(await events(l)).toHaveLength(2);
      const r = await l.stream.stop();
      expect(r.in.lost).toBeLessThan(r.sent / 2);
    },
  );
});

const lastOf = (l: Lab): Promise<Decision> =>
  until(
    () => events(l),
    (e) => e.length > 1,
  ).then((e) => e[1]!);

test('with its controller killed detection is the same; a new one adopts the suspicion', async () => {
  const l = await watched('tap');
  await l.stream.startRequests(PPS);
  await elapse(100);
  l.client.close();
  await l.daemon.kill('SIGKILL');
  hole(l);
  await steeredToStandby(l.pins);
  await l.daemon.start();
  const client = await l.daemon.client();
  onTestFinished(() => client.close());
  const found = await until(
    () => events({ client }),
    (e) => e.length > 0,
  );
  expect(found).toMatchObject([{ cause: 'unanswered', tier: 0, to: 'standby' }]);
  const s = await status({ client });
  expect(s.primary.detectors).toMatchObject([
    { state: 'down', to_switch: expect.stringMatching(/^tried again in/) },
  ]);
  expect(s.active).toBe('standby');
});

test('who stops sending is watched by the worker', async () => {
  const l = await watched('veth', { timeout_us: 500_000 });
  await l.stream.startRequests(PPS);
  await elapse(100);
  hole(l);
  await elapse(30);
  await l.stream.collect();
  expect(await lastOf(l)).toMatchObject({ cause: 'unanswered', tier: 1, to: 'standby' });
});

test('where tier 0 is not armed the worker switches', async () => {
  const l = await watched('veth', {}, { policy: { hold_down_ms: 20, tier0: false } });
  await l.stream.startRequests(PPS);
  await elapse(100);
  hole(l);
  expect(await lastOf(l)).toMatchObject({ cause: 'unanswered', tier: 1, to: 'standby' });
});

test('a path that fell silent is tried again, and left again', async () => {
  const l = await watched('veth', { retry_ms: 200, retry_max_ms: 400 });
  await l.stream.startRequests(PPS);
  await elapse(100);
  const h = hole(l);
  const seen = await until(
    () => events(l),
    (e) => e.filter((d) => d.cause === 'unanswered').length >= 2,
  );
  expect(seen.map((d) => d.cause).slice(0, 4)).toEqual(['join', 'unanswered', 'failback', 'unanswered']);
  h.close();
  await untilActive(l, 'primary');
  await until(
    () => status(l),
    (s) => s.state === 'ok',
  );
});

describe('it does not switch', () => {
  const unmoved = async (l: Watched): Promise<void> => {
    expect(await events(l)).toHaveLength(1);
    // The very last frames may still wait.
    expect((await status(l)).primary.detectors).toMatchObject([
      { name: 'unanswered', state: expect.stringMatching(/^(ok|suspect)$/) },
    ]);
  };

  test('for a stream that expects no answer', async () => {
    const l = await watched('veth', { udp: [53] });
    await l.stream.start(PPS, 1);
    await quietFor(10 * (TIMEOUT_US / 1000));
    await unmoved(l);
  });

  test('for three frames of ten that are lost', async () => {
    const l = await watched('veth');
    await l.stream.startRequests(PPS);
    hole(l, { loss: 0.3 });
    await elapse(1000);
    const r = await l.stream.stop();
    expect(r.out.lost).toBeGreaterThan(r.sent / 10);
    await unmoved(l);
  });

  test('for a sender that pauses', async () => {
    const l = await watched('tap');
    for (let i = 0; i < 5; i++) {
      await l.stream.startRequests(PPS);
      await elapse(50);
      await l.stream.collect();
      await elapse(2 * (TIMEOUT_US / 1000));
    }
    await unmoved(l);
  });

  test('from a silent path to one that is silent as well', async () => {
    const l = await watched('veth');
    // Nobody answers this stream on any path.
    await l.stream.start(PPS, 1);
    await untilActive(l, 'standby');
    const s = await until(
      () => status(l),
      (now) => now.standby.detectors[0]!.state === 'down',
    );
    expect(s.primary.detectors[0]!.state).toBe('down');
    expect(s.state).toBe('failed');
    await quietFor(4 * (TIMEOUT_US / 1000));
    expect(await events(l)).toHaveLength(2);
    // And it is well again as soon as somebody answers.
    await l.stream.collect();
    await l.stream.startRequests(PPS);
    await until(
      () => status(l),
      (now) => now.standby.detectors[0]!.state === 'ok',
    );
    expect((await status(l)).active).toBe('standby');
  });
});

describe('a TCP connection as the only traffic', () => {
  /** A connection at full speed, and a way to keep its receiver from reading. */
  async function connection(unanswered: object): Promise<{ l: Lab; stall: (ms: number) => Promise<void> }> {
    const l = await lab('veth', {
      detect: { unanswered: { ...UNANSWERED, timeout_us: 5000, ...unanswered } },
    });
    await untilActive(l, 'primary');
    const server = iperf(l.world.host, ['-s', '-1', '--forceflush']);
    onTestFinished(() => void server.kill('SIGKILL'));
    let said = '';
    server.stdout!.on('data', (b: Buffer) => (said += b.toString()));
    await until(
      () => said,
      (s) => s.includes('listening'),
    );
    const client = iperf(l.world.guest, ['-c', HOST_ADDRESS, '-t', '600', '-i', '0']);
    onTestFinished(() => void client.kill('SIGKILL'));
    await until(
      () => said,
      (s) => s.includes('connected to'),
    );
    await elapse(200);
    return {
      l,
      stall: async (ms) => {
        server.kill('SIGSTOP');
        await elapse(ms);
        server.kill('SIGCONT');
      },
    };
  }

  test('its receiver does not read at once, and delays acknowledgements: no fault', async () => {
    // The other end's kernel waits 40 ms; a machine that is busy for longer is not what is tested.
    const { l, stall } = await connection({ ack_timeout_us: 1_000_000 });
    for (let i = 0; i < 10; i++) {
      await stall(100);
      await elapse(30);
    }
    expect(await events(l)).toHaveLength(1);
  });

  test('that would be one if acknowledgements were due at once', async () => {
    const { l, stall } = await connection({ ack_timeout_us: 5000 });
    await until(
      async () => {
        await stall(100);
        return events(l);
      },
      (e) => e.some((d) => d.cause === 'unanswered'),
      20_000,
    );
  });

  test('a path that swallows it is left', async () => {
    const { l } = await connection({});
    hole(l);
    expect(await lastOf(l)).toMatchObject({ cause: 'unanswered', from: 'primary', to: 'standby' });
    expect((await lastOf(l)).evidence!.facts.waited_us).toBeGreaterThanOrEqual(100_000);
  });
});

describe('a slave that is not watched is not left', () => {
  test('by programs or worker, whatever it swallows; the other one is', async () => {
    const l = await watched('veth', { slaves: ['primary'], retry_ms: 500 });
    await l.stream.startRequests(PPS);
    const h = hole(l);
    await untilActive(l, 'standby');
    const s = await status(l);
    expect(s.tier0.armed).not.toContain('standby silent: go to the primary');
    expect(s.standby.detectors).toMatchObject([{ state: 'off', detail: 'not watched' }]);
    h.close();
    await untilActive(l, 'primary');
    await l.client.request('switch', { name: 'net0', to: 'standby' });
    await untilActive(l, 'standby');
    const before = (await events(l)).length;
    hole(l, { ifindex: l.world.virtio.hostIfindex });
    await quietFor(10 * (TIMEOUT_US / 1000));
    expect(await events(l)).toHaveLength(before);
    expect(await status(l)).toMatchObject({ active: 'standby' });
  });

  test('nor by what an earlier daemon had watched', async () => {
    const l = await watched('veth');
    l.client.close();
    await l.daemon.kill('SIGKILL');
    const file = join(l.daemon.folder, 'config.yaml');
    const config = parse(readFileSync(file, 'utf8'));
    config.instances[0].detect.unanswered.slaves = ['standby'];
    writeFileSync(file, stringify(config));
    await l.daemon.start();
    const client = await l.daemon.client();
    onTestFinished(() => client.close());
    await l.stream.startRequests(PPS);
    hole(l);
    await quietFor(10 * (TIMEOUT_US / 1000));
    expect(await events({ client })).toEqual([]);
    const s = await status({ client });
    expect(s).toMatchObject({ active: 'primary', state: 'ok' });
    expect(s.primary.detectors).toMatchObject([{ state: 'off', detail: 'not watched' }]);
    expect(s.tier0.armed).not.toContain('primary silent: go to the standby');
  });
});
