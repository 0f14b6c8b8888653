import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import { GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS } from '../../lab/netns/world.js';
import { AUTH_TYPES, BfdAuth, type BfdAuthConfig, type BfdAuthType } from '../../src/detect/bfd/auth.js';
import { type BfdEndpoint, BfdFrame } from '../../src/detect/bfd/frame.js';
import { encodeControl, STATE_UP } from '../../src/detect/bfd/packet.js';
import type { BfdSession } from '../../src/detect/bfd/session.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';
import { BfdWire } from '../helpers/bfd-wire.js';
import { events, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { pinnedBfd } from '../helpers/pinned-bfd.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** Authentication between the daemon and a session of ours on the host: bfdd has none. */

const KEY = 'swordfish-0815';
const LONG = 30_000;
const OURS: BfdEndpoint = {
  localMac: parseMac('02:76:66:00:00:fe'),
  peerMac: parseMac(GUEST_MAC),
  local: parseIp(HOST_ADDRESS).bytes,
  peer: parseIp(GUEST_ADDRESS).bytes,
  sourcePort: 49_300,
};
const TYPES = Object.keys(AUTH_TYPES) as BfdAuthType[];

interface Pair extends Lab {
  session: BfdSession;
  wire: BfdWire;
  /** A socket at the far end of the VF's wire. */
  port: PacketSocket;
}

async function pair(auth: object | undefined, theirs: BfdAuthConfig | undefined): Promise<Pair> {
  const bfd = {
    ...{ peer: HOST_ADDRESS, local: GUEST_ADDRESS, multiplier: 80, retry_ms: 60_000 },
    ...(auth && { auth }),
  };
  const l = await lab('veth', { detect: { bfd } });
  await untilActive(l, 'primary');
  const wire = new BfdWire(l.world.host, l.world.bridge);
  onTestFinished(() => wire.close());
  const session = wire.add(
    { discriminator: 77, desiredMinTxUs: 50_000, requiredMinRxUs: 50_000, detectMult: 80, auth: theirs },
    OURS,
  );
  const port = new PacketSocket({ netns: l.world.host, ifindex: l.world.vf.hostIfindex, bypass: true });
  onTestFinished(() => port.close());
  return { ...l, wire, session, port };
}

const detector = async (l: Lab) => (await status(l)).primary.detectors.find((d) => d.name === 'bfd')!;
const up = async (l: Pair) => {
  await until(
    () => detector(l),
    (d) => d.state === 'ok',
    LONG,
  );
  await until(
    () => l.session.state,
    (s) => s === STATE_UP,
    LONG,
  );
};
const theirs = (type: BfdAuthType, o: Partial<BfdAuthConfig> = {}): BfdAuthConfig => ({
  type,
  keyId: 3,
  key: Buffer.from(KEY),
  ...o,
});

/** A packet that would end the session if it were believed: down, and as from our session. */
function forged(l: Pair, auth: BfdAuthConfig | undefined, sequence = 0): Uint8Array {
  const signer = auth && new BfdAuth(auth, sequence);
  const length = 24 + (signer?.length ?? 0);
  const f = new BfdFrame(OURS, length);
  const flags = signer === undefined ? 0 : 4;
  const words = [1, 0, flags, 3, length, 77, l.session.remoteDiscriminator, 50_000, 50_000, 0];
  encodeControl(f.view, f.payload, Uint32Array.from(words));
  signer?.sign(f.bytes, f.payload, true);
  f.seal();
  return f.bytes;
}

test.each(TYPES)(
  '%s: the session comes up; what is forged is counted, refused, and moves nothing',
  async (type) => {
    const l = await pair({ type, key_id: 3, key: KEY }, theirs(type));
    await up(l);
    const map = pinnedBfd(l.pins);
    const handed = map.count(0, 'handed');
    if (type.startsWith('meticulous')) {
      // Each packet is another: all go to the worker.
      await until(
        () => map.count(0, 'handed') - handed,
        (n) => n >= 20,
        LONG,
      );
      expect(map.isQuiet(0)).toBe(false);
    } else {
      await until(
        () => map.isQuiet(0),
        (quiet) => quiet,
        LONG,
      );
      const from = [map.count(0, 'handed'), map.count(0, 'repeats')] as const;
      await until(
        () => map.count(0, 'repeats') - from[1],
        (n) => n >= 20,
        LONG,
      );
      expect(map.count(0, 'handed')).toBe(from[0]);
    }
    const other = TYPES[(TYPES.indexOf(type) + 1) % TYPES.length]!;
    const bad: [string, BfdAuthConfig | undefined][] = [
      ['auth-absent', undefined],
      ['auth-type', theirs(other)],
      ['auth-key', theirs(type, { keyId: 4 })],
      [
        type === 'simple' ? 'auth-digest' : 'auth-(digest|sequence)',
        theirs(type, { key: Buffer.from('Swordfish-0815') }),
      ],
      [type === 'simple' ? 'auth-length' : 'auth-(digest|sequence)', theirs(type, { key: Buffer.from('x') })],
    ];
    let n = 0;
    for (const [why, auth] of bad) {
      l.port.send(forged(l, auth));
      n++;
      await until(
        () => detector(l),
        (d) => new RegExp(`; ${n} packets refused, the latest for its ${why}$`).test(d.detail),
      );
    }
    // A flood of them hides none of the true ones.
    const flood = forged(l, theirs(type, { keyId: 4 }));
    for (let i = 0; i < 3000; i++) {
      l.port.send(flood);
      // The peer is in this thread.
      if (i % 100 === 0) await elapse(1);
    }
    await quietFor(1500);
    expect(await detector(l)).toMatchObject({ state: 'ok' });
    expect(l.session.state).toBe(STATE_UP);
    expect(await events(l)).toHaveLength(1);
    // Nobody is told the key.
    const said = JSON.stringify(await l.client.request('status', {}));
    expect(said).toContain(type);
    expect(said).not.toContain(KEY);
    expect(l.daemon.log).not.toContain(KEY);
  },
);

test('a true packet that is replayed is refused for its sequence number', async () => {
  const l = await pair({ type: 'meticulous-sha1', key_id: 3, key: KEY }, theirs('meticulous-sha1'));
  await up(l);
  const buffer = new Uint8Array(2048);
  const recorded: Uint8Array[] = [];
  await until(
    () => {
      for (let n = l.port.recv(buffer); n >= 0; n = l.port.recv(buffer))
        if (n > 100 - 16 && buffer[11] === 0xfe && buffer[36] === 0x0e && buffer[37] === 0xc8)
          recorded.push(buffer.slice(0, n));
      return recorded.length;
    },
    (n) => n >= 3,
    LONG,
  );
  for (const f of recorded) l.port.send(f);
  const n = recorded.length;
  await until(
    () => detector(l),
    (d) => d.detail.includes(`; ${n} packets refused, the latest for its auth-sequence`),
  );
  expect(await detector(l)).toMatchObject({ state: 'ok' });
  expect(await events(l)).toHaveLength(1);
});

test.each([
  ['none', undefined],
  ['another key', theirs('keyed-sha1', { key: Buffer.from('other') })],
  ['another number of it', theirs('keyed-sha1', { keyId: 9 })],
  ['another type', theirs('keyed-md5')],
])('with %s on the other end it never comes up, and that is no fault', async (_, auth) => {
  const l = await pair({ type: 'keyed-sha1', key_id: 3, key: KEY }, auth);
  await until(
    () => detector(l),
    (d) => / [2-9] packets refused/.test(d.detail),
    LONG,
  );
  expect(await detector(l)).toMatchObject({ state: 'suspect' });
  expect(l.session.state).not.toBe(STATE_UP);
  expect(await events(l)).toHaveLength(1);
});

test('one end alone authenticates: neither believes the other', async () => {
  const l = await pair(undefined, theirs('simple'));
  await until(
    () => detector(l),
    (d) => d.detail.includes('the latest for its auth-unwanted'),
    LONG,
  );
  expect(await events(l)).toHaveLength(1);
});

test('a peer that is this machine is refused', async () => {
  const l = await lab('veth');
  await untilActive(l, 'primary');
  l.world.guestRtnl.addAddress(l.world.virtio.guestIfindex, 'fd99::7/64');
  const attach = (peer: string, local: string) =>
    l.client
      .request('attach', {
        name: 'net1',
        netns: l.world.guestPath,
        master: 'vf0',
        detect: { bfd: { peer, local } },
      } as never)
      .then(
        () => 'attached',
        (e: { code?: string; field?: string; message: string }) => `${e.code} ${e.field}: ${e.message}`,
      );
  for (const [peer, local] of [
    [GUEST_ADDRESS, '10.99.0.7'],
    ['fd99:0::7', 'fd99::8'],
  ] as const)
    expect(await attach(peer, local)).toMatch(
      /^CONFIG_INVALID detect.bfd.peer: .* is an address of this machine/,
    );
});

test('the key may be in a file, that not everybody can read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vfailover-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  writeFileSync(file, `${KEY}\n`, { mode: 0o640 });
  const auth = { type: 'keyed-sha1', key_id: 3, key_file: file };
  const l = await pair(auth, theirs('keyed-sha1'));
  await up(l);
  const said = JSON.stringify(await l.client.request('status', {}));
  expect([said.includes(file), said.includes(KEY)]).toEqual([true, false]);

  const attach = async (what: object) =>
    l.client
      .request('attach', {
        name: 'net1',
        netns: l.world.guestPath,
        master: 'vf0',
        detect: { bfd: { peer: '10.99.0.9', local: GUEST_ADDRESS, auth: { ...auth, ...what } } },
      } as never)
      .then(
        () => 'attached',
        (e: { field?: string; message: string }) => `${e.field}: ${e.message}`,
      );
  chmodSync(file, 0o644);
  expect(await attach({})).toContain('detect.bfd.auth.key_file: the key file');
  chmodSync(file, 0o600);
  writeFileSync(file, 'x'.repeat(21));
  expect(await attach({})).toMatch(/detect.bfd.auth.key: .*wrong length/);
  expect(await attach({ key_file: join(folder, 'none') })).toContain('cannot be read');
});
