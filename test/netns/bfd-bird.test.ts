import { expect, onTestFinished, test } from 'vitest';
import { openHole } from '../../lab/netns/hole.js';
import { GUEST_ADDRESS, HOST_ADDRESS } from '../../lab/netns/world.js';
import { Bird } from '../../lab/vm/bird.js';
import { type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { until } from '../helpers/wait.js';

/** An instance's BFD session with BIRD on the host: it checks more than bfdd does, and has authentication. */

const BFD = {
  peer: HOST_ADDRESS,
  local: GUEST_ADDRESS,
  tx_interval_us: 100_000,
  rx_interval_us: 100_000,
  multiplier: 10,
  retry_ms: 60_000,
};
const LONG = 30_000;
const AUTH = {
  simple: 'simple',
  'keyed-md5': 'keyed md5',
  'meticulous-md5': 'meticulous keyed md5',
  'keyed-sha1': 'keyed sha1',
  'meticulous-sha1': 'meticulous keyed sha1',
} as const;

async function pair(bfd: object = {}, theirs = ''): Promise<Lab & { bird: Bird }> {
  const l = await lab('veth', { detect: { bfd: { ...BFD, ...bfd } } });
  await untilActive(l, 'primary');
  const bird = await Bird.start({
    netns: l.world.host,
    bfd: `interface "br0" { interval 100 ms; multiplier 10; ${theirs} };
      neighbor ${GUEST_ADDRESS} dev "br0" local ${HOST_ADDRESS};`,
  });
  onTestFinished(() => bird.close());
  return { ...l, bird };
}

const ours = async (l: Lab, role: 'primary' | 'standby') =>
  (await status(l))[role].detectors.find((d) => d.name === 'bfd')!;

async function up(l: Lab & { bird: Bird }, role: 'primary' | 'standby'): Promise<void> {
  await until(
    () => ours(l, role),
    (d) => d.state === 'ok',
    LONG,
  );
  await until(
    () => l.bird.of(GUEST_ADDRESS),
    (s) => s.state === 'Up',
    LONG,
  );
}

test('BIRD’s session comes up at the intervals agreed on, falls with the path and comes back by the other', async () => {
  const l = await pair({ discriminator: '10.0.0.2' });
  await up(l, 'primary');
  const { intervalS, timeoutS } = await until(
    () => l.bird.of(GUEST_ADDRESS),
    (s) => s.intervalS === 0.1,
    LONG,
  );
  expect([intervalS, timeoutS]).toEqual([0.1, 1]);
  const hole = openHole({ netns: l.world.host, ifindex: l.world.vf.hostIfindex, direction: 'both' });
  onTestFinished(() => hole.close());
  const s = await untilActive(l, 'standby');
  expect(s.last_switch?.cause).toBe('bfd');
  await up(l, 'standby');
});

test.each(Object.entries(AUTH))(
  'BIRD and ours accept each other’s packets with authentication by %s',
  async (type, theirs) => {
    const l = await pair(
      { auth: { type, key_id: 7, key: 'a key of ours' } },
      `authentication ${theirs}; password "a key of ours" { id 7; };`,
    );
    await up(l, 'primary');
  },
);

test('BIRD and ours stay down with different keys', async () => {
  const l = await pair(
    { auth: { type: 'keyed-sha1', key_id: 7, key: 'a key of ours' } },
    'authentication keyed sha1; password "another key" { id 7; };',
  );
  await expect(
    until(
      () => l.bird.of(GUEST_ADDRESS),
      (s) => s.state !== 'Down',
      3000,
    ),
  ).rejects.toThrow('not so');
  expect((await ours(l, 'primary')).state).not.toBe('ok');
});
