import { rmSync } from 'node:fs';
import { type Vfailover, VfDetector } from '../../bpf/vfailover.bpf.js';
import { type Path, PRIMARY, ROLES, type Role, roleOf, STANDBY } from '../device.js';
import { VfError } from '../errors.js';
import { parseMac } from '../frames/mac.js';
import type { SteeredModel } from '../models/model.js';
import { STEERED, type SteeredName } from '../models/table.js';
import { Attachments } from './attachments.js';
import { BfdDeadline } from './bfd-deadline.js';
import { CarrierSignal } from './carrier-signal.js';
import type { PathCounters } from './counters.js';
import { removeGroupTable } from './group-table.js';
import type { HeldPrograms } from './held-programs.js';
import { HookSet } from './hooks.js';
import type { Identity } from './identity.js';
import { arm, epochOf, flip, lineBase, pathOf, readWord } from './line.js';
import { BFD_WORDS, bfdBase, LINE, WATCH, watchBase } from './offsets.js';
import type { ProgramOwner, ProgramVariables } from './program-loader.js';
import type { ReflectorCounts, ReflectorKey } from './reflector-map.js';
import { beginSlot, type SlotInit } from './slot.js';

export interface DatapathOptions extends SlotInit {
  /** Ring buffer, and so decision worker, that a slot's programs report to. */
  shardOf: (slot: number) => number;
  /** Cookie of the namespace; absent: the programs act in whatever namespace their devices are. */
  netnsCookie?: bigint;
  /** What the configuration says about the programs; absent: no detector, group frames by either slave. */
  variables?: ProgramVariables;
  /** Tells whether that device still is there and still is this instance's. Asked when an earlier daemon's slot is adopted. */
  slaveAlive: (ifindex: number) => boolean;
  /** Runs a function in the instance's namespace: programs are attached by ifindex, which counts there. */
  enter: <T>(fn: () => T) => T;
  /** Name of a device, for messages. Default: its index. */
  nameOf?: (ifindex: number) => string;
}

const IFINDEX = { primary: LINE.primary_ifindex, standby: LINE.standby_ifindex };
const REMEMBERED = { primary: 'primaryIfindex', standby: 'standbyIfindex' } as const;

/**
 * The datapath of one instance: a slot of the store, the programs, and their places on master and slaves (src/models).
 *
 * Without programs traffic flows over virtio (transparent) or as the kernel's own driver has it (net-failover): every step here can
 * stop half-way and leave a machine that works.
 */
export class Datapath {
  readonly slot: number;
  /** True if a slot of this name was there: an earlier daemon's. */
  readonly adopted: boolean;
  /** What its model is like. */
  readonly traits: SteeredModel;
  readonly #o: DatapathOptions;
  readonly #hooks: HookSet;
  readonly attachments: Attachments;
  readonly #object: HeldPrograms<Vfailover['programs']>;
  readonly #base: number;
  readonly #carrier: CarrierSignal;
  /** Of its BFD session; undefined: it has none. */
  readonly bfd: BfdDeadline | undefined;
  #steering = true;
  #suspended = false;

