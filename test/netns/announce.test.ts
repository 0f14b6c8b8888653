import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { closeFd, netnsCreate, netnsCurrent, PacketSocket, withNetns } from 'bpf-loader-ts/sys';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { AddressReader } from '../../src/announce/address-reader.js';
import { Announcer, type AnnouncerOptions } from '../../src/announce/announcer.js';
import { parseIp } from '../../src/frames/address.js';
import { gratuitousArp, rarpAnnouncement } from '../../src/frames/arp.js';
import { parseMac } from '../../src/frames/mac.js';
import { unsolicitedNeighbourAdvert } from '../../src/frames/nd.js';
import { Rtnl } from '../../src/netlink/index.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const OLD = '02:00:00:00:00:01';
const NEW = '02:00:00:00:00:02';

/** A veth pair: `near` is the master, `far` a neighbour. */
let near: number;
let far: number;
let rtnl: Rtnl;
let farRtnl: Rtnl;
let ifindex: number;
let receiver: PacketSocket;
let announcer: Announcer | undefined;

beforeEach(async () => {
  near = netnsCreate();
  far = netnsCreate();
  rtnl = new Rtnl({ netns: near });
  farRtnl = new Rtnl({ netns: far });
  const made = rtnl.createVeth({ name: 'm0', mac: NEW, peer: { name: 'n0', netnsFd: far } });
  ifindex = made.ifindex;
  // a veth sends router solicitations and multicast reports of its own: only what the test adds is wanted
  rtnl.setLink(ifindex, { addrGenMode: 1, up: true });
  farRtnl.setLink(made.peerIfindex, { addrGenMode: 1, up: true });
  receiver = new PacketSocket({ netns: far, ifindex: made.peerIfindex });
  await ready();
});
afterEach(() => {
  announcer?.close();
  announcer = undefined;
  receiver.close();
  rtnl.close();
  farRtnl.close();
  closeFd(near);
  closeFd(far);
});

/** Until the kernel has noticed the carrier, a device's qdisc is noop: it drops everything and says that it took it. */
const ready = (): Promise<unknown> =>
  until(
    () => rtnl.link(ifindex),
    (link) => link?.operstate === 'up',
  );

