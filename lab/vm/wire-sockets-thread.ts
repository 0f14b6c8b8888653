import { clockMonotonic, Epoll, eventfdClear, sockRecv, sockSend } from 'bpf-loader-ts/sys';
import { ETHERTYPE } from '../../src/frames/numbers.js';
import {
  datagramIn,
  FarEnd,
  type FarEndTask,
  HOLE_FROM_GUEST,
  HOLE_TO_GUEST,
  OutgoingFrame,
  PORT_WORDS,
  PORTS_MAX,
  WIRE,
} from './far-end.js';

/** Words of a port, from WIRE.port on. */
export const PORT = {
  /** Bits: HOLE_TO_GUEST, HOLE_FROM_GUEST. */
  hole: 0,
  /** Frames lost of a million, at random, in each direction. */
  loss_to_guest: 1,
  loss_from_guest: 2,
  /** Frames carried, and frames swallowed by a hole or lost on purpose. */
  to_guest: 3,
  from_guest: 4,
  swallowed: 5,
  /** Of the frames from the guest, ARP and RARP: what announces a new path. */
  announced: 6,
} as const;
/** Announcements that are remembered, the latest, with this bit at the port of a RARP. */
export const HEARD_MAX = 256;
export const HEARD_RARP = 0x80;
/** Forwarding entries: at most so many addresses are known at once. */
export const ENTRIES = 64;
export interface WireTask extends FarEndTask {
  /** ENTRIES MAC addresses as numbers (0: free), and the port of each. */
  addresses: SharedArrayBuffer;
  entryPorts: SharedArrayBuffer;
  /** By number of the frame, bits: the ports it went to, and those it came by. */
  sentBy: SharedArrayBuffer;
  cameBy: SharedArrayBuffer;
  /** When each announcement was heard, ns, and by which port. */
  heardAt: SharedArrayBuffer;
  heardBy: SharedArrayBuffer;
  /** Datagram sockets connected to QEMU's, one to a port. */
  ports: number[];
  station: { mac: number; ip: number };
}

const BURST = 64;
const BROADCAST = 0xffffffffffff;

/**
 * The network outside the guest, in one thread: a learning switch with a port for each of QEMU's datagram sockets, and a station that
 * answers ARP and ICMP echo and is the far end of numbered streams.
 */
class Fabric {
  readonly #task: WireTask;
  readonly #control: Int32Array;
  readonly #addresses: Float64Array;
  readonly #entryPorts: Int32Array;
  readonly #far: FarEnd;
  readonly #sentBy: Uint8Array;
  readonly #cameBy: Uint8Array;
  readonly #heardAt: Float64Array;
  readonly #heardBy: Uint8Array;
  readonly #frame = new Uint8Array(2048);
  readonly #view = new DataView(this.#frame.buffer);
  readonly #outgoing = new OutgoingFrame();
  /** Whom the running stream's frames go to. */
  #receiver = BROADCAST;
  #random = 0x9e3779b9;

  constructor(task: WireTask) {
    this.#task = task;
    this.#control = new Int32Array(task.control);
    this.#addresses = new Float64Array(task.addresses);
    this.#entryPorts = new Int32Array(task.entryPorts);
    this.#far = new FarEnd(task);
    this.#sentBy = new Uint8Array(task.sentBy);
    this.#cameBy = new Uint8Array(task.cameBy);
    this.#heardAt = new Float64Array(task.heardAt);
    this.#heardBy = new Uint8Array(task.heardBy);
  }

  run(): void {
    const { ports, wakeFd } = this.#task;
    const epoll = new Epoll();
    const ready = new Int32Array(PORTS_MAX + 1);
    epoll.add(wakeFd, -1);
    for (const [i, fd] of ports.entries()) epoll.add(fd, i);
    const prepare = (stream: number): void => this.#prepare(stream);
    const emit = (number: number): void => this.#emit(number);
    while (!this.#far.stopped) {
      this.#far.begin(prepare);
      const n = epoll.wait(ready, this.#far.send(emit));
      for (let i = 0; i < n; i++)
        if (ready[i]! < 0) eventfdClear(wakeFd);
        else this.#drain(ready[i]!);
    }
    epoll.close();
  }

  #prepare(stream: number): void {
    this.#sentBy.fill(0);
    this.#cameBy.fill(0);
    const head = new Uint8Array(this.#task.head, 0, this.#control[WIRE.head]!);
    this.#outgoing.begin(stream, head);
    this.#receiver = head[0]! & 1 ? BROADCAST : getMac(new DataView(this.#task.head), 0);
  }

  #emit(number: number): void {
    this.#outgoing.number = number;
    const { bytes } = this.#outgoing;
    this.#sentBy[number] = this.#forward(bytes, bytes.length, this.#receiver, -1);
  }

  #drain(port: number): void {
    for (let i = 0; i < BURST; i++) {
      const length = sockRecv(this.#task.ports[port]!, this.#frame);
      if (length < 14) return;
      this.#arrived(port, length);
    }
  }

