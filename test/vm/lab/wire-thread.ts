import { clockMonotonic, Epoll, eventfdClear, sockRecv, sockSend } from 'bpf-loader-ts/sys';

/** Words of the block that the thread shares with its Wire; per-port words follow at WIRE.port. */
export const WIRE = {
  stop: 0,
  /** Identifier of the running stream; 0: none. */
  stream: 1,
  /** Nanoseconds between two frames to the guest; 0: none is sent. */
  interval_ns: 2,
  /** Frames sent to the guest by the running stream. */
  sent: 3,
  /** Of the guest's frames those that arrived: any number, again, and after a higher one. */
  received: 4,
  duplicated: 5,
  reordered: 6,
  /** Highest number that arrived + 1. */
  numbers: 7,
  /** The stream that the thread is at. */
  running: 8,
  /** Announcements heard so far. */
  announcements: 9,
  port: 16,
} as const;
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
export const PORT_WORDS = 8;
export const PORTS_MAX = 8;
export const WIRE_WORDS = WIRE.port + PORTS_MAX * PORT_WORDS;
export const HOLE_TO_GUEST = 1;
export const HOLE_FROM_GUEST = 2;

/** Announcements that are remembered, the latest, with this bit at the port of a RARP. */
export const HEARD_MAX = 256;
export const HEARD_RARP = 0x80;
/** Forwarding entries: at most so many addresses are known at once. */
export const ENTRIES = 64;
/** Frames of the longest stream, each way. */
export const FRAMES_MAX = 1 << 17;
export const STREAM_PORT = 7412;
const MAGIC = 0x56464c52;

export interface WireTask {
  control: SharedArrayBuffer;
  /** ENTRIES MAC addresses as numbers (0: free), and the port of each. */
  addresses: SharedArrayBuffer;
  entryPorts: SharedArrayBuffer;
  /** By number of the frame, ns: when each went to the guest, when each came from it (0: never). */
  sentAt: SharedArrayBuffer;
  cameAt: SharedArrayBuffer;
  /** By number of the frame, bits: the ports it went to, and those it came by. */
  sentBy: SharedArrayBuffer;
  cameBy: SharedArrayBuffer;
  /** When each announcement was heard, ns, and by which port. */
  heardAt: SharedArrayBuffer;
  heardBy: SharedArrayBuffer;
  /** Datagram sockets connected to QEMU's, one to a port. */
  ports: number[];
  wakeFd: number;
  station: { mac: number; ip: number };
  guest: { mac: number; ip: number };
}

