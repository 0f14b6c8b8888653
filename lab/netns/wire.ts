import { Tap } from 'bpf-loader-ts/sys';
import type { Rtnl } from '../../src/netlink/index.js';

export type WireKind = 'veth' | 'tap';

/** One end of a wire in each of two namespaces. */
export interface WireEnds {
  kind: WireKind;
  guest: { netns: number; rtnl: Rtnl; name: string; mac: string };
  host: { netns: number; rtnl: Rtnl; name: string };
}

/**
 * A cable between a guest's device and a port of the host's bridge. Of veth: one kernel object, whose carrier is told at once. Of taps:
 * two devices and a thread that carries the frames (workers/traffic.ts), whose carrier behaves as that of a VF or virtio NIC.
 */
export class Wire {
  readonly kind: WireKind;
  guestIfindex = 0;
  hostIfindex = 0;
  guestTap: Tap | undefined;
  hostTap: Tap | undefined;
  readonly #ends: WireEnds;

  constructor(ends: WireEnds) {
    this.kind = ends.kind;
    this.#ends = ends;
    this.plug();
  }

  get guestName(): string {
    return this.#ends.guest.name;
  }

  get hostName(): string {
    return this.#ends.host.name;
  }

  /** Makes the devices; the guest's is down, the host's up. */
  plug(): void {
    const { guest, host, kind } = this.#ends;
    if (kind === 'veth') {
      const made = guest.rtnl.createVeth({
        name: guest.name,
        mac: guest.mac,
        peer: { name: host.name, netnsFd: host.netns },
      });
      this.guestIfindex = made.ifindex;
      this.hostIfindex = host.rtnl.link(host.name)!.ifindex;
    } else {
      this.guestTap = new Tap({ netns: guest.netns, name: guest.name, mac: guest.mac });
      this.guestIfindex = this.guestTap.ifindex;
      if (!this.hostTap) {
        this.hostTap = new Tap({ netns: host.netns, name: host.name });
        this.hostIfindex = this.hostTap.ifindex;
      }
    }
    host.rtnl.setLink(this.hostIfindex, { addrGenMode: 1 });
    host.rtnl.setLink(this.hostIfindex, { up: true });
  }

  /** After the guest's device is deleted: lets go of its descriptor. */
  dropGuestTap(): void {
    this.guestTap?.close();
    this.guestTap = undefined;
  }

  /** Takes carrier from the guest's device, or gives it back. For veth it is the far end that is set down. */
  carrier(on: boolean): void {
    if (this.kind === 'veth') this.#ends.host.rtnl.setLink(this.hostIfindex, { up: on });
    else {
      this.guestTap?.carrier(on);
      this.hostTap?.carrier(on);
    }
  }

  close(): void {
    this.guestTap?.close();
    this.hostTap?.close();
  }
}
