import { rmSync } from 'node:fs';
import { type Vfailover, VfUndo } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { PRIMARY, STANDBY } from '../failover/device.js';
import type { PathCounters } from './counters.js';
import { type AttachKind, HOOKS, HookSet } from './hooks.js';
import type { Identity } from './identity.js';
import { arm, epochOf, flip, lineBase, pathOf, readWord } from './line.js';
import { LINE, LINE_WORDS } from './offsets.js';
import type { PinStore } from './store.js';

export interface TransparentOptions {
  store: PinStore;
  /** Ring buffer, and so decision worker, that a slot's programs report to. */
  shardOf: (slot: number) => number;
  name: string;
  /** Inode of the namespace that both devices live in. */
  netns: number;
  masterIfindex: number;
  mac: string;
  attach: AttachKind;
  /** Tells whether that device still is there and still is this instance's. Asked when an earlier daemon's slot is adopted. */
  primaryAlive: (ifindex: number) => boolean;
  /** Runs a function in the instance's namespace: programs are attached by ifindex, which counts there. */
  enter: <T>(fn: () => T) => T;
}

/**
 * The `transparent` model's datapath for one instance: a slot of the store, the four programs, and their places on the master (the
 * virtio netdev, which is the standby as well) and on the primary (the VF).
 *
 * Without programs traffic flows over virtio: every step here can stop half-way and leave a machine that works.
 */
export class TransparentDatapath {
  readonly slot: number;
  /** True if a slot of this name was there: an earlier daemon's. */
  readonly adopted: boolean;
  readonly #o: TransparentOptions;
  readonly #hooks: HookSet;
  readonly #object: Vfailover;
  readonly #base: number;

