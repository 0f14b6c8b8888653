import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { pathOf } from '../device.js';
import { VfError } from '../errors.js';
import type { Shortfall } from '../impairments.js';
import {
  addQdisc,
  changeQdisc,
  deleteRootQdisc,
  type Qdisc,
  queuesOf,
  rootOf,
  TC_H_ROOT,
} from '../netlink/index.js';
import { Damper } from './damper.js';
import { deviceBytes, madeOn } from './lists.js';
import type { SlaveContext, Takeover } from './takeover.js';

const { VF_UNDO_QDISC } = VfUndoKind;
const NO_ID = new Uint8Array(0);
const FQ = 'fq';
/** Handle of a root qdisc of ours, `7666:`. Somebody who configures one has the kernel choose from 8000:, or names his own. */
export const OURS = 0x7666_0000;
/** What the kernel refused is tried again after this, ms. */
const REFUSED_MS = 10_000;

/**
 * Where the master paces with fq, the slave does. TCP leaves pacing to fq for the rest of a connection once one segment of it has passed
 * one (sk_pacing_status, net/sched/sch_fq.c), and our redirect goes past the master's qdisc. So a slave without fq would send whole windows
 * at once for such connections. The time at which a frame is to leave is in the frame and survives the redirect (Linux 5.18).
 *
 * One fq at the root, or one for each queue below an mq, with the master's options, in the place of a qdisc that the kernel made by itself. A
 * qdisc that somebody has configured stays.
 */
export class Pacing implements Takeover {
  readonly name = 'qdisc';
  readonly #damper = new Damper();
  #seen = '';
  #retryAt = Number.POSITIVE_INFINITY;
  /** The master's options as last set, what the kernel lists for that on the slave, and what it refused of them. */
  #set: { wanted: string; listed: string; told: Shortfall[] } | undefined;
  #told: Shortfall[] = [];

  follow(c: SlaveContext): Shortfall[] {
    if (!redirectedTo(c)) return this.#told;
    const seen = changesOf(c);
    if (seen === this.#seen && performance.now() < this.#retryAt) return this.#told;
    this.#seen = seen;
    this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      this.#told = this.#bring(c);
    } catch (e) {
      // Pacing is no reason to refuse a join.
      if (!(e instanceof VfError)) throw e;
      this.#told = this.#refused(c, e);
    }
    return this.#told;
  }

