import { ControlSocket, closeFd, netnsCreate, Tap, withNetns } from 'bpf-loader-ts/sys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kernelAtLeast } from '../../packages/bpf-loader-ts/test/kernel.js';
import { VfError } from '../../src/errors.js';
import { parseMac } from '../../src/frames/mac.js';
import * as c from '../../src/netlink/constants.js';
import { type NetlinkTransport, Rtnl } from '../../src/netlink/index.js';
import { MessageBuilder } from '../../src/netlink/message.js';
import { until } from '../helpers/wait.js';

let ns: number;
let other: number;
let rtnl: Rtnl;
beforeEach(() => {
  ns = netnsCreate();
  other = netnsCreate();
  rtnl = new Rtnl({ netns: ns });
});
afterEach(() => {
  rtnl.close();
  closeFd(ns);
  closeFd(other);
});

const failure = (fn: () => unknown): VfError => {
  try {
    fn();
  } catch (error) {
    if (error instanceof VfError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

describe('links', () => {
  it('a fresh namespace has a loopback that is down', () => {
    expect(rtnl.links()).toHaveLength(1);
    expect(rtnl.link('lo')).toMatchObject({
      ifindex: 1,
      name: 'lo',
      type: 772,
      up: false,
      address: '00:00:00:00:00:00',
    });
    expect(rtnl.link(1)).toEqual(rtnl.link('lo'));
    expect(rtnl.link('absent')).toBeUndefined();
    expect(rtnl.link(4711)).toBeUndefined();
    expect(rtnl.link('an-alternative-name-that-is-long')).toBeUndefined();
  });

  it('a veth with both ends here', () => {
    const macs = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'] as const;
    const made = rtnl.createVeth({ name: 'a', mac: macs[0], mtu: 1400, peer: { name: 'b', mac: macs[1] } });
    const [a, b] = [rtnl.link(made.ifindex)!, rtnl.link(made.peerIfindex)!];
    expect(a).toMatchObject({
      name: 'a',
      address: macs[0],
      mtu: 1400,
      kind: 'veth',
      type: 1,
      link: b.ifindex,
      up: false,
    });
    expect(b).toMatchObject({
      name: 'b',
      address: macs[1],
      mtu: 1400,
      kind: 'veth',
      link: a.ifindex,
      carrier: false,
    });
    expect(a.linkNetnsId).toBeUndefined();
    rtnl.setLink(a.ifindex, { up: true });
    rtnl.setLink(b.ifindex, { up: true });
    expect(rtnl.link('a')).toMatchObject({ up: true, carrier: true, operstate: 'up' });
    rtnl.deleteLink(a.ifindex);
    expect(rtnl.links().map((d) => d.name)).toEqual(['lo']);
  });

  it('a veth whose peer is born elsewhere', () => {
    using there = new Rtnl({ netns: other });
    const made = rtnl.createVeth({ name: 'a', peer: { name: 'a', netnsFd: other } });
    expect(rtnl.link(made.ifindex)!.linkNetnsId).toBeGreaterThanOrEqual(0);
    expect(there.link(made.peerIfindex)).toMatchObject({ name: 'a', kind: 'veth', link: made.ifindex });
  });

  it('moves a device to another namespace', () => {
    using there = new Rtnl({ netns: other });
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    rtnl.setLink(ifindex, { netnsFd: other });
    expect(rtnl.link('a')).toBeUndefined();
    expect(there.link('a')).toMatchObject({ kind: 'veth' });
  });

  it('changes each thing and several at once', () => {
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    rtnl.setLink(ifindex, {
      up: true,
      mtu: 1300,
      address: '02:aa:00:00:00:01',
      addrGenMode: 1,
      promisc: true,
      allmulti: true,
    });
    expect(rtnl.link(ifindex)).toMatchObject({
      up: true,
      mtu: 1300,
      address: '02:aa:00:00:00:01',
      addrGenMode: 1,
    });
    const rename = () => rtnl.setLink(ifindex, { name: 'renamed-while-up'.slice(0, 15) });
    if (kernelAtLeast('6.2')) {
      rename();
      expect(rtnl.link(ifindex)).toMatchObject({ name: 'renamed-while-u', up: true });
    } else expect(failure(rename)).toMatchObject({ code: 'NETLINK', field: 'name', value: 'EBUSY' });
    rtnl.setLink(ifindex, { up: false, promisc: false, allmulti: false });
    expect(rtnl.link(ifindex)!.up).toBe(false);
  });

  it('bridges: options, ports, flush', () => {
    const bridge = rtnl.createBridge({ name: 'br0', forwardDelay: 0, ageing: 300 });
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    rtnl.setLink(ifindex, { master: bridge });
    expect(rtnl.link(ifindex)!.master).toBe(bridge);
    rtnl.flushBridge(bridge);
    rtnl.setLink(ifindex, { master: 0 });
    expect(rtnl.link(ifindex)!.master).toBeUndefined();
    expect(rtnl.link(bridge)).toMatchObject({ name: 'br0', kind: 'bridge' });
  });

  it('sees a tap as the driver made it', () => {
    using tap = new Tap({ netns: ns, name: 't0', mac: '02:00:00:00:00:01' });
    using control = new ControlSocket(ns);
    rtnl.setLink(tap.ifindex, { up: true });
    expect(rtnl.link('t0')).toMatchObject({
      ifindex: tap.ifindex,
      kind: 'tun',
      carrier: true,
      address: '02:00:00:00:00:01',
    });
    tap.carrier(false);
    expect(rtnl.link('t0')!.carrier).toBe(false);
    expect(control.linkState(tap.ifindex)).toBe(2);
  });

  it('lists hundreds of devices over many datagrams', () => {
    for (let i = 0; i < 150; i++) rtnl.createVeth({ name: `a${i}`, peer: { name: `b${i}` } });
    const names = rtnl.links().map((d) => d.name);
    expect(names).toHaveLength(301);
    expect(new Set(names).size).toBe(301);
    expect(rtnl.qdiscs().length).toBeGreaterThanOrEqual(0);
  });
});

describe('addresses, neighbours, routes, qdiscs', () => {
  it('are added and listed', () => {
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    const peer = rtnl.link('b')!.ifindex;
    rtnl.setLink(peer, { up: true });
    // First: in one message the kernel may do it last, and give an address before.
    rtnl.setLink(ifindex, { addrGenMode: 1 });
    rtnl.setLink(ifindex, { up: true });
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    rtnl.addAddress(ifindex, 'fd00::1/64', true);
    expect(rtnl.addresses(ifindex)).toMatchObject([
      { ifindex, family: 4, address: '10.0.0.1', prefix: 24, scope: 0 },
      { ifindex, family: 6, address: 'fd00::1', prefix: 64, scope: 0 },
    ]);
    expect(rtnl.addresses(ifindex)[1]!.flags & 0x40).toBe(0); // not tentative
    expect(rtnl.addresses(peer).every((a) => a.ifindex === peer)).toBe(true);
    expect(rtnl.addresses().length).toBeGreaterThanOrEqual(2);
    rtnl.addNeighbour(ifindex, '10.0.0.2', '02:00:00:00:00:02');
    rtnl.addNeighbour(ifindex, '10.0.0.2', '02:00:00:00:00:03');
    rtnl.addNeighbour(ifindex, 'fd00::2', '02:00:00:00:00:02');
    rtnl.addRoute({ via: '10.0.0.2' });
    rtnl.addRoute({ dst: '192.0.2.0/24', dev: ifindex });
    rtnl.addRoute({ dst: 'default', via: 'fd00::2', dev: ifindex });
    rtnl.addRoute({ dst: 'fd01::/64', dev: ifindex });
    expect(failure(() => rtnl.addAddress(ifindex, '10.0.0.1/24')).value).toBe('EEXIST');
    expect(failure(() => rtnl.addRoute({ dst: '10.9.0.0/16', via: '203.0.113.1' })).value).toBe(
      'ENETUNREACH',
    );
    expect(failure(() => rtnl.addRoute({})).field).toBe('dst');
    expect(failure(() => rtnl.addRoute({ dst: '10.0.0.0/8', via: 'fd00::2' })).field).toBe('dst');
  });

  it('neighbours are asked for their MAC by the kernel', async () => {
    using far = new Rtnl({ netns: other });
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b', netnsFd: other } });
    const peer = far.link('b')!;
    for (const [r, i, host] of [
      [rtnl, ifindex, 1],
      [far, peer.ifindex, 2],
    ] as const) {
      r.setLink(i, { up: true });
      r.addAddress(i, `10.0.0.${host}/24`);
      r.addAddress(i, `fd00::${host}/64`, true);
    }
    for (const ip of ['10.0.0.2', 'fd00::2']) {
      expect(rtnl.neighbour(ifindex, ip)).toBeUndefined();
      rtnl.resolve(ifindex, ip);
      const known = await until(
        () => rtnl.neighbour(ifindex, ip),
        (n) => n?.mac !== undefined,
      );
      expect(known).toEqual({ mac: parseMac(peer.address), fresh: true });
    }
    rtnl.resolve(ifindex, '10.0.0.3');
    expect(rtnl.neighbour(ifindex, '10.0.0.3')).toEqual({ mac: undefined, fresh: false });
    rtnl.addNeighbour(ifindex, '10.0.0.4', '02:00:00:00:00:04');
    expect(rtnl.neighbour(ifindex, '10.0.0.4')).toMatchObject({ fresh: true });
    expect(failure(() => rtnl.resolve(9999, '10.0.0.2')).value).toBe('ENODEV');
  });

  it('qdiscs of a device', () => {
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    rtnl.setLink(ifindex, { up: true });
    expect(rtnl.qdiscs(ifindex).map((q) => q.kind)).toEqual(['noqueue']);
    using tap = new Tap({ netns: ns, name: 't0' });
    rtnl.setLink(tap.ifindex, { up: true });
    expect(rtnl.qdiscs(tap.ifindex)).toMatchObject([{ ifindex: tap.ifindex, parent: 0xffffffff }]);
  });
});

describe('errors say what, with which value, and what to do', () => {
  it('of the kernel, in its own words', () => {
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    const mtu = failure(() => rtnl.setLink(ifindex, { mtu: 1_000_000 }));
    expect(mtu).toMatchObject({ code: 'NETLINK', field: 'mtu', value: 'EINVAL' });
    expect(mtu.message).toMatch(/mtu greater than device maximum/);
    const taken = failure(() => rtnl.createVeth({ name: 'a', peer: { name: 'c' } }));
    expect(taken).toMatchObject({ code: 'NETLINK', field: 'name', value: 'EEXIST' });
    expect(taken.fix).toBeDefined();
    expect(failure(() => rtnl.deleteLink(4711))).toMatchObject({ code: 'DEVICE_NOT_FOUND', value: 'ENODEV' });
    expect(failure(() => rtnl.setLink(4711, { up: true })).code).toBe('DEVICE_NOT_FOUND');
    expect(failure(() => rtnl.deleteLink(1)).value).toBe('EOPNOTSUPP');
    expect(failure(() => rtnl.setLink(ifindex, { master: 1 })).code).toBe('NETLINK');
  });

  it('of what never reaches the kernel', () => {
    for (const name of [
      '',
      '.',
      '..',
      'a b',
      'a/b',
      'a:b',
      'veth%d',
      'sixteen-bytes-xx',
      'äääääääää',
      'a\0b',
    ]) {
      expect(failure(() => rtnl.createBridge({ name }))).toMatchObject({
        code: 'NETLINK',
        field: 'name',
        value: name,
      });
    }
    expect(failure(() => rtnl.createVeth({ name: 'a', peer: { name: '' } })).field).toBe('peer.name');
    expect(failure(() => rtnl.setLink(1, { address: 'xx' })).field).toBe('address');
    expect(failure(() => rtnl.addAddress(1, '10.0.0.1/99')).field).toBe('address');
    expect(rtnl.links()).toHaveLength(1);
  });

  it('of missing privilege', () => {
    // a process that gave up root looks into a namespace it does not own
    const uid = process.geteuid!();
    const unprivileged = withNetns(ns, () => {
      process.seteuid!(65_534);
      try {
        return new Rtnl();
      } finally {
        process.seteuid!(uid);
      }
    });
    process.seteuid!(65_534);
    try {
      const error = failure(() => unprivileged.setLink(1, { up: true }));
      expect(error).toMatchObject({ code: 'CAPABILITY_MISSING', fix: 'run as root or with CAP_NET_ADMIN' });
      expect(unprivileged.link(1)?.name).toBe('lo');
    } finally {
      process.seteuid!(uid);
      unprivileged.close();
    }
  });

  it('of use after close', () => {
    rtnl.close();
    expect(() => rtnl.links()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  });
});

/** Answers each request with the next script entry: datagrams, or a negative errno for recv(). */
class Script implements NetlinkTransport {
  requests = 0;
  readonly #answers: ((seq: number) => (Uint8Array | number)[])[];
  #pending: (Uint8Array | number)[] = [];
  constructor(...answers: ((seq: number) => (Uint8Array | number)[])[]) {
    this.#answers = answers;
  }
  send(bytes: Uint8Array): number {
    const seq = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
    const answer = this.#answers[Math.min(this.requests++, this.#answers.length - 1)]!;
    this.#pending.push(...answer(seq));
    return bytes.length;
  }
  recv(bytes: Uint8Array): number {
    const next = this.#pending.shift() ?? -c.EAGAIN;
    if (typeof next === 'number') return next;
    bytes.set(next);
    return next.length;
  }
  pollIn(): number {
    return this.#pending.length > 0 ? 1 : -9;
  }
  close(): void {}
}

const link = (seq: number, name: string, flags = 0): Uint8Array =>
  new MessageBuilder(c.RTM_NEWLINK, flags).ifinfo(2).string(c.IFLA_IFNAME, name).finish(seq).slice();
const done = (seq: number, errno = 0): Uint8Array =>
  new MessageBuilder(c.NLMSG_DONE, 0)
    .raw(new Uint8Array(new Int32Array([-errno]).buffer))
    .finish(seq)
    .slice();

describe('dumps that go wrong', () => {
  const good = (seq: number): Uint8Array[] => [link(seq, 'right'), done(seq)];
  const names = (script: Script): string[] => new Rtnl({ transport: script }).links().map((d) => d.name);

  it('interrupted, overrun or busy: asked for again', () => {
    for (const bad of [
      (seq: number) => [link(seq, 'wrong', c.NLM_F_DUMP_INTR), done(seq)],
      (seq: number) => [link(seq, 'wrong'), -c.ENOBUFS, done(seq)],
      (seq: number) => [done(seq, c.EBUSY)],
      (seq: number) => [-c.EINTR, done(seq, c.EINTR)],
    ]) {
      const script = new Script(bad, bad, bad, bad, good);
      expect(names(script)).toEqual(['right']);
      expect(script.requests).toBe(5);
      const never = new Script(bad);
      expect(failure(() => names(never))).toMatchObject({ code: 'NETLINK', value: 'EINTR' });
      expect(never.requests).toBe(5);
    }
  });

  it('late answers to earlier requests are not mistaken for ours', () => {
    expect(names(new Script((seq) => [link(seq - 1, 'old'), done(seq - 1), ...good(seq)]))).toEqual([
      'right',
    ]);
  });

  it('an error in the dump, a malformed answer, a broken socket', () => {
    expect(failure(() => names(new Script((seq) => [done(seq, c.EPERM)]))).code).toBe('CAPABILITY_MISSING');
    expect(failure(() => names(new Script((seq) => [link(seq, 'x').subarray(0, 30)]))).message).toMatch(
      /malformed/,
    );
    expect(failure(() => names(new Script(() => []))).value).toBe('EBADF');
    expect(failure(() => names(new Script(() => [-c.EMSGSIZE]))).value).toBe('EMSGSIZE');
  });
});
