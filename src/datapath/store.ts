import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BpfMap, ensurePinFolder, type Mapping, possibleCpus } from 'bpf-loader-ts';
import { closeFd } from 'bpf-loader-ts/sys';
import { VfLayout } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { CounterView } from './counters.js';
import { asVfError } from './failed.js';
import { IdentityView } from './identity.js';
import { KeptMap } from './kept-map.js';
import { adoptMaps, createMaps, eventsOf, PIN_ORDER, type PinnedMaps } from './pinned-maps.js';
import { ProgramLoader } from './program-loader.js';
import { ReflectorMap } from './reflector-map.js';
import { lockRoot, sameFile } from './root-lock.js';
import { UndoMap } from './undo-map.js';

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
  readonly programs: ProgramLoader;
  readonly #maps: PinnedMaps;
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
      this.#lock = lockRoot(options.root);
      for (const d of ['maps', 'events', 'instances'])
        mkdirSync(join(this.root, d), { recursive: true, mode: 0o700 });
      this.adopted = existsSync(join(this.root, 'maps', 'lines'));
      this.#maps = this.adopted ? adoptMaps(this.root) : createMaps(this.root, options.capacity);
      for (let shard = 0; shard < options.shards; shard++) this.#events.push(eventsOf(this.root, shard));
      this.programs = new ProgramLoader(this.#maps, this.#events);
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

  #map(name: keyof PinnedMaps): Mapping {
    const m = this.#maps[name].mmap();
    this.#mappings.push(m);
    return m;
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
      this.#lock = lockRoot(this.root);
      if (held !== undefined) closeFd(held);
    }
    for (const d of ['maps', 'events', 'instances'])
      mkdirSync(join(this.root, d), { recursive: true, mode: 0o700 });
    const pinned: { path: string; map: { pin(path: string): void } }[] = [
      { path: join('maps', 'kept'), map: this.kept },
      ...PIN_ORDER.map((n) => ({ path: join('maps', n), map: this.#maps[n] })),
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
