import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Frr, type FrrPeer } from '../../lab/vm/frr.js';
import type { BfdEndpoint } from '../../src/detect/bfd/frame.js';
import * as P from '../../src/detect/bfd/packet.js';
import type { BfdSession } from '../../src/detect/bfd/session.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';
import { Rtnl } from '../../src/netlink/index.js';
import { BfdWire } from '../helpers/bfd-wire.js';
import { until } from '../helpers/wait.js';

/** Interoperation with FRR's bfdd, in a namespace at the other end of a veth. */

const OUR_MAC = '02:00:00:00:00:01';
const PEER_MAC = '02:00:00:00:00:02';
const PEER = '10.99.255.1';
const PEER6 = 'fd99::ffff';
// Slow enough for a machine under load: nothing here is judged by speed.
const SLOW = { desiredMinTxUs: 100_000, requiredMinRxUs: 100_000, detectMult: 10 };
const FRR_SLOW = ['receive-interval 100', 'transmit-interval 100', 'detect-multiplier 10'];

let here: number;
let there: number;
let rtnl: Rtnl;
let peerRtnl: Rtnl;
let frr: Frr;
let wire: BfdWire;
let ifindex: number;
let next = 1;

beforeAll(async () => {
  here = netnsCreate();
  there = netnsCreate();
  rtnl = new Rtnl({ netns: here });
  peerRtnl = new Rtnl({ netns: there });
  ifindex = rtnl.createVeth({
    name: 'vf',
    mac: OUR_MAC,
    peer: { name: 'peer', mac: PEER_MAC, netnsFd: there },
  }).ifindex;
  const far = peerRtnl.link('peer')!.ifindex;
  rtnl.setLink(ifindex, { up: true });
  peerRtnl.setLink(far, { up: true });
  peerRtnl.addAddress(far, `${PEER}/16`);
  peerRtnl.addAddress(far, `${PEER6}/64`);
  frr = await Frr.start(there);
}, 700_000);
afterAll(async () => {
  await frr?.close();
  rtnl?.close();
  peerRtnl?.close();
  for (const ns of [here, there]) if (ns !== undefined) closeFd(ns);
});
beforeEach(() => {
  wire = new BfdWire(here, ifindex);
});
afterEach(() => wire.close());

const LONG = 30_000;
const is = (address: string, holds: (p: FrrPeer) => boolean) => until(() => frr.of(address), holds, LONG);
const state = (s: BfdSession, name: (typeof P.STATE_NAMES)[number]) =>
  until(
    () => P.STATE_NAMES[s.state],
    (now) => now === name,
    LONG,
  );

/** A session on both ends, under an address of its own. */
async function session(lines: string[] = FRR_SLOW, parameters = SLOW, v6 = false) {
  const n = next++;
  const address = v6 ? `fd99::${n.toString(16)}` : `10.99.${n >> 8}.${n & 255}`;
  const end: BfdEndpoint = {
    localMac: parseMac(OUR_MAC),
    peerMac: parseMac(PEER_MAC),
    local: parseIp(address).bytes,
    peer: parseIp(v6 ? PEER6 : PEER).bytes,
    sourcePort: 49152 + n,
  };
  peerRtnl.addNeighbour(peerRtnl.link('peer')!.ifindex, address, OUR_MAC);
  const key = `${address} local-address ${v6 ? PEER6 : PEER} interface peer`;
  await frr.peer(key, ...lines, 'no shutdown');
  const ours = wire.add({ ...parameters, discriminator: n }, end);
  return { address, key, ours };
}

async function up(s: { address: string; ours: BfdSession }) {
  await state(s.ours, 'up');
  await is(s.address, (p) => p.status === 'up');
}

const gone = (key: string) =>
  frr.peer(key).then(async () => {
    for (const line of ['configure terminal', 'bfd', `no peer ${key}`, 'end']) await frr.ask(line);
  });

