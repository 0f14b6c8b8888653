import type { Rtnl } from '../../src/netlink/index.js';

/** MAC of the host's own port, the same whatever the switch is. */
export const HOST_MAC = '02:76:66:00:00:fe';

/** What joins the ports of a host: a switch that learns, with a port of the host itself. */
export interface HostSwitch {
  /** The host's own port; made by the constructor, down. */
  readonly ifindex: number;
  /** Makes a device a port. */
  join(ifindex: number, name: string): void;
  close(): Promise<void>;
}

/** The kernel's bridge. */
export class KernelBridge implements HostSwitch {
  readonly ifindex: number;
  readonly #rtnl: Rtnl;

  constructor(rtnl: Rtnl) {
    this.#rtnl = rtnl;
    this.ifindex = rtnl.createBridge({ name: 'br0' });
    // Set by hand it stays: by default a bridge takes the lowest of its ports' addresses, and another when a port goes.
    rtnl.setLink(this.ifindex, { address: HOST_MAC });
  }

  join(ifindex: number): void {
    this.#rtnl.setLink(ifindex, { master: this.ifindex });
  }

  async close(): Promise<void> {}
}
