import { UdpSocket } from 'bpf-loader-ts/sys';
import { FRAMES_MAX, PORT_WORDS, WIRE } from './far-end.js';
import {
  type Announcement,
  type FarSide,
  Port,
  type PortWords,
  STATION_ADDRESS,
  STATION_MAC,
  Wire,
} from './wire.js';
import { ENTRIES, HEARD_MAX, HEARD_RARP, PORT, type WireTask } from './wire-sockets-thread.js';

const macNumber = (mac: string): number => Number.parseInt(mac.replaceAll(':', ''), 16);
const ipNumber = (ip: string): number => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);

/** UDP port numbers of the switch's sockets and of those at the other ends, one for each port of the wire. */
const [OURS, THEIRS] = [17_000, 18_000];

/** A port's words in the block that the thread shares. */
function wordsOf(control: Int32Array, index: number): PortWords {
  const words = {} as PortWords;
  for (const [name, word] of Object.entries(PORT)) {
    const at = WIRE.port + index * PORT_WORDS + word;
    Object.defineProperty(words, name, {
      get: () => Atomics.load(control, at),
      set: (value: number) => Atomics.store(control, at, value),
    });
  }
  return words;
}

/** Over loopback datagram sockets and so without any privilege; a thread is switch and station (wire-sockets-thread.ts). */
export class SocketWire extends Wire {
  readonly ports: Readonly<Record<string, Port>>;
  readonly spawnPrefix = [];
  readonly sentBy = new Uint8Array(new SharedArrayBuffer(FRAMES_MAX));
  readonly cameBy = new Uint8Array(new SharedArrayBuffer(FRAMES_MAX));
  readonly #addresses = new Float64Array(new SharedArrayBuffer(8 * ENTRIES));
  readonly #entryPorts = new Int32Array(new SharedArrayBuffer(4 * ENTRIES));
  readonly #heardAt = new Float64Array(new SharedArrayBuffer(8 * HEARD_MAX));
  readonly #heardBy = new Uint8Array(new SharedArrayBuffer(HEARD_MAX));
  readonly #sockets: UdpSocket[];
  /** Loopback address of all sockets. */
  readonly #host: string;

  /** A wire with these ports. */
  constructor(...names: string[]) {
    super(names);
    // A loopback address of its own: port numbers need no agreement with anybody.
    const octet = (): number => 1 + Math.floor(Math.random() * 253);
    const host = `127.${octet()}.${octet()}.${octet()}`;
    this.#host = host;
    this.#sockets = names.map(
      (_, i) =>
        new UdpSocket({ bindAddr: host, bindPort: OURS + i, connectAddr: host, connectPort: THEIRS + i }),
    );
    const end = (which: 'local' | 'remote', port: number): string =>
      `${which}.type=inet,${which}.host=${host},${which}.port=${port}`;
    const netdev = (i: number): string => `dgram,${end('local', THEIRS + i)},${end('remote', OURS + i)}`;
    this.ports = Object.fromEntries(
      names.map((name, i) => [name, new Port(name, i, netdev(i), wordsOf(this.control, i))]),
    );
    const buffer = (a: Int32Array | Float64Array | Uint8Array): SharedArrayBuffer =>
      a.buffer as SharedArrayBuffer;
    this.run<WireTask>('wire-sockets-thread', {
      addresses: buffer(this.#addresses),
      entryPorts: buffer(this.#entryPorts),
      sentBy: buffer(this.sentBy),
      cameBy: buffer(this.cameBy),
      heardAt: buffer(this.#heardAt),
      heardBy: buffer(this.#heardBy),
      ports: this.#sockets.map((s) => s.fd),
      station: { mac: macNumber(STATION_MAC), ip: ipNumber(STATION_ADDRESS) },
    });
  }

  get entries(): Map<string, string> {
    const found = new Map<string, string>();
    this.#addresses.forEach((n, i) => {
      const hex = n.toString(16).padStart(12, '0');
      if (n !== 0) found.set(hex.match(/../g)!.join(':'), this.portsOf(1 << this.#entryPorts[i]!)[0]!);
    });
    return found;
  }

  override get announcements(): readonly Announcement[] {
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

  farSide(name: string): FarSide {
    const { index } = this.port(name);
    const socket = new UdpSocket({
      bindAddr: this.#host,
      bindPort: THEIRS + index,
      connectAddr: this.#host,
      connectPort: OURS + index,
    });
    return {
      send: (frame) => socket.send(frame),
      receive: (bytes) => socket.recv(bytes),
      close: () => socket.close(),
    };
  }

  forget(): void {
    this.#addresses.fill(0);
  }

  override async close(): Promise<void> {
    await super.close();
    for (const s of this.#sockets) s.close();
  }
}
