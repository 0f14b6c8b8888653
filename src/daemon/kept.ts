import { readdirSync, statSync } from 'node:fs';
import { closeFd, netnsCurrent, netnsInode } from 'bpf-loader-ts/sys';
import { type InstanceConfig, parseInstance } from '../config/index.js';
import type { Identity } from '../datapath/identity.js';
import type { PinStore } from '../datapath/store.js';

/** Who asked for an instance. `unconfigured`: the file did, and does no more. */
export type Source = 'file' | 'attach' | 'unconfigured';

/** What is kept of a pinned instance, so that the next daemon knows it without the file. */
export interface Kept {
  readonly source: Source;
  readonly config: InstanceConfig;
}

/** A pinned instance. */
export interface Pinned {
  readonly slot: number;
  readonly name: string;
  readonly id: Identity;
}

export function* allPinned(store: PinStore): Generator<Pinned> {
  for (const { slot, name } of store.occupied()) yield { slot, name, id: store.identities.read(slot)! };
}

export function pinnedAs(store: PinStore, name: string): Pinned | undefined {
  for (const p of allPinned(store)) if (p.name === name) return p;
  return undefined;
}

/** The pinned instance whose master is that device. */
export function pinnedOn(store: PinStore, netns: number, ifindex: number): Pinned | undefined {
  for (const p of allPinned(store)) if (p.id.netns === netns && p.id.masterIfindex === ifindex) return p;
  return undefined;
}

export const keep = (store: PinStore, slot: number, kept: Kept): void =>
  store.kept.write(slot, JSON.stringify(kept));

/** What an earlier daemon kept; undefined if it kept nothing that this version can read. */
export const keptOf = (store: PinStore, slot: number): Kept | undefined => parsed(store.kept.read(slot));

function parsed(text: string | undefined): Kept | undefined {
  try {
    const { source, config } = JSON.parse(text ?? 'null') as Kept;
    return { source: source === 'attach' ? 'attach' : 'file', config: parseInstance(config) };
  } catch {
    return undefined;
  }
}

/** Keeps instances that wait and stand in no file: they have no slot, and the next daemon would not know them. */
export const keepWaiting = (store: PinStore, waiting: readonly Kept[]): void =>
  store.kept.writeSlotless(waiting.map(({ source, config }) => JSON.stringify({ source, config })));

/** Those that an earlier daemon kept, as far as this version can read them. */
export const keptWaiting = (store: PinStore): Kept[] =>
  store.kept.readSlotless().flatMap((text) => parsed(text) ?? []);

/** The least configuration that a pinned instance can be adopted with, from its identity alone; undefined: its namespace has no name. */
export function configOf({ name, id }: Pinned): InstanceConfig | undefined {
  const netns = netnsPath(id.netns);
  if (netns === undefined) return undefined;
  return parseInstance({
    name,
    model: id.model,
    netns,
    master: id.masterIfindex,
    attach: id.attach,
  });
}

/** A namespace's name by its inode; null is the daemon's own, undefined one that has no name. */
function netnsPath(inode: number): string | null | undefined {
  const own = netnsCurrent();
  try {
    if (netnsInode(own) === inode) return null;
  } finally {
    closeFd(own);
  }
  for (const name of namesOf('/run/netns'))
    if (statSync(`/run/netns/${name}`, { throwIfNoEntry: false })?.ino === inode) return name;
  return undefined;
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
