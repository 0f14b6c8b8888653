import { existsSync } from 'node:fs';
import { BpfMap } from 'bpf-loader-ts';
import { VfError } from '../errors.js';

const KEY_BYTES = 8;
const PART_BYTES = 1024;
/** Parts that a slot's text can have, beside the one with its length. */
const PARTS = 64;
const HASH = 1;
const BPF_F_NO_PREALLOC = 1;
/** Keys from this slot on are of texts that have no slot. */
const SLOTLESS = 0x8000_0000;

/**
 * A text for each slot, such as its configuration, in the pinned map `kept`: it lives as long as the instance is pinned, over restarts
 * of the daemon and not over a reboot, whatever becomes of the files in /run. Instances that wait have no slot, and texts of their own. Part 0 has the length and is written last: a text that a
 * killed daemon left half-way counts as absent.
 */
export class KeptMap {
  readonly #map: BpfMap;

  /** Opens the map pinned at `path`, or makes it with room for `capacity` slots. */
  constructor(path: string, capacity: number) {
    if (existsSync(path)) {
      this.#map = BpfMap.fromPin(path);
      return;
    }
    this.#map = BpfMap.create({
      type: HASH,
      name: 'vf_kept',
      keySize: KEY_BYTES,
      valueSize: PART_BYTES,
      maxEntries: capacity * (PARTS + 1),
      flags: BPF_F_NO_PREALLOC,
    });
    this.#map.pin(path);
  }

  /** The slot's text; undefined: it has none. */
  read(slot: number): string | undefined {
    const head = this.#map.lookup(key(slot, 0));
    if (!head) return undefined;
    const length = view(head).getUint32(0, true);
    const bytes = new Uint8Array(Math.ceil(length / PART_BYTES) * PART_BYTES);
    for (let part = 0; part * PART_BYTES < length; part++) {
      const piece = this.#map.lookup(key(slot, part + 1));
      if (!piece) return undefined;
      bytes.set(piece, part * PART_BYTES);
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  }

  /** Replaces the slot's text. Throws VfError INTERNAL for one of more than 64 KiB. */
  write(slot: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > PARTS * PART_BYTES)
      throw new VfError('INTERNAL', `a configuration of ${bytes.length} bytes`);
    this.clear(slot);
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      const piece = new Uint8Array(PART_BYTES);
      piece.set(bytes.subarray(at, at + PART_BYTES));
      this.#map.update(key(slot, at / PART_BYTES + 1), piece);
    }
    const head = new Uint8Array(PART_BYTES);
    view(head).setUint32(0, bytes.length, true);
    this.#map.update(key(slot, 0), head);
  }

  clear(slot: number): void {
    for (let part = 0; part <= PARTS; part++) this.#map.delete(key(slot, part));
  }

  /** Texts of instances that have no slot at present, in the order in which they were written. */
  readSlotless(): string[] {
    const texts: string[] = [];
    for (let text = this.read(SLOTLESS); text !== undefined; text = this.read(SLOTLESS + texts.length))
      texts.push(text);
    return texts;
  }

  /** Replaces all texts that have no slot. Throws VfError INTERNAL for one of more than 64 KiB, and what the map refuses if it is full. */
  writeSlotless(texts: readonly string[]): void {
    const before = this.readSlotless().length;
    for (const [i, text] of texts.entries()) this.write(SLOTLESS + i, text);
    for (let i = texts.length; i < before; i++) this.clear(SLOTLESS + i);
  }

  pin(path: string): void {
    this.#map.pin(path);
  }

  close(): void {
    this.#map.close();
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function key(slot: number, part: number): Uint8Array {
  const bytes = new Uint8Array(KEY_BYTES);
  view(bytes).setUint32(0, slot, true);
  view(bytes).setUint32(4, part, true);
  return bytes;
}