describe.each([
  ['IPv4', false],
  ['IPv6', true],
])('with bfdd over %s', (_, v6) => {
  it('a session comes up, and both ends know what the other wants', async () => {
    const s = await session(
      ['receive-interval 150', 'transmit-interval 200', 'detect-multiplier 7'],
      { desiredMinTxUs: 120_000, requiredMinRxUs: 250_000, detectMult: 9 },
      v6,
    );
    await up(s);
    const seen = await is(s.address, (p) => p['remote-transmit-interval'] === 120);
    expect(seen).toMatchObject({ 'remote-receive-interval': 250, 'remote-detect-multiplier': 9 });
    await until(
      () => s.ours.polling,
      (polling) => !polling,
      LONG,
    );
    // Ours: the slower of 120 and 150. Detection: 7 times the slower of 200 and 250.
    await until(
      () => s.ours.detectNs,
      (ns) => ns === 7 * 250e6,
      LONG,
    );
    expect(s.ours.intervalUs).toBe(150_000);
    await gone(s.key);
  });
});

describe('with bfdd', () => {
  it('a poll sequence of ours changes intervals and multiplier while up, without a flap', async () => {
    const s = await session();
    await up(s);
    const before = s.ours.transitions;
    s.ours.setParameters(
      { desiredMinTxUs: 300_000, requiredMinRxUs: 170_000, detectMult: 5 },
      s.ours.lastHeardNs,
    );
    expect(s.ours.polling).toBe(true);
    await until(
      () => s.ours.polling,
      (polling) => !polling,
      LONG,
    );
    expect(s.ours.intervalUs).toBe(300_000);
    await is(
      s.address,
      (p) =>
        p['remote-transmit-interval'] === 300 &&
        p['remote-receive-interval'] === 170 &&
        p['remote-detect-multiplier'] === 5,
    );
    expect(s.ours.detectNs).toBe(10 * 170e6);
    expect(s.ours.transitions).toBe(before);
    await gone(s.key);
  });

  it('a poll sequence of theirs is answered, and what it says is used', async () => {
    const s = await session();
    await up(s);
    const before = s.ours.transitions;
    await frr.peer(s.key, 'transmit-interval 220', 'receive-interval 180', 'detect-multiplier 6');
    await until(
      () => s.ours.detectNs,
      (ns) => ns === 6 * 220e6,
      LONG,
    );
    await until(
      () => s.ours.intervalUs,
      (us) => us === 180_000,
      LONG,
    );
    expect([P.STATE_NAMES[s.ours.state], s.ours.transitions]).toEqual(['up', before]);
    expect((await frr.of(s.address)).status).toBe('up');
    await gone(s.key);
  });

  it('our silence is seen by bfdd, and bfdd’s silence by us', async () => {
    const s = await session();
    await up(s);
    wire.cut = true;
    await is(s.address, (p) => p.status !== 'up' && p.diagnostic === 'control detection time expired');
    await state(s.ours, 'down');
    expect(P.DIAG_NAMES[s.ours.diag]).toBe('detection time expired');
    wire.cut = false;
    await up(s);
    await gone(s.key);
    await state(s.ours, 'down');
  });

  it('administratively down there is down here, and here there; and it comes back', async () => {
    const s = await session();
    await up(s);
    await frr.peer(s.key, 'shutdown');
    await state(s.ours, 'down');
    expect([P.DIAG_NAMES[s.ours.diag], P.STATE_NAMES[s.ours.remoteState]]).toEqual([
      'neighbour signalled down',
      'admin-down',
    ]);
    await frr.peer(s.key, 'no shutdown');
    await up(s);
    s.ours.setAdminDown(true, s.ours.lastHeardNs);
    await is(s.address, (p) => p.status === 'down' && p['remote-diagnostic'] === 'administratively down');
    expect(P.STATE_NAMES[s.ours.state]).toBe('admin-down');
    s.ours.setAdminDown(false, s.ours.lastHeardNs);
    await up(s);
    await gone(s.key);
  });

  it('100 sessions come up, and none is mistaken for another', async () => {
    const all = [];
    for (let i = 0; i < 100; i++)
      all.push(
        await session(['receive-interval 1000', 'transmit-interval 1000', 'detect-multiplier 20'], {
          desiredMinTxUs: 1e6,
          requiredMinRxUs: 1e6,
          detectMult: 20,
        }),
      );
    for (const s of all) await state(s.ours, 'up');
    await until(
      async () => (await frr.peers()).filter((p) => p.status === 'up').length,
      (n) => n === 100,
      LONG,
    );
    const ids = new Set(all.map((s) => s.ours.remoteDiscriminator));
    expect([ids.size, ids.has(0)]).toEqual([100, false]);
    expect(all.every((s) => s.ours.counts.subarray(1).every((n) => n === 0))).toBe(true);
    expect([...wire.table.counts].every((n) => n === 0)).toBe(true);
  });
});
