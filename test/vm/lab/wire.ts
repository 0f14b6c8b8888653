import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventFd, UdpSocket } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import { ROOT } from '../../../src/paths.js';
import {
  ENTRIES,
  FRAMES_MAX,
  HEARD_MAX,
  HEARD_RARP,
  HOLE_FROM_GUEST,
  HOLE_TO_GUEST,
  PORT,
  PORT_WORDS,
  PORTS_MAX,
  WIRE,
  WIRE_WORDS,
  type WireTask,
} from './wire-thread.js';

export const GUEST_MAC = '52:54:00:76:66:01';
export const GUEST_ADDRESS = '10.99.0.2';
export const STATION_MAC = '52:54:00:76:66:fe';
export const STATION_ADDRESS = '10.99.0.1';
/** For an interface in the guest. */
export const GUEST_PREFIX = `${GUEST_ADDRESS}/24`;

const macNumber = (mac: string): number => Number.parseInt(mac.replaceAll(':', ''), 16);
const ipNumber = (ip: string): number => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);

/** What became of the frames at a port so far. */
export interface PortCounts {
  toGuest: number;
  fromGuest: number;
  /** Lost by a black hole, or at random. */
  swallowed: number;
  /** ARP and RARP frames from the guest. */
  announced: number;
}

/** An ARP or RARP frame from the guest, or from its QEMU on its behalf. */
export interface Announcement {
  /** When it was heard, ns of CLOCK_MONOTONIC. */
  atNs: number;
  port: string;
  kind: 'ARP' | 'RARP';
}

/** A socket of the switch, where one network device of a guest is plugged in. */
export class Port {
  readonly name: string;
  /** Its number at the wire: bit of the paths that a stream reports. */
  readonly index: number;
  /** What stands behind -netdev, but for the id. */
  readonly netdev: string;
  readonly #control: Int32Array;

  constructor(name: string, index: number, netdev: string, control: Int32Array) {
    this.name = name;
    this.index = index;
    this.netdev = netdev;
    this.#control = control;
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#control, WIRE.port + this.index * PORT_WORDS + word, value);
  }

  #get(word: number): number {
    return Atomics.load(this.#control, WIRE.port + this.index * PORT_WORDS + word);
  }

  /** Swallows every frame of a direction, and tells nobody: the link stays up. */
  blackHole(direction: 'both' | 'to-guest' | 'from-guest' | 'none'): void {
    const bits = {
      both: HOLE_TO_GUEST | HOLE_FROM_GUEST,
      'to-guest': HOLE_TO_GUEST,
      'from-guest': HOLE_FROM_GUEST,
      none: 0,
    };
    this.#set(PORT.hole, bits[direction]);
  }

  /** Loses that share of frames at random, 0 … 1. */
  loss(share: number, direction: 'both' | 'to-guest' | 'from-guest' = 'both'): void {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`a share of ${share} cannot be lost: 0 … 1`);
    const perMillion = Math.round(share * 1e6);
    if (direction !== 'from-guest') this.#set(PORT.loss_to_guest, perMillion);
    if (direction !== 'to-guest') this.#set(PORT.loss_from_guest, perMillion);
  }

  get counts(): PortCounts {
    return {
      toGuest: this.#get(PORT.to_guest),
      fromGuest: this.#get(PORT.from_guest),
      swallowed: this.#get(PORT.swallowed),
      announced: this.#get(PORT.announced),
    };
  }
}

/**
 * The network outside a guest: a learning switch with a port for each network device, and a station behind it that answers ARP and
 * pings and is the far end of streams. Over loopback datagram sockets and so without any privilege; a thread of its own carries the
 * frames (wire-thread.ts).
 */
export class Wire {
  readonly ports: Readonly<Record<string, Port>>;
  readonly control = new Int32Array(new SharedArrayBuffer(4 * WIRE_WORDS));
  readonly sentAt = new Float64Array(new SharedArrayBuffer(8 * FRAMES_MAX));
  readonly cameAt = new Float64Array(new SharedArrayBuffer(8 * FRAMES_MAX));
  readonly sentBy = new Uint8Array(new SharedArrayBuffer(FRAMES_MAX));
  readonly cameBy = new Uint8Array(new SharedArrayBuffer(FRAMES_MAX));
  readonly #heardAt = new Float64Array(new SharedArrayBuffer(8 * HEARD_MAX));
  readonly #heardBy = new Uint8Array(new SharedArrayBuffer(HEARD_MAX));
  readonly #addresses = new Float64Array(new SharedArrayBuffer(8 * ENTRIES));
  readonly #entryPorts = new Int32Array(new SharedArrayBuffer(4 * ENTRIES));
  readonly #sockets: UdpSocket[];
  readonly #wake = new EventFd();
  readonly #pool: Piscina;
  readonly #thread: Promise<void>;

