import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap, type BpfSpec, type MapSpec, possibleCpus } from 'bpf-loader-ts';
import { vfailover } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { bpfObject } from '../paths.js';

let parsed: BpfSpec | undefined;

/** What the programs' object file has; read once. */
export function programSpec(): BpfSpec {
  parsed ??= vfailover.parse(bpfObject('vfailover'));
  return parsed;
}

const NAMES = ['lines', 'counters', 'identities', 'undo', 'watches', 'probes', 'bfd', 'reflectors'] as const;
type MapName = (typeof NAMES)[number];

/** The maps that all instances share. */
export type PinnedMaps = Readonly<Record<MapName, BpfMap>>;

/** The pinned maps in the order in which they are pinned. `lines` comes last: its pin says that the store is whole. */
export const PIN_ORDER: readonly MapName[] = [...NAMES].reverse();

export const specOf = (name: MapName | 'events' | 'groups'): MapSpec =>
  programSpec().maps.find((m) => m.name === name)!;

/**
 * The maps that an earlier daemon pinned below `root`.
 * @throws VfError PIN_INCOMPATIBLE if one is missing, or is another version's
 */
export function adoptMaps(root: string): PinnedMaps {
  const absent = NAMES.find((n) => !existsSync(join(root, 'maps', n)));
  if (absent !== undefined)
    throw new VfError('PIN_INCOMPATIBLE', `the map ${absent} is not pinned: an earlier version had none`, {
      field: 'pin_root',
      value: root,
      fix: `detach every instance with the version that made it, then remove ${root}; if that cannot be done, remove it now: the next start takes off what programs are left`,
    });
  const maps = fromEach((n) => BpfMap.fromPin(join(root, 'maps', n)));
  for (const n of NAMES) {
    const want = specOf(n).valueSize;
    if (maps[n].info.valueSize !== want)
      throw new VfError(
        'PIN_INCOMPATIBLE',
        `the pinned map ${n} has values of ${maps[n].info.valueSize} bytes, this version ${want}`,
        {
          field: 'pin_root',
          value: root,
          fix: `detach every instance with the version that made it, then remove ${root}`,
        },
      );
  }
  return maps;
}

/** Makes the maps with room for `capacity` instances, and pins them below `root`. */
export function createMaps(root: string, capacity: number): PinnedMaps {
  const maps = fromEach((n) => {
    // The object has the sizes of one instance, and of one CPU.
    const { type, keySize, valueSize, flags, maxEntries } = specOf(n);
    const instances = capacity * (n === 'counters' ? possibleCpus() : 1);
    return BpfMap.create({
      type,
      name: `vf_${n}`,
      keySize,
      valueSize,
      flags,
      maxEntries: maxEntries * instances,
    });
  });
  for (const n of PIN_ORDER) {
    rmSync(join(root, 'maps', n), { force: true });
    maps[n].pin(join(root, 'maps', n));
  }
  return maps;
}

const fromEach = (make: (name: MapName) => BpfMap): PinnedMaps =>
  Object.fromEntries(NAMES.map((n) => [n, make(n)])) as Record<MapName, BpfMap>;

/** A shard's ring buffer of events, which its slots' programs report to: adopted, or made and pinned. */
export function eventsOf(root: string, shard: number): BpfMap {
  const path = join(root, 'events', String(shard));
  if (existsSync(path)) return BpfMap.fromPin(path);
  const { type, maxEntries } = specOf('events');
  const map = BpfMap.create({ type, name: 'vf_events', keySize: 0, valueSize: 0, maxEntries, flags: 0 });
  map.pin(path);
  return map;
}