  constructor(options: DatapathOptions, slot: number, adopted: boolean) {
    this.#o = options;
    this.slot = slot;
    this.adopted = adopted;
    this.#base = lineBase(slot);
    this.traits = STEERED[options.model];
    const { store } = options;
    if (!adopted) beginSlot(options, slot);
    const nameOf = options.nameOf ?? ((ifindex: number) => `device ${ifindex}`);
    this.#hooks = new HookSet(store.instanceFolder(options.name), this.identity.attach, nameOf);
    this.attachments = new Attachments({
      hooks: this.#hooks,
      layout: this.traits.hooks,
      programOf: (hook) => this.#object.programs[hook.program],
      enter: options.enter,
      undo: () => this.identity.undo,
      setUndo: (undo) => this.remember({ undo }),
    });
    try {
      this.#object = store.programs.load(this.#owner, store.instanceFolder(options.name), {
        ...options.variables,
        vf_netns_cookie: options.netnsCookie ?? 0n,
      });
      this.attachments.attach('master', options.masterIfindex);
      for (const role of ROLES) {
        const ifindex = this.identity[REMEMBERED[role]];
        if (ifindex === 0 || ifindex === options.masterIfindex) continue;
        if (options.slaveAlive(ifindex)) this.attachments.attach(role, ifindex);
        else this.#forgetSlave(role);
      }
      this.#carrier = new CarrierSignal(store.instanceFolder(options.name), () =>
        store.programs.loadCarrier(this.#owner, options.netns),
      );
      this.bfd = this.#deadline();
    } catch (e) {
      if (adopted) this.release();
      else this.remove();
      throw e;
    }
  }

  get #owner(): ProgramOwner {
    const { shardOf, model } = this.#o;
    return { slot: this.slot, shard: shardOf(this.slot), model };
  }

  /** The device is gone, or somebody else's by now: it keeps what it has. */
  #forgetSlave(role: Role): void {
    this.detachSlave(role);
    this.#o.store.undo.clear(this.slot, role);
  }

  /** An instance that lost its session loses its deadline, too. */
  #deadline(): BfdDeadline | undefined {
    const { store, name, variables } = this.#o;
    const folder = store.instanceFolder(name);
    if (((variables?.vf_detect ?? 0) & VfDetector.VF_DETECT_BFD) !== 0)
      return new BfdDeadline(folder, (map) => store.programs.loadBfd(this.#owner, map));
    store.bfd.fill(0, bfdBase(this.slot), bfdBase(this.slot) + BFD_WORDS);
    BfdDeadline.remove(folder);
    return undefined;
  }

  /**
   * Makes frames from other MACs than `mac` leave by the standby, whatever is active; undefined: by the active slave. Programs that
   * outlive the daemon go on with it, those that a later daemon loads begin without.
   */
  foreignByStandby(mac: string | undefined): void {
    const bytes = mac === undefined ? new Uint8Array(8) : Uint8Array.of(...parseMac(mac), 0, 0);
    this.#object.bss.setBigUint64(
      this.#o.store.programs.ownMacAt,
      new DataView(bytes.buffer).getBigUint64(0, true),
      true,
    );
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

  /** Puts the programs on a slave, then lets frames go there. Over the primary they go only after a flip. */
  attachSlave(role: Role, ifindex: number): void {
    this.remember({ [REMEMBERED[role]]: ifindex });
    this.attachments.attach(role, ifindex);
    if (this.#suspended && role === this.dependent) return;
    Atomics.store(this.#o.store.lines, this.#base + IFINDEX[role], ifindex);
  }

  /** The slave that only our programs can use: the other one carries traffic without them. */
  get dependent(): Role {
    return this.traits.rest === PRIMARY ? 'standby' : 'primary';
  }

  /** True while nothing is sent to the dependent slave because its programs are not in place. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** Takes the dependent slave out of use until `resume`: workers and programs take it for absent. `flip`: traffic moves off it at once. */
  suspend(flip: boolean): void {
    const { lines } = this.#o.store;
    this.#suspended = true;
    Atomics.store(lines, this.#base + IFINDEX[this.dependent], 0);
    if (!flip) return;
    // The worker arms anew after a flip, and only then.
    arm(lines, this.#base, 0);
    this.#flipTo(this.traits.rest);
  }

  /** Lets the dependent slave be used again. Where it is no member any more, nothing but that is noted. */
  resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    const role = this.dependent;
    Atomics.store(this.#o.store.lines, this.#base + IFINDEX[role], this.attachments.ifindexOf(role) ?? 0);
  }

  /** The slave that carries traffic without our programs. */
  get rest(): Role {
    return roleOf(this.traits.rest);
  }

  /** True if somebody may have removed a pin of this instance. Costs one `stat`. */
  get pinsTouched(): boolean {
    return this.#hooks.pinsTouched;
  }

  /** Puts back the pins that somebody removed. Their names. */
  restorePins(): string[] {
    const others = [...this.#carrier.restorePin(), ...(this.bfd?.restorePin() ?? [])];
    // Last, since it remembers what the folder is like.
    return [...others, ...this.#hooks.restorePins()];
  }

  /** Moves traffic to the standby: the primary is about to leave, or gone. */
  abandonPrimary(): void {
    const { lines } = this.#o.store;
    // From here on the programs send nothing there, whatever the word says or a worker makes it say.
    Atomics.store(lines, this.#base + LINE.primary_ifindex, 0);
    arm(lines, this.#base, 0);
    this.#flipTo(STANDBY);
  }

  /** Lets frames go as they would without us, while the other programs still are there. The first step of taking an instance apart. */
  unsteer(): void {
    const { rest } = this.traits;
    this.#steering = false;
    this.attachments.unsteer(this.#o.masterIfindex);
    arm(this.#o.store.lines, this.#base, 0);
    // The word still says whose multicast is accepted.
    this.#flipTo(rest);
  }

  #flipTo(path: Path): void {
    const { lines } = this.#o.store;
    for (;;) {
      const word = readWord(lines, this.#base);
      if (pathOf(word) === path || flip(lines, this.#base, word, path)) return;
    }
  }

  /** Takes the programs off a slave, after nothing is sent there any more. Also when its device is gone. */
  detachSlave(role: Role): void {
    if (role === 'primary' && this.#steering) this.abandonPrimary();
    if (role === 'standby') Atomics.store(this.#o.store.lines, this.#base + LINE.standby_ifindex, 0);
    const ifindex = this.identity[REMEMBERED[role]];
    if (ifindex !== 0) this.attachments.detach(role, ifindex);
    this.remember({ [REMEMBERED[role]]: 0 });
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

  /** Probes and witness of all slots, as words (offsets.ts). */
  get probes(): Int32Array {
    return this.#o.store.probes.int32();
  }

  /** Why tier 0 does not hear of a lost carrier from the driver; undefined: it does. */
  get carrierSignalMissing(): string | undefined {
    return this.#carrier.missing;
  }

  /** What the unanswered-TX watchdog has seen of a path. */
  watch(path: Path): { fired: number; firedFrames: number; firedWaitUs: number; longestNs: number } {
    const { watches } = this.#o.store;
    const at = watchBase(this.slot, path);
    return {
      fired: watches[at + WATCH.fired]! >>> 0,
      firedFrames: watches[at + WATCH.fired_frames]! >>> 0,
      firedWaitUs: watches[at + WATCH.fired_wait_us]! >>> 0,
      longestNs: watches[at + WATCH.longest_ns]! >>> 0,
    };
  }

  /** Answers S-BFD as `key` says; undefined: not at all. */
  reflect(key: ReflectorKey | undefined): void {
    const { reflectors } = this.#o.store;
    if (key === undefined) reflectors.close(this.slot);
    else reflectors.open(this.slot, key);
  }

  /** What its reflector has answered and refused. */
  get reflected(): ReflectorCounts {
    return this.#o.store.reflectors.read(this.slot);
  }

  counters(path: 0 | 1): PathCounters {
    return this.#o.store.counters.read(this.slot, path);
  }

  /** Takes every program off and frees the slot. */
  remove(): void {
    this.bfd?.close();
    this.#o.store.bfd.fill(0, bfdBase(this.slot), bfdBase(this.slot) + BFD_WORDS);
    BfdDeadline.remove(this.#o.store.instanceFolder(this.#o.name));
    this.#o.store.reflectors.close(this.slot);
    this.unsteer();
    for (const role of ROLES) this.detachSlave(role);
    this.attachments.detach('master', this.#o.masterIfindex);
    this.#carrier?.remove();
    removeGroupTable(this.#o.store.instanceFolder(this.#o.name));
    this.#hooks.removeFolder();
    this.#o.store.undo.clear(this.slot);
    this.#o.store.kept.clear(this.slot);
    this.#o.store.identities.clear(this.slot);
    this.#hooks.release();
    this.#object?.close();
  }

  /** Lets go of the descriptors; programs, links and maps stay in the kernel: the next daemon adopts them. */
  release(): void {
    this.bfd?.close();
    this.#carrier?.release();
    this.#hooks.release();
    this.#object?.close();
  }
}

/**
 * Takes the slot that already has this name, or a free one.
 * @throws VfError INSTANCE_EXISTS if that slot works with another model; INSTANCE_LIMIT.
 */
export function openDatapath(options: DatapathOptions): Datapath {
  const { store } = options;
  for (const { slot, name } of store.occupied()) {
    if (name !== options.name) continue;
    const id = store.identities.read(slot)!;
    if (id.masterIfindex === options.masterIfindex && id.netns === options.netns) {
      if (id.model !== options.model) throw otherModel(options, id.model);
      return new Datapath(options, slot, true);
    }
    // The master was made anew while no daemon ran: its programs went with it, the pins are of no use.
    rmSync(store.instanceFolder(name), { recursive: true, force: true });
    store.undo.clear(slot);
    store.identities.clear(slot);
  }
  const slot = store.identities.free();
  if (slot === undefined)
    throw new VfError('INSTANCE_LIMIT', `all ${store.capacity} slots are taken`, {
      field: 'capacity',
      value: store.capacity,
      fix: 'detach an instance, or stop the daemon, detach all, and start it with a larger capacity',
    });
  return new Datapath(options, slot, false);
}

function otherModel({ name, model }: DatapathOptions, pinned: SteeredName): VfError {
  return new VfError('INSTANCE_EXISTS', `${name} is pinned with the model ${pinned}`, {
    field: 'model',
    value: model,
    fix: `set model to ${pinned} again and \`vfailover detach ${name}\`, then change it`,
  });
}
