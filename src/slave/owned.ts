import type { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { deviceBytes, madeOn } from './lists.js';
import type { SlaveContext } from './takeover.js';

/** The entries of one kind that we added to a slave, as text: what the undo log has of this device. */
export class Owned {
  readonly #kind: VfUndoKind;
  readonly #toId: (text: string) => Uint8Array;
  readonly #all: Set<string>;

  /** Reads the log. What it has of an earlier device in this place went with that device. */
  constructor(
    { undo, slave }: SlaveContext,
    kind: VfUndoKind,
    toId: (text: string) => Uint8Array,
    toText: (id: Uint8Array) => string,
  ) {
    this.#kind = kind;
    this.#toId = toId;
    this.#all = new Set();
    for (const { id, before } of undo.of(kind)) {
      if (madeOn(before, slave.ifindex)) this.#all.add(toText(id));
      else undo.delete(kind, id);
    }
  }

  has(text: string): boolean {
    return this.#all.has(text);
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#all.values();
  }

  /** Keeps a change before it is made. Throws UNDO_FULL. */
  add({ undo, slave }: SlaveContext, text: string): void {
    undo.put(this.#kind, this.#toId(text), deviceBytes(slave.ifindex));
    this.#all.add(text);
  }

  delete({ undo }: SlaveContext, text: string): void {
    undo.delete(this.#kind, this.#toId(text));
    this.#all.delete(text);
  }
}
