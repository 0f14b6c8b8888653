import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { STREAM_PORT, WIRE } from '../../lab/vm/far-end.js';
import { gapsOf, translate } from '../../lab/vm/stream.js';
import { GUEST_MAC, STATION_ADDRESS, STATION_MAC, type Wire } from '../../lab/vm/wire.js';
import { SocketWire } from '../../lab/vm/wire-sockets.js';
import { until } from '../helpers/wait.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[: ]/g, ''), 'hex');
const octets = (ip: string): Buffer => Buffer.from(ip.split('.').map(Number));

/** QEMU's end of a port: the sockets that the port's -netdev words name. */
class Device {
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #to: { host: string; port: number };
  readonly #ready: Promise<void>;

  constructor(netdev: string) {
    const value = (key: string): string => new RegExp(`${key}=([^,]+)`).exec(netdev)![1]!;
    this.#to = { host: value('remote.host'), port: Number(value('remote.port')) };
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (m) => this.received.push(m));
    this.#socket.bind(Number(value('local.port')), value('local.host'));
    this.#ready = new Promise((done) => this.#socket.once('listening', done));
  }

  async send(frame: Buffer): Promise<void> {
    await this.#ready;
    await new Promise<void>((done) => this.#socket.send(frame, this.#to.port, this.#to.host, () => done()));
  }

  close(): void {
    this.#socket.close();
  }
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const o of open.splice(0).reverse()) await o.close();
});
function lab(): { wire: Wire; a: Device; b: Device } {
  const wire = new SocketWire('a', 'b');
  const a = new Device(wire.port('a').netdev);
  const b = new Device(wire.port('b').netdev);
  open.push(wire, a, b);
  return { wire, a, b };
}

const arpRequest = (source = GUEST_MAC): Buffer =>
  Buffer.concat([
    hex('ffffffffffff'),
    hex(source),
    hex('0806 0001 0800 0604 0001'),
    hex(source),
    octets('10.99.0.2'),
    hex('000000000000'),
    octets(STATION_ADDRESS),
  ]);

const streamFrame = (stream: number, number: number, tag = ''): Buffer => {
  const payload = Buffer.alloc(64);
  payload.writeUInt32LE(0x56464c52, 0);
  payload.writeUInt32LE(stream, 4);
  payload.writeUInt32LE(number, 8);
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(STREAM_PORT, 2);
  const ip = Buffer.concat([
    hex('4500 005c 0000 0000 4011 0000'),
    octets('10.99.0.2'),
    octets(STATION_ADDRESS),
  ]);
  return Buffer.concat([hex(STATION_MAC), hex(GUEST_MAC), hex(`${tag}0800`), ip, udp, payload]);
};

