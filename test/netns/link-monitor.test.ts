import { isDeepStrictEqual } from 'node:util';
import { closeFd, netnsCreate, Tap } from 'bpf-loader-ts/sys';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { kernelAtLeast } from '../../packages/bpf-loader-ts/test/kernel.js';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import type { Device } from '../../src/device.js';
import * as c from '../../src/netlink/constants.js';
import {
  LinkMonitor,
  type LinkMonitorOptions,
  type NetlinkTransport,
  Rtnl,
} from '../../src/netlink/index.js';
import { MessageBuilder } from '../../src/netlink/message.js';
import { elapse, until } from '../helpers/wait.js';

let ns: number;
let rtnl: Rtnl;
let open: Disposable[];
beforeEach(() => {
  ns = netnsCreate();
  rtnl = new Rtnl({ netns: ns });
  open = [];
});
afterEach(() => {
  for (const resource of open.reverse()) resource[Symbol.dispose]();
  rtnl.close();
  closeFd(ns);
});

/** Writes down events as `kind name[:detail]`. */
function record(monitor: LinkMonitor): string[] {
  const log: string[] = [];
  const diff = (a: Device, b: Device): string =>
    Object.keys({ ...a, ...b })
      .filter((k) => k !== 'name' && String(a[k as keyof Device]) !== String(b[k as keyof Device]))
      .map((k) => `${k}=${a[k as keyof Device]}`)
      .join(',');
  monitor.on('added', (d) => log.push(`added ${d.name}`));
  monitor.on('removed', (d) => log.push(`removed ${d.name}`));
  monitor.on('renamed', (d, old) => log.push(`renamed ${d.name} from ${old}`));
  monitor.on('changed', (d, previous) => log.push(`changed ${d.name} ${diff(d, previous)}`));
  monitor.on('resync', ({ reason }) => log.push(`resync ${reason}`));
  return log;
}

function watch(options: LinkMonitorOptions = {}, loop = false): { monitor: LinkMonitor; log: string[] } {
  const monitor = new LinkMonitor({ netns: ns, ...options });
  open.push(monitor);
  const log = record(monitor);
  monitor.start({ loop });
  return { monitor, log };
}

/** Polls until the log has something that matches: the kernel may hold a carrier event back for a second. */
const untilLogged = (monitor: LinkMonitor, log: string[], pattern: RegExp): Promise<unknown> =>
  until(
    () => {
      monitor.poll();
      return log;
    },
    (lines) => lines.some((line) => pattern.test(line)),
    3000,
  );

/** Polls until the monitor shows what the kernel shows. */
const untilTrue = (monitor: LinkMonitor): Promise<unknown> =>
  until(
    () => [view(monitor), truth()],
    ([seen, is]) => isDeepStrictEqual(seen, is),
  );

const view = (monitor: LinkMonitor): Device[] =>
  [...monitor.links.values()].sort((a, b) => a.ifindex - b.ifindex);
const truth = (): Device[] => rtnl.links().sort((a, b) => a.ifindex - b.ifindex);

/** Renames a device that may be up, which kernels before 6.2 refuse but for failover slaves. */
function rename(ifindex: number, name: string): void {
  if (!kernelAtLeast('6.2')) rtnl.setLink(ifindex, { up: false });
  rtnl.setLink(ifindex, { name });
}

