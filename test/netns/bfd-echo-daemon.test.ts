import { writeFileSync } from 'node:fs';
import { withNetns } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import { GUEST_ADDRESS, HOST_ADDRESS } from '../../lab/netns/world.js';
import { Frr } from '../../lab/vm/frr.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { pinnedBfd } from '../helpers/pinned-bfd.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** The echo function of the daemon, with FRR's bfdd and the kernel's forwarding on the host. */

const KEY = `${GUEST_ADDRESS} local-address ${HOST_ADDRESS} interface br0`;
const BFD = {
  peer: HOST_ADDRESS,
  local: GUEST_ADDRESS,
  tx_interval_us: 300_000,
  rx_interval_us: 300_000,
  multiplier: 10,
  retry_ms: 60_000,
};
const LONG = 30_000;

interface Pair extends Lab {
  frr: Frr;
  forward(on: boolean): void;
}

async function pair(bfd: object, lines: string[], forwards: boolean): Promise<Pair> {
  const l = await lab('veth', { detect: { bfd: { ...BFD, ...bfd } } });
  await untilActive(l, 'primary');
  const forward = (on: boolean) =>
    withNetns(l.world.host, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', on ? '1' : '0'));
  forward(forwards);
  const frr = await Frr.start(l.world.host);
  onTestFinished(() => frr.close());
  const pace = ['receive-interval 300', 'transmit-interval 300', 'detect-multiplier 10'];
  await frr.peer(KEY, ...pace, ...lines, 'no shutdown');
  return { ...l, frr, forward };
}

const detector = async (l: Lab, role: 'primary' | 'standby' = 'primary') =>
  (await status(l))[role].detectors.find((d) => d.name === 'bfd')!;
const up = async (l: Pair, role: 'primary' | 'standby' = 'primary') => {
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

test('bfdd’s echo packets are sent back by the programs, and bfdd counts them', async () => {
  const l = await pair({ echo_rx_interval_us: 100_000 }, ['echo-mode', 'echo transmit-interval 100'], false);
  await up(l);
  expect(await l.frr.of(GUEST_ADDRESS)).toMatchObject({ 'remote-echo-receive-interval': 100 });
  const map = pinnedBfd(l.pins);
  await until(
    () => map.count(0, 'echo_looped'),
    (n) => n >= 20,
    LONG,
  );
  const counters = JSON.parse(await l.frr.ask(`show bfd peer ${KEY} counters json`)) as Record<
    string,
    number
  >;
  expect(counters['echo-packet-input']).toBeGreaterThanOrEqual(15);
  expect((await l.frr.of(GUEST_ADDRESS)).status).toBe('up');
  expect([map.count(0, 'echo_refused'), (await events(l)).length]).toEqual([0, 1]);
});

const OURS = { echo_tx_interval_us: 50_000 };
const OFFER = ['echo receive-interval 50'];

test('ours come back by the peer’s forwarding; when they stop, tier 0 leaves the path while the session speaks', async () => {
  const l = await pair(OURS, OFFER, true);
  await up(l);
  await until(
    () => detector(l),
    (d) => d.detail.includes('an echo packet each 50 ms'),
    LONG,
  );
  const map = pinnedBfd(l.pins);
  const handed = map.count(0, 'handed');
  const back = map.echoBack(0);
  await until(
    () => map.echoBack(0) - back,
    (n) => n >= 20,
    LONG,
  );
  expect([map.count(0, 'handed'), map.count(0, 'echo_refused')]).toEqual([handed, 0]);
  l.forward(false);
  await untilActive(l, 'standby');
  const decision = (await events(l)).at(-1)!;
  expect(decision).toMatchObject({ cause: 'bfd', tier: 0, health: { primary: 'bfd' } });
  expect(decision.evidence!.text).toContain('no BFD echo packet came back');
  // On the other path it does not come back either, but nothing has come back there yet: no verdict.
  await until(
    () => detector(l, 'standby'),
    (d) => d.state === 'ok' && d.detail.includes('no echo packet has come back yet'),
    LONG,
  );
  await quietFor(1500);
  expect((await status(l)).active).toBe('standby');
});

test('a peer that offers it and does not send them back: said, and no fault', async () => {
  const l = await pair(OURS, OFFER, false);
  await up(l);
  await quietFor(2500);
  expect(await detector(l)).toMatchObject({ state: 'ok' });
  expect((await detector(l)).detail).toContain('no echo packet has come back yet');
  expect(await events(l)).toHaveLength(1);
});

test('our own pause is no silence of theirs', async () => {
  const l = await pair(OURS, OFFER, true);
  await up(l);
  await until(
    () => detector(l),
    (d) => d.detail.includes('an echo packet each 50 ms'),
    LONG,
  );
  process.kill(l.daemon.pid!, 'SIGSTOP');
  // Shorter than the session's own patience, longer than that for echo packets.
  await elapse(1500);
  process.kill(l.daemon.pid!, 'SIGCONT');
  await quietFor(1000);
  expect(await events(l)).toHaveLength(1);
  expect(await detector(l)).toMatchObject({ state: 'ok' });
});
