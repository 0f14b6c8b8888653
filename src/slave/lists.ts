import type { FilterList } from '../netlink/index.js';
import type { SlaveContext } from './takeover.js';

/** Lists read so short a time ago are not read again: one dump serves all instances of a look, ms. */
const FRESH_MS = 5;

/** The filter lists of both devices at this moment. */
export function listsOf({ filters, master, slave }: SlaveContext): { master: FilterList; slave: FilterList } {
  filters.read(FRESH_MS);
  return { master: filters.of(master.ifindex), slave: filters.of(slave.ifindex) };
}

/** What the undo log keeps with a change: on which device it was made. Another device in its place does not have it. */
export function deviceBytes(ifindex: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, ifindex, true);
  return bytes;
}

export const madeOn = (before: Uint8Array, ifindex: number): boolean =>
  before.length === 4 && new DataView(before.buffer, before.byteOffset).getUint32(0, true) === ifindex;

/** A few of many, in words. */
export function some(all: readonly string[], most = 4): string {
  const more = all.length - most;
  return more > 0 ? `${all.slice(0, most).join(', ')} and ${more} more` : all.join(', ');
}