const BURST = 64;
const IDLE_US = 100_000;
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
  readonly #sentAt: Float64Array;
  readonly #cameAt: Float64Array;
  readonly #sentBy: Uint8Array;
  readonly #cameBy: Uint8Array;
  readonly #heardAt: Float64Array;
  readonly #heardBy: Uint8Array;
  readonly #clock = new Float64Array(1);
  readonly #frame = new Uint8Array(2048);
  readonly #view = new DataView(this.#frame.buffer);
  readonly #stream = new Uint8Array(14 + 28 + 64);
  readonly #streamView = new DataView(this.#stream.buffer);
  #next = 0;
  #random = 0x9e3779b9;

  constructor(task: WireTask) {
    this.#task = task;
    this.#control = new Int32Array(task.control);
    this.#addresses = new Float64Array(task.addresses);
    this.#entryPorts = new Int32Array(task.entryPorts);
    this.#sentAt = new Float64Array(task.sentAt);
    this.#cameAt = new Float64Array(task.cameAt);
    this.#sentBy = new Uint8Array(task.sentBy);
    this.#cameBy = new Uint8Array(task.cameBy);
    this.#heardAt = new Float64Array(task.heardAt);
    this.#heardBy = new Uint8Array(task.heardBy);
    this.#template();
  }

  /** The stream's frame but for its number: Ethernet, IPv4, UDP without a checksum. */
  #template(): void {
    const v = this.#streamView;
    const { station, guest } = this.#task;
    putMac(v, 0, guest.mac);
    putMac(v, 6, station.mac);
    v.setUint16(12, 0x0800);
    v.setUint16(14, 0x4500);
    v.setUint16(16, 28 + 64);
    v.setUint16(20, 0x4000);
    v.setUint16(22, 0x4011);
    v.setUint32(26, station.ip);
    v.setUint32(30, guest.ip);
    let sum = 0;
    for (let at = 14; at < 34; at += 2) sum += v.getUint16(at);
    v.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
    v.setUint16(34, STREAM_PORT);
    v.setUint16(36, STREAM_PORT);
    v.setUint16(38, 8 + 64);
    v.setUint32(42, MAGIC, true);
  }

  run(): void {
    const { ports, wakeFd } = this.#task;
    const control = this.#control;
    const epoll = new Epoll();
    const ready = new Int32Array(PORTS_MAX + 1);
    epoll.add(wakeFd, -1);
    for (const [i, fd] of ports.entries()) epoll.add(fd, i);
    while (Atomics.load(control, WIRE.stop) === 0) {
      this.#begin();
      const until = this.#send();
      const n = epoll.wait(ready, until);
      for (let i = 0; i < n; i++)
        if (ready[i]! < 0) eventfdClear(wakeFd);
        else this.#drain(ready[i]!);
    }
    epoll.close();
  }

  #begin(): void {
    const control = this.#control;
    const stream = Atomics.load(control, WIRE.stream);
    if (stream === control[WIRE.running]) return;
    if (stream !== 0) {
      for (const word of [WIRE.sent, WIRE.received, WIRE.duplicated, WIRE.reordered, WIRE.numbers])
        control[word] = 0;
      for (const a of [this.#sentAt, this.#cameAt, this.#sentBy, this.#cameBy]) a.fill(0);
      this.#streamView.setUint32(46, stream, true);
      this.#next = 0;
    }
    Atomics.store(control, WIRE.running, stream);
  }

  /** Sends what is due; returns the microseconds until the next. */
  #send(): number {
    const control = this.#control;
    const interval = control[WIRE.interval_ns]!;
    if (control[WIRE.running] === 0 || interval === 0) return IDLE_US;
    for (;;) {
      clockMonotonic(this.#clock, 0);
      const now = this.#clock[0]!;
      if (this.#next === 0) this.#next = now;
      if (now < this.#next) return Math.ceil((this.#next - now) / 1000);
      const number = control[WIRE.sent]!;
      if (number >= FRAMES_MAX) return IDLE_US;
      // A sender that was held up for long does not catch up: a burst would measure queues.
      this.#next = now - this.#next > 20 * interval ? now + interval : this.#next + interval;
      this.#streamView.setUint32(50, number, true);
      this.#sentAt[number] = now;
      this.#sentBy[number] = this.#forward(this.#stream, this.#stream.length, this.#task.guest.mac, -1);
      Atomics.store(control, WIRE.sent, number + 1);
    }
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
    if (protocol === 0x8100 && length >= 18) {
      protocol = v.getUint16(16);
      l3 = 18;
    }
    if (protocol === 0x0806 || protocol === 0x8035) {
      this.#heard(port, protocol === 0x8035);
      if (protocol === 0x0806 && length >= l3 + 28) this.#arp(l3, length);
      return;
    }
    if (protocol !== 0x0800 || length < l3 + 28) return;
    if (v.getUint32(l3 + 16) !== this.#task.station.ip) return;
    const l4 = l3 + (v.getUint8(l3) & 0xf) * 4;
    const kind = v.getUint8(l3 + 9);
    if (kind === 17 && v.getUint16(l4 + 2) === STREAM_PORT && length >= l4 + 20) this.#took(port, l4 + 8);
    else if (kind === 1 && v.getUint8(l4) === 8) this.#echo(l3, l4, length);
  }

  #heard(port: number, rarp: boolean): void {
    const n = this.#control[WIRE.announcements]!;
    clockMonotonic(this.#heardAt, n % HEARD_MAX);
    this.#heardBy[n % HEARD_MAX] = port | (rarp ? HEARD_RARP : 0);
    this.#control[WIRE.port + port * PORT_WORDS + PORT.announced]!++;
    Atomics.store(this.#control, WIRE.announcements, n + 1);
  }

  #took(port: number, at: number): void {
    const v = this.#view;
    const control = this.#control;
    if (v.getUint32(at, true) !== MAGIC || v.getUint32(at + 4, true) !== control[WIRE.running]) return;
    const number = v.getUint32(at + 8, true);
    if (number >= FRAMES_MAX) return;
    this.#cameBy[number]! |= 1 << port;
    if (this.#cameAt[number] !== 0) {
      control[WIRE.duplicated]!++;
      return;
    }
    clockMonotonic(this.#cameAt, number);
    control[WIRE.received]!++;
    if (number < control[WIRE.numbers]!) control[WIRE.reordered]!++;
    else control[WIRE.numbers] = number + 1;
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