describe('LinkMonitor', () => {
  it('tells what is there, what comes, changes its name, and goes', () => {
    const { monitor, log } = watch();
    expect(log).toEqual(['added lo']);
    log.length = 0;
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    monitor.poll();
    expect(log.filter((l) => l.startsWith('added')).sort()).toEqual(['added a', 'added b']);
    expect(view(monitor)).toEqual(truth());

    rtnl.setLink(ifindex, { up: true });
    monitor.poll();
    expect(monitor.links.get(ifindex)!.up).toBe(true);
    log.length = 0;
    rename(ifindex, 'c');
    monitor.poll();
    expect(log.filter((l) => l.startsWith('renamed'))).toEqual(['renamed c from a']);

    log.length = 0;
    rtnl.setLink(ifindex, { mtu: 1400 });
    monitor.poll();
    expect(log).toContain('changed c mtu=1400');
    log.length = 0;
    rtnl.deleteLink(ifindex);
    monitor.poll();
    expect(log.filter((l) => l.startsWith('removed')).sort()).toEqual(['removed b', 'removed c']);
    expect([...monitor.links.keys()]).toEqual([1]);
    expect(monitor.counters).toMatchObject({ overruns: 0, resyncs: 0, malformed: 0 });
  });

  it('carrier of a tap and of a veth', async () => {
    const tap = new Tap({ netns: ns, name: 't0' });
    open.push(tap);
    const { ifindex, peerIfindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    for (const i of [tap.ifindex, ifindex, peerIfindex]) rtnl.setLink(i, { up: true });
    const { monitor, log } = watch();
    tap.carrier(false);
    rtnl.setLink(peerIfindex, { up: false });
    await untilLogged(monitor, log, /^changed t0 .*carrier=false/);
    await untilLogged(monitor, log, /^changed a .*carrier=false/);
    tap.carrier(true);
    await untilLogged(monitor, log, /^changed t0 .*carrier=true/);
    tap.close();
    monitor.poll();
    expect(log.at(-1)).toBe('removed t0');
  });

  it('previous is what was known before, and never changes afterwards', () => {
    const { monitor } = watch();
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    monitor.poll();
    const seen: [number, number][] = [];
    monitor.on('changed', (device, previous) => seen.push([previous.mtu, device.mtu]));
    rtnl.setLink(ifindex, { mtu: 1400 });
    rtnl.setLink(ifindex, { mtu: 1300 });
    monitor.poll();
    expect(seen.filter(([a, b]) => a !== b)).toEqual([
      [1500, 1400],
      [1400, 1300],
    ]);
  });

  it('a port that leaves a bridge is no device removed', () => {
    const bridge = rtnl.createBridge({ name: 'br0' });
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    const { monitor, log } = watch();
    rtnl.setLink(ifindex, { master: bridge, up: true });
    monitor.poll();
    expect(monitor.links.get(ifindex)!.master).toBe(bridge);
    log.length = 0;
    rtnl.setLink(ifindex, { master: 0 });
    monitor.poll();
    expect(monitor.links.get(ifindex)!.master).toBeUndefined();
    expect(log.filter((l) => /^(added|removed)/.test(l))).toEqual([]);
    expect(view(monitor)).toEqual(truth());
  });

  it('a device that moves to another namespace is removed here and added there', () => {
    const other = netnsCreate();
    const there = new LinkMonitor({ netns: other });
    try {
      const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
      const { monitor, log } = watch();
      const log2 = record(there);
      there.start({ loop: false });
      rtnl.setLink(ifindex, { netnsFd: other });
      monitor.poll();
      there.poll();
      expect(log).toContain('removed a');
      expect(log2).toContain('added a');
      expect([...monitor.links.values()].map((d) => d.name).sort()).toEqual(['b', 'lo']);
    } finally {
      there.close();
      closeFd(other);
    }
  });

  it('after a receive overrun: counted, read afresh, the difference told, on the event loop', async () => {
    const before = rtnl.createVeth({ name: 'goes', peer: { name: 'goes2' } });
    const stays = rtnl.createVeth({ name: 'stays', peer: { name: 'stays2' } });
    const { monitor, log } = watch({ rcvbuf: 1 }, true);
    log.length = 0;
    rtnl.deleteLink(before.ifindex);
    rtnl.setLink(stays.ifindex, { name: 'other' });
    rtnl.setLink(stays.ifindex, { mtu: 1234 });
    for (let i = 0; i < 50; i++) rtnl.createVeth({ name: `a${i}`, peer: { name: `b${i}` } });
    for (let i = 0; i < 50; i += 2) rtnl.deleteLink(rtnl.link(`a${i}`)!.ifindex);
    await until(() => monitor.counters.resyncs);
    await untilTrue(monitor);
    expect(monitor.counters.overruns).toBeGreaterThanOrEqual(1);
    expect(monitor.counters.resyncs).toBeGreaterThanOrEqual(1);
    expect(log).toContain('resync overrun');
    for (const line of [
      'removed goes',
      'removed goes2',
      'renamed other from stays',
      'added a1',
      'added b49',
    ]) {
      expect(log).toContain(line);
    }
    expect(view(monitor)).toEqual(truth());
    expect(monitor.links.size).toBe(1 + 2 + 50);
    // and it goes on
    log.length = 0;
    rtnl.setLink(stays.ifindex, { mtu: 1300 });
    await until(
      () => log,
      (lines) => lines.some((l) => l.startsWith('changed other') && l.includes('mtu=1300')),
    );
  });

  it('hundreds of changes in one turn of the event loop', async () => {
    const { monitor } = watch({ rcvbuf: 64 << 20 }, true);
    for (let i = 0; i < 200; i++) rtnl.createVeth({ name: `a${i}`, peer: { name: `b${i}` } });
    await untilTrue(monitor);
    expect(monitor.counters).toMatchObject({ overruns: 0, resyncs: 0, malformed: 0 });
    expect(monitor.counters.messages).toBeGreaterThan(256);
  });

  it('overruns again and again while it reads', async () => {
    const { monitor } = watch({ rcvbuf: 1 }, true);
    const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 40; i++) rtnl.setLink(ifindex, { mtu: 1000 + i, up: i % 2 === 0 });
      await elapse(1);
    }
    await untilTrue(monitor);
    expect(monitor.counters.overruns).toBeGreaterThan(3);
  });

  it('random changes end in the same view, with and without overruns', async () => {
    const monitors = [watch({}, true), watch({ rcvbuf: 4096 }, true)].map((w) => w.monitor);
    const change = fc.record({
      which: fc.nat(),
      what: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom('add' as const, 'delete' as const) },
        { weight: 2, arbitrary: fc.constant('rename' as const) },
        { weight: 6, arbitrary: fc.record({ mtu: fc.integer({ min: 1000, max: 1499 }), up: fc.boolean() }) },
      ),
      /** The event loop gets a turn after it. */
      turn: fc.oneof({ weight: 19, arbitrary: fc.constant(false) }, fc.constant(true)),
    });
    let n = 0;
    const property = fc.asyncProperty(fc.array(change, { maxLength: 400, size: 'max' }), async (changes) => {
      for (const { which, what, turn } of changes) {
        const veths = rtnl.links().filter((d) => d.kind === 'veth');
        const pick = veths[which % Math.max(1, veths.length)];
        n++;
        if (pick === undefined || veths.length < 10 || what === 'add')
          rtnl.createVeth({ name: `v${n}`, peer: { name: `w${n}` } });
        else if (what === 'delete') rtnl.deleteLink(pick.ifindex);
        else if (what === 'rename') rename(pick.ifindex, `r${n}`);
        else rtnl.setLink(pick.ifindex, what);
        if (turn) await elapse(1);
      }
      // The kernel may hold carrier and operstate back for a second.
      for (const monitor of monitors) await untilTrue(monitor);
    });
    await fc.assert(property, walks(5));
  });

  it('a listener that throws, polls or closes costs no event', async () => {
    const { monitor, log } = watch();
    log.length = 0;
    monitor.prependOnceListener('added', () => {
      throw new Error('listener');
    });
    rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
    expect(() => monitor.poll()).toThrow('listener');
    // The one on which it threw never reaches the log.
    await until(
      () => log.filter((l) => l.startsWith('added')),
      (added) => added.length === 1,
    );
    expect(view(monitor)).toEqual(truth());

    monitor.prependListener('added', () => monitor.poll());
    rtnl.createVeth({ name: 'c', peer: { name: 'd' } });
    monitor.poll();
    expect(log).toEqual(expect.arrayContaining(['added c', 'added d']));

    const closing = vi.fn(() => monitor.close());
    monitor.on('removed', closing);
    rtnl.deleteLink(rtnl.link('a')!.ifindex);
    monitor.poll();
    expect(closing).toHaveBeenCalledTimes(1);
    monitor.poll();
    monitor.close();
    expect(() => monitor.start()).toThrow(/closed/);
  });
});

