import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventFd } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import { ROOT } from '../../src/paths.js';
import { HEAD_MAX } from '../../workers/traffic.js';
import { type StreamKind, streamEnds, streamHead, tagOf } from '../netns/stream-kinds.js';
import {
  type FarEndTask,
  FRAMES_MAX,
  HOLE_FROM_GUEST,
  HOLE_TO_GUEST,
  PORTS_MAX,
  TO_GUEST,
  WIRE,
  WIRE_WORDS,
} from './far-end.js';

export const GUEST_MAC = '52:54:00:76:66:01';
export const GUEST_ADDRESS = '10.99.0.2';
export const STATION_MAC = '52:54:00:76:66:fe';
export const STATION_ADDRESS = '10.99.0.1';
/** For an interface in the guest. */
export const GUEST_PREFIX = `${GUEST_ADDRESS}/24`;

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

/** Where a port's orders and counters stand: what carries its frames obeys the first three and keeps the others. */
export interface PortWords {
  /** HOLE_TO_GUEST, HOLE_FROM_GUEST. */
  hole: number;
  /** Frames lost of a million, at random. */
  loss_to_guest: number;
  loss_from_guest: number;
  readonly to_guest: number;
  readonly from_guest: number;
  readonly swallowed: number;
  readonly announced: number;
}

/** The far side of a port in place of a guest's device: whole Ethernet frames. */
export interface FarSide {
  /** Sends a frame into the network. Returns its length or -errno. */
  send(frame: Uint8Array): number;
  /** The next frame that the network sent here. Returns its length or -errno (-EAGAIN: none waits). */
  receive(bytes: Uint8Array): number;
  close(): void;
}

/** A port of the switch, where one network device of a guest is plugged in. */
export class Port {
  readonly name: string;
  /** Its number at the wire: bit of the paths that a stream reports. */
  readonly index: number;
  /** What stands behind -netdev, but for the id. */
  readonly netdev: string;
  readonly #words: PortWords;

  constructor(name: string, index: number, netdev: string, words: PortWords) {
    this.name = name;
    this.index = index;
    this.netdev = netdev;
    this.#words = words;
  }

  /** Swallows every frame of a direction, and tells nobody: the link stays up. */
  blackHole(direction: 'both' | 'to-guest' | 'from-guest' | 'none'): void {
    const bits = {
      both: HOLE_TO_GUEST | HOLE_FROM_GUEST,
      'to-guest': HOLE_TO_GUEST,
      'from-guest': HOLE_FROM_GUEST,
      none: 0,
    };
    this.#words.hole = bits[direction];
  }

  /** Loses that share of frames at random, 0 … 1. */
  loss(share: number, direction: 'both' | 'to-guest' | 'from-guest' = 'both'): void {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`a share of ${share} cannot be lost: 0 … 1`);
    const perMillion = Math.round(share * 1e6);
    if (direction !== 'from-guest') this.#words.loss_to_guest = perMillion;
    if (direction !== 'to-guest') this.#words.loss_from_guest = perMillion;
  }

  get counts(): PortCounts {
    const { to_guest: toGuest, from_guest: fromGuest, swallowed, announced } = this.#words;
    return { toGuest, fromGuest, swallowed, announced };
  }
}

/**
 * The network outside a guest: a learning switch with a port for each network device, and a station behind it that answers ARP and
 * pings and is the far end of streams. SocketWire needs no privilege, TapWire is the kernel's own.
 */
export abstract class Wire {
  abstract readonly ports: Readonly<Record<string, Port>>;
  /** What QEMU is started with, to reach its ports. */
  abstract readonly spawnPrefix: readonly string[];
  /** By number of the running stream's frame, bits: the ports it went to, and those it came by. */
  abstract readonly sentBy: Uint8Array;
  abstract readonly cameBy: Uint8Array;
  /** Of far-end.ts. */
  readonly control = new Int32Array(new SharedArrayBuffer(4 * WIRE_WORDS));
  /** By number of the frame, ns: when it went to the guest, when it came from it (0: never). */
  readonly sentAt = new Float64Array(new SharedArrayBuffer(8 * FRAMES_MAX));
  readonly cameAt = new Float64Array(new SharedArrayBuffer(8 * FRAMES_MAX));
  readonly #head = new Uint8Array(new SharedArrayBuffer(HEAD_MAX));
  #wake: EventFd | undefined;
  #pool: Piscina | undefined;
  #thread: Promise<void> | undefined;

  /** `names` of its ports: as many as there are bits for paths. */
  constructor(names: readonly string[]) {
    if (names.length > PORTS_MAX) throw new RangeError(`a wire has at most ${PORTS_MAX} ports`);
  }

  /** Starts the thread that is the far end of streams: a file of this folder. */
  protected run<T extends FarEndTask>(file: string, task: Omit<T, keyof FarEndTask>): void {
    this.#pool = new Piscina({
      filename: join(ROOT, `dist/lab/vm/${file}.js`),
      minThreads: 1,
      maxThreads: 1,
      atomics: 'disabled',
    });
    this.#wake = new EventFd();
    this.#thread = this.#pool.run({
      ...task,
      control: this.control.buffer,
      sentAt: this.sentAt.buffer,
      cameAt: this.cameAt.buffer,
      head: this.#head.buffer,
      wakeFd: this.#wake.fd,
    });
    this.#thread!.catch(() => {});
  }

  port(name: string): Port {
    const port = this.ports[name];
    if (!port) throw new Error(`the wire has no port ${name}: it has ${Object.keys(this.ports).join(', ')}`);
    return port;
  }

  /** Takes the place of a guest's device at a port. To be closed before the wire. */
  abstract farSide(name: string): FarSide;

  /** Names of the ports whose bits are set. */
  portsOf(bits: number): string[] {
    return Object.values(this.ports)
      .filter((p) => bits & (1 << p.index))
      .map((p) => p.name);
  }

  /** Forwarding entries: where each address was seen last. */
  abstract get entries(): Map<string, string>;

  /** The latest announcements, at most 256, in the order in which they were heard. A wire of taps records none. */
  get announcements(): readonly Announcement[] {
    return [];
  }

  /** Forgets where the guest is: frames for it go to all ports until it is heard again. */
  abstract forget(): void;

  /** Tells the thread to look at its words. */
  wake(): void {
    this.#wake?.signal();
  }

  /** Tells the thread which stream runs (0: none) and of what kind its frames are, and waits until it knows. */
  async begin(stream: number, kind: StreamKind = 'ipv4'): Promise<void> {
    const head = streamHead(streamEnds(kind, GUEST_MAC, STATION_MAC).in, stream + TO_GUEST);
    this.#head.set(head);
    this.control[WIRE.head] = head.length;
    this.control[WIRE.vlan] = tagOf(kind);
    Atomics.store(this.control, WIRE.stream, stream);
    this.wake();
    while (Atomics.load(this.control, WIRE.running) !== stream) await sleep(1);
  }

  /** Ends the thread. What the thread works with is closed after that. */
  async close(): Promise<void> {
    Atomics.store(this.control, WIRE.stop, 1);
    this.wake();
    await this.#thread;
    await this.#pool?.destroy();
    this.#wake?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
