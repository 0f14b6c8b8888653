import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { Shortfall } from '../impairments.js';
import { Strikes } from './strikes.js';
import type { SlaveContext, Takeover } from './takeover.js';

const { VF_UNDO_MTU } = VfUndoKind;
const NO_ID = new Uint8Array(0);

/** The slave has the master's MTU. Where the kernel's own driver has set it, nothing is left to do. */
export class Mtu implements Takeover {
  readonly name = 'mtu';
  readonly #damper = new Strikes();
  #joined = false;
  #told: Shortfall[] = [];

  follow(c: SlaveContext): Shortfall[] {
    const nowMs = performance.now();
    if (c.slave.mtu === c.master.mtu) this.#told = [];
    else if (this.#damper.may(nowMs)) this.#set(c, nowMs);
    this.#joined = true;
    return this.#told;
  }

  waits({ master, slave }: SlaveContext): boolean {
    return slave.mtu !== master.mtu;
  }

  /** Facts of the registry may be older than what the kernel's driver has just done to all three devices. */
  #set({ rtnl, undo, master, slave }: SlaveContext, nowMs: number): void {
    const wanted = rtnl.link(master.ifindex)?.mtu;
    const now = rtnl.link(slave.ifindex)?.mtu;
    if (wanted === undefined || now === undefined || wanted === now) return;
    undo.put(VF_UNDO_MTU, NO_ID, Buffer.from(Uint32Array.of(now).buffer));
    try {
      if (this.#joined) this.#damper.strike(nowMs);
      rtnl.setLink(slave.ifindex, { mtu: wanted });
      this.#told = [];
    } catch (e) {
      if (!this.#joined) throw e;
      this.#told = [
        {
          key: 'refused',
          severity: 'degraded',
          message: `${slave.name} refuses the master's MTU of ${wanted} (${(e as Error).message}): longer frames than ${now} bytes do not pass`,
          fix: `ip link set dev ${master.name} mtu ${now}, or let ${slave.name}'s host allow ${wanted}`,
        },
      ];
    }
  }

  restore({ rtnl, undo, slave }: SlaveContext, gone: boolean): void {
    const entry = undo.get(VF_UNDO_MTU, NO_ID);
    if (entry === undefined) return;
    undo.delete(VF_UNDO_MTU, NO_ID);
    if (!gone) rtnl.setLink(slave.ifindex, { mtu: Buffer.from(entry.before).readUInt32LE() });
  }
}
