/**
 * Which session a BFD packet belongs to (RFC 5880 §6.3, RFC 5881 §3): by our discriminator once the peer knows it, by the addresses
 * before. Pure. What belongs to none is counted here, what a session refuses there.
 */

import {
  type BfdEndpoint,
  FRAME_WORDS,
  NOT_BFD,
  parseFrame,
  R_ADDRESS_BYTES,
  R_ADDRESSES,
  R_LENGTH,
  R_PAYLOAD,
  R_PORT,
  R_VLAN,
} from '../../src/detect/bfd/frame.js';
import {
  ACCEPTED,
  BFD_PORT,
  DISCARD_ADDRESS,
  DISCARD_YOUR_DISCR,
  DISCARDS,
  decodeControl,
  F_YOUR_DISCR,
  PACKET_WORDS,
} from '../../src/detect/bfd/packet.js';
import type { BfdSession } from '../../src/detect/bfd/session.js';
import { VfError } from '../../src/errors.js';

/** A session in the table. */
export interface BfdEntry {
  session: BfdSession;
  /** Both ends' addresses and the VLAN that its packets come by. */
  end: BfdEndpoint;
  /** What they come in on: a number of the caller's, such as instance * 2 + path. A packet that comes elsewhere says nothing of it. */
  port: number;
}

/** Sessions by discriminator and by address. */
export class BfdTable {
  /** Packets that were refused before or without a session, by DISCARD_*. */
  readonly counts = new Uint32Array(DISCARDS);
  readonly #byDiscriminator = new Map<number, BfdEntry>();
  readonly #entries: BfdEntry[] = [];
  readonly #packet = new Uint32Array(PACKET_WORDS);
  readonly #frame = new Int32Array(FRAME_WORDS);

  get entries(): readonly BfdEntry[] {
    return this.#entries;
  }

  /** Throws VfError CONFIG_INVALID when its discriminator, or its addresses on that port, are taken. */
  add(entry: BfdEntry): void {
    const { discriminator } = entry.session;
    if (this.#byDiscriminator.has(discriminator))
      throw new VfError('CONFIG_INVALID', `two BFD sessions have the discriminator ${discriminator}`, {
        field: 'detect.bfd.discriminator',
        value: discriminator,
        fix: 'give each session one of its own',
      });
    if (this.#entries.some((e) => sameEnds(e, entry)))
      throw new VfError('CONFIG_INVALID', 'two BFD sessions of a path have the same addresses', {
        field: 'detect.bfd.peer',
        value: Buffer.from(entry.end.peer).toString('hex'),
        fix: 'give each session of a path another peer, local address or VLAN',
      });
    this.#byDiscriminator.set(discriminator, entry);
    this.#entries.push(entry);
  }

  remove(session: BfdSession): void {
    const at = this.#entries.findIndex((e) => e.session === session);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#byDiscriminator.delete(session.discriminator);
  }

  /**
   * Takes in the frame of `length` bytes at the start of `bytes`, over which `view` lies, from `port`. Returns ACCEPTED, NOT_BFD (echo
   * packets, too), or the DISCARD_* that has been counted.
   */
  receive(bytes: Uint8Array, view: DataView, length: number, port: number, nowNs: number): number {
    const frame = this.#frame;
    const packet = this.#packet;
    let reason = parseFrame(view, length, frame);
    if (reason === NOT_BFD) return NOT_BFD;
    if (reason === ACCEPTED && frame[R_PORT] !== BFD_PORT) return NOT_BFD;
    if (reason === ACCEPTED) reason = decodeControl(view, frame[R_PAYLOAD]!, frame[R_LENGTH]!, packet);
    if (reason !== ACCEPTED) return this.#refused(reason);
    const yours = packet[F_YOUR_DISCR]!;
    if (yours === 0) {
      for (let i = 0; i < this.#entries.length; i++) {
        const entry = this.#entries[i]!;
        if (this.#isFor(entry, bytes, port))
          return entry.session.receive(packet, nowNs, bytes, frame[R_PAYLOAD]!);
      }
      return this.#refused(DISCARD_ADDRESS);
    }
    const entry = this.#byDiscriminator.get(yours);
    if (entry === undefined) return this.#refused(DISCARD_YOUR_DISCR);
    if (!this.#isFor(entry, bytes, port)) return this.#refused(DISCARD_ADDRESS);
    return entry.session.receive(packet, nowNs, bytes, frame[R_PAYLOAD]!);
  }

  #refused(reason: number): number {
    this.counts[reason]!++;
    return reason;
  }

  #isFor(entry: BfdEntry, bytes: Uint8Array, port: number): boolean {
    const { peer, local, vlan } = entry.end;
    const size = this.#frame[R_ADDRESS_BYTES]!;
    if (entry.port !== port || (vlan ?? -1) !== this.#frame[R_VLAN] || peer.length !== size) return false;
    const at = this.#frame[R_ADDRESSES]!;
    for (let i = 0; i < size; i++) {
      if (bytes[at + i] !== peer[i] || bytes[at + size + i] !== local[i]) return false;
    }
    return true;
  }
}

function sameEnds(a: BfdEntry, b: BfdEntry): boolean {
  const text = ({ port, end }: BfdEntry): string => `${port} ${end.vlan ?? -1} ${end.local} ${end.peer}`;
  return text(a) === text(b);
}