/** Datagrams and errnos to receive; the requests side lists `devices`, or fails when there are none. */
function fed(events: (Uint8Array | number)[], devices: () => Uint8Array[] | undefined): LinkMonitorOptions {
  const transport = (queue: (Uint8Array | number)[], onSend: (seq: number) => void): NetlinkTransport => ({
    send(bytes) {
      onSend(new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true));
      return bytes.length;
    },
    recv(bytes) {
      const next = queue.shift() ?? -c.EAGAIN;
      if (typeof next === 'number') return next;
      bytes.set(next);
      return next.length;
    },
    pollIn: () => (queue.length > 0 ? 1 : -9),
    close() {},
  });
  const answers: (Uint8Array | number)[] = [];
  const answer = (seq: number): void => {
    for (const message of [
      ...(devices() ?? [new Uint8Array(3)]),
      new MessageBuilder(c.NLMSG_DONE, 0).finish(1),
    ]) {
      if (message.length >= 16) new DataView(message.buffer, message.byteOffset).setUint32(8, seq, true);
      answers.push(message.slice());
    }
  };
  return { transport: { events: transport(events, () => {}), requests: transport(answers, answer) } };
}

const link = (ifindex: number, name: string, more: (m: MessageBuilder) => unknown = () => {}): Uint8Array => {
  const m = new MessageBuilder(c.RTM_NEWLINK, 0).ifinfo(ifindex).string(c.IFLA_IFNAME, name);
  more(m);
  return m.finish(0).slice();
};
const gone = (ifindex: number, family = 0): Uint8Array => {
  const bytes = new MessageBuilder(c.RTM_DELLINK, 0)
    .ifinfo(ifindex)
    .string(c.IFLA_IFNAME, 'x')
    .finish(0)
    .slice();
  bytes[16] = family;
  return bytes;
};