  /** A wire with these ports. */
  constructor(...names: string[]) {
    if (names.length > PORTS_MAX) throw new RangeError(`a wire has at most ${PORTS_MAX} ports`);
    // A loopback address of its own: port numbers need no agreement with anybody.
    const octet = (): number => 1 + Math.floor(Math.random() * 253);
    const host = `127.${octet()}.${octet()}.${octet()}`;
    const [ours, theirs] = [17_000, 18_000];
    this.#sockets = names.map(
      (_, i) =>
        new UdpSocket({ bindAddr: host, bindPort: ours + i, connectAddr: host, connectPort: theirs + i }),
    );
    const end = (which: 'local' | 'remote', port: number): string =>
      `${which}.type=inet,${which}.host=${host},${which}.port=${port}`;
    this.ports = Object.fromEntries(
      names.map((name, i) => [
        name,
        new Port(name, i, `dgram,${end('local', theirs + i)},${end('remote', ours + i)}`, this.control),
      ]),
    );
    const buffer = (a: Int32Array | Float64Array | Uint8Array): SharedArrayBuffer =>
      a.buffer as SharedArrayBuffer;
    const task: WireTask = {
      control: buffer(this.control),
      addresses: buffer(this.#addresses),
      entryPorts: buffer(this.#entryPorts),
      sentAt: buffer(this.sentAt),
      cameAt: buffer(this.cameAt),
      sentBy: buffer(this.sentBy),
      cameBy: buffer(this.cameBy),
      heardAt: buffer(this.#heardAt),
      heardBy: buffer(this.#heardBy),
      ports: this.#sockets.map((s) => s.fd),
      wakeFd: this.#wake.fd,
      station: { mac: macNumber(STATION_MAC), ip: ipNumber(STATION_ADDRESS) },
      guest: { mac: macNumber(GUEST_MAC), ip: ipNumber(GUEST_ADDRESS) },
    };
    this.#pool = new Piscina({
      filename: join(ROOT, 'dist/test/vm/lab/wire-thread.js'),
      minThreads: 1,
      maxThreads: 1,
      atomics: 'disabled',
    });
    this.#thread = this.#pool.run(task);
    this.#thread.catch(() => {});
  }

  port(name: string): Port {
    const port = this.ports[name];
    if (!port) throw new Error(`the wire has no port ${name}: it has ${Object.keys(this.ports).join(', ')}`);
    return port;
  }

  /** Names of the ports whose bits are set. */
  portsOf(bits: number): string[] {
    return Object.values(this.ports)
      .filter((p) => bits & (1 << p.index))
      .map((p) => p.name);
  }

  /** Forwarding entries: where each address was seen last. */
  get entries(): Map<string, string> {
    const found = new Map<string, string>();
    this.#addresses.forEach((n, i) => {
      const hex = n.toString(16).padStart(12, '0');
      if (n !== 0) found.set(hex.match(/../g)!.join(':'), this.portsOf(1 << this.#entryPorts[i]!)[0]!);
    });
    return found;
  }

  /** The latest announcements, at most 256, in the order in which they were heard. */
  get announcements(): Announcement[] {
    const n = Atomics.load(this.control, WIRE.announcements);
    return Array.from({ length: Math.min(n, HEARD_MAX) }, (_, i) => {
      const slot = (Math.max(0, n - HEARD_MAX) + i) % HEARD_MAX;
      const by = this.#heardBy[slot]!;
      return {
        atNs: this.#heardAt[slot]!,
        port: this.portsOf(1 << (by & ~HEARD_RARP))[0]!,
        kind: by & HEARD_RARP ? 'RARP' : 'ARP',
      };
    });
  }

  /** Forgets where the guest is: frames for it go to all ports until it is heard again. */
  forget(): void {
    this.#addresses.fill(0);
  }

  /** Tells the thread to look at its words. */
  wake(): void {
    this.#wake.signal();
  }

  /** Tells the thread which stream runs (0: none), and waits until it knows. */
  async begin(stream: number): Promise<void> {
    Atomics.store(this.control, WIRE.stream, stream);
    this.wake();
    while (Atomics.load(this.control, WIRE.running) !== stream) await sleep(1);
  }

  async close(): Promise<void> {
    Atomics.store(this.control, WIRE.stop, 1);
    this.wake();
    await this.#thread;
    await this.#pool.destroy();
    for (const s of this.#sockets) s.close();
    this.#wake.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
