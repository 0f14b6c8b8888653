import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  affinity,
  ChangeSender,
  ControlSocket,
  clockMonotonic,
  closeFd,
  dupFd,
  Epoll,
  EventFd,
  errnoName,
  eventfdSignal,
  type FdWatch,
  gettid,
  LINK_CARRIER,
  LINK_UP,
  linkStates,
  memlockLimit,
  monotonicNs,
  NetlinkSocket,
  netnsCookie,
  netnsCreate,
  netnsCurrent,
  netnsEnter,
  netnsInode,
  netnsOpen,
  PacketSocket,
  pollIn,
  raiseMemlock,
  readFd,
  setAffinity,
  Tap,
  tapDiscard,
  tapForward,
  threadCpuNs,
  UdpSocket,
  watchFd,
  withNetns,
  writeFd,
} from 'bpf-loader-ts/sys';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SLOWDOWN } from './kernel.js';
import { elapse, quietFor, until } from './wait.js';

const EAGAIN = -11;
const ENODEV = -19;
const EINVAL = -22;
const SYS_URL = new URL('../dist/sys/index.js', import.meta.url).href;

let cleanup: (() => void)[];
beforeEach(() => {
  cleanup = [];
});
afterEach(() => {
  for (const undo of cleanup.reverse()) undo();
});

function own<T extends Disposable>(resource: T): T {
  cleanup.push(() => resource[Symbol.dispose]());
  return resource;
}

function makeNetns(): number {
  const fd = netnsCreate();
  cleanup.push(() => closeFd(fd));
  return fd;
}

/** RTM_NEWLINK that sets or clears IFF_UP, by hand: the loader knows no rtnetlink. Returns the ACK's error. */
function setUp(netns: number, ifindex: number, up: boolean): number {
  using socket = new NetlinkSocket({ netns });
  const message = new DataView(new ArrayBuffer(32));
  message.setUint32(0, 32, true);
  message.setUint16(4, 16, true); // RTM_NEWLINK
  message.setUint16(6, 5, true); // REQUEST | ACK
  message.setUint32(8, 1, true);
  message.setInt32(20, ifindex, true);
  message.setUint32(24, up ? 1 : 0, true);
  message.setUint32(28, 1, true);
  expect(socket.send(message)).toBe(32);
  expect(socket.pollIn(1000)).toBe(1);
  const answer = new DataView(new ArrayBuffer(4096));
  expect(socket.recv(answer)).toBeGreaterThanOrEqual(20);
  return answer.getInt32(16, true);
}

function makeTap(netns: number, name: string, up = true): Tap {
  const tap = own(new Tap({ netns, name }));
  if (up) expect(setUp(netns, tap.ifindex, true)).toBe(0);
  return tap;
}

/** Carrier that comes (back) counts when the kernel has taken notice of it: within a second or so. */
const untilCarrier = (control: ControlSocket, ifindex: number): Promise<number> =>
  until(
    () => control.linkState(ifindex),
    (state) => state === (LINK_UP | LINK_CARRIER),
  );

/** A frame of an experimental EtherType, so that nothing else on a device is mistaken for it. */
function frame(text: string): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.fill(0xff, 0, 6);
  bytes.set([2, 0, 0, 0, 0, 9], 6);
  bytes.set([0x88, 0xb5], 12);
  bytes.set(Buffer.from(text), 14);
  return bytes;
}

/** Reads frames until one is of ours; kernels send MLD and the like whenever they please. */
async function readOurs(read: (bytes: Uint8Array) => number): Promise<string> {
  const bytes = new Uint8Array(2048);
  const n = await until(
    () => read(bytes),
    (length) => length >= 14 && bytes[12] === 0x88 && bytes[13] === 0xb5,
  );
  return Buffer.from(bytes.subarray(14, n)).toString().replace(/\0+$/, '');
}

