import type { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { UndoEntry, UndoMap } from '../datapath/undo-map.js';
import type { Role } from '../device.js';

/** What one instance has changed on one of its slaves and must take back: its part of the pinned map `undo`. */
export class UndoLog {
  readonly #map: UndoMap;
  readonly #slot: number;
  readonly #role: Role;

  constructor(map: UndoMap, slot: number, role: Role) {
    this.#map = map;
    this.#slot = slot;
    this.#role = role;
  }

  /** Entries of a kind, oldest first. */
  of(kind: VfUndoKind): UndoEntry[] {
    return this.#map.of(this.#slot).filter((e) => e.kind === kind && e.role === this.#role);
  }

  /** The entry of a change; undefined: it was not made by us. */
  get(kind: VfUndoKind, id: Uint8Array): UndoEntry | undefined {
    return this.#map.get(this.#slot, this.#role, kind, id);
  }

  /** Keeps a change, before it is made. An entry that is there stays. Throws UNDO_FULL. */
  put(kind: VfUndoKind, id: Uint8Array, before?: Uint8Array): void {
    this.#map.put(this.#slot, this.#role, kind, id, before);
  }

  /** Forgets a change, after it was taken back. */
  delete(kind: VfUndoKind, id: Uint8Array): void {
    this.#map.delete(this.#slot, this.#role, kind, id);
  }
}
