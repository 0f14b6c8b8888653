import { type BpfMap, TypedMap } from 'bpf-loader-ts';
import { VfUndoKey, type VfUndoKind, VfUndoValue } from '../../bpf/vfailover.bpf.js';
import { type Path, pathOf, type Role, roleOf } from '../device.js';
import { VfError } from '../errors.js';

/** Bytes that an entry's id has in the map; the last one is the slave's path. */
const ID_BYTES = VfUndoKey.fields.id.codec.size;
/** Bytes that an entry's id, and what was before, can have. */
export const UNDO_ID_MAX = ID_BYTES - 1;
export const UNDO_BEFORE_MAX = VfUndoValue.fields.before.codec.size;

/** A change of a slave that its leave takes back. */
export interface UndoEntry {
  readonly kind: VfUndoKind;
  readonly role: Role;
  /** What was changed: `UNDO_ID_MAX` bytes, zeros at the end. */
  readonly id: Uint8Array;
  /** What it was before. */
  readonly before: Uint8Array;
}

/**
 * Changes of slaves that have to be taken back, of all slots: the pinned map `undo`. It outlives the daemon, so whoever detaches an
 * instance knows what to restore. The map has one writer, so its content is read once and kept here as well.
 */
export class UndoMap {
  readonly #map: TypedMap<VfUndoKey, VfUndoKey, VfUndoValue, VfUndoValue>;
  readonly #slots = new Map<number, Map<string, UndoEntry>>();

  constructor(map: BpfMap) {
    this.#map = new TypedMap(map, VfUndoKey, VfUndoValue);
    for (const [{ slot, kind, id }, { length, before }] of this.#map.entries())
      this.#remember(slot, id, {
        kind: kind as VfUndoKind,
        role: roleOf(id[UNDO_ID_MAX] as Path),
        id: id.subarray(0, UNDO_ID_MAX),
        before: before.subarray(0, length),
      });
  }

  /** What slot `slot` has to take back, oldest first. */
  of(slot: number): UndoEntry[] {
    return [...(this.#slots.get(slot)?.values() ?? [])];
  }

  /** The entry of a change; undefined: it was not made. */
  get(slot: number, role: Role, kind: VfUndoKind, id: Uint8Array): UndoEntry | undefined {
    return this.#slots.get(slot)?.get(textOf(kind, padded(role, id)));
  }

  /**
   * Keeps a change, before it is made. An entry that is there stays: it knows the state before the first change.
   * @throws VfError UNDO_FULL if the map has no room, INTERNAL if `id` or `before` is too long.
   */
  put(
    slot: number,
    role: Role,
    kind: VfUndoKind,
    id: Uint8Array,
    before: Uint8Array = new Uint8Array(0),
  ): void {
    if (id.length > UNDO_ID_MAX || before.length > UNDO_BEFORE_MAX)
      throw new VfError('INTERNAL', `an undo entry of ${id.length} and ${before.length} bytes`);
    if (this.get(slot, role, kind, id)) return;
    const key = padded(role, id);
    const bytes = new Uint8Array(UNDO_BEFORE_MAX);
    bytes.set(before);
    try {
      this.#map.update({ slot, kind, id: key }, { length: before.length, before: bytes });
    } catch (cause) {
      throw new VfError(
        'UNDO_FULL',
        `no room to keep what has to be taken back: ${(cause as Error).message}`,
        {
          field: 'capacity',
          fix: 'detach all instances and start with a larger capacity: each slot brings room for 1,024 changes',
          cause,
        },
      );
    }
    this.#remember(slot, key, { kind, role, id: key.subarray(0, UNDO_ID_MAX), before });
  }

  /** True if there was such an entry. */
  delete(slot: number, role: Role, kind: VfUndoKind, id: Uint8Array): boolean {
    const bytes = padded(role, id);
    this.#slots.get(slot)?.delete(textOf(kind, bytes));
    return this.#map.delete({ slot, kind, id: bytes });
  }

  /** Forgets all of a slot, or of one of its slaves. */
  clear(slot: number, of?: Role): void {
    for (const { kind, role, id } of this.of(slot))
      if (of === undefined || of === role) this.delete(slot, role, kind, id);
  }

  #remember(slot: number, key: Uint8Array, entry: UndoEntry): void {
    let entries = this.#slots.get(slot);
    if (!entries) {
      entries = new Map();
      this.#slots.set(slot, entries);
    }
    entries.set(textOf(entry.kind, key), entry);
  }
}

/** An id as it is in the map. */
function padded(role: Role, id: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ID_BYTES);
  bytes.set(id);
  bytes[UNDO_ID_MAX] = pathOf(role);
  return bytes;
}

const textOf = (kind: VfUndoKind, id: Uint8Array): string => `${kind}:${Buffer.from(id).toString('latin1')}`;
