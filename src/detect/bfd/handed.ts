import { VfBfdPacket } from '../../../bpf/vfailover.bpf.js';
import { BFD_MAX, decodeControl, PACKET_WORDS } from './packet.js';
import { repeatOf } from './repeat.js';

const PACKET = VfBfdPacket.offsets;

/** The latest packet that the programs handed over (struct vf_bfd_packet). Nothing allocates per packet. */
export class HandedPacket {
  /** When it came. */
  ns = 0;
  /** What decodeControl has read. */
  readonly words = new Uint32Array(PACKET_WORDS);
  readonly bytes = new Uint8Array(BFD_MAX);
  readonly #view = new DataView(this.bytes.buffer);
  #length = 0;
  /** What a quiet peer repeats after the latest packet that was accepted, and how long that is; 0: each of its packets is another. */
  readonly expect = new Uint8Array(BFD_MAX);
  expectLength = 0;
  readonly #meticulous: boolean;

  /** `meticulous`: each packet is authenticated with a number of its own. */
  constructor(meticulous: boolean) {
    this.#meticulous = meticulous;
  }

  /** Takes in the record at `at`. */
  read(view: DataView, at: number): void {
    this.#length = Math.min(BFD_MAX, view.getUint32(at + PACKET.length, true));
    for (let i = 0; i < this.#length; i++) this.bytes[i] = view.getUint8(at + PACKET.bytes + i);
    this.ns = view.getUint32(at + PACKET.ns + 4, true) * 4294967296 + view.getUint32(at + PACKET.ns, true);
  }

  /** Decodes it. Returns ACCEPTED, or DISCARD_*. */
  decode(): number {
    return decodeControl(this.#view, 0, this.#length, this.words);
  }

  /** It was accepted: takes in what the peer repeats from now on. */
  accept(): void {
    this.expectLength = repeatOf(this.bytes, this.words, this.#meticulous, this.expect);
  }

  /** True if the record at `at` comes from this MAC, or from none that could be answered. */
  static isFrom(view: DataView, at: number, mac: Uint8Array): boolean {
    if ((view.getUint8(at + PACKET.mac) & 1) !== 0) return true;
    for (let i = 0; i < 6; i++) if (mac[i] !== view.getUint8(at + PACKET.mac + i)) return false;
    return true;
  }

  /** The MAC that the record at `at` comes from, in place. */
  static mac(view: DataView, at: number): Uint8Array {
    return new Uint8Array(view.buffer, view.byteOffset + at + PACKET.mac, 6);
  }
}