  #arrived(port: number, length: number): void {
    const control = this.#control;
    const words = WIRE.port + port * PORT_WORDS;
    if (
      control[words + PORT.hole]! & HOLE_FROM_GUEST ||
      this.#unlucky(control[words + PORT.loss_from_guest]!)
    ) {
      control[words + PORT.swallowed]!++;
      return;
    }
    control[words + PORT.from_guest]!++;
    const to = getMac(this.#view, 0);
    this.#learn(getMac(this.#view, 6), port);
    const group = this.#frame[0]! & 1;
    // The station's answer is written over the frame: what goes to other ports goes first.
    if (to !== this.#task.station.mac) this.#forward(this.#frame, length, group ? BROADCAST : to, port);
    if (to === this.#task.station.mac || group) this.#station(port, length);
  }

  #learn(mac: number, port: number): void {
    let free = -1;
    for (let i = 0; i < ENTRIES; i++) {
      const known = this.#addresses[i]!;
      if (known === mac) {
        this.#entryPorts[i] = port;
        return;
      }
      if (known === 0 && free < 0) free = i;
    }
    if (free < 0) return;
    this.#entryPorts[free] = port;
    this.#addresses[free] = mac;
  }

  /** To the port where the address was seen last, else to all but the one it came by. Returns the ports, as bits. */
  #forward(frame: Uint8Array, length: number, mac: number, from: number): number {
    if (mac !== BROADCAST)
      for (let i = 0; i < ENTRIES; i++)
        if (this.#addresses[i] === mac) {
          const port = this.#entryPorts[i]!;
          return port === from ? 0 : this.#toGuest(port, frame, length);
        }
    let bits = 0;
    for (let port = 0; port < this.#task.ports.length; port++)
      if (port !== from) bits |= this.#toGuest(port, frame, length);
    return bits;
  }

  #toGuest(port: number, frame: Uint8Array, length: number): number {
    const control = this.#control;
    const words = WIRE.port + port * PORT_WORDS;
    if (control[words + PORT.hole]! & HOLE_TO_GUEST || this.#unlucky(control[words + PORT.loss_to_guest]!)) {
      control[words + PORT.swallowed]!++;
    } else {
      control[words + PORT.to_guest]!++;
      sockSend(this.#task.ports[port]!, frame, length);
    }
    return 1 << port;
  }

  #unlucky(perMillion: number): boolean {
    if (perMillion === 0) return false;
    // xorshift32
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (x >>> 0) % 1_000_000 < perMillion;
  }

  #station(port: number, length: number): void {
    const v = this.#view;
    let l3 = 14;
    let protocol = v.getUint16(12);
    if (protocol === ETHERTYPE.vlan && length >= 18) {
      protocol = v.getUint16(16);
      l3 = 18;
    }
    if (protocol === ETHERTYPE.arp || protocol === ETHERTYPE.rarp) {
      this.#heard(port, protocol === ETHERTYPE.rarp);
      if (protocol === ETHERTYPE.arp && length >= l3 + 28) this.#arp(l3, length);
      return;
    }
    const datagram = datagramIn(v, length);
    if (datagram >= 0) {
      const tag = l3 === 18 ? v.getUint16(14) & 0xfff : 0;
      if (tag === this.#control[WIRE.vlan]) this.#took(port, datagram);
      return;
    }
    if (protocol !== ETHERTYPE.ipv4 || length < l3 + 28 || v.getUint32(l3 + 16) !== this.#task.station.ip)
      return;
    const l4 = l3 + (v.getUint8(l3) & 0xf) * 4;
    if (v.getUint8(l3 + 9) === 1 && v.getUint8(l4) === 8) this.#echo(l3, l4, length);
  }

  #heard(port: number, rarp: boolean): void {
    const n = this.#control[WIRE.announcements]!;
    clockMonotonic(this.#heardAt, n % HEARD_MAX);
    this.#heardBy[n % HEARD_MAX] = port | (rarp ? HEARD_RARP : 0);
    this.#control[WIRE.port + port * PORT_WORDS + PORT.announced]!++;
    Atomics.store(this.#control, WIRE.announcements, n + 1);
  }

  #took(port: number, at: number): void {
    const number = this.#far.numberOf(this.#view, at);
    if (number < 0) return;
    this.#cameBy[number]! |= 1 << port;
    this.#far.took(number);
  }

  #arp(l3: number, length: number): void {
    const v = this.#view;
    const { station } = this.#task;
    if (v.getUint16(l3 + 6) !== 1 || v.getUint32(l3 + 24) !== station.ip) return;
    v.setUint16(l3 + 6, 2);
    const theirs = getMac(v, l3 + 8);
    const ip = v.getUint32(l3 + 14);
    putMac(v, l3 + 18, theirs);
    v.setUint32(l3 + 24, ip);
    putMac(v, l3 + 8, station.mac);
    v.setUint32(l3 + 14, station.ip);
    this.#answer(length);
  }

  #echo(l3: number, l4: number, length: number): void {
    const v = this.#view;
    v.setUint32(l3 + 16, v.getUint32(l3 + 12));
    v.setUint32(l3 + 12, this.#task.station.ip);
    v.setUint8(l4, 0);
    const sum = v.getUint16(l4 + 2) + 0x0800;
    v.setUint16(l4 + 2, (sum & 0xffff) + (sum >>> 16));
    this.#answer(length);
  }

  /** Sends the frame back to whom it came from. */
  #answer(length: number): void {
    const to = getMac(this.#view, 6);
    putMac(this.#view, 0, to);
    putMac(this.#view, 6, this.#task.station.mac);
    this.#forward(this.#frame, length, to, -1);
  }
}

const getMac = (v: DataView, at: number): number => v.getUint16(at) * 0x100000000 + v.getUint32(at + 2);
const putMac = (v: DataView, at: number, mac: number): void => {
  v.setUint16(at, Math.floor(mac / 0x100000000));
  v.setUint32(at + 2, mac >>> 0);
};

export default function run(task: WireTask): void {
  new Fabric(task).run();
}
