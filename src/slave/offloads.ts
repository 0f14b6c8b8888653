import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { Shortfall } from '../impairments.js';
import { Strikes } from './strikes.js';
import type { SlaveContext, Takeover } from './takeover.js';

const { VF_UNDO_FEATURE } = VfUndoKind;

/** Large receive offload, by the kernel's name. */
const LRO = 'rx-lro';
const LRO_ID = Buffer.from(LRO);

/**
 * LRO is off on the slave where the master has none, or has it off. Frames that it merged cannot be forwarded: the kernel switches it off
 * on a device that routes or is a bridge's port (dev_disable_lro) and knows nothing of the slave below, so bonding and team do the same
 * as we. No other offload needs care: GRO can be undone, and whatever the master sends, the kernel does for each frame what the slave cannot.
 */
export class Offloads implements Takeover {
  readonly name = 'offloads';
  readonly #damper = new Strikes();
  #seen = '';
  #told: Shortfall[] = [];

  waits(c: SlaveContext): boolean {
    return changesOf(c) !== this.#seen;
  }

  follow(c: SlaveContext): Shortfall[] {
    const { master, slave } = c;
    const nowMs = performance.now();
    const seen = changesOf(c);
    if (seen === this.#seen || !this.#damper.may(nowMs)) return this.#told;
    const [of, on] = [c.ethtool.features(master.ifindex), c.ethtool.features(slave.ifindex)];
    this.#told = [];
    // A kernel before 5.8 does not tell.
    if (of !== undefined && on?.has(LRO) && !of.has(LRO)) this.#off(c, nowMs);
    this.#seen = seen;
    return this.#told;
  }

  #off({ ethtool, undo, master, slave }: SlaveContext, nowMs: number): void {
    this.#damper.strike(nowMs);
    undo.put(VF_UNDO_FEATURE, LRO_ID, Uint8Array.of(1));
    if (ethtool.setFeature(slave.ifindex, LRO, false) === false) return;
    undo.delete(VF_UNDO_FEATURE, LRO_ID);
    this.#told.push({
      key: LRO,
      severity: 'degraded',
      message: `${slave.name} keeps LRO on, which ${master.name} has off: frames that it merges cannot be forwarded`,
      fix: `ethtool -K ${slave.name} lro off`,
    });
  }

  restore({ ethtool, undo, slave }: SlaveContext, gone: boolean): void {
    if (undo.get(VF_UNDO_FEATURE, LRO_ID) === undefined) return;
    undo.delete(VF_UNDO_FEATURE, LRO_ID);
    if (!gone) ethtool.setFeature(slave.ifindex, LRO, true);
  }
}

const changesOf = ({ changes, master, slave }: SlaveContext): string =>
  `${changes.link(master.ifindex)} ${changes.link(slave.ifindex)}`;