function make(more: Partial<AnnouncerOptions> = {}): Announcer {
  announcer = new Announcer({
    netns: near,
    masterIfindex: ifindex,
    count: 1,
    delayMs: 10,
    ...more,
  });
  return announcer;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const isMove = (frame: Uint8Array): boolean => hex(frame.subarray(0, 3)) === '067666';
/** IPv4's IGMP and IPv6's MLD, ND probes of the kernel itself are not ours; what moves a MAC has tests of its own. */
const isOurs = (frame: Uint8Array): boolean => {
  if (isMove(frame)) return false;
  const type = (frame[12]! << 8) | frame[13]!;
  return type === 0x0806 || type === 0x8035 || (type === 0x86dd && frame[54] === 136);
};

const buffer = new Uint8Array(2048);
/** Throws away what has arrived so far. */
const forget = (): void => void receiver.drain();

/** The next `count` frames of ours, and any that follow them within 10 ms: a softirq may be late. */
async function received(count: number): Promise<string[]> {
  const frames: string[] = [];
  let end = performance.now() + (count === 0 ? 20 : 2000) * SLOWDOWN;
  while (performance.now() < end) {
    const n = receiver.recv(buffer);
    if (n <= 0) {
      await elapse(1);
      continue;
    }
    if (isOurs(buffer)) frames.push(hex(buffer.subarray(0, n)));
    if (frames.length === count) end = performance.now() + 10 * SLOWDOWN;
  }
  return frames;
}

const mac = parseMac(NEW);
const garp = (ip: string): string => hex(gratuitousArp({ mac, ip: parseIp(ip).bytes }));
const na = (ip: string, router = false): string =>
  hex(unsolicitedNeighbourAdvert({ mac, ip: parseIp(ip).bytes, router }));

/** What a command prints in the far namespace. */
const inFar = (...command: string[]): string =>
  execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${far}`, ...command], { encoding: 'utf8' });

describe('what is sent', () => {
  it('masters that share a reader have the kernel asked once a turn of the event loop, and hear of what came since', async () => {
    using reader = new AddressReader(near);
    const asked = vi.spyOn(Rtnl.prototype, 'addresses');
    try {
      rtnl.addAddress(ifindex, '10.0.0.1/24');
      forget();
      const a = make({ reader });
      using b = new Announcer({
        netns: near,
        masterIfindex: ifindex,
        count: 1,
        delayMs: 10,
        reader,
      });
      a.announce();
      b.announce();
      expect(asked).toHaveBeenCalledTimes(1);
      expect(await received(2)).toEqual([garp('10.0.0.1'), garp('10.0.0.1')]);
      rtnl.addAddress(ifindex, '10.0.0.2/24');
      a.announce();
      expect(asked).toHaveBeenCalledTimes(2);
      expect((await received(2)).sort()).toEqual([garp('10.0.0.1'), garp('10.0.0.2')].sort());
    } finally {
      asked.mockRestore();
    }
  });

  it('every address, secondary ones too, in the first round and at once', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    rtnl.addAddress(ifindex, '10.0.0.2/24');
    rtnl.addAddress(ifindex, 'fd00::1/64', true);
    forget();
    const a = make();
    a.announce();
    expect((await received(3)).sort()).toEqual([garp('10.0.0.1'), garp('10.0.0.2'), na('fd00::1')].sort());
    expect(a.stats).toEqual({
      announcements: 1,
      rounds: 1,
      rejoins: 0,
      frames: 3,
      moves: 1,
      left: 0,
      errors: {},
    });
  });

  it('no tentative address; RARP when nothing else is left', async () => {
    make().announce();
    expect(await received(1)).toEqual([hex(rarpAnnouncement({ mac }))]);
    rtnl.addAddress(ifindex, 'fd00::1/64'); // is checked for duplicates for a second
    announcer?.announce();
    expect(await received(1)).toEqual([hex(rarpAnnouncement({ mac }))]);
  });

  it('the router flag as the device has it, or as told', async () => {
    rtnl.addAddress(ifindex, 'fd00::1/64', true);
    withNetns(near, () => writeFileSync('/proc/sys/net/ipv6/conf/m0/forwarding', '1'));
    forget();
    make().announce();
    expect(await received(1)).toEqual([na('fd00::1', true)]);
    announcer?.close();
    make({ router: false }).announce();
    expect(await received(1)).toEqual([na('fd00::1', false)]);
  });

  it('from devices that somebody else watches', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    const devices = vi.fn(() => rtnl.links());
    make({ devices }).announce();
    expect(devices).toHaveBeenCalledOnce();
    expect(await received(1)).toEqual([garp('10.0.0.1')]);
  });

  it('when the namespace is the own one', async () => {
    withNetns(near, () => {
      const here = netnsCurrent();
      make({ netns: here }).announce();
      closeFd(here);
    });
    expect(await received(1)).toEqual([hex(rarpAnnouncement({ mac }))]);
  });
});

describe('rounds', () => {
  it('come `count` times, `delayMs` apart', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    const a = make({ count: 3, delayMs: 40 });
    const start = performance.now();
    a.announce();
    expect(a.stats.rounds).toBe(1);
    await until(
      () => a.stats.rounds,
      (n) => n === 3,
    );
    expect(performance.now() - start).toBeGreaterThan(75);
    await quietFor(100);
    expect(await received(3)).toEqual(Array(3).fill(garp('10.0.0.1')));
  });

  it('start anew with a new announce(), with the addresses of then', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    const a = make({ count: 2, delayMs: 50 });
    a.announce();
    rtnl.addAddress(ifindex, '10.0.1.1/24');
    a.announce();
    await until(
      () => a.stats.rounds,
      (n) => n === 3,
    );
    await quietFor(100);
    const both = [garp('10.0.0.1'), garp('10.0.1.1')];
    expect(await received(5)).toEqual([garp('10.0.0.1'), ...both, ...both]);
    expect(a.stats).toMatchObject({ announcements: 2, rounds: 3, frames: 5 });
  });

  it('end with close(), after which nothing is sent', async () => {
    const a = make({ count: 5, delayMs: 5 });
    a.announce();
    a.close();
    a.close();
    a.announce();
    await quietFor(40);
    expect(a.stats.rounds).toBe(1);
  });

  it('count 0 sends nothing', async () => {
    const a = make({ count: 0 });
    a.announce();
    expect(await received(0)).toEqual([]);
    expect(a.stats.announcements).toBe(0);
  });
});

describe('reports of groups', () => {
  /** An IGMPv3 report of ours: what the group's state is, where the kernel's say how it has changed (RFC 3376 4.2.12). */
  const isReport = (f: Uint8Array): boolean =>
    f[12] === 8 && f[13] === 0 && f[23] === 2 && f[38] === 0x22 && f[46] === 2;
  const isArp = (f: Uint8Array): boolean => f[12] === 8 && f[13] === 6;

  /** What comes in `ms`: 'a' for ARP, 'r' for a report, in order. */
  async function order(ms: number): Promise<string> {
    let seen = '';
    for (const end = performance.now() + ms * SLOWDOWN; performance.now() < end; await elapse(1))
      for (let n = receiver.recv(buffer); n > 0; n = receiver.recv(buffer))
        seen += isReport(buffer) ? 'r' : isArp(buffer) ? 'a' : '';
    return seen;
  }

  beforeEach(() => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    const join = 'ip address add 239.1.2.3/32 dev m0 autojoin'.split(' ');
    execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${near}`, ...join]);
    forget();
  });

  it.each([
    ['as often as they are to, and addresses as often as those', 1, 3, 'arrr'],
    ['once where addresses come thrice', 3, 1, 'araa'],
    ['without addresses', 0, 2, 'rr'],
    ['or not at all', 2, 0, 'aa'],
  ])('come %s', async (_what, count, rejoin, what) => {
    const a = make({ count, delayMs: 20, rejoin: { count: rejoin, delayMs: 30 } });
    a.announce();
    expect(await order(200)).toBe(what);
    expect(a.stats).toMatchObject({ rounds: count, rejoins: rejoin, frames: count + rejoin, errors: {} });
  });

  it('go on after a first round that somebody else has sent', async () => {
    const a = make({ count: 2, delayMs: 20, rejoin: { count: 3, delayMs: 30 } });
    expect(a.prepare()).toHaveLength(3);
    a.announce(true);
    expect(await order(200)).toBe('arr');
    expect(a.stats).toMatchObject({ rounds: 1, rejoins: 2 });
  });

  it('end with close()', async () => {
    const a = make({ rejoin: { count: 5, delayMs: 10 } });
    a.announce();
    a.close();
    expect(await order(60)).toBe('ar');
  });
});

