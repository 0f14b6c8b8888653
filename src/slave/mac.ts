import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import { formatMac, parseMac } from '../frames/mac.js';
import type { Shortfall } from '../impairments.js';
import { Strikes } from './strikes.js';
import { type SlaveContext, SlaveUnfit, type Takeover } from './takeover.js';

const { VF_UNDO_MAC } = VfUndoKind;
const NO_ID = new Uint8Array(0);
/** A slave whose MAC somebody else changes more often than this leaves. */
const STRIKES_MAX = 5;

/**
 * The slave has the master's MAC: a NIC that filters lets nothing else in, and what it sends must come from there. It is set on the
 * running device where the driver can, otherwise while the device is down. A VF that its PF does not trust may be refused.
 */
export class Mac implements Takeover {
  readonly name = 'mac';
  readonly #damper = new Strikes();
  /** The master's MAC that the slave was given last. */
  #followed: string | undefined;

  follow(c: SlaveContext): Shortfall[] {
    const nowMs = performance.now();
    if (c.slave.address === c.master.address) this.#followed = c.master.address;
    else this.#compare(c, nowMs);
    const strikes = this.#damper.strikes(nowMs);
    if (strikes === 0) return [];
    const message = `somebody else changes the MAC of ${c.slave.name}: set back to ${this.#followed}, ${strikes} times in the last minute`;
    return [{ key: 'changed', severity: 'note', message, fix: `find who sets the MAC of ${c.slave.name}` }];
  }

  /** Facts of the registry may be older than what has just been set. */
  #compare(c: SlaveContext, nowMs: number): void {
    const [wanted, now] = [c.master, c.slave].map((d) => c.rtnl.link(d.ifindex)?.address);
    if (!wanted || !now) return;
    const news = wanted !== this.#followed;
    this.#followed = wanted;
    if (wanted === now) return;
    if (news) this.#damper.reset();
    else this.#damper.strike(nowMs);
    if (this.#damper.strikes(nowMs) > STRIKES_MAX)
      throw unfit(c, now, wanted, `somebody else sets it to ${now} again and again`);
    c.undo.put(VF_UNDO_MAC, NO_ID, parseMac(now));
    try {
      setMac(c, wanted);
    } catch (e) {
      throw unfit(c, now, wanted, `it refuses another: ${(e as Error).message}`);
    }
    const after = c.rtnl.link(c.slave.ifindex)?.address;
    if (after !== undefined && after !== wanted)
      throw unfit(c, after, wanted, 'its driver accepted another and did not take it');
    const before = c.undo.get(VF_UNDO_MAC, NO_ID)?.before;
    if (before !== undefined && formatMac(before) === wanted) c.undo.delete(VF_UNDO_MAC, NO_ID);
  }

  restore(c: SlaveContext, gone: boolean): void {
    const entry = c.undo.get(VF_UNDO_MAC, NO_ID);
    if (entry === undefined) return;
    c.undo.delete(VF_UNDO_MAC, NO_ID);
    const before = formatMac(entry.before);
    if (!gone && c.rtnl.link(c.slave.ifindex)?.address !== before) setMac(c, before);
  }
}

/** Drivers without IFF_LIVE_ADDR_CHANGE answer EBUSY for a device that is up. */
function setMac({ rtnl, slave: { ifindex } }: SlaveContext, address: string): void {
  try {
    rtnl.setLink(ifindex, { address });
    return;
  } catch (e) {
    if (rtnl.link(ifindex)?.up !== true) throw e;
  }
  rtnl.setLink(ifindex, { up: false });
  try {
    rtnl.setLink(ifindex, { address });
  } finally {
    rtnl.setLink(ifindex, { up: true });
  }
}

function unfit({ master, slave, role }: SlaveContext, now: string, wanted: string, why: string): SlaveUnfit {
  return new SlaveUnfit(
    new VfError('MAC_MISMATCH', `${slave.name} has MAC ${now}, master ${master.name} has ${wanted}; ${why}`, {
      field: role,
      value: now,
      fix: `on the VF's host: ip link set PF vf N mac ${wanted}, or ip link set PF vf N trust on; or give ${master.name} the MAC ${now}`,
    }),
  );
}