describe('the wire', () => {
  it('answers ARP, and learns where the guest is', async () => {
    const { wire, a, b } = lab();
    await a.send(arpRequest());
    await until(() => a.received.length === 1);
    const reply = a.received[0]!;
    expect(reply.subarray(0, 6)).toEqual(hex(GUEST_MAC));
    expect(reply.subarray(6, 12)).toEqual(hex(STATION_MAC));
    expect(reply.readUInt16BE(20)).toBe(2);
    expect(reply.subarray(28, 32)).toEqual(octets(STATION_ADDRESS));
    expect(wire.entries.get(GUEST_MAC)).toBe('a');
    // The request itself went to the other port, as a broadcast does.
    await until(() => b.received.length === 1);
    await b.send(arpRequest());
    await until(() => wire.entries.get(GUEST_MAC) === 'b');
    expect(wire.port('b').counts.announced).toBe(1);
    const rarp = arpRequest();
    rarp.writeUInt16BE(0x8035, 12);
    await a.send(rarp);
    await until(() => wire.announcements.length === 3);
    expect(wire.announcements.map((h) => [h.port, h.kind])).toEqual([
      ['a', 'ARP'],
      ['b', 'ARP'],
      ['a', 'RARP'],
    ]);
    const times = wire.announcements.map((h) => h.atNs);
    expect(times).toEqual(times.toSorted((x, y) => x - y));
    expect(times[0]).toBeGreaterThan(0);
  });

  it('answers pings, with a VLAN tag too', async () => {
    const { a } = lab();
    const echo = (tag: string): Buffer =>
      Buffer.concat([
        hex(STATION_MAC),
        hex(GUEST_MAC),
        hex(`${tag}0800 4500 001c 0000 0000 4001 0000`),
        octets('10.99.0.2'),
        octets(STATION_ADDRESS),
        hex('0800 f7ff 0000 0000'),
      ]);
    for (const [n, tag] of ['', '8100 0064 '].entries()) {
      await a.send(echo(tag));
      await until(() => a.received.length === n + 1);
      const icmp = a.received[n]!.subarray(tag === '' ? 34 : 38);
      expect(icmp.subarray(0, 4)).toEqual(hex('0000 ffff'));
    }
  });

  it('swallows what a black hole swallows, by direction, and counts it', async () => {
    const { wire, a } = lab();
    wire.port('a').blackHole('from-guest');
    await a.send(arpRequest());
    await until(() => wire.port('a').counts.swallowed === 1);
    expect(wire.entries.size).toBe(0);
    wire.port('a').blackHole('to-guest');
    await a.send(arpRequest());
    await until(() => wire.port('a').counts.swallowed === 2);
    expect(wire.entries.get(GUEST_MAC)).toBe('a');
    expect(a.received).toHaveLength(0);
    wire.port('a').blackHole('none');
    await a.send(arpRequest());
    await until(() => a.received.length === 1);
  });

  it('loses the share it is told to', async () => {
    const { wire, a } = lab();
    wire.port('a').loss(0.3, 'from-guest');
    const seen = (): number => wire.port('a').counts.fromGuest + wire.port('a').counts.swallowed;
    // In portions: a socket's buffer holds some 250 frames.
    for (let n = 100; n <= 1000; n += 100) {
      for (let i = 0; i < 100; i++) await a.send(streamFrame(1, i));
      await until(() => seen() === n);
    }
    expect(wire.port('a').counts.swallowed).toBeGreaterThan(220);
    expect(wire.port('a').counts.swallowed).toBeLessThan(380);
    expect(() => wire.port('a').loss(30)).toThrow(/0 … 1/);
  });

  it('sends to where the guest was heard last, else to all ports; notes the path of every frame', async () => {
    const { wire, a, b } = lab();
    wire.control[WIRE.interval_ns] = 1_000_000;
    await wire.begin(7);
    await until(() => a.received.length > 3 && b.received.length > 3);
    expect(wire.portsOf(wire.sentBy[0]!)).toEqual(['a', 'b']);
    await b.send(arpRequest());
    await until(() => wire.entries.get(GUEST_MAC) === 'b');
    const from = wire.control[WIRE.sent]! + 1;
    await until(() => wire.control[WIRE.sent]! > from + 5);
    expect(wire.portsOf(wire.sentBy[from]!)).toEqual(['b']);
    expect(b.received.at(-1)!.subarray(0, 6)).toEqual(hex(GUEST_MAC));
  });

  it('records a stream: lost, again, out of order, another one', async () => {
    const { wire, a, b } = lab();
    await wire.begin(9);
    for (const n of [0, 1, 3]) await a.send(streamFrame(9, n));
    await until(() => wire.control[WIRE.received] === 3);
    await b.send(streamFrame(9, 2));
    await b.send(streamFrame(9, 3));
    await b.send(streamFrame(8, 4));
    await until(() => wire.port('b').counts.fromGuest === 3);
    const { received, duplicated, reordered, numbers } = WIRE;
    expect([received, duplicated, reordered, numbers].map((w) => wire.control[w])).toEqual([4, 1, 1, 4]);
    expect([0, 2, 3].map((n) => wire.portsOf(wire.cameBy[n]!).join('+'))).toEqual(['a', 'b', 'a+b']);
    expect(wire.cameAt[4]).toBe(0);
  });

  it('takes the frames of a tagged stream by their tag alone, and sends them with it', async () => {
    const { wire, a } = lab();
    wire.control[WIRE.interval_ns] = 1_000_000;
    await wire.begin(11, 'vlan');
    await until(() => a.received.length > 3);
    expect(a.received.at(-1)!.subarray(12, 18)).toEqual(hex('8100 004d 0800'));
    for (const [n, tag] of ['', '8100 0001 ', '8100 004d '].entries()) await a.send(streamFrame(11, n, tag));
    await until(() => wire.port('a').counts.fromGuest === 3);
    expect(wire.control[WIRE.received]).toBe(1);
    expect(wire.cameAt[2]).toBeGreaterThan(0);
  });

  it('has no other ports, and says which', () => {
    expect(() => lab().wire.port('c')).toThrow('it has a, b');
  });
});

describe('gaps of a stream', () => {
  const ms = (...times: number[]): Float64Array => Float64Array.from(times, (t) => t * 1e6);

  it('run from the last frame that came to the next, by the times of sending', () => {
    expect(gapsOf(ms(1, 2, 3, 4, 5), ms(1, 0, 0, 9, 10))).toEqual([
      { from: 1, frames: 2, afterNs: 1e6, ms: 3 },
    ]);
    expect(gapsOf(ms(1, 2), ms(1, 2))).toEqual([]);
    expect(gapsOf(ms(1, 2, 3), ms(0, 2, 3))).toEqual([{ from: 0, frames: 1, afterNs: 0, ms: 1 }]);
  });

  it('are endless where nothing came any more, and where the receiver knows of no such frame', () => {
    expect(gapsOf(ms(1, 2, 3), ms(1))).toEqual([
      { from: 1, frames: 2, afterNs: 1e6, ms: Number.POSITIVE_INFINITY },
    ]);
  });

  it('are placed by the clock of the host, through frames that both ends stamped', () => {
    // Stamped 100 ms apart by clocks of which one stood still for 20 ms at the second frame.
    const [theirs, ours] = [ms(1, 101, 0, 201), ms(51, 171, 0, 271)];
    expect(translate(2e6, theirs, ours)).toBe(52e6);
    expect(translate(200e6, theirs, ours)).toBe(270e6);
  });
});
