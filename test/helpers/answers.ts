import { PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished } from 'vitest';
import type { Bench } from './in-process.js';
import { quietFor, until } from './wait.js';

const ETH_ALL = 3;

/** Frames that the instance sends by itself, at the far ends of its wires, to one UDP port or from it. */
export class Answers {
  readonly #sockets: Record<'vf' | 'virtio', PacketSocket>;
  readonly #port: number;

  constructor({ world }: Bench, port: number) {
    this.#port = port;
    const socket = (ifindex: number) => {
      const s = new PacketSocket({ netns: world.host, ifindex, protocol: ETH_ALL, bypass: true });
      onTestFinished(() => s.close());
      return s;
    };
    this.#sockets = { vf: socket(world.vf.hostIfindex), virtio: socket(world.virtio.hostIfindex) };
  }

  send(frame: Uint8Array, by: 'vf' | 'virtio' = 'vf'): void {
    expect(this.#sockets[by].send(frame)).toBe(frame.length);
  }

  /** Those that have come by that wire since the last call. */
  take(by: 'vf' | 'virtio'): Uint8Array[] {
    const buffer = new Uint8Array(2048);
    const out: Uint8Array[] = [];
    for (let n = this.#sockets[by].recv(buffer); n >= 0; n = this.#sockets[by].recv(buffer)) {
      const udp = buffer[12] === 0x86 ? 54 : 34;
      const port = (at: number) => (buffer[udp + at]! << 8) | buffer[udp + at + 1]!;
      if (n > udp + 8 && buffer[12]! !== 0x81 && (port(0) === this.#port || port(2) === this.#port))
        out.push(buffer.slice(0, n));
    }
    return out;
  }

  /** The one answer that comes by that wire, and none by the other. */
  async one(by: 'vf' | 'virtio'): Promise<Uint8Array> {
    const got = await until(
      () => this.take(by),
      (frames) => frames.length > 0,
      10_000,
    );
    await quietFor(5);
    const more = this.take(by).length;
    const elsewhere = this.take(by === 'vf' ? 'virtio' : 'vf').length;
    expect({ first: got.length, more, elsewhere }).toEqual({ first: 1, more: 0, elsewhere: 0 });
    return got[0]!;
  }

  none(): void {
    expect({ vf: this.take('vf'), virtio: this.take('virtio') }).toEqual({ vf: [], virtio: [] });
  }
}

/** The sum over a UDP datagram, its own field counted in: 0 verifies. Frames without tags, options and extensions. */
export function udpSum(frame: Uint8Array): number {
  const v6 = frame[12] === 0x86;
  const udp = v6 ? 54 : 34;
  const view = new DataView(frame.buffer, frame.byteOffset);
  const length = view.getUint16(udp + 4);
  let sum = 17 + length;
  for (let i = v6 ? 22 : 26; i < udp; i += 2) sum += view.getUint16(i);
  for (let i = 0; i < length; i += 2)
    sum += i + 1 < length ? view.getUint16(udp + i) : view.getUint8(udp + i) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Likewise over an IPv4 header. */
export function ipSum(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset);
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