  constructor(options: TransparentOptions, slot: number, adopted: boolean) {
    this.#o = options;
    this.slot = slot;
    this.adopted = adopted;
    this.#base = lineBase(slot);
    const { store } = options;
    if (!adopted) {
      store.counters.clear(slot);
      store.lines.fill(0, this.#base, this.#base + LINE_WORDS);
      store.lines[this.#base + LINE.word] = STANDBY;
      store.lines[this.#base + LINE.seen_tx] = STANDBY;
      store.lines[this.#base + LINE.seen_rx] = STANDBY;
      store.lines[this.#base + LINE.master_ifindex] = options.masterIfindex;
      store.identities.write(slot, {
        name: options.name,
        netns: options.netns,
        masterIfindex: options.masterIfindex,
        primaryIfindex: 0,
        mac: options.mac,
        undo: 0,
        undoMtu: 0,
        undoAddrGenMode: 0,
        attach: options.attach,
        override: 0,
        switches: 0,
        seenWord: STANDBY,
      });
    }
    this.#hooks = new HookSet(store.instanceFolder(options.name), this.identity.attach);
    try {
      this.#object = store.load(slot, options.shardOf(slot));
      this.#attach('master', options.masterIfindex, VfUndo.VF_UNDO_CLSACT_MASTER);
      const primary = this.identity.primaryIfindex;
      if (primary !== 0 && options.primaryAlive(primary))
        this.#attach('primary', primary, VfUndo.VF_UNDO_CLSACT_PRIMARY);
      else if (primary !== 0) this.detachPrimary();
    } catch (e) {
      if (!adopted) this.remove();
      throw e;
    }
  }

  get identity(): Identity {
    return this.#o.store.identities.read(this.slot)!;
  }

  /** Changes what is kept about the slot. */
  remember(change: Partial<Identity>): void {
    this.#o.store.identities.write(this.slot, { ...this.identity, ...change });
  }

  get primaryIfindex(): number {
    return this.#o.store.lines[this.#base + LINE.primary_ifindex]!;
  }

  #attach(on: 'master' | 'primary', ifindex: number, undoBit: number): void {
    this.#o.enter(() => {
      for (const hook of HOOKS.filter((h) => h.on === on)) {
        const made = this.#hooks.attach(hook, this.#object.programs[hook.program], ifindex);
        if (made) this.remember({ undo: this.identity.undo | undoBit });
      }
    });
  }

  #detach(on: 'master' | 'primary', ifindex: number, undoBit: number): void {
    this.#o.enter(() => {
      for (const hook of HOOKS.filter((h) => h.on === on)) this.#hooks.detach(hook, ifindex);
      const { undo } = this.identity;
      if (undo & undoBit) {
        this.#hooks.removeClsact(ifindex);
        this.remember({ undo: undo & ~undoBit });
      }
    });
  }

  /** Puts the programs on the primary. Frames go over it only after a flip. */
  attachPrimary(ifindex: number): void {
    this.remember({ primaryIfindex: ifindex });
    this.#attach('primary', ifindex, VfUndo.VF_UNDO_CLSACT_PRIMARY);
    Atomics.store(this.#o.store.lines, this.#base + LINE.primary_ifindex, ifindex);
  }

  /** Moves traffic to the standby: the primary is about to leave, or gone. */
  abandonPrimary(): void {
    const { lines } = this.#o.store;
    // From here on the programs send nothing there, whatever the word says or a worker makes it say.
    Atomics.store(lines, this.#base + LINE.primary_ifindex, 0);
    arm(lines, this.#base, 0);
    for (;;) {
      const word = readWord(lines, this.#base);
      if (pathOf(word) === STANDBY || flip(lines, this.#base, word, STANDBY)) return;
    }
  }

  /** Abandons the primary and takes the programs off it. Also when its device is gone. */
  detachPrimary(): void {
    this.abandonPrimary();
    const ifindex = this.identity.primaryIfindex;
    if (ifindex !== 0) this.#detach('primary', ifindex, VfUndo.VF_UNDO_CLSACT_PRIMARY);
    this.remember({ primaryIfindex: 0 });
  }

  get active(): 'primary' | 'standby' {
    return pathOf(readWord(this.#o.store.lines, this.#base)) === PRIMARY ? 'primary' : 'standby';
  }

  get epoch(): number {
    return epochOf(readWord(this.#o.store.lines, this.#base));
  }

  /** ARM_* bits in force. */
  get armed(): number {
    return this.#o.store.lines[this.#base + LINE.armed]!;
  }

  counters(path: 0 | 1): PathCounters {
    return this.#o.store.counters.read(this.slot, path);
  }

  /** Takes every program off and frees the slot. */
  remove(): void {
    this.detachPrimary();
    this.#detach('master', this.#o.masterIfindex, VfUndo.VF_UNDO_CLSACT_MASTER);
    this.#hooks.removeFolder();
    this.#o.store.identities.clear(this.slot);
    this.#object?.close();
  }

  /** Lets go of the descriptors; programs, links and maps stay in the kernel: the next daemon adopts them. */
  release(): void {
    this.#object.close();
  }
}

/** Takes the slot that already has this name, or a free one. */
export function openTransparent(options: TransparentOptions): TransparentDatapath {
  const { store } = options;
  for (const { slot, name } of store.occupied()) {
    if (name !== options.name) continue;
    const id = store.identities.read(slot)!;
    if (id.masterIfindex === options.masterIfindex && id.netns === options.netns)
      return new TransparentDatapath(options, slot, true);
    // The master was made anew while no daemon ran: its programs went with it, the pins are of no use.
    rmSync(store.instanceFolder(name), { recursive: true, force: true });
    store.identities.clear(slot);
  }
  const slot = store.identities.free();
  if (slot === undefined)
    throw new VfError('INSTANCE_LIMIT', `all ${store.capacity} slots are taken`, {
      field: 'capacity',
      value: store.capacity,
      fix: 'detach an instance, or stop the daemon, detach all, and start it with a larger capacity',
    });
  return new TransparentDatapath(options, slot, false);
}
