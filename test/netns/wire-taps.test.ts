import { type ChildProcess, spawn } from 'node:child_process';
import { closeFd, netnsCreate, netnsOpen, Tap } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FRAMES_MAX, MAGIC, STREAM_PORT, TO_GUEST, WIRE } from '../../lab/vm/far-end.js';
import { GUEST_ADDRESS, GUEST_MAC, STATION_ADDRESS, STATION_MAC } from '../../lab/vm/wire.js';
import { TapWire } from '../../lab/vm/wire-taps.js';
import { Rtnl } from '../../src/netlink/index.js';
import { ROOT } from '../../src/paths.js';
import { until } from '../helpers/wait.js';

/** The wire of taps without a guest: the test opens the taps, as QEMU would. */

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[: ]/g, ''), 'hex');
const octets = (ip: string): Buffer => Buffer.from(ip.split('.').map(Number));

/** The guest's device at a port. */
class Device {
  readonly #received: Buffer[] = [];
  readonly #tap: Tap;
  readonly #buffer = Buffer.alloc(2048);

  constructor(wire: TapWire, name: string) {
    this.#tap = new Tap({ netns: wire.netns, name });
    onTestFinished(() => this.#tap.close());
  }

  send(frame: Buffer): void {
    expect(this.#tap.write(frame)).toBe(frame.length);
  }

  /** What has come since the wire was made. */
  get frames(): Buffer[] {
    for (;;) {
      const n = this.#tap.read(this.#buffer);
      if (n <= 0) return this.#received;
      this.#received.push(Buffer.from(this.#buffer.subarray(0, n)));
    }
  }

  /** Numbers of the running stream's frames that came. */
  numbers(stream: number): number[] {
    return this.frames
      .filter(
        (f) =>
          f.length >= 54 && f.readUInt16BE(36) === STREAM_PORT && f.readUInt32LE(46) === stream + TO_GUEST,
      )
      .map((f) => f.readUInt32LE(50));
  }
}

async function lab(): Promise<{ wire: TapWire; a: Device; b: Device }> {
  const wire = new TapWire('a', 'b');
  onTestFinished(() => wire.close());
  const [a, b] = [new Device(wire, 'a'), new Device(wire, 'b')];
  // A port forwards once the kernel has heard of its carrier, which takes up to a second.
  using rtnl = new Rtnl({ netns: wire.netns });
  await until(() =>
    ['a', 'b', 'wire'].every((name) => rtnl.link(name)!.operstate === 'up' || rtnl.link(name)!.carrier),
  );
  await until(() => {
    b.send(hello);
    return a.frames.length > 0;
  });
  await until(() => {
    a.send(hello);
    return b.frames.length > 0;
  });
  wire.forget();
  return { wire, a, b };
}

/** A broadcast of nobody's, for a protocol that nobody has. */
const hello = Buffer.concat([hex('ffffffffffff 020000000001 88b5'), Buffer.alloc(46)]);

const arp = (operation: 'request' | 'gratuitous'): Buffer =>
  Buffer.concat([
    hex('ffffffffffff'),
    hex(GUEST_MAC),
    hex('0806 0001 0800 0604 0001'),
    hex(GUEST_MAC),
    octets(GUEST_ADDRESS),
    hex('000000000000'),
    octets(operation === 'request' ? STATION_ADDRESS : GUEST_ADDRESS),
  ]);

function checksum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const ip = (protocol: number, payload: Buffer): Buffer => {
  const header = Buffer.concat([
    hex('4500 0000 0000 4000 4000 0000'),
    octets(GUEST_ADDRESS),
    octets(STATION_ADDRESS),
  ]);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([hex(STATION_MAC), hex(GUEST_MAC), hex('0800'), header, payload]);
};

const frame = (stream: number, number: number): Buffer => {
  const payload = Buffer.alloc(64);
  payload.writeUInt32LE(MAGIC, 0);
  payload.writeUInt32LE(stream, 4);
  payload.writeUInt32LE(number, 8);
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(STREAM_PORT, 0);
  udp.writeUInt16BE(STREAM_PORT, 2);
  udp.writeUInt16BE(72, 4);
  return ip(17, Buffer.concat([udp, payload]));
};

const word = (wire: TapWire, name: 'sent' | 'received' | 'duplicated' | 'reordered' | 'numbers'): number =>
  Atomics.load(wire.control, WIRE[name]);

test('the station is a stack: it answers ARP and pings', async () => {
  const { a } = await lab();
  const before = a.frames.length;
  a.send(arp('request'));
  await until(() => a.frames.length > before);
  const reply = a.frames.at(-1)!;
  expect(reply.subarray(0, 12)).toEqual(Buffer.concat([hex(GUEST_MAC), hex(STATION_MAC)]));
  expect([reply.readUInt16BE(12), reply.readUInt16BE(20)]).toEqual([0x0806, 2]);
  a.send(ip(1, hex('0800 f7fd 0001 0001')));
  await until(() => a.frames.some((f) => f.readUInt16BE(12) === 0x0800 && f[23] === 1 && f[34] === 0));
});

test("forwarding entries are the bridge's, follow the guest, and are forgotten", async () => {
  const { wire, a, b } = await lab();
  expect([...wire.entries]).toEqual([]);
  a.send(arp('gratuitous'));
  await until(() => wire.entries.get(GUEST_MAC) === 'a');
  b.send(arp('gratuitous'));
  await until(() => wire.entries.get(GUEST_MAC) === 'b');
  expect(wire.entries.size).toBe(1);
  expect([wire.port('a').counts.announced, wire.port('b').counts.announced]).toEqual([1, 1]);
  wire.forget();
  expect([...wire.entries]).toEqual([]);
});

describe('a stream', () => {
  const begin = async (wire: TapWire, stream: number, pps = 1_000): Promise<void> => {
    wire.control[WIRE.interval_ns] = pps === 0 ? 0 : 1e9 / pps;
    await wire.begin(stream);
  };

  test('goes to where the guest was heard last, else to all ports; the path of every frame is noted', async () => {
    const { wire, a, b } = await lab();
    await begin(wire, 7);
    await until(() => a.numbers(7).length > 3 && b.numbers(7).length > 3);
    expect(wire.portsOf(wire.sentBy[0]!)).toEqual(['a', 'b']);
    b.send(arp('gratuitous'));
    await until(() => wire.entries.get(GUEST_MAC) === 'b');
    const from = word(wire, 'sent') + 1;
    await until(() => word(wire, 'sent') > from + 5);
    expect(wire.portsOf(wire.sentBy[from + 2]!)).toEqual(['b']);
    expect(a.numbers(7)).not.toContain(from + 2);
    await until(() => b.numbers(7).includes(from + 2));
    expect(wire.sentAt[from + 2]).toBeGreaterThan(wire.sentAt[from]!);
  });

  test('is recorded: lost, again, out of order, by another path, another one', async () => {
    const { wire, a, b } = await lab();
    await begin(wire, 9, 0);
    for (const n of [0, 1, 3]) a.send(frame(9, n));
    await until(() => word(wire, 'received') === 3);
    for (const f of [frame(9, 2), frame(9, 3), frame(8, 4), frame(9, FRAMES_MAX)]) b.send(f);
    await until(() => word(wire, 'received') + word(wire, 'duplicated') === 5);
    expect((['received', 'duplicated', 'reordered', 'numbers'] as const).map((w) => word(wire, w))).toEqual([
      4, 1, 1, 4,
    ]);
    expect([0, 2, 3, 4].map((n) => wire.portsOf(wire.cameBy[n]!).join('+'))).toEqual(['a', 'b', 'a+b', '']);
    expect(wire.cameAt[4]).toBe(0);
    await begin(wire, 10, 0);
    expect([wire.cameBy[0], wire.cameAt[0], word(wire, 'received')]).toEqual([0, 0, 0]);
  });

  test.each(['both', 'to-guest', 'from-guest'] as const)(
    'a black hole swallows %s at its port only, and counts it',
    async (direction) => {
      const { wire, a, b } = await lab();
      const [into, outOf] = [direction !== 'from-guest', direction !== 'to-guest'];
      a.send(arp('gratuitous'));
      await until(() => wire.entries.get(GUEST_MAC) === 'a');
      await begin(wire, 5);
      await until(() => a.numbers(5).length > 3);
      wire.port('a').blackHole(direction);
      // One may be under way.
      const at = word(wire, 'sent') + 2;
      a.send(frame(5, 0));
      await until(() => word(wire, 'sent') > at + 20);
      b.send(frame(5, 1));
      await until(() => wire.cameAt[1] !== 0);
      expect(wire.cameAt[0] === 0, 'from the guest').toBe(outOf);
      expect(wire.portsOf(wire.cameBy[0]!)).toEqual(outOf ? [] : ['a']);
      // The path was taken, whatever became of the frame.
      expect(wire.portsOf(wire.sentBy[at]!)).toEqual(['a']);
      if (!into) await until(() => a.numbers(5).includes(at));
      else expect(a.numbers(5)).not.toContain(at);
      expect(wire.port('a').counts.swallowed).toBeGreaterThanOrEqual((into ? 20 : 0) + (outOf ? 1 : 0));
      expect(wire.port('b').counts.swallowed).toBe(0);
      wire.port('a').blackHole('none');
      a.send(frame(5, 2));
      await until(() => wire.cameAt[2] !== 0);
    },
  );

  test('loses the share it is told to, in that direction', async () => {
    const { wire, a } = await lab();
    wire.port('a').loss(0.3, 'from-guest');
    await begin(wire, 6, 0);
    const before = wire.port('a').counts;
    for (let n = 0; n < 1_000; n++) {
      a.send(frame(6, n));
      // In portions: a socket's buffer holds some hundred frames.
      if (n % 100 === 99)
        await until(() => word(wire, 'received') + wire.port('a').counts.swallowed === n + 1);
    }
    const { fromGuest, swallowed } = wire.port('a').counts;
    expect(fromGuest - before.fromGuest + swallowed).toBe(1_000);
    expect(swallowed).toBeGreaterThan(220);
    expect(swallowed).toBeLessThan(380);
    wire.port('a').loss(0);
    wire.port('a').loss(1, 'to-guest');
    await begin(wire, 11);
    await until(() => word(wire, 'sent') > 50);
    expect(a.numbers(11)).toEqual([]);
    a.send(frame(11, 1));
    await until(() => word(wire, 'received') === 1);
    expect(() => wire.port('a').loss(30)).toThrow(/0 … 1/);
  });
});

describe('nothing is left', () => {
  /** A device that is there as long as that namespace is: its peer lives in it. */
  function witness(of: number): () => boolean {
    const here = netnsCreate();
    const rtnl = new Rtnl({ netns: here });
    onTestFinished(() => {
      rtnl.close();
      closeFd(here);
    });
    rtnl.createVeth({ name: 'witness', peer: { name: 'peer', netnsFd: of } });
    return () => rtnl.link('witness') === undefined;
  }

  test('after close', async () => {
    const wire = new TapWire('a', 'b');
    const gone = witness(wire.netns);
    expect(gone()).toBe(false);
    await wire.close();
    await until(gone);
  });

  test('after SIGKILL of whoever made it, with what it started there', async () => {
    const script = `
      import { spawn } from 'node:child_process';
      import { TapWire } from '${ROOT}/dist/lab/vm/wire-taps.js';
      const wire = new TapWire('a', 'b');
      const [command, ...args] = ['setpriv', '--pdeathsig', 'KILL', ...wire.spawnPrefix, 'sleep', '1000'];
      spawn(command, args, { stdio: 'ignore' }).once('spawn', () => console.log(wire.netns));`;
    const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const fd = await new Promise<string>((said, failed) => {
      child.stdout!.once('data', (text: Buffer) => said(text.toString().trim()));
      child.once('exit', () => failed(new Error('it ended')));
    });
    const netns = netnsOpen(`/proc/${child.pid}/fd/${fd}`);
    const gone = witness(netns);
    closeFd(netns);
    expect(gone()).toBe(false);
    child.kill('SIGKILL');
    await until(gone);
  });
});

test('a wire has no other ports, and says which; nor more than there are bits', async () => {
  const wire = new TapWire('a', 'b');
  onTestFinished(() => wire.close());
  expect(() => wire.port('c')).toThrow('it has a, b');
  expect(() => new TapWire(...'abcdefghi')).toThrow('at most 8 ports');
});
