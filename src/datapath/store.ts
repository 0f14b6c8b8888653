import {
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { BpfMap, ensurePinFolder, haveKfunc, type Mapping, type MapSpec, possibleCpus } from 'bpf-loader-ts';
import { closeFd, lockFile } from 'bpf-loader-ts/sys';
import { type Bfd, bfd } from '../../bpf/bfd.bpf.js';
import { type Carrier, carrier } from '../../bpf/carrier.bpf.js';
import { type Vfailover, VfLayout, vfailover } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import type { SteeredName } from '../models/table.js';
import { bpfObject } from '../paths.js';
import { hasCapability } from './capabilities.js';
import { CounterView } from './counters.js';
import { asVfError } from './failed.js';
import { openGroupTable } from './group-table.js';
import { type HeldPrograms, holdPrograms } from './held-programs.js';
import { IdentityView, modelNumber } from './identity.js';
import { KeptMap } from './kept-map.js';
import { ReflectorMap } from './reflector-map.js';
import { UndoMap } from './undo-map.js';

/** Constants of the programs that come from the configuration; absent ones are 0. */
export interface ProgramVariables {
  /** VfGroups. */
  readonly vf_groups?: number;
  /** VfDetector bits. */
  readonly vf_detect?: number;
  /** VfUdpAsks. */
  readonly vf_udp?: number;
  /** As many as the programs have; 0: none. */
  readonly vf_udp_ports?: readonly number[];
  /** Of the namespace that the devices must be in; 0: it is not known. */
  readonly vf_netns_cookie?: bigint;
}

const MAPS = ['lines', 'counters', 'identities', 'undo', 'watches', 'probes', 'bfd', 'reflectors'] as const;
type MapName = (typeof MAPS)[number];

/**
 * Whether programs may look at the device behind a frame, and so tier 0 at its carrier: Linux 6.2, and CAP_PERFMON for reading kernel
 * memory. Without it tier 0 still notices a device that is gone.
 */
export const seesCarrier = (): boolean =>
  hasCapability('perfmon') && haveKfunc('bpf_cast_to_kern_ctx', '6.2').answer === 'supported';

/**
 * The pinned maps: made on the first start, adopted on every other. They are the truth about every instance and outlive the process.
 *
 *     PIN_ROOT/maps/{lines,counters,identities,undo,kept,watches,probes,bfd,reflectors}   PIN_ROOT/events/SHARD   PIN_ROOT/instances/NAME/HOOK
 */
export class PinStore implements Disposable {
  readonly root: string;
  readonly capacity: number;
  readonly cpus = possibleCpus();
  /** True if the maps were there already. */
  readonly adopted: boolean;
  readonly lines: Int32Array;
  readonly watches: Int32Array;
  /** Probes and witness of all slots, for `ProbingView`. */
  readonly probes: Mapping;
  readonly bfd: Int32Array;
  readonly reflectors: ReflectorMap;
  readonly counters: CounterView;
  readonly identities: IdentityView;
  readonly undo: UndoMap;
  /** What the daemon keeps of its instances: their configurations. */
  readonly kept: KeptMap;
  readonly #spec = vfailover.parse(bpfObject('vfailover'));
  readonly #maps: Record<MapName, BpfMap>;
  readonly #events: BpfMap[] = [];
  readonly #mappings: Mapping[] = [];
  #lock: number | undefined;
  /** What the folders were like when this process last changed them. */
  #mark = '';

  /** Opens or makes the store. `capacity` (instance slots) counts only when it is made. */
  constructor(options: { root: string; capacity: number; shards: number }) {
    this.root = options.root;
    try {
      ensurePinFolder(options.root);
      this.#lock = lock(options.root);
      for (const d of ['maps', 'events', 'instances'])
        mkdirSync(join(this.root, d), { recursive: true, mode: 0o700 });
      this.adopted = existsSync(join(this.root, 'maps', 'lines'));
      this.#maps = this.adopted ? this.#adopt() : this.#create(options.capacity);
      for (let shard = 0; shard < options.shards; shard++) this.#events.push(this.#eventsOf(shard));
      this.capacity = this.#maps.lines.info.maxEntries;
      this.lines = this.#map('lines').int32();
      this.watches = this.#map('watches').int32();
      this.probes = this.#map('probes');
      this.bfd = this.#map('bfd').int32();
      this.reflectors = new ReflectorMap(this.#map('reflectors').int32());
      this.counters = new CounterView(this.#map('counters').buffer, this.cpus);
      this.identities = new IdentityView(this.#map('identities').buffer, this.capacity);
      this.undo = new UndoMap(this.#maps.undo);
      this.kept = new KeptMap(join(this.root, 'maps', 'kept'), this.capacity);
      this.#finishRename();
      this.#mark = this.#folders();
    } catch (e) {
      this.close();
      throw asVfError(e, 'BPF_LOAD', 'pin_root');
    }
  }

  #specOf(name: MapName | 'events' | 'groups'): MapSpec {
    return this.#spec.maps.find((m) => m.name === name)!;
  }

  #map(name: MapName): Mapping {
    const m = this.#maps[name].mmap();
    this.#mappings.push(m);
    return m;
  }

  #adopt(): Record<MapName, BpfMap> {
    const absent = MAPS.find((n) => !existsSync(join(this.root, 'maps', n)));
    if (absent !== undefined)
      throw new VfError('PIN_INCOMPATIBLE', `the map ${absent} is not pinned: an earlier version had none`, {
        field: 'pin_root',
        value: this.root,
        fix: `detach every instance with the version that made it, then remove ${this.root}; if that cannot be done, remove it now: the next start takes off what programs are left`,
      });
    const maps = Object.fromEntries(
      MAPS.map((n) => [n, BpfMap.fromPin(join(this.root, 'maps', n))]),
    ) as Record<MapName, BpfMap>;
    for (const n of MAPS) {
      const want = this.#specOf(n).valueSize;
      if (maps[n].info.valueSize !== want)
        throw new VfError(
          'PIN_INCOMPATIBLE',
          `the pinned map ${n} has values of ${maps[n].info.valueSize} bytes, this version ${want}`,
          {
            field: 'pin_root',
            value: this.root,
            fix: `detach every instance with the version that made it, then remove ${this.root}`,
          },
        );
    }
    return maps;
  }

  #create(capacity: number): Record<MapName, BpfMap> {
    const maps = {} as Record<MapName, BpfMap>;
    for (const n of MAPS) {
      // The object has the sizes of one instance, and of one CPU.
      const { type, keySize, valueSize, flags, maxEntries } = this.#specOf(n);
      const instances = capacity * (n === 'counters' ? this.cpus : 1);
      maps[n] = BpfMap.create({
        type,
        name: `vf_${n}`,
        keySize,
        valueSize,
        flags,
        maxEntries: maxEntries * instances,
      });
    }
    // `lines` last: its pin says that the store is whole.
    for (const n of [...MAPS].reverse()) {
      rmSync(join(this.root, 'maps', n), { force: true });
      maps[n].pin(join(this.root, 'maps', n));
    }
    return maps;
  }

  #eventsOf(shard: number): BpfMap {
    const path = join(this.root, 'events', String(shard));
    if (existsSync(path)) return BpfMap.fromPin(path);
    const { type, maxEntries } = this.#specOf('events');
    const map = BpfMap.create({
      type,
      name: 'vf_events',
      keySize: 0,
      valueSize: 0,
      maxEntries,
      flags: 0,
    });
    map.pin(path);
    return map;
  }

  /** Descriptors for a worker thread: it maps them itself. */
  fds(shard: number): Record<'lines' | 'watches' | 'probes' | 'bfd' | 'counters' | 'events', number> {
    const { lines, watches, probes, bfd, counters } = this.#maps;
    return {
      lines: lines.fd,
      watches: watches.fd,
      probes: probes.fd,
      bfd: bfd.fd,
      counters: counters.fd,
      events: this.#events[shard]!.fd,
    };
  }

  /** Where the programs' variable `vf_own_mac` lies in their `.bss`. */
  get ownMacAt(): number {
    return this.#spec.variables.find((v) => v.name === 'vf_own_mac')!.offset;
  }

  /** Loads the programs with this slot's number and model as constants, over the store's maps and the instance's own. */
  load(
    name: string,
    slot: number,
    shard: number,
    model: SteeredName,
    variables: ProgramVariables,
  ): HeldPrograms<Vfailover['programs']> {
    const groups = openGroupTable(this.instanceFolder(name), this.#specOf('groups'));
    try {
      const object = vfailover.load(this.#spec, {
        variables: {
          vf_slot: slot,
          vf_model: modelNumber(model),
          vf_cpus: this.cpus,
          vf_has_kern_ctx: seesCarrier() ? 1 : 0,
          ...variables,
        },
        reuse: { ...this.#maps, groups, events: this.#events[shard]! },
      });
      return holdPrograms(object);
    } catch (e) {
      throw asVfError(e, 'BPF_LOAD', 'bpf');
    } finally {
      groups.close();
    }
  }

  /** Loads the program that waits for a driver to report a lost carrier, for this slot. Throws what the loader throws. */
  loadCarrier(slot: number, shard: number, model: SteeredName, netns: number): Carrier {
    const { lines, counters, identities, watches } = this.#maps;
    return carrier.load(bpfObject('carrier'), {
      variables: { vf_slot: slot, vf_model: modelNumber(model), vf_cpus: this.cpus, vf_netns: netns },
      reuse: { lines, counters, identities, watches, events: this.#events[shard]! },
    });
  }

  /** Loads the deadline of the slot's BFD session over `deadlines`, the map of an earlier daemon, or one of its own. Throws what the loader throws. */
  loadBfd(slot: number, shard: number, model: SteeredName, deadlines?: BpfMap): Bfd {
    const { lines, counters, identities, watches, bfd: sessions } = this.#maps;
    return bfd.load(bpfObject('bfd'), {
      variables: { vf_slot: slot, vf_model: modelNumber(model), vf_cpus: this.cpus },
      reuse: {
        ...{ lines, counters, identities, watches, bfd: sessions, events: this.#events[shard]! },
        ...(deadlines && { deadlines }),
      },
    });
  }

  /** Slots in use, with who uses them. Throws PIN_INCOMPATIBLE if another layout wrote one. */
  *occupied(): Generator<{ slot: number; name: string }> {
    for (let slot = 0; slot < this.capacity; slot++) {
      const layout = this.identities.layoutOf(slot);
      if (layout === VfLayout.VF_FREE) continue;
      if (layout !== VfLayout.VF_LAYOUT)
        throw new VfError(
          'PIN_INCOMPATIBLE',
          `slot ${slot} was written with layout ${layout}, this version has ${VfLayout.VF_LAYOUT}`,
          {
            field: 'pin_root',
            value: this.root,
            fix: `detach every instance with the version that made it, then remove ${this.root}`,
          },
        );
      yield { slot, name: this.identities.read(slot)!.name };
    }
  }

  /** The kernel's number of the map of steering lines: which programs are this store's is known by it. */
  get linesId(): number {
    return this.#maps.lines.info.id;
  }

  /** Changes when a pin of the store, or a folder, is added or removed. */
  #folders(): string {
    return ['', 'maps', 'events', 'instances']
      .map((d) => statSync(join(this.root, d), { throwIfNoEntry: false }))
      .map((s, i) => (s === undefined ? '' : i === 0 ? `${s.ino}` : `${s.ino} ${s.mtimeMs}`))
      .join();
  }

  /** True if somebody touched the pins of the maps, or the file system below them. */
  get pinsTouched(): boolean {
    return this.#folders() !== this.#mark;
  }

  /**
   * Puts back what is missing of the store's folders and pins, the lock on its root included. The names of the maps that had no pin.
   * @throws VfError INSTANCE_BUSY if another daemon has taken the folder meanwhile; what pinning throws.
   */
  restorePins(): string[] {
    ensurePinFolder(this.root);
    if (this.#lock === undefined || !sameFile(this.#lock, this.root)) {
      const held = this.#lock;
      this.#lock = lock(this.root);
      if (held !== undefined) closeFd(held);
    }
    for (const d of ['maps', 'events', 'instances'])
      mkdirSync(join(this.root, d), { recursive: true, mode: 0o700 });
    const pinned: { path: string; map: { pin(path: string): void } }[] = [
      { path: join('maps', 'kept'), map: this.kept },
      ...[...MAPS].reverse().map((n) => ({ path: join('maps', n), map: this.#maps[n] })),
      ...this.#events.map((map, shard) => ({ path: join('events', String(shard)), map })),
    ];
    const lost = pinned.filter(({ path }) => !existsSync(join(this.root, path)));
    for (const { path, map } of lost) map.pin(join(this.root, path));
    this.#mark = this.#folders();
    return lost.map(({ path }) => path);
  }

  instanceFolder(name: string): string {
    return join(this.root, 'instances', name);
  }

  /** A daemon that was killed within `rename` left a folder without a slot, and a slot without its folder. */
  #finishRename(): void {
    const names = new Set([...this.occupied()].map(({ name }) => name));
    const folders = readdirSync(join(this.root, 'instances'));
    const strays = folders.filter((folder) => !names.has(folder));
    const bare = [...names].filter((name) => !folders.includes(name));
    if (strays.length === 1 && bare.length === 1)
      renameSync(this.instanceFolder(strays[0]!), this.instanceFolder(bare[0]!));
  }

  /** Gives an instance another name: its pins, then its slot. Its programs and counters stay as they are. */
  rename(slot: number, from: string, to: string): void {
    rmSync(this.instanceFolder(to), { recursive: true, force: true });
    if (existsSync(this.instanceFolder(from))) renameSync(this.instanceFolder(from), this.instanceFolder(to));
    this.identities.write(slot, { ...this.identities.read(slot)!, name: to });
  }

  /** Removes the pins of a store that no instance uses. The maps go when the last descriptor does. */
  removeIfEmpty(): boolean {
    for (const _ of this.occupied()) return false;
    if (existsSync(join(this.root, 'instances')) && readdirSync(join(this.root, 'instances')).length > 0)
      return false;
    rmSync(this.root, { recursive: true, force: true });
    return true;
  }

  close(): void {
    for (const m of this.#mappings) m.close();
    for (const m of Object.values(this.#maps ?? {})) m.close();
    for (const m of this.#events) m.close();
    this.kept?.close();
    if (this.#lock !== undefined) closeFd(this.#lock);
    this.#lock = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** True if the descriptor is that of what stands at `path`. */
function sameFile(fd: number, path: string): boolean {
  const [held, now] = [fstatSync(fd), statSync(path)];
  return held.ino === now.ino && held.dev === now.dev;
}

/** One daemon to a store: the folder itself is locked, so the lock is gone when its holder is, and leaves nothing behind. */
function lock(root: string): number {
  const fd = lockFile(root);
  if (fd !== undefined) return fd;
  const holder = holderOf(root);
  throw new VfError(
    'INSTANCE_BUSY',
    `another daemon works with ${root}${holder === undefined ? '' : ` (process ${holder})`}`,
    {
      field: 'pin_root',
      value: root,
      fix: 'use that daemon through its socket, stop it, or give this one another pin_root',
    },
  );
}

/** Process id of whoever holds the lock, by /proc/locks. */
function holderOf(path: string): string | undefined {
  const inode = statSync(path).ino;
  const line = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .find((l) => l.includes(' FLOCK ') && l.includes(`:${inode} `));
  return line?.trim().split(/\s+/)[4];
}
