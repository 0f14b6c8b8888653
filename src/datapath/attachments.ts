import type { Program } from 'bpf-loader-ts';
import { VfUndo } from '../../bpf/vfailover.bpf.js';
import type { Part } from '../device.js';
import type { Hook } from '../models/model.js';
import type { Survey } from './hook-survey.js';
import type { AttachKind, HookSet } from './hooks.js';

/** A hook with the device that its program is on. */
export interface HookPlace {
  readonly hook: Hook;
  readonly ifindex: number;
}

export interface AttachmentsOptions {
  hooks: HookSet;
  /** Where the model has programs. */
  layout: readonly Hook[];
  programOf: (hook: Hook) => Program;
  /** Runs a function in the instance's namespace. */
  enter: <T>(fn: () => T) => T;
  /** VfUndo bits of the pinned identity: which clsact qdiscs are of our making. */
  undo: () => number;
  setUndo: (bits: number) => void;
}

const CLSACT_UNDO: Readonly<Record<Part, VfUndo>> = {
  master: VfUndo.VF_UNDO_CLSACT_MASTER,
  primary: VfUndo.VF_UNDO_CLSACT_PRIMARY,
  standby: VfUndo.VF_UNDO_CLSACT_STANDBY,
};

/** The programs of one instance on its devices: which are where, put there, looked at, put back. */
export class Attachments {
  readonly #o: AttachmentsOptions;
  #places: HookPlace[] = [];

  constructor(options: AttachmentsOptions) {
    this.#o = options;
  }

  get kind(): AttachKind {
    return this.#o.hooks.kind;
  }

  /** Where programs of ours should be. */
  get places(): readonly HookPlace[] {
    return this.#places;
  }

  /** The device of a part; undefined: no programs are there. */
  ifindexOf(on: Part): number | undefined {
    return this.#places.find((p) => p.hook.on === on)?.ifindex;
  }

  #hooksOn(on: Part): Hook[] {
    return this.#o.layout.filter((h) => h.on === on);
  }

  /** Attaches, or adopts, the programs of a part. Throws VfError BPF_ATTACH. */
  attach(on: Part, ifindex: number): void {
    this.#o.enter(() => {
      for (const hook of this.#hooksOn(on)) {
        this.#put(hook, ifindex);
        this.#places = [...this.#places.filter((p) => p.hook !== hook), { hook, ifindex }];
      }
    });
  }

  #put(hook: Hook, ifindex: number, pin = true): void {
    const { hooks, programOf, undo, setUndo } = this.#o;
    if (hooks.attach(hook, programOf(hook), ifindex, pin)) setUndo(undo() | CLSACT_UNDO[hook.on]);
  }

  /** Takes the programs of a part off, also when its device is gone. A clsact qdisc that we made goes unless others use it. */
  detach(on: Part, ifindex: number): void {
    const { hooks, enter, undo, setUndo } = this.#o;
    this.#places = this.#places.filter((p) => p.hook.on !== on);
    enter(() => {
      for (const hook of this.#hooksOn(on)) hooks.detach(hook, ifindex);
      if ((undo() & CLSACT_UNDO[on]) === 0) return;
      hooks.removeClsact(ifindex);
      setUndo(undo() & ~CLSACT_UNDO[on]);
    });
  }

  /** Takes off what steers. */
  unsteer(masterIfindex: number): void {
    const steers = (h: Hook): boolean => h.on === 'master' && h.direction === 'egress';
    this.#places = this.#places.filter((p) => !steers(p.hook));
    this.#o.enter(() => {
      for (const hook of this.#o.layout.filter(steers)) this.#o.hooks.detach(hook, masterIfindex);
    });
  }

  /** What is at each place; those whose device is gone are left out. */
  survey(): (HookPlace & Survey)[] {
    return this.#o.enter(() =>
      this.#places.flatMap((place) => {
        const found = this.#o.hooks.survey(place.hook, place.ifindex);
        return found === undefined ? [] : [{ ...place, ...found }];
      }),
    );
  }

  /**
   * Puts programs back that somebody took off. `bare`: parts whose device has none of ours left, so that a clsact qdisc which is there now is
   * somebody else's.
   * @throws VfError BPF_ATTACH
   */
  putBack(places: readonly HookPlace[], bare: ReadonlySet<Part>): void {
    const { enter, undo, setUndo } = this.#o;
    enter(() => {
      for (const part of bare) setUndo(undo() & ~CLSACT_UNDO[part]);
      for (const { hook, ifindex } of places) this.#put(hook, ifindex, false);
    });
  }

  /** Puts a program behind, or before, those that others have attached since. For microseconds it is nowhere. */
  putInOrder({ hook, ifindex }: HookPlace): void {
    this.#o.enter(() => {
      this.#o.hooks.detach(hook, ifindex);
      this.#put(hook, ifindex, false);
    });
  }
}
