import { IDENTITY, IDENTITY_BYTES, NAME_BYTES, VF_LAYOUT } from './layout.js';

/** Who a slot belongs to, and what leaving has to put back. Kept in a pinned map, so that a restarted daemon knows. */
export interface Identity {
  name: string;
  /** Inode of the network namespace. */
  netns: number;
  masterIfindex: number;
  /** 0: none joined. */
  primaryIfindex: number;
  mac: string;
  /** UNDO_*: which of the next two, and of the admin state, to restore on the primary. */
  undo: number;
  undoMtu: number;
  undoAddrGenMode: number;
  attach: 'tcx' | 'clsact';
  override: 0 | 1 | 2;
  switches: number;
  /** The last steering word that a decision was recorded for: what differs from it happened without a daemon. */
  seenWord: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The map of identities as mapped memory. */
export class IdentityView {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly slots: number;

  constructor(buffer: ArrayBuffer, slots: number) {
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.slots = slots;
  }

  /** 0 for a free slot, else the layout version that wrote it. */
  layoutOf(slot: number): number {
    return this.#view.getUint32(slot * IDENTITY_BYTES + IDENTITY.layout, true);
  }

  free(): number | undefined {
    for (let slot = 0; slot < this.slots; slot++) if (this.layoutOf(slot) === 0) return slot;
    return undefined;
  }

  read(slot: number): Identity | undefined {
    const at = slot * IDENTITY_BYTES;
    const v = this.#view;
    if (this.layoutOf(slot) !== VF_LAYOUT) return undefined;
    const name = this.#bytes.subarray(at + IDENTITY.name, at + IDENTITY.name + NAME_BYTES);
    const mac = this.#bytes.subarray(at + IDENTITY.mac, at + IDENTITY.mac + 6);
    return {
      name: decoder.decode(name.subarray(0, Math.max(0, name.indexOf(0)))),
      netns: Number(v.getBigUint64(at + IDENTITY.netns, true)),
      masterIfindex: v.getUint32(at + IDENTITY.master_ifindex, true),
      primaryIfindex: v.getUint32(at + IDENTITY.primary_ifindex, true),
      mac: [...mac].map((b) => b.toString(16).padStart(2, '0')).join(':'),
      undo: v.getUint32(at + IDENTITY.undo, true),
      undoMtu: v.getUint32(at + IDENTITY.undo_mtu, true),
      undoAddrGenMode: v.getUint32(at + IDENTITY.undo_addr_gen_mode, true),
      attach: v.getUint32(at + IDENTITY.attach, true) === 2 ? 'clsact' : 'tcx',
      override: v.getUint32(at + IDENTITY.override, true) as 0 | 1 | 2,
      switches: Number(v.getBigUint64(at + IDENTITY.switches, true)),
      seenWord: v.getUint32(at + IDENTITY.seen_word, true),
    };
  }

  write(slot: number, id: Identity): void {
    const at = slot * IDENTITY_BYTES;
    const v = this.#view;
    const name = encoder.encode(id.name).subarray(0, NAME_BYTES - 1);
    this.#bytes.fill(0, at + IDENTITY.name, at + IDENTITY.name + NAME_BYTES);
    this.#bytes.set(name, at + IDENTITY.name);
    this.#bytes.set(
      id.mac.split(':').map((h) => Number.parseInt(h, 16)),
      at + IDENTITY.mac,
    );
    v.setUint32(at + IDENTITY.master_ifindex, id.masterIfindex, true);
    v.setUint32(at + IDENTITY.primary_ifindex, id.primaryIfindex, true);
    v.setUint32(at + IDENTITY.undo, id.undo, true);
    v.setUint32(at + IDENTITY.undo_mtu, id.undoMtu, true);
    v.setUint32(at + IDENTITY.undo_addr_gen_mode, id.undoAddrGenMode, true);
    v.setBigUint64(at + IDENTITY.netns, BigInt(id.netns), true);
    v.setUint32(at + IDENTITY.attach, id.attach === 'clsact' ? 2 : 1, true);
    v.setUint32(at + IDENTITY.override, id.override, true);
    v.setBigUint64(at + IDENTITY.switches, BigInt(id.switches), true);
    v.setUint32(at + IDENTITY.seen_word, id.seenWord, true);
    // Last: a slot counts as taken only when all of it is there.
    v.setUint32(at + IDENTITY.layout, VF_LAYOUT, true);
  }

  clear(slot: number): void {
    this.#view.setUint32(slot * IDENTITY_BYTES, 0, true);
    this.#bytes.fill(0, slot * IDENTITY_BYTES, (slot + 1) * IDENTITY_BYTES);
  }
}
