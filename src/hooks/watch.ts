import { AttachType, listMarks } from 'bpf-loader-ts';
import type { Datapath } from '../datapath/datapath.js';
import type { PinStore } from '../datapath/store.js';
import type { Impairments } from '../impairments.js';
import type { TcMonitor } from '../netlink/index.js';
import type { HookKeeper } from './keeper.js';
import { senderOf } from './sender.js';

/** Time between two looks, ms. It is three beats of the daemon's pulse. */
export const HOOKS_MS = 240;
/** Least number of instances in a look. With a few, each is looked at four times a second, with hundreds once. */
const LEAST = 40;
const LOOKS_PER_SECOND = Math.round(1000 / HOOKS_MS);
/** Looks between two checks that cost a dump. Each such check takes the next instance. */
const SLOW_EVERY = 4;
/** Looks after which the pins of the maps are checked. */
const STORE_EVERY = LOOKS_PER_SECOND;

const ATTACH_TYPE = { ingress: AttachType.tcx_ingress, egress: AttachType.tcx_egress };

/** A namespace, as the watch needs it. */
export interface WatchedNamespace {
  readonly fd: number;
  readonly tc: Pick<TcMonitor, 'listener'>;
}

/** An instance, as the watch needs it. */
export interface Watched {
  readonly ns: WatchedNamespace;
  readonly datapath: Pick<Datapath, 'attachments' | 'pinsTouched' | 'restorePins'>;
  readonly hooks: Pick<HookKeeper, 'check' | 'tick' | 'settle' | 'lookSlowly'>;
  readonly impairments: Impairments;
  /** Brings the slaves in line with their master if anything has changed. */
  poll(): void;
}

export interface HookWatchOptions<W extends Watched> {
  store: PinStore;
  instances: () => readonly W[];
  /** Called when pins of the store's maps could not be put back, and with '' when they could. */
  storeReport: (fault: string) => void;
  /** Called with what was missing and has been put back: `the pins of maps/lines`. */
  restored: (what: string, instance?: W) => void;
  failed: (instance: W, error: Error) => void;
}

/**
 * Looks after the programs, qdiscs and pins of all instances. One native call asks for the lists of TCX, and filters report their changes
 * (RTNLGRP_TC). Facts that only a dump shows are looked at in turn.
 */
export class HookWatch<W extends Watched> {
  readonly #o: HookWatchOptions<W>;
  /** Marks of an instance's hooks at the last look. */
  readonly #marks = new WeakMap<W, Int32Array>();
  #turn = 0;
  #next = 0;
  #slow = 0;
  // Room for the hooks of one look, which grows as needed.
  #netns = new Int32Array(0);
  #ifindexes = new Int32Array(0);
  #types = new Int32Array(0);
  #out = new Int32Array(0);

  constructor(options: HookWatchOptions<W>) {
    this.#o = options;
  }

  /** Begins to listen for changes in a namespace. */
  follow(ns: WatchedNamespace): void {
    const of = (touched: (m: W) => boolean, by?: string): void => {
      for (const m of this.#o.instances()) {
        if (m.ns !== ns || !touched(m)) continue;
        // The slaves come first, so that no conflict is reported about a qdisc that a slave is just about to take over.
        m.poll();
        this.#check(m, by);
      }
    };
    ns.tc.listener = {
      changed: (ifindex: number, port: number) =>
        of((m) => m.datapath.attachments.places.some((p) => p.ifindex === ifindex), senderOf(port)),
      lost: () => of(() => true),
    };
  }

  /** Ends `follow`. */
  unfollow(ns: WatchedNamespace): void {
    ns.tc.listener = undefined;
  }

  #check(m: W, by?: string): void {
    try {
      m.hooks.check(by);
    } catch (e) {
      this.#o.failed(m, e as Error);
    }
  }

  /** Looks at the instances whose turn it is. To be called every HOOKS_MS. */
  look(): void {
    const all = this.#o.instances();
    this.#turn++;
    if (this.#turn % STORE_EVERY === 0 && this.#o.store.pinsTouched)
      for (const m of all) if (!this.#pins(m)) break;
    if (all.length === 0) return;
    const n = Math.min(all.length, Math.max(LEAST, Math.ceil(all.length / LOOKS_PER_SECOND)));
    const now = Array.from({ length: n }, (_, i) => all[(this.#next + i) % all.length]!);
    this.#next = (this.#next + n) % all.length;
    this.#lists(now);
    // Links are held open, so a pin is needed only after this process has ended.
    const pinned = all[this.#turn % all.length]!;
    if (pinned.datapath.pinsTouched) this.#pins(pinned);
    for (const m of all) m.hooks.tick();
    if (this.#turn % SLOW_EVERY === 0) this.#inTurn(all[this.#slow++ % all.length]!);
  }

  /** Looks for changes that no list and no message tells of: XDP attached by a link, and filters if a message was lost. */
  #inTurn(m: W): void {
    try {
      m.hooks.lookSlowly();
    } catch (e) {
      this.#o.failed(m, e as Error);
    }
  }

  /** Compares the lists of TCX with those of the last look. */
  #lists(instances: readonly W[]): void {
    const watched = instances.filter((m) => m.datapath.attachments.kind === 'tcx');
    const n = watched.reduce((sum, m) => sum + m.datapath.attachments.places.length, 0);
    this.#room(n);
    let i = 0;
    for (const { ns, datapath } of watched)
      for (const { hook, ifindex } of datapath.attachments.places) {
        this.#netns[i] = ns.fd;
        this.#ifindexes[i] = ifindex;
        this.#types[i++] = ATTACH_TYPE[hook.direction];
      }
    listMarks(this.#netns, this.#ifindexes, this.#types, this.#out, n);
    i = 0;
    for (const m of watched) {
      const length = m.datapath.attachments.places.length;
      const before = this.#marks.get(m);
      const same = before?.length === length && before.every((mark, k) => mark === this.#out[i + k]);
      // A program that we put back may have been taken off again by now, and the list looks as when we missed it.
      if (!m.hooks.settle() || !same) {
        this.#marks.set(m, this.#out.slice(i, i + length));
        this.#check(m);
      }
      i += length;
    }
  }

  #room(n: number): void {
    if (this.#out.length >= n) return;
    this.#netns = new Int32Array(n);
    this.#ifindexes = new Int32Array(n);
    this.#types = new Int32Array(n);
    this.#out = new Int32Array(n);
  }

  /** False if the store's own pins cannot be put back. Without its folders there is nowhere to pin. */
  #pins(m: W): boolean {
    if (!this.#store()) return false;
    try {
      const put = m.datapath.restorePins();
      m.impairments.clear('pins');
      if (put.length > 0) this.#o.restored(`the pins ${put.join(', ')}`, m);
    } catch (e) {
      m.impairments.set('pins', {
        severity: 'note',
        message: `pins were removed and cannot be put back: ${(e as Error).message}; everything works until the daemon ends`,
        fix: `see that ${this.#o.store.root} can be written: \`mount -t bpf bpf /sys/fs/bpf\``,
      });
    }
    return true;
  }

  /** False if missing pins of the store cannot be put back. */
  #store(): boolean {
    if (!this.#o.store.pinsTouched) return true;
    try {
      const put = this.#o.store.restorePins();
      this.#o.storeReport('');
      if (put.length > 0) this.#o.restored(`the pins ${put.join(', ')}`);
      return true;
    } catch (e) {
      this.#o.storeReport((e as Error).message);
      return false;
    }
  }
}