describe('descriptors', () => {
  it('an eventfd counts signals and is closed once', () => {
    const event = new EventFd();
    expect(event.clear()).toBe(0);
    event.signal();
    expect(eventfdSignal(event.fd)).toBe(0);
    expect(event.clear()).toBe(2);
    event.close();
    event.close();
    expect(event.closed).toBe(true);
    expect(() => event.signal()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  });

  it('reads, writes and duplicates', () => {
    const event = own(new EventFd());
    const copy = dupFd(event.fd);
    const word = new BigUint64Array([7n]);
    expect(writeFd(copy, word)).toBe(8);
    closeFd(copy);
    word[0] = 0n;
    expect(readFd(event.fd, word)).toBe(8);
    expect(word[0]).toBe(7n);
    expect(readFd(event.fd, word)).toBe(EAGAIN);
    expect(writeFd(event.fd, word, 9)).toBe(EINVAL);
    expect(readFd(-1, word)).toBe(-9);
    expect(() => closeFd(-1)).toThrow(expect.objectContaining({ code: 'EBADF', errno: 9 }));
    expect(errnoName(EAGAIN)).toBe('EAGAIN');
    expect(errnoName(116)).toBe('ESTALE');
    expect(errnoName(-99999)).toBe('E99999');
  });

  it('refuses wrong types by name', () => {
    expect(() => closeFd('1' as unknown as number)).toThrow(/fd must be a number/);
    expect(() => closeFd(1.5)).toThrow(/whole number/);
    expect(() => readFd(0, [] as unknown as Uint8Array)).toThrow(/bytes must be/);
  });
});

describe('clocks and threads', () => {
  it('both clock calls tell the same monotonic time', () => {
    const out = new Float64Array(2);
    const before = monotonicNs();
    expect(clockMonotonic(out, 1)).toBe(0);
    expect(out[0]).toBe(0);
    expect(out[1]).toBeGreaterThanOrEqual(before);
    expect(out[1]).toBeLessThanOrEqual(monotonicNs());
    expect(clockMonotonic(out, 2)).toBe(EINVAL);
    expect(threadCpuNs()).toBeGreaterThan(0);
    expect(Math.abs(monotonicNs() - Number(process.hrtime.bigint()))).toBeLessThan(1e8);
  });

  it('gettid, affinity and memlock', () => {
    expect(gettid()).toBe(process.pid);
    const allowed = readFileSync('/proc/thread-self/status', 'utf8').match(/Cpus_allowed_list:\s*(\d+)/)?.[1];
    const script = `const s = await import(${JSON.stringify(SYS_URL)});
      s.setAffinity(${allowed});
      const list = (await import('node:fs')).readFileSync('/proc/thread-self/status', 'utf8');
      console.log(list.match(/Cpus_allowed_list:\\s*(\\S+)/)[1]);`;
    expect(node(script).stdout.trim()).toBe(allowed);
    for (const none of [100_000, -1, []])
      expect(() => setAffinity(none)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    const unlimited = raiseMemlock(); // false without CAP_SYS_RESOURCE
    const { soft, hard } = memlockLimit();
    expect(soft).toBe(hard);
    expect(unlimited).toBe(soft === Number.POSITIVE_INFINITY);
  });
});

describe('the affinity of a thread', () => {
  const allowed = affinity();

  it('is what the kernel shows', () => {
    const shown = readFileSync('/proc/thread-self/status', 'utf8').match(/Cpus_allowed_list:\s*(\S+)/)![1]!;
    const cpus = shown.split(',').flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
    expect(allowed).toEqual(cpus);
  });

  it('of another one can be set and read', () => {
    const child = spawn('sleep', ['60']);
    onTestFinished(() => void child.kill());
    setAffinity(allowed.slice(-1), child.pid);
    expect(affinity(child.pid)).toEqual(allowed.slice(-1));
    setAffinity(allowed, child.pid);
    expect(affinity(child.pid)).toEqual(allowed);
    expect(affinity()).toEqual(allowed);
  });

  it('that is not there is ESRCH', () => {
    const gone = spawnSync('true').pid;
    for (const ask of [() => affinity(gone), () => setAffinity(allowed, gone)])
      expect(ask).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  });
});

describe('epoll', () => {
  it('reports the data of what is ready', () => {
    const [a, b] = [own(new EventFd()), own(new EventFd())];
    const epoll = own(new Epoll());
    const ready = new Int32Array(4);
    epoll.add(a.fd, -7);
    epoll.add(b.fd, 2_000_000_000);
    expect(() => epoll.add(a.fd, 1)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(epoll.wait(ready, 0)).toBe(0);
    a.signal();
    b.signal();
    expect(epoll.wait(ready, -1)).toBe(2);
    expect([...ready.subarray(0, 2)].sort()).toEqual([-7, 2_000_000_000]);
    expect(epoll.wait(ready.subarray(0, 1), -1)).toBe(1);
    epoll.delete(a.fd);
    expect(epoll.wait(ready, 0)).toBe(1);
    expect(epoll.wait(new Int32Array(0), 0)).toBe(EINVAL);
  });

  it('waits less than a millisecond when asked to', () => {
    const epoll = own(new Epoll());
    const ready = new Int32Array(1);
    const waits = Array.from({ length: 20 }, () => {
      const start = monotonicNs();
      expect(epoll.wait(ready, 200)).toBe(0);
      return monotonicNs() - start;
    }).sort((a, b) => a - b);
    // A signal, such as that of a child's end, may shorten one.
    expect(waits[1]).toBeGreaterThanOrEqual(200_000);
    expect(waits[1]).toBeLessThan(900_000 * SLOWDOWN);
  });

  it('is woken by another thread', async () => {
    const event = own(new EventFd());
    const epoll = own(new Epoll());
    epoll.add(event.fd, 1);
    const worker = new Worker(
      `import(${JSON.stringify(SYS_URL)}).then((s) => setTimeout(() => s.eventfdSignal(${event.fd}), 50))`,
      { eval: true },
    );
    await new Promise((resolve) => worker.once('online', resolve));
    expect(epoll.wait(new Int32Array(1), 5_000_000)).toBe(1);
    await worker.terminate();
  });
});

function node(script: string): { status: number | null; stdout: string; stderr: string } {
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 15_000 * SLOWDOWN,
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

describe('watchFd', () => {
  it('calls back while readable, and not after close', async () => {
    const event = own(new EventFd());
    let calls = 0;
    const watch = own(
      watchFd(event.fd, (status) => {
        expect(status).toBe(0);
        event.clear();
        calls++;
      }),
    );
    await quietFor(10);
    expect(calls).toBe(0);
    event.signal();
    await until(() => calls);
    expect(calls).toBe(1);
    watch.close();
    watch.close();
    watch.ref();
    event.signal();
    await quietFor(10);
    expect(calls).toBe(1);
  });

  it('may be closed inside its callback, and the fd watched anew', async () => {
    const event = own(new EventFd());
    let calls = 0;
    const watch: FdWatch = watchFd(event.fd, () => {
      calls++;
      watch.close();
    });
    event.signal();
    await until(() => calls);
    await quietFor(20);
    expect(calls).toBe(1);
    const again = own(watchFd(event.fd, () => calls++ && event.clear()));
    await until(
      () => calls,
      (n) => n === 2,
    );
    expect(() => watchFd(event.fd, () => {})).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    again.close();
  });

  it('refuses a regular file and an fd that is none', () => {
    const fd = openSync(fileURLToPath(import.meta.url), 'r');
    expect(() => watchFd(fd, () => {})).toThrow(expect.objectContaining({ code: 'EPERM' }));
    closeSync(fd);
    expect(() => watchFd(987_654, () => {})).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('turns what the callback throws into an uncaughtException', () => {
    const run = node(`const { EventFd, watchFd } = await import(${JSON.stringify(SYS_URL)});
      const e = new EventFd();
      const w = watchFd(e.fd, () => { e.clear(); throw new Error('from the callback'); });
      process.once('uncaughtException', (err) => { console.log('caught ' + err.message); w.close(); });
      e.signal();`);
    expect(run).toMatchObject({ status: 0, stdout: 'caught from the callback\n' });
    const fatal = node(`const { EventFd, watchFd } = await import(${JSON.stringify(SYS_URL)});
      const e = new EventFd(); watchFd(e.fd, () => { throw new Error('nobody catches'); }); e.signal();`);
    expect(fatal.status).toBe(1);
    expect(fatal.stderr).toContain('nobody catches');
  });

  it('runs promise jobs and nextTick after the callback', () => {
    const run = node(`const { EventFd, watchFd } = await import(${JSON.stringify(SYS_URL)});
      const e = new EventFd();
      const w = watchFd(e.fd, () => { e.clear(); w.close(); Promise.resolve().then(() => console.log('job'));
        process.nextTick(() => console.log('tick')); });
      e.signal();`);
    expect(run).toMatchObject({ status: 0, stdout: 'tick\njob\n' });
  });

  it('keeps the process alive only when asked to, and never crashes its end', () => {
    const script = (options: string, then: string): string =>
      `const { EventFd, watchFd } = await import(${JSON.stringify(SYS_URL)});
       const e = new EventFd(); const w = watchFd(e.fd, () => {}, ${options}); ${then}`;
    expect(node(script('{ ref: false }', '')).status).toBe(0);
    expect(node(script('{}', 'w.unref();')).status).toBe(0);
    expect(node(script('{}', 'setTimeout(() => process.exit(3), 50);')).status).toBe(3);
    const collected = `e.signal(); setTimeout(() => { gc(); gc(); process.exit(4); }, 20);`;
    expect(
      node(`import v8 from 'node:v8'; v8.setFlagsFromString('--expose-gc');
      import vm from 'node:vm'; globalThis.gc = vm.runInNewContext('gc'); ${script('{}', collected)}`).status,
    ).toBe(4);
  });

  it('survives the end of worker threads that watch', async () => {
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(
        `import(${JSON.stringify(SYS_URL)}).then((s) => {
           const e = new s.EventFd(); e.signal();
           s.watchFd(e.fd, () => {}); s.watchFd(new s.EventFd().fd, () => {});
           require('node:worker_threads').parentPort.postMessage(0);
         })`,
        { eval: true },
      );
      await new Promise((resolve) => worker.once('message', resolve));
      await elapse(5);
      expect(await worker.terminate()).toBe(1);
    }
  });
});

describe('network namespaces', () => {
  it('are created without moving the caller', () => {
    const here = netnsCurrent();
    cleanup.push(() => closeFd(here));
    const before = netnsInode(here);
    const [a, b] = [makeNetns(), makeNetns()];
    expect(new Set([before, netnsInode(a), netnsInode(b)]).size).toBe(3);
    const now = netnsCurrent();
    expect(netnsInode(now)).toBe(before);
    closeFd(now);
    expect(typeof netnsCookie(a)).toBe('bigint');
    expect(netnsCookie(a)).not.toBe(netnsCookie(b));
  });

  it('withNetns brings the thread back, also from an exception', () => {
    const ns = makeNetns();
    const inode = (): number => {
      const fd = netnsCurrent();
      try {
        return netnsInode(fd);
      } finally {
        closeFd(fd);
      }
    };
    const home = inode();
    expect(withNetns(ns, inode)).toBe(netnsInode(ns));
    expect(() =>
      withNetns(ns, () => {
        throw new Error('x');
      }),
    ).toThrow('x');
    expect(() => withNetns(ns, async () => 1)).toThrow(/asynchronous/);
    expect(() => withNetns(-1, () => 1)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(inode()).toBe(home);
  });

  it('opens namespaces by path and nothing else', () => {
    const fd = netnsOpen('/proc/self/ns/net');
    expect(netnsInode(fd)).toBeGreaterThan(0);
    closeFd(fd);
    for (const path of ['/proc/self/ns/mnt', '/etc/hostname', '/dev/null'])
      expect(() => netnsOpen(path)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => netnsOpen('/nowhere')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => netnsEnter(-1)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});

describe('netlink sockets', () => {
  it('report an overrun once, and a datagram that does not fit', () => {
    const ns = makeNetns();
    const socket = own(new NetlinkSocket({ netns: ns, rcvbuf: 1 }));
    socket.join(1); // RTNLGRP_LINK
    for (let i = 0; i < 50; i++) setUp(ns, 1, i % 2 === 0);
    const bytes = new Uint8Array(16_384);
    const seen: number[] = [];
    for (let n = 0; n !== EAGAIN; seen.push(n)) n = socket.recv(bytes);
    expect(seen.filter((n) => n === -105)).toHaveLength(1); // ENOBUFS
    socket.rcvbuf = 1 << 20;
    expect(socket.rcvbuf).toBe(2 << 20);
    setUp(ns, 1, true);
    expect(socket.pollIn(1000)).toBe(1);
    expect(socket.recv(new Uint8Array(16))).toBe(-90); // EMSGSIZE
    while (socket.recv(bytes) !== EAGAIN);
    expect(socket.pollIn(0)).toBe(0);
    expect(pollIn(-1, 0)).toBe(0);
    expect(pollIn(987_654, 0)).toBe(-9);
    expect(socket.send(bytes, 99_999)).toBe(EINVAL);
    expect(() => socket.join(999)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('an overrun reaches a watch as a status, and the watch goes on', async () => {
    const ns = makeNetns();
    const socket = own(new NetlinkSocket({ netns: ns, rcvbuf: 1 }));
    socket.join(1);
    const bytes = new Uint8Array(16_384);
    const seen: number[] = [];
    let negative = 0;
    const watch = own(
      watchFd(socket.fd, (status) => {
        if (status < 0) negative++;
        for (let n = 0; n !== EAGAIN; seen.push(n)) n = socket.recv(bytes);
      }),
    );
    for (let i = 0; i < 50; i++) setUp(ns, 1, i % 2 === 0);
    await until(() => negative);
    await quietFor(20);
    expect(negative).toBe(1);
    expect(seen).toContain(-105);
    seen.length = 0;
    setUp(ns, 1, true);
    await until(
      () => seen,
      (lengths) => lengths.some((n) => n > 0),
    );
    watch.close();
  });
});

describe('taps, link states and frames', () => {
  it('linkState follows administrative state, loss of carrier and removal at once', async () => {
    const ns = makeNetns();
    const control = own(new ControlSocket(ns));
    const tap = makeTap(ns, 't0', false);
    expect(control.linkState(tap.ifindex)).toBe(0);
    setUp(ns, tap.ifindex, true);
    await untilCarrier(control, tap.ifindex);
    tap.carrier(false);
    expect(control.linkState(tap.ifindex)).toBe(LINK_UP);
    tap.carrier(true);
    await untilCarrier(control, tap.ifindex);
    expect(control.driver('t0')).toMatchObject({ driver: 'tun' });
    expect(() => control.driver('absent')).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(control.linkState(0)).toBe(ENODEV);
    const { ifindex } = tap;
    tap.close();
    expect(control.linkState(ifindex)).toBe(ENODEV);
  });

  it('linkStates answers for devices of several namespaces', async () => {
    const [a, b] = [makeNetns(), makeNetns()];
    const [ca, cb] = [own(new ControlSocket(a)), own(new ControlSocket(b))];
    const [ta, tb] = [makeTap(a, 'ta'), makeTap(b, 'tb')];
    await untilCarrier(ca, ta.ifindex);
    tb.carrier(false);
    const out = new Int32Array(4).fill(99);
    const socks = Int32Array.of(ca.fd, cb.fd, ca.fd);
    expect(linkStates(socks, Int32Array.of(ta.ifindex, tb.ifindex, 0), out, 3)).toBe(3);
    expect([...out.subarray(0, 3)]).toEqual([3, 2, ENODEV]);
    expect(out[3]).toBe(99);
    expect(linkStates(socks, new Int32Array(4), out, 4)).toBe(EINVAL);
  });

  it('a tap takes a name and a MAC; a bad one is refused', () => {
    const ns = makeNetns();
    const tap = own(new Tap({ netns: ns, name: 'vf%d', mac: '02:00:00:00:00:05' }));
    expect(tap.name).toBe('vf0');
    expect(() => new Tap({ netns: ns, name: 'vf0' })).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(() => new Tap({ netns: ns, name: 'x', mac: '1' })).toThrow(TypeError);
    expect(() => new Tap({ netns: ns, name: 'x', mac: '01:00:00:00:00:01' })).toThrow(/SIOCSIFHWADDR/);
    expect(() => new Tap({ netns: ns, name: 'sixteen-bytes-xx' })).toThrow(RangeError);
    own(new Tap({ netns: ns, name: 'x', vnetHdr: true }));
    expect(() => tap.carrier(true)).not.toThrow();
  });

  it('a frame travels socket, tap, wire, tap, socket', async () => {
    const [a, b] = [makeNetns(), makeNetns()];
    const [ta, tb] = [makeTap(a, 'ta'), makeTap(b, 'tb')];
    const tx = own(new PacketSocket({ netns: a, ifindex: ta.ifindex, protocol: 0 }));
    const rx = own(new PacketSocket({ netns: b, ifindex: tb.ifindex, protocol: 0x88b5 }));
    const scratch = new Uint8Array(2048);
    expect(tx.send(frame('hello'))).toBe(64);
    expect(tapForward(ta.fd, tb.fd, scratch, 64)).toBeGreaterThanOrEqual(1);
    expect(await readOurs((bytes) => rx.recv(bytes))).toBe('hello');
    expect(tx.recv(scratch)).toBe(EAGAIN);

    expect(tx.sendBatch(frame('many'), 64, 100)).toBe(100);
    expect(tapForward(ta.fd, tb.fd, scratch, 10)).toBe(10);
    expect(tapForward(ta.fd, tb.fd, scratch, 1000)).toBeGreaterThanOrEqual(90);
    expect(rx.drain()).toBe(100);
    expect(rx.drain()).toBe(0);

    expect(tx.sendBatch(frame('black hole'), 64, 5)).toBe(5);
    expect(tapDiscard(ta.fd, 1000)).toBeGreaterThanOrEqual(5);
    expect(rx.drain()).toBe(0);

    setUp(b, tb.ifindex, false);
    expect(tx.send(frame('to a device that is down'))).toBe(64);
    expect(tapForward(ta.fd, tb.fd, scratch, 1000)).toBe(0);
    expect(tb.write(frame('x'))).toBe(-5);
    expect(tx.send(scratch, 4096)).toBe(EINVAL);
    expect(() => new PacketSocket({ netns: a, ifindex: 0 })).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
    expect(() => new PacketSocket({ netns: a, ifindex: 999 })).toThrow(
      expect.objectContaining({ code: 'ENODEV' }),
    );
  });

  it('past the egress side of the device: nobody there sees the frame, the wire does', async () => {
    const ns = makeNetns();
    const tap = makeTap(ns, 't0');
    const onlooker = own(new PacketSocket({ netns: ns, ifindex: tap.ifindex }));
    const usual = own(new PacketSocket({ netns: ns, ifindex: tap.ifindex, protocol: 0 }));
    const past = own(new PacketSocket({ netns: ns, ifindex: tap.ifindex, protocol: 0, bypass: true }));
    expect(past.send(frame('past'))).toBe(64);
    expect(await readOurs((bytes) => tap.read(bytes))).toBe('past');
    expect(usual.send(frame('usual'))).toBe(64);
    expect(await readOurs((bytes) => tap.read(bytes))).toBe('usual');
    expect(await readOurs((bytes) => onlooker.recv(bytes))).toBe('usual');
    setUp(ns, tap.ifindex, false);
    expect(past.send(frame('down'))).toBe(-100); // ENETDOWN
  });

  it('reads what the kernel sends and writes what it receives', async () => {
    const ns = makeNetns();
    const tap = makeTap(ns, 't0');
    const socket = own(new PacketSocket({ netns: ns, ifindex: tap.ifindex }));
    expect(tap.write(frame('up'))).toBe(64);
    expect(await readOurs((bytes) => socket.recv(bytes))).toBe('up');
    expect(socket.send(frame('down'))).toBe(64);
    expect(await readOurs((bytes) => tap.read(bytes))).toBe('down');
  });

  it('UDP over the loopback of a namespace, IPv4 and IPv6', () => {
    const netns = makeNetns();
    setUp(netns, 1, true);
    for (const ip of ['127.0.0.1', '::1']) {
      const rx = own(new UdpSocket({ netns, bindAddr: ip, bindPort: 7000 }));
      const tx = own(
        new UdpSocket({ netns, bindAddr: ip, connectAddr: ip, connectPort: 7000, sndbuf: 1 << 20 }),
      );
      const bytes = new Uint8Array(100);
      expect(tx.send(Buffer.from('datagram'))).toBe(8);
      expect(rx.recv(bytes)).toBe(8);
      expect(Buffer.from(bytes.subarray(0, 8)).toString()).toBe('datagram');
      expect(tx.sendBatch(bytes, 100, 130)).toBe(130);
      expect(rx.drain()).toBe(130);
      expect(rx.send(bytes)).toBe(-89); // EDESTADDRREQ
      expect(() => new UdpSocket({ netns, bindAddr: ip, bindPort: 7000 })).toThrow(
        expect.objectContaining({ code: 'EADDRINUSE' }),
      );
    }
    expect(() => new UdpSocket({ bindAddr: 'localhost' })).toThrow(/bindAddr/);
    expect(() => new UdpSocket({ connectAddr: '::1' })).toThrow(/connectAddr/);
  });
});

describe('frames that leave when a word changes', () => {
  const pair = (port: number): { tx: UdpSocket; received: () => string[] } => {
    const rx = own(new UdpSocket({ bindAddr: '127.0.0.1', bindPort: port }));
    const tx = own(new UdpSocket({ bindAddr: '127.0.0.1', connectAddr: '127.0.0.1', connectPort: port }));
    const received = (): string[] => {
      const bytes = new Uint8Array(64);
      const texts: string[] = [];
      for (let n = rx.recv(bytes); n >= 0; n = rx.recv(bytes))
        texts.push(Buffer.from(bytes.subarray(0, n)).toString());
      return texts;
    };
    return { tx, received };
  };
  const send = (tx: UdpSocket, text: string) => ({ fd: tx.fd, frame: Buffer.from(text) });
  const freePort = (): number => 20_000 + (process.pid % 20_000);

  it('each list once for a change, in order, and not that of a word that stayed', () => {
    const { tx, received } = pair(freePort());
    const words = new Int32Array(32);
    const sender = new ChangeSender(words);
    sender.watch(7, 3, 0);
    sender.watch(2, 20, 5); // 5 is not what stands there: a change that nobody has answered yet
    sender.prepare(7, [send(tx, 'a1'), send(tx, 'a2')]);
    expect(sender.run()).toBe(1);
    expect(received()).toEqual([]);
    sender.prepare(2, [send(tx, 'b')]);
    expect([sender.run(), sender.sent(2), sender.sent(7)]).toEqual([0, false, false]);
    words[3] = -1;
    expect([sender.run(), sender.run()]).toEqual([1, 0]);
    expect(received()).toEqual(['a1', 'a2']);
    expect([sender.sent(7), sender.sent(2)]).toEqual([true, false]);
    words[3] = 0;
    words[20] = 6;
    expect(sender.run()).toBe(2);
    expect(received()).toEqual(['a1', 'a2', 'b']);
  });

  it('what is known survives another list, another key and one that goes', () => {
    const { tx, received } = pair(freePort() + 1);
    const words = new Int32Array(8);
    const sender = new ChangeSender(words);
    for (const key of [0, 1, 2]) {
      sender.watch(key, key, 0);
      sender.prepare(key, [send(tx, `key ${key}`)]);
    }
    words.fill(1);
    expect(sender.run()).toBe(3);
    expect(received()).toHaveLength(3);
    sender.forget(0);
    sender.prepare(2, [send(tx, 'another')]);
    sender.watch(9, 5, 1);
    expect([sender.run(), sender.sent(1), sender.sent(0)]).toEqual([0, true, false]);
    words[0] = 2; // nobody's now
    words[2] = 2;
    expect(sender.run()).toBe(1);
    expect(received()).toEqual(['another']);
    sender.watch(2, 2, 2); // anew: without a list
    words[2] = 3;
    expect({ returned: sender.run(), sent: sender.sent(2) }).toEqual({ returned: 1, sent: false });
    sender.prepare(4, [send(tx, 'of a key that is not watched')]);
    expect(received()).toEqual([]);
  });

  it('a socket that is none, or a word outside, hurts nobody else', () => {
    const { tx, received } = pair(freePort() + 2);
    const words = new Int32Array(4);
    const sender = new ChangeSender(words);
    sender.watch(0, 4, -1);
    sender.watch(1, -1, -1);
    sender.watch(2, 3, -1);
    for (const key of [0, 1]) sender.prepare(key, [send(tx, 'never')]);
    sender.prepare(2, [{ fd: -1, frame: Buffer.from('lost') }, send(tx, 'sent')]);
    expect(sender.run()).toBe(1);
    expect(received()).toEqual(['sent']);
    expect([0, 1, 2].map((key) => sender.sent(key))).toEqual([false, false, false]);
  });
});
