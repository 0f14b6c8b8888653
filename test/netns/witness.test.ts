import { PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HoleOptions, openHole } from '../../lab/netns/hole.js';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { parseMac } from '../../src/frames/mac.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const TIMEOUT_MS = 300;
const OTHER_MAC = '02:00:00:00:00:99';

async function witnessed(more: object = {}): Promise<Lab> {
  const l = await lab('veth', { detect: { witness: { timeout_ms: TIMEOUT_MS, ...more } } });
  await untilActive(l, 'primary');
  return l;
}

const witnessOf = (s: Awaited<ReturnType<typeof status>>, role: 'primary' | 'standby') =>
  s[role].detectors.find((d) => d.name === 'witness')!;

/** Somebody in the network sends to `dst` every 20 ms. */
function chatter({ world }: Lab, dst: string, src = OTHER_MAC): void {
  const socket = new PacketSocket({ netns: world.host, ifindex: world.bridge, protocol: 0 });
  const frame = Uint8Array.from([...parseMac(dst), ...parseMac(src), 0x88, 0xb5, ...new Uint8Array(46)]);
  const timer = setInterval(() => socket.send(frame), 20);
  onTestFinished(() => {
    clearInterval(timer);
    socket.close();
  });
}

function hole({ world }: Lab, o: Partial<HoleOptions> = {}): { close(): void } {
  const h = openHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'to-guest', ...o });
  let open = true;
  const close = (): void => {
    if (open) h.close();
    open = false;
  };
  onTestFinished(close);
  return { close };
}

describe.each(['ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01', '01:00:5e:00:00:01'])('frames to %s', (dst) => {
  test('that come in on the standby alone condemn the primary, until it has one again', async () => {
    const l = await witnessed();
    chatter(l, dst);
    await until(
      () => status(l),
      (s) => (['primary', 'standby'] as const).every((r) => witnessOf(s, r).detail === 'receives broadcasts'),
    );
    const h = hole(l);
    await untilActive(l, 'standby');
    const list = await until(
      () => events(l),
      (e) => e.length > 1,
    );
    expect(list[1]).toMatchObject({
      cause: 'witness',
      tier: 1,
      from: 'primary',
      to: 'standby',
      health: { primary: 'witness', standby: 'up' },
      evidence: { detector: 'witness' },
    });
    expect(list[1]!.evidence!.facts.missing).toBeGreaterThanOrEqual(3);
    await quietFor(TIMEOUT_MS);
    expect(witnessOf(await status(l), 'primary').state).toBe('down');
    h.close();
    await untilActive(l, 'primary');
  });
});

test('a slave that is not watched may miss what it likes, and shows what the other one misses', async () => {
  const l = await witnessed({ slaves: ['standby'] });
  chatter(l, 'ff:ff:ff:ff:ff:ff');
  await until(
    () => status(l),
    (s) => witnessOf(s, 'standby').detail === 'receives broadcasts',
  );
  const h = hole(l);
  await quietFor(3 * TIMEOUT_MS);
  const s = await status(l);
  expect(s).toMatchObject({ active: 'primary', state: 'ok' });
  expect(witnessOf(s, 'primary')).toMatchObject({
    state: 'off',
    detail: 'not watched',
    to_switch: 'nothing: detect.witness.slaves does not name the primary',
  });
  h.close();
  hole(l, { ifindex: l.world.virtio.hostIfindex });
  await until(
    () => status(l),
    (s) => witnessOf(s, 'standby').state === 'down',
  );
  expect((await events(l)).map((e) => e.cause)).toEqual(['join']);
});

test('what the master itself sent, and what a device may filter, says nothing', async () => {
  const l = await witnessed();
  chatter(l, 'ff:ff:ff:ff:ff:ff');
  await until(
    () => status(l),
    (s) => (['primary', 'standby'] as const).every((r) => witnessOf(s, r).detail === 'receives broadcasts'),
  );
  // From here on others are silent; the rest comes in on one slave only.
  const port = new PacketSocket({
    netns: l.world.host,
    ifindex: l.world.virtio.hostIfindex,
    protocol: 0,
    bypass: true,
  });
  onTestFinished(() => port.close());
  const both = [hole(l), hole(l, { ifindex: l.world.virtio.hostIfindex })];
  for (let i = 0; i < 40; i++) {
    for (const [dst, src] of [
      ['ff:ff:ff:ff:ff:ff', GUEST_MAC],
      ['01:00:5e:00:00:fb', OTHER_MAC],
      [GUEST_MAC, OTHER_MAC],
    ] as const)
      port.send(Uint8Array.from([...parseMac(dst), ...parseMac(src), 0x88, 0xb5, ...new Uint8Array(46)]));
    await elapse(TIMEOUT_MS / 20);
  }
  expect(witnessOf(await status(l), 'primary')).toMatchObject({ state: 'ok' });
  expect((await events(l)).map((e) => e.cause)).toEqual(['join']);
  for (const h of both) h.close();
});

test('silence everywhere is nobody’s fault', async () => {
  const l = await witnessed();
  await quietFor(TIMEOUT_MS * 3);
  expect(await status(l)).toMatchObject({ active: 'primary', state: 'ok' });
});
