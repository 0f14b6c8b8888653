import { expect, onTestFinished, test } from 'vitest';
import { openHole } from '../../lab/netns/hole.js';
import { GUEST_ADDRESS, GUEST_MAC } from '../../lab/netns/world.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';
import { events, type Lab, status, untilActive } from '../helpers/daemon.js';
import { neighbours, OTHER } from '../helpers/neighbours.js';
import { pinnedBfd, pinnedReflectors } from '../helpers/pinned-bfd.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** S-BFD between two daemons: one asks, the other's programs answer. */

const REFLECTOR = { discriminators: [OTHER.address], addresses: [OTHER.address] };
const ASK = {
  mode: 's-bfd',
  peer: OTHER.address,
  local: GUEST_ADDRESS,
  remote_discriminator: OTHER.address,
  tx_interval_us: 100_000,
  multiplier: 5,
  retry_ms: 60_000,
};
const LONG = 30_000;

const pair = (ask: object = {}, reflector: object = {}): Promise<[Lab, Lab]> =>
  neighbours({ detect: { bfd: { ...ASK, ...ask } } }, { reflector: { ...REFLECTOR, ...reflector } });
const detector = async (l: Lab, role: 'primary' | 'standby' = 'primary') =>
  (await status(l))[role].detectors.find((d) => d.name === 'bfd')!;
const up = (l: Lab, role: 'primary' | 'standby' = 'primary') =>
  until(
    () => detector(l, role),
    (d) => d.state === 'ok',
    LONG,
  );

test('the session is up as soon as one answer is there; the answers cost neither worker anything', async () => {
  const [a, b] = await pair();
  expect(await up(a)).toMatchObject({
    detail: `up with ${OTHER.address}, a packet each 100 ms`,
    to_switch: `no packet from ${OTHER.address} for 500 ms`,
  });
  const map = pinnedBfd(a.pins);
  // The first ones say what was asked, which changes as the session comes up.
  await until(
    () => map.count(0, 'repeats'),
    (n) => n >= 3,
    LONG,
  );
  const handed = map.count(0, 'handed');
  const repeats = map.count(0, 'repeats');
  await until(
    () => map.count(0, 'repeats') - repeats,
    (n) => n >= 10,
    LONG,
  );
  expect(map.count(0, 'handed')).toBe(handed);
  const seen = (await status(b)).reflector!;
  expect(seen.answered).toBeGreaterThanOrEqual(10);
  expect(Object.values(seen.refused).every((n) => n === 0)).toBe(true);
  // The reflector's daemon is not needed.
  await b.daemon.kill('SIGKILL');
  await quietFor(1500);
  expect(await detector(a)).toMatchObject({ state: 'ok' });
  expect(await events(a)).toHaveLength(1);
});

test('a path that is up and dead: tier 0 leaves it, and asks on the other', async () => {
  const [a] = await pair();
  await up(a);
  const hole = openHole({ netns: a.world.host, ifindex: a.world.vf.hostIfindex, direction: 'both' });
  onTestFinished(() => hole.close());
  await untilActive(a, 'standby');
  const decision = (await events(a)).at(-1)!;
  expect(decision).toMatchObject({
    cause: 'bfd',
    tier: 0,
    from: 'primary',
    to: 'standby',
    health: { primary: 'bfd', standby: 'up' },
    evidence: { detector: 'bfd', facts: { detection_time_us: 500_000 } },
  });
  expect(decision.evidence!.text).toContain('no answer of the S-BFD reflector');
  await up(a, 'standby');
  expect(await detector(a)).toMatchObject({ state: 'down' });
});

test('our own pause, or end, is no fault of the path', async () => {
  const [a] = await pair();
  await up(a);
  process.kill(a.daemon.pid!, 'SIGSTOP');
  await elapse(2500);
  process.kill(a.daemon.pid!, 'SIGCONT');
  await quietFor(1000);
  expect(await detector(a)).toMatchObject({ state: 'ok' });
  expect(await events(a)).toHaveLength(1);
  await a.daemon.kill('SIGKILL');
  await elapse(2000);
  await a.daemon.start();
  const client = await a.daemon.client();
  onTestFinished(() => client.close());
  const again = { ...a, client };
  await up(again);
  expect((await events(again)).every((e) => e.cause !== 'bfd')).toBe(true);
});

test('a reflector taken out of service is no fault, nor one that never answers', async () => {
  const [a, b] = await pair();
  await up(a);
  const reflectors = pinnedReflectors(b.pins);
  const key = {
    discriminators: [0x0a630003],
    addresses: [parseIp(OTHER.address).bytes],
    vlan: undefined,
    ttlMin: 255,
    rxIntervalUs: 1000,
    mac: parseMac(OTHER.mac),
  };
  reflectors.open(0, { ...key, up: false });
  await until(
    () => detector(a),
    (d) => d.state === 'suspect',
    LONG,
  );
  await quietFor(1500);
  expect(await events(a)).toHaveLength(1);
  reflectors.open(0, { ...key, up: true });
  await up(a);
  expect((await status(a)).active).toBe('primary');
});

test('another discriminator than the reflector’s: never up, refused there, and nothing switches', async () => {
  const [a, b] = await pair({ remote_discriminator: 99 });
  await until(
    async () => (await status(b)).reflector!.refused.discriminator,
    (n) => n >= 2,
    LONG,
  );
  expect(await detector(a)).toMatchObject({ state: 'suspect' });
  expect((await status(b)).reflector!.answered).toBe(0);
  expect(await events(a)).toHaveLength(1);
});

test('a reflector whose MAC nobody tells: nothing is sent, and the status says why', async () => {
  const nobody = '10.99.0.77';
  const [a] = await pair({ peer: nobody });
  const d = await until(
    () => detector(a),
    (x) => x.detail.includes('MAC'),
  );
  expect(d.detail).toContain(
    `down with ${nobody}, last diagnostic: none; ${nobody} does not say its MAC address`,
  );
  expect(await events(a)).toHaveLength(1);
});

test('sessions of RFC 5881 between two of ours find each other’s MAC, too', async () => {
  const SESSION = { tx_interval_us: 100_000, rx_interval_us: 100_000, multiplier: 10 };
  const [a, b] = await neighbours(
    { detect: { bfd: { ...SESSION, peer: OTHER.address, local: GUEST_ADDRESS } } },
    { detect: { bfd: { ...SESSION, peer: GUEST_ADDRESS, local: OTHER.address } } },
  );
  await Promise.all([up(a), up(b)]);
});

test('two that ask and answer each other, whose MACs are configured', async () => {
  const [a, b] = await neighbours(
    {
      detect: { bfd: { ...ASK, peer_mac: OTHER.mac } },
      reflector: { discriminators: [7], addresses: [GUEST_ADDRESS] },
    },
    {
      detect: {
        bfd: {
          ...ASK,
          peer: GUEST_ADDRESS,
          local: OTHER.address,
          peer_mac: GUEST_MAC,
          remote_discriminator: 7,
        },
      },
      reflector: REFLECTOR,
    },
  );
  await Promise.all([up(a), up(b)]);
  for (const l of [a, b]) expect((await status(l)).reflector!.answered).toBeGreaterThan(0);
});