describe('what goes wrong is counted', () => {
  it('a device that is down, and sends again once it is up', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    const a = make();
    a.announce();
    rtnl.setLink(ifindex, { up: false });
    a.announce();
    expect(a.stats).toMatchObject({ frames: 1, moves: 1, errors: { ENETDOWN: 2 } });
    rtnl.setLink(ifindex, { up: true });
    await ready();
    forget();
    a.announce();
    expect(await received(1)).toEqual([garp('10.0.0.1')]);
    expect(a.stats.errors).toEqual({ ENETDOWN: 2 });
  });

  it('a device that is gone, before and between rounds', async () => {
    const a = make({ count: 3, delayMs: 5 });
    a.announce();
    rtnl.deleteLink(ifindex);
    await until(
      () => a.stats.rounds,
      (n) => n === 3,
    );
    expect(a.stats.frames).toBe(1);
    const failed = Object.values(a.stats.errors).reduce((x, y) => x + y);
    expect(failed).toBe(4); // two frames in each of two rounds
    a.announce();
    expect(a.stats.errors.ENODEV).toBeGreaterThan(0);
    expect(a.stats.rounds).toBe(3);
  });

  it('a namespace that is closed', () => {
    const gone = netnsCreate();
    const a = make({ netns: gone });
    closeFd(gone);
    a.announce();
    expect(Object.values(a.stats.errors)).toEqual([1]);
  });
});

describe('the far kernel', () => {
  it('takes a changed MAC from both announcements when it has an entry', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    rtnl.addAddress(ifindex, 'fd00::1/64', true);
    // without any address the kernel takes none for a unicast one, and so no ARP for gratuitous
    inFar('ip', 'addr', 'add', '10.0.0.9/24', 'dev', 'n0');
    inFar('ip', 'neigh', 'replace', '10.0.0.1', 'lladdr', OLD, 'nud', 'reachable', 'dev', 'n0');
    inFar('ip', 'neigh', 'replace', 'fd00::1', 'lladdr', OLD, 'nud', 'reachable', 'dev', 'n0');
    expect(inFar('ip', 'neigh')).toContain(`10.0.0.1 dev n0 lladdr ${OLD}`);
    make().announce();
    await until(
      () => inFar('ip', 'neigh'),
      (table) =>
        ['10.0.0.1', 'fd00::1'].every((address) => table.includes(`${address} dev n0 lladdr ${NEW}`)),
    );
  });

  it('makes no entry for an address it never asked for', async () => {
    rtnl.addAddress(ifindex, '10.0.0.1/24');
    inFar('ip', 'addr', 'add', '10.0.0.9/24', 'dev', 'n0');
    make().announce();
    await quietFor(20);
    expect(inFar('ip', 'neigh')).not.toContain('10.0.0.1');
  });
});
