import { describe, expect, onTestFinished, test } from 'vitest';
import { openHole } from '../../lab/netns/hole.js';
import { Stream } from '../../lab/netns/stream.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { HOST_ADDRESS } from '../../lab/netns/world.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** `detect.carrier: combined`: a lost carrier is one of those that have to agree. */

/** A loss of carrier that is seen and mended in time is shorter than MISSED_MAX of them. */
const INTERVAL_MS = 100 * SLOWDOWN;
const MISSED_MAX = 5;
const PROBES = { interval_ms: INTERVAL_MS, missed_max: MISSED_MAX, targets: [{ arp: HOST_ADDRESS }] };

/** Both slaves have answered, and nothing is held against them. */
const untilAnswered = (l: Lab) =>
  until(
    () => status(l),
    (s) =>
      [...s.primary.detectors, ...s.standby.detectors].every(
        (d) => d.state === 'ok' && !d.detail.includes('never answered'),
      ),
    10_000,
  );

async function combined(kind: WireKind, detectors: object = { probes: PROBES }): Promise<Lab> {
  const l = await lab(kind, { detect: { combine: 'all', carrier: 'combined', ...detectors } });
  l.world.startTraffic(null);
  await untilActive(l, 'primary');
  await untilAnswered(l);
  return l;
}

const last = async (l: Lab) => (await events(l)).at(-1)!;

describe.each(['veth', 'tap'] as const)('on %s', (kind) => {
  test('carrier that is lost for less than the probes take moves nothing; for longer, it does', async () => {
    const l = await combined(kind);
    l.world.vf.carrier(false);
    const s = await until(
      () => status(l),
      ({ primary, notes }) => !primary.carrier && notes.length > 0,
    );
    expect(s).toMatchObject({ active: 'primary', state: 'degraded' });
    expect(s.notes.join()).toContain('the primary has no carrier, and is kept');
    expect(s.tier0.armed).not.toContain('primary unusable: go to the standby');
    l.world.vf.carrier(true);
    await until(
      () => status(l),
      ({ state }) => state === 'ok',
    );
    await quietFor(2 * MISSED_MAX * INTERVAL_MS);
    expect(await events(l)).toHaveLength(1);
    // The far end's port forwards again a second later.
    await untilAnswered(l);
    const cut = performance.now();
    l.world.vf.carrier(false);
    await untilActive(l, 'standby');
    expect(performance.now() - cut).toBeGreaterThan((MISSED_MAX - 2) * INTERVAL_MS);
    expect(await last(l)).toMatchObject({
      from: 'primary',
      health: { primary: 'no-carrier', standby: 'up' },
    });
    // Nobody goes to a slave without carrier, whatever its detectors say.
    await quietFor(4 * INTERVAL_MS);
    expect(await events(l)).toHaveLength(2);
    l.world.vf.carrier(true);
    await untilActive(l, 'primary');
  });

  test('a verdict moves nothing while there is carrier; carrier, once it is lost, is left for at once', async () => {
    const l = await combined(kind);
    const hole = openHole({ netns: l.world.host, ifindex: l.world.vf.hostIfindex, direction: 'both' });
    onTestFinished(() => hole.close());
    const s = await until(
      () => status(l),
      ({ primary }) => primary.detectors.some(({ state }) => state === 'down'),
    );
    await quietFor(2 * INTERVAL_MS);
    expect(s.active).toBe('primary');
    expect(await events(l)).toHaveLength(1);
    expect((await status(l)).tier0.armed).toContain('primary unusable: go to the standby');
    l.world.vf.carrier(false);
    await untilActive(l, 'standby');
    expect(await last(l)).toMatchObject({ cause: 'carrier', from: 'primary' });
  });

  test('a slave that is set down is left at once', async () => {
    const l = await combined(kind);
    l.world.guestRtnl.setLink(l.world.vf.guestIfindex, { up: false });
    await untilActive(l, 'standby');
    expect(await last(l)).toMatchObject({ cause: 'admin-down', tier: 1 });
  });

  test('nor is one kept that is gone', async () => {
    const l = await combined(kind);
    l.world.unplugVf();
    await untilActive(l, 'standby');
    // The kernel sets down what it removes.
    expect((await last(l)).cause).toMatch(/^(unplug|admin-down)$/);
  });
});

test('the programs leave a path without carrier that falls silent', async () => {
  const l = await combined('veth', {
    unanswered: { timeout_us: 300_000, min_frames: 5, udp: [7412], retry_ms: 60_000 },
  });
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  await stream.startRequests(2000);
  await elapse(100);
  l.world.vf.carrier(false);
  await untilActive(l, 'standby');
  expect(await last(l)).toMatchObject({
    cause: 'unanswered',
    tier: 0,
    health: { primary: 'no-carrier', standby: 'up' },
  });
});
