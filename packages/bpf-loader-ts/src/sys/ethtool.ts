import { native } from '../binding.js';
import { OwnedFd } from './fd.js';

const sys = native as {
  linkState(sockFd: number, ifindex: number): number;
  linkStates(sockFds: Int32Array, ifindexes: Int32Array, out: Int32Array, n: number): number;
  controlSocket(netns: number): number;
  deviceDriver(sockFd: number, ifname: string): DeviceDriver | null;
  changeGroups(sockFd: number, ifindex: number, add: boolean, macs: Uint8Array, out: Int32Array): number;
};

/** Bit of linkState(): the device can send. */
export const LINK_CARRIER = 1;
/** Bit of linkState(): the device is up. */
export const LINK_UP = 2;

/** What a driver says of itself. */
export interface DeviceDriver {
  driver: string;
  version: string;
  /** PCI address for hardware: `0000:01:10.0`. */
  busInfo: string;
}

/** A socket that stands for a namespace in device ioctls. */
export class ControlSocket extends OwnedFd {
  /** `netns`: fd of the namespace, the calling thread's own by default. */
  constructor(netns = -1) {
    super(sys.controlSocket(netns));
  }

  /** See linkState(). */
  linkState(ifindex: number): number {
    return sys.linkState(this.fd, ifindex);
  }

  /** ETHTOOL_GDRVINFO; null for a device without a driver's answer. Throws ENODEV. */
  driver(ifname: string): DeviceDriver | null {
    return sys.deviceDriver(this.fd, ifname);
  }

  /**
   * Adds groups to a device's filter, or deletes them (SIOCADDMULTI, SIOCDELMULTI). They stay when this socket and this process are
   * gone. A group that somebody added the same way is not added again, and is deleted with ours. `macs`: 6 bytes each.
   * @returns 0 or -errno for each; all are -ENODEV if there is no such device, or it was renamed meanwhile.
   */
  changeGroups(ifindex: number, add: boolean, macs: Uint8Array): Int32Array {
    const out = new Int32Array(Math.floor(macs.length / 6));
    const failed = sys.changeGroups(this.fd, ifindex, add, macs, out);
    return failed < 0 ? out.fill(failed) : out;
  }
}

/**
 * LINK_CARRIER | LINK_UP of a device; or -ENODEV, or another -errno. LINK_CARRIER means that it can send: a loss of carrier counts at
 * once (ETHTOOL_GLINK), its return only with IFF_RUNNING, up to a second later, since until then the device's queue drops every
 * frame and reports success. About 1 µs. GLINK takes the RTNL lock, so it waits for whoever reconfigures devices; it is
 * not asked of a device that is not RUNNING. Allocates nothing.
 */
export function linkState(sockFd: number, ifindex: number): number {
  return sys.linkState(sockFd, ifindex);
}

/**
 * linkState() for `n` devices in one call: out[i] for (sockFds[i], ifindexes[i]); ifindex 0 gives -ENODEV. Returns n, or
 * -EINVAL when an array is shorter than n.
 */
export function linkStates(sockFds: Int32Array, ifindexes: Int32Array, out: Int32Array, n: number): number {
  return sys.linkStates(sockFds, ifindexes, out, n);
}
