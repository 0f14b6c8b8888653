import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { Shortfall } from '../impairments.js';
import type { SlaveContext, Takeover } from './takeover.js';

const { VF_UNDO_UP } = VfUndoKind;
const NO_ID = new Uint8Array(0);
/** Under this one: the master's state that the slave was brought to last, so that a later daemon knows what was changed since. */
const FOLLOWED = Uint8Array.of(1);

/**
 * The slave is set up and down with its master, as net_failover and netvsc do. Who sets the slave itself down while the master is up
 * keeps it down: that is an order, or a fault, and the traffic goes by the standby.
 */
export class AdminState implements Takeover {
  readonly name = 'admin state';
  readonly late = true;
  /** The master's state that the slave was brought to last. */
  #followed: boolean | undefined;

  follow({ rtnl, undo, master, slave }: SlaveContext): Shortfall[] {
    const kept = undo.get(VF_UNDO_UP, FOLLOWED)?.before[0];
    this.#followed ??= kept === undefined ? undefined : kept === 1;
    if (master.up === this.#followed) return [];
    const now = rtnl.link(slave.ifindex)?.up;
    if (now === undefined) return [];
    if (now !== master.up) {
      undo.put(VF_UNDO_UP, NO_ID, Uint8Array.of(now ? 1 : 0));
      rtnl.setLink(slave.ifindex, { up: master.up });
    }
    this.#followed = master.up;
    undo.delete(VF_UNDO_UP, FOLLOWED);
    undo.put(VF_UNDO_UP, FOLLOWED, Uint8Array.of(master.up ? 1 : 0));
    return [];
  }

  restore({ rtnl, undo, slave }: SlaveContext, gone: boolean): void {
    undo.delete(VF_UNDO_UP, FOLLOWED);
    const entry = undo.get(VF_UNDO_UP, NO_ID);
    if (entry === undefined) return;
    undo.delete(VF_UNDO_UP, NO_ID);
    if (!gone) rtnl.setLink(slave.ifindex, { up: entry.before[0] === 1 });
  }
}
