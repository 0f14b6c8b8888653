import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { formatIp } from '../frames/address.js';
import { parseMac } from '../frames/mac.js';
import type { Shortfall } from '../impairments.js';
import * as k from '../netlink/constants.js';
import { addAddress, deleteAddress, type SavedAddress, savedAddresses } from '../netlink/saved.js';
import { Strikes } from './strikes.js';
import type { SlaveContext, Takeover } from './takeover.js';

const { VF_UNDO_ADDRESS } = VfUndoKind;
/** An address that fails its check more often than this is somebody else's after all. */
const REPAIRS_MAX = 3;

/**
 * The master's IPv6 addresses are usable. A slave that was up before it joined has made the same link-local address of the same MAC, and
 * answered when the master checked for duplicates: the kernel then leaves the master's address unusable (`dadfailed`) for good. The slave
 * has no address any more, so the master's is given to it anew. Nothing is to be put back.
 */
export class Duplicates implements Takeover {
  readonly name = 'duplicates';
  readonly #repairs = new Map<string, Strikes>();
  #seen = -1;
  #told: Shortfall[] = [];

  follow(c: SlaveContext): Shortfall[] {
    const { ifindex } = c.master;
    const count = c.changes.address(ifindex);
    if (count === this.#seen) return this.#told;
    const failed = savedAddresses(c.rtnl, ifindex).filter(
      (a) => a.family === 6 && (a.flags & k.IFA_F_DADFAILED) !== 0,
    );
    this.#told = failed.flatMap((a) => (this.#repair(c, a) ? [] : [told(c, a)]));
    this.#seen = count;
    return this.#told;
  }

  /** Gives the address anew if the other one was our slave's. */
  #repair(c: SlaveContext, address: SavedAddress): boolean {
    if (!isSlaves(c, address)) return false;
    const key = formatIp(address.bytes);
    const nowMs = performance.now();
    const damper = this.#repairs.get(key) ?? new Strikes();
    this.#repairs.set(key, damper);
    if (damper.strikes(nowMs) >= REPAIRS_MAX) return false;
    damper.strike(nowMs);
    deleteAddress(c.rtnl, c.master.ifindex, address);
    addAddress(c.rtnl, c.master.ifindex, address, 0);
    return true;
  }

  restore(): void {}
}

/** True if the slave has had the address, or would make it of the MAC that both have. */
function isSlaves({ undo, master }: SlaveContext, { bytes }: SavedAddress): boolean {
  if (undo.of(VF_UNDO_ADDRESS).some(({ id }) => id[0] === 6 && bytes.every((b, i) => b === id[2 + i])))
    return true;
  const mac = parseMac(master.address);
  const eui64 = [mac[0]! ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]];
  return eui64.every((b, i) => b === bytes[8 + i]);
}

function told({ master }: SlaveContext, { bytes }: SavedAddress): Shortfall {
  const address = formatIp(bytes);
  return {
    key: address,
    severity: 'degraded',
    message: `${address} of ${master.name} is unusable (dadfailed): another machine has it`,
    fix: `find who else has ${address}, or \`ip address del\` and \`add\` it on ${master.name} when nobody has`,
  };
}