describe('LinkMonitor fed with bytes', () => {
  it('skips bridge and wireless messages, foreign types, and removals of the unknown', () => {
    const events: Uint8Array[] = [];
    const { monitor, log } = watch(fed(events, () => [link(2, 'a')]));
    events.push(gone(2, c.AF_BRIDGE), gone(99), new MessageBuilder(c.RTM_NEWADDR, 0).finish(0).slice());
    events.push(new MessageBuilder(c.RTM_NEWLINK, 0).ifinfo(2).attr(11, new Uint8Array(8)).finish(0).slice());
    events.push(link(2, 'a'));
    monitor.poll();
    expect(log).toEqual(['added a']);
    expect(monitor.counters).toEqual({ messages: 4, overruns: 0, resyncs: 0, malformed: 0 });
  });

  it('a malformed datagram is counted and answered by a fresh reading', () => {
    const events: Uint8Array[] = [];
    let devices = [link(2, 'a')];
    const { monitor, log } = watch(fed(events, () => devices));
    devices = [link(2, 'b'), link(3, 'c')];
    events.push(link(2, 'b').subarray(0, 21));
    monitor.poll();
    expect(log).toEqual(['added a', 'resync malformed', 'renamed b from a', 'added c']);
    expect(monitor.counters).toMatchObject({ malformed: 1, resyncs: 1 });
  });

  it('when the list cannot be read, what is known stays and the reading is repeated', () => {
    const events: (Uint8Array | number)[] = [];
    let devices: Uint8Array[] | undefined = [link(2, 'a')];
    const { monitor, log } = watch(fed(events, () => devices));
    devices = undefined;
    events.push(-c.ENOBUFS, gone(2));
    monitor.poll();
    expect(log).toEqual(['added a']);
    expect(monitor.links.size).toBe(1);
    devices = [];
    monitor.poll();
    expect(log).toEqual(['added a', 'resync retry', 'removed a']);
    expect(monitor.counters).toMatchObject({ overruns: 1, resyncs: 1 });
  });

  it('an ifindex that means another device after lost messages is removed and added', () => {
    const events: number[] = [];
    const mac = (last: number) => (m: MessageBuilder) =>
      m.attr(c.IFLA_PERM_ADDRESS, Uint8Array.of(2, 0, 0, 0, 0, last));
    let devices = [link(2, 'a', mac(1))];
    const { monitor, log } = watch(fed(events, () => devices));
    devices = [link(2, 'a', mac(2))];
    events.push(-c.ENOBUFS);
    monitor.poll();
    expect(log).toEqual(['added a', 'resync overrun', 'removed a', 'added a']);
  });
});
