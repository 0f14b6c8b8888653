import type { FilterList } from '../netlink/index.js';
import type { SlaveContext } from './takeover.js';

/** Lists read so short a time ago are not read again: one dump serves all instances of a look, ms. */
const FRESH_MS = 5;

/** The filter lists of both devices at this moment. */
export function listsOf({ filters, master, slave }: SlaveContext): { master: FilterList; slave: FilterList } {
  filters.read(FRESH_MS);
  return { master: filters.of(master.ifindex), slave: filters.of(slave.ifindex) };
}

/** The six bytes of a MAC, as the undo log keeps them. */
export const macBytes = (mac: string): Uint8Array =>
  Uint8Array.from(mac.split(':'), (x) => Number.parseInt(x, 16));

export const macText = (id: Uint8Array): string =>
  Buffer.from(id.subarray(0, 6))
    .toString('hex')
    .replace(/..(?!$)/g, '$&:');

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
