import { VfUndo } from '../../bpf/vfailover.bpf.js';
import { foreignPrograms } from '../datapath/hooks.js';
import type { TransparentDatapath } from '../datapath/transparent.js';
import { VfError } from '../errors.js';
import type { Device, Role } from '../failover/device.js';
import type { FailoverInstance } from '../failover/instance.js';
import type { DriftField, FailoverOps, LeaveReason } from '../failover/ops.js';
import type { JoinStep } from '../failover/transaction.js';
import type { LinkChange, Rtnl } from '../netlink/index.js';
import type { Namespace } from './namespace.js';

/** IFLA_INET6_ADDR_GEN_MODE none: the kernel makes no link-local address, so nothing is autoconfigured on a slave. */
const ADDR_GEN_NONE = 1;

/** Throws DEVICE_FOREIGN_PROGRAM when somebody else's program sits where ours would go: it is reported, never removed. */
export function refuseForeign(ns: Namespace, device: Device): void {
  const names = ns.enter(() => foreignPrograms(device.ifindex));
  if (device.xdp) names.push(`XDP program id ${device.xdp.progId} (${device.xdp.mode})`);
  if (names.length === 0) return;
  throw new VfError(
    'DEVICE_FOREIGN_PROGRAM',
    `${device.name} carries a program that is not ours: ${names.join(', ')}`,
    {
      field: 'device',
      value: device.name,
      fix: `look at \`bpftool net show dev ${device.name}\`; stop what owns it, or detach it, then try again`,
    },
  );
}

/**
 * What an instance of the `transparent` model asks of the outside. The master is the standby, so joining it takes nothing; what joining
 * the primary changes is written into the pinned identity first, so that a later daemon can undo it.
 */
export class TransparentOps implements FailoverOps {
  readonly #ns: Namespace;
  readonly #datapath: TransparentDatapath;
  /** Why the primary is leaving, for the record of the flip that this causes. */
  leaving: LeaveReason | undefined;
  onLink: (device: Device) => void = () => {};

  constructor(ns: Namespace, datapath: TransparentDatapath) {
    this.#ns = ns;
    this.#datapath = datapath;
  }

  preRegister(_instance: FailoverInstance, device: Device, role: Role): void {
    if (role === 'standby' || this.#datapath.identity.primaryIfindex === device.ifindex) return;
    refuseForeign(this.#ns, device);
  }

  joinSteps(instance: FailoverInstance, device: Device, role: Role): readonly JoinStep[] {
    if (role === 'standby') return [];
    const mtu = instance.master.mtu;
    return [
      this.#setting('no IPv6 address of its own', VfUndo.VF_UNDO_ADDR_GEN_MODE, device.ifindex, {
        // On a device that is up already the setting would only take away an address that somebody uses.
        change: (now) =>
          now.up || now.addrGenMode === ADDR_GEN_NONE ? undefined : { addrGenMode: ADDR_GEN_NONE },
        save: (now) => ({ undoAddrGenMode: now.addrGenMode ?? 0 }),
        restore: (id) => ({ addrGenMode: id.undoAddrGenMode }),
      }),
      this.#setting(`set mtu ${mtu}`, VfUndo.VF_UNDO_MTU, device.ifindex, {
        change: (now) => (now.mtu === mtu ? undefined : { mtu }),
        save: (now) => ({ undoMtu: now.mtu }),
        restore: (id) => ({ mtu: id.undoMtu }),
      }),
      {
        name: 'attach programs',
        do: () => this.#datapath.attachPrimary(device.ifindex),
        undo: () => this.#datapath.detachPrimary(),
      },
      this.#setting('set up', VfUndo.VF_UNDO_ADMIN_DOWN, device.ifindex, {
        change: (now) => (now.up ? undefined : { up: true }),
        save: () => ({}),
        restore: () => ({ up: false }),
      }),
    ];
  }

  /** A change of one setting, remembered with what it was. A later daemon that joins the same device again finds it made already. */
  #setting(
    name: string,
    bit: number,
    ifindex: number,
    how: {
      change: (now: Device) => LinkChange | undefined;
      save: (now: Device) => Partial<TransparentDatapath['identity']>;
      restore: (id: TransparentDatapath['identity']) => LinkChange;
    },
  ): JoinStep {
    const rtnl: Rtnl = this.#ns.rtnl;
    const datapath = this.#datapath;
    return {
      name,
      do() {
        const now = rtnl.link(ifindex);
        if (!now)
          throw new VfError('DEVICE_NOT_FOUND', `device ${ifindex} is gone`, {
            field: 'ifindex',
            value: ifindex,
          });
        const change = how.change(now);
        if (!change) return;
        const { undo } = datapath.identity;
        datapath.remember((undo & bit) === 0 ? { ...how.save(now), undo: undo | bit } : {});
        rtnl.setLink(ifindex, change);
      },
      undo(gone) {
        const id = datapath.identity;
        if ((id.undo & bit) === 0) return;
        datapath.remember({ undo: id.undo & ~bit });
        if (!gone) rtnl.setLink(ifindex, how.restore(id));
      },
    };
  }

  /** Before anything is undone: no frame goes to the leaving slave any more. */
  preLeave(_instance: FailoverInstance, _device: Device, role: Role, reason: LeaveReason): void {
    if (role === 'standby') return;
    this.leaving = reason;
    this.#datapath.abandonPrimary();
  }

  leave(): void {}

  linkChange(_instance: FailoverInstance, device: Device): void {
    this.onLink(device);
  }

  nameChange(): void {}

  drift(instance: FailoverInstance, device: Device, role: Role, fields: readonly DriftField[]): void {
    if (role === 'standby' || !fields.includes('mtu')) return;
    this.#ns.rtnl.setLink(device.ifindex, { mtu: instance.master.mtu });
  }
}