  #bring(c: SlaveContext): Shortfall[] {
    const all = c.rtnl.qdiscs();
    const wanted = fqOf(all, c.master.ifindex);
    const root = rootOf(all, c.slave.ifindex);
    const had = isOnSlave(c);
    const ours = had && root?.handle === OURS;
    if (wanted === undefined) {
      this.restore(c, false);
      return [];
    }
    const enough = textOf(fqOf(all, c.slave.ifindex)) === textOf(wanted);
    if (!ours && (enough || (root !== undefined && root.handle !== 0))) {
      c.undo.delete(VF_UNDO_QDISC, NO_ID);
      return [];
    }
    const odd = ours ? queuesOf(all, c.slave.ifindex).filter((q) => this.#differs(q, wanted)) : [];
    if (ours && odd.length === 0) return this.#set?.told ?? [];
    // Another device's options, or a queue that has come into use, are news. The rest is somebody's doing.
    const undone = had && (!ours || (odd.some((q) => q.kind === FQ) && this.#set?.wanted === textOf(wanted)));
    if (undone && this.#damper.waitMs > 0) return this.#waits(c);
    if (undone) this.#damper.repaired();
    return this.#make(c, root, wanted, ours);
  }

  #make(c: SlaveContext, root: Qdisc | undefined, wanted: Qdisc, ours: boolean): Shortfall[] {
    const { rtnl, undo, slave } = c;
    const { ifindex } = slave;
    // The kernel has an mq at the root of a device with several queues, once it was up.
    const several = root ? root.kind === 'mq' : (slave.txQueues ?? 1) > 1;
    let refused: VfError | undefined;
    const withOptions = (set: (options: Uint8Array | undefined) => void): void => {
      try {
        set(refused ? undefined : wanted.options);
      } catch (e) {
        if (refused || !(e instanceof VfError) || e.value !== 'EINVAL') throw e;
        refused = e;
        set(undefined);
      }
    };
    const top = { ifindex, parent: TC_H_ROOT, handle: OURS };
    if (!ours) {
      undo.put(VF_UNDO_QDISC, NO_ID, deviceBytes(ifindex));
      try {
        if (several) addQdisc(rtnl, { ...top, kind: 'mq' });
        else withOptions((options) => addQdisc(rtnl, { ...top, kind: FQ, options }));
      } catch (e) {
        undo.delete(VF_UNDO_QDISC, NO_ID);
        throw e;
      }
    }
    for (const q of queuesOf(rtnl.qdiscs(), ifindex)) {
      if (!this.#differs(q, wanted)) continue;
      const { parent, handle } = q;
      if (handle === 0)
        withOptions((options) => addQdisc(rtnl, { ifindex, parent, handle, kind: FQ, options }));
      else withOptions((options) => changeQdisc(rtnl, { ifindex, parent, handle, kind: FQ, options }));
    }
    const told = refused ? [optionsRefused(c, refused)] : [];
    this.#set = { wanted: textOf(wanted), listed: textOf(fqOf(rtnl.qdiscs(), ifindex)), told };
    return told;
  }

  /** True for a queue that the kernel fitted out by itself, or whose fq has other options than ours. One that somebody has configured is his. */
  #differs(q: Qdisc, wanted: Qdisc): boolean {
    if (q.kind !== FQ) return q.handle === 0;
    const text = textOf(q);
    return text !== textOf(wanted) && !(this.#set?.wanted === textOf(wanted) && text === this.#set.listed);
  }

  #waits({ slave }: SlaveContext): Shortfall[] {
    this.#retryAt = performance.now() + this.#damper.waitMs;
    return [
      {
        key: 'removed',
        severity: 'note',
        message: `somebody changes fq on ${slave.name} again and again (set ${this.#damper.repairs} times): for now what leaves by it is not paced as on its master`,
        fix: `find what manages ${slave.name}, and make it leave the device alone; or give it a qdisc of your own, which stays`,
      },
    ];
  }

  #refused(c: SlaveContext, { message }: VfError): Shortfall[] {
    this.#retryAt = performance.now() + REFUSED_MS;
    return [
      {
        key: 'refused',
        severity: 'note',
        message: `${c.slave.name} takes no fq as ${c.master.name} has: ${message}. Connections that fq has paced send whole windows at once by it`,
      },
    ];
  }

  restore({ rtnl, undo, slave: { ifindex } }: SlaveContext, gone: boolean): void {
    const entry = undo.get(VF_UNDO_QDISC, NO_ID);
    if (entry === undefined) return;
    if (!gone && madeOn(entry.before, ifindex)) deleteRootQdisc(rtnl, ifindex, OURS);
    undo.delete(VF_UNDO_QDISC, NO_ID);
    this.#set = undefined;
  }
}

/** True if our programs send frames to the slave past the master's qdisc. What goes to the other one without them has passed it. */
const redirectedTo = ({ traits, role }: SlaveContext): boolean => pathOf(role) !== traits.rest;

/** The fq of a device, or of its first queue that has one; undefined: none. */
const fqOf = (all: readonly Qdisc[], ifindex: number): Qdisc | undefined =>
  queuesOf(all, ifindex).find((q) => q.kind === FQ);

const textOf = (fq: Qdisc | undefined): string =>
  fq ? Buffer.from(fq.options ?? []).toString('hex') : 'none';

/** True if we have given this very device a qdisc. */
function isOnSlave({ undo, slave }: SlaveContext): boolean {
  const entry = undo.get(VF_UNDO_QDISC, NO_ID);
  return entry !== undefined && madeOn(entry.before, slave.ifindex);
}

const changesOf = ({ changes, master, slave }: SlaveContext): string =>
  [master, slave].map(({ ifindex }) => `${changes.link(ifindex)} ${changes.qdisc(ifindex)}`).join();

const optionsRefused = ({ master, slave }: SlaveContext, { message }: VfError): Shortfall => ({
  key: 'options',
  severity: 'note',
  message: `${slave.name} paces with fq's defaults, not with the options of ${master.name}: ${message}`,
});
