import { monotonicNs, PacketSocket } from 'bpf-loader-ts/sys';
import { type BfdEndpoint, BfdFrame, NOT_BFD } from '../../src/detect/bfd/frame.js';
import type { BfdSessionConfig } from '../../src/detect/bfd/parameters.js';
import { BfdSession } from '../../src/detect/bfd/session.js';
import { BfdTable } from './bfd-table.js';

/** Sessions on a device, driven from Node's loop over a packet socket: what the pure parts say, on a real wire. */
export class BfdWire {
  readonly table = new BfdTable();
  readonly #socket: PacketSocket;
  readonly #frames = new Map<BfdSession, BfdFrame>();
  readonly #bytes = new Uint8Array(2048);
  readonly #view = new DataView(this.#bytes.buffer);
  #timer: NodeJS.Timeout | undefined;
  /** Neither sends nor receives while true: a black hole. */
  cut = false;

  constructor(netns: number, ifindex: number) {
    this.#socket = new PacketSocket({ netns, ifindex });
    const turn = (): void => {
      this.#turn();
      this.#timer = setTimeout(turn, 1);
    };
    turn();
  }

  add(config: BfdSessionConfig, end: BfdEndpoint): BfdSession {
    const session = new BfdSession(config, Math.random);
    this.table.add({ session, end, port: 0 });
    this.#frames.set(session, new BfdFrame(end, session.length));
    return session;
  }

  #turn(): void {
    for (;;) {
      const n = this.#socket.recv(this.#bytes);
      if (n < 0) break;
      if (!this.cut && this.table.receive(this.#bytes, this.#view, n, 0, monotonicNs()) === NOT_BFD) continue;
    }
    for (const { session } of this.table.entries) {
      const now = monotonicNs();
      session.expire(now);
      if (session.dueNs > now) continue;
      const frame = this.#frames.get(session)!;
      session.transmit(frame, now);
      frame.seal();
      if (!this.cut) this.#socket.send(frame.bytes);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }
}
