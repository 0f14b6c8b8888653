import { randomBytes, randomInt } from 'node:crypto';
import { sockSend } from 'bpf-loader-ts/sys';
import { VfEcho } from '../../../bpf/vfailover.bpf.js';
import { EchoTimer } from './echo.js';
import { type BfdEndpoint, BfdFrame } from './frame.js';
import type { BfdMap } from './map.js';
import { BFD_ECHO_PORT } from './packet.js';

const PAYLOAD = VfEcho.offsets;

/**
 * Echo packets of a session: sent to our own address by the peer's MAC. The programs take in those that come back; here the next one is
 * sent, and the deadline set that the programs keep when it is the last straw.
 */
export class BfdEcho {
  /** What they carry; the programs have to know it. */
  readonly key = randomBytes(8);
  readonly timer: EchoTimer;
  readonly #map: BfdMap;
  readonly #slot: number;
  readonly #end: BfdEndpoint;
  readonly #discriminator: number;
  #frame: BfdFrame | undefined;

  constructor(
    map: BfdMap,
    slot: number,
    end: BfdEndpoint,
    o: { discriminator: number; intervalUs: number; multiplier: number },
  ) {
    this.#map = map;
    this.#slot = slot;
    this.#end = end;
    this.#discriminator = o.discriminator;
    this.timer = new EchoTimer(o.intervalUs, o.multiplier, randomInt(0x7fffffff), Math.random);
  }

  /** Once the programs know the key: what they take for fresh begins here. */
  begin(): void {
    this.#map.startEcho(this.#slot, this.timer.sent);
  }

  /** Takes in what came back. True if the time for it is over. */
  expired(nowNs: number): boolean {
    this.timer.returned(this.#map.echoBack(this.#slot));
    return nowNs >= this.timer.expiresNs;
  }

  /** The peer, or the master, has another MAC. */
  learn(): void {
    this.#frame?.bytes.set(this.#end.peerMac, 0);
    this.#frame?.bytes.set(this.#end.localMac, 6);
  }

  /** Another path carries traffic. */
  move(nowNs: number): void {
    this.timer.restart(nowNs);
  }

  /** Sends what is due. True if it is the last straw: the timer in the programs is to be started. */
  transmit(fd: number, nowNs: number): boolean {
    const { timer } = this;
    if (this.#frame === undefined) this.#build();
    const frame = this.#frame!;
    const waited = timer.expiresNs;
    const sequence = timer.send(nowNs);
    frame.view.setUint32(frame.payload + PAYLOAD.seq, sequence, true);
    frame.seal();
    const straw = timer.expiresNs !== waited;
    // Before it is sent: the answer may be here before we are.
    this.#map.setEchoSent(this.#slot, sequence | 0);
    if (straw) this.#map.setDue(this.#slot, timer.expiresNs);
    sockSend(fd, frame.bytes, frame.bytes.length);
    return straw;
  }

  #build(): void {
    const end = { ...this.#end, sourcePort: BFD_ECHO_PORT };
    const frame = BfdFrame.echo(end, VfEcho.size);
    frame.bytes.set(this.key, frame.payload + PAYLOAD.key);
    new DataView(frame.bytes.buffer).setUint32(frame.payload + PAYLOAD.discr, this.#discriminator);
    this.#frame = frame;
  }
}
