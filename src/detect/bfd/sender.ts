import { type PacedSender, sockSend } from 'bpf-loader-ts/sys';
import type { Path } from '../../device.js';
import { type BfdEngine, NEVER } from './engine.js';
import { type BfdEndpoint, BfdFrame } from './frame.js';
import type { BfdSession } from './session.js';
import { leastSpanNs, mostSpanNs } from './timing.js';

/** What a sender is made of. */
export interface SenderOptions {
  readonly pacer: PacedSender;
  readonly slot: number;
  readonly end: BfdEndpoint;
  /** Bytes of a packet, and the port that it goes to. */
  readonly length: number;
  readonly port: number;
  readonly multiplier: number;
}

/** Sends the packets of one engine, from the slave itself, past our own programs; or has the paced sender repeat them. */
export class BfdSender {
  readonly #o: SenderOptions;
  /** undefined: the peer's MAC is not known yet. */
  #frame: BfdFrame | undefined;
  /** Packet sockets on both slaves: opened before they are needed, for closing one takes 10 ms and more, in which nothing would be sent. */
  readonly #fds = new Int32Array([-1, -1]);
  #path: Path | -1 = -1;
  /** What the paced sender repeats at present; interval 0: nothing. */
  readonly #paced = { interval: 0, packet: 0, discr: 0 };
  /** It does not know of the last packet, or not where it goes. */
  #stale = false;
  #sentNs = 0;

  constructor(options: SenderOptions) {
    this.#o = options;
  }

  /** Of the path in use; -1: there is none. */
  get fd(): number {
    return this.#path === -1 ? -1 : this.#fds[this.#path]!;
  }

  /** True if it is known where packets go. */
  get aimed(): boolean {
    return this.#frame !== undefined;
  }

  /** True if packets can be sent. */
  get ready(): boolean {
    return this.#frame !== undefined && this.fd >= 0;
  }

  /** Packets leave by this path from now on. */
  move(path: Path): void {
    this.unpace();
    this.#path = path;
  }

  /** Takes other sockets. By the old ones nothing is sent any more: their numbers may become somebody else's. */
  use(fds: readonly number[]): void {
    const path = this.#path;
    if (path !== -1 && fds[path] !== this.#fds[path]) this.unpace();
    this.#fds.set(fds);
  }

  /** Packets come from this MAC from now on. */
  leaveAs(mac: Uint8Array): void {
    this.#o.end.localMac.set(mac);
    this.#frame?.bytes.set(mac, 6);
    this.#stale = true;
  }

  /** Packets go to this MAC from now on. */
  aim(mac: Uint8Array): void {
    const { end, length, port } = this.#o;
    end.peerMac.set(mac);
    if (this.#frame === undefined) this.#frame = new BfdFrame(end, length, port);
    else this.#frame.bytes.set(end.peerMac, 0);
    this.#stale = true;
  }

  /** Writes the packet that is due. */
  write(engine: BfdEngine, nowNs: number): void {
    const frame = this.#frame!;
    engine.transmit(frame, nowNs);
    frame.seal();
  }

  /** Sends what was written. A packet that is not sent is a lost one. */
  send(nowNs: number): void {
    const { bytes } = this.#frame!;
    sockSend(this.fd, bytes, bytes.length);
    this.#sentNs = nowNs;
    this.#stale = true;
  }

  /** Lets the paced sender repeat what the session has to say, if that is another thing than it repeats already. */
  pace(session: BfdSession): void {
    const frame = this.#frame!;
    const paced = this.#paced;
    if (session.dueNs === NEVER) {
      this.unpace();
      return;
    }
    const interval = session.intervalUs;
    const packet = session.state | (session.diag << 8) | (session.polling ? 1 << 16 : 0);
    const discr = session.remoteDiscriminator;
    const same = interval === paced.interval && packet === paced.packet && discr === paced.discr;
    if (same && !this.#stale) return;
    session.compose(frame);
    frame.seal();
    this.#o.pacer.set(this.#o.slot, {
      fd: this.fd,
      frames: frame.bytes,
      leastNs: leastSpanNs(interval),
      mostNs: mostSpanNs(interval, this.#o.multiplier),
      sentNs: this.#sentNs,
    });
    paced.interval = interval;
    paced.packet = packet;
    paced.discr = discr;
    this.#stale = false;
  }

  /** The paced sender repeats nothing any more. */
  unpace(): void {
    if (this.#paced.interval === 0) return;
    this.#paced.interval = 0;
    this.#o.pacer.drop(this.#o.slot);
  }
}
