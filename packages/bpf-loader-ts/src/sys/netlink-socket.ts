import { native } from '../binding.js';
import { OwnedFd } from './fd.js';

const sys = native as {
  netlinkOpen(protocol: number, netns: number, rcvbuf: number): number;
  netlinkJoin(fd: number, group: number): void;
  netlinkRecv(fd: number, bytes: ArrayBufferView): number;
  netlinkSend(fd: number, bytes: ArrayBufferView, len: number): number;
  pollIn(fd: number, timeoutMs: number): number;
  rcvbuf(fd: number): number;
  setRcvbuf(fd: number, bytes: number): void;
};

/** What a NetlinkSocket may be told. */
export interface NetlinkSocketOptions {
  /** NETLINK_ROUTE (0) by default. */
  protocol?: number;
  /** fd of the namespace to look into; the calling thread's own by default. */
  netns?: number;
  /** Receive buffer in bytes; the system's default (net.core.rmem_default) otherwise. */
  rcvbuf?: number;
}

/**
 * A non-blocking netlink socket with extended acknowledgements (Linux 4.12) and strict checking of dump requests (4.20) where
 * the kernel has them. It stays in the namespace it was opened in.
 */
export class NetlinkSocket extends OwnedFd {
  constructor(options: NetlinkSocketOptions = {}) {
    super(sys.netlinkOpen(options.protocol ?? 0, options.netns ?? -1, options.rcvbuf ?? 0));
  }

  /** Subscribes to a multicast group, by number. */
  join(group: number): void {
    sys.netlinkJoin(this.fd, group);
  }

  /** Sends the first `len` bytes to the kernel. Returns the bytes sent or -errno. */
  send(bytes: ArrayBufferView, len: number = bytes.byteLength): number {
    return sys.netlinkSend(this.fd, bytes, len);
  }

  /**
   * Receives one datagram of the kernel's; those of other processes are skipped. Returns its length, -EAGAIN when there is
   * none, -ENOBUFS once after an overrun, -EMSGSIZE when it was longer than `bytes` (and is lost), or another -errno.
   */
  recv(bytes: ArrayBufferView): number {
    return sys.netlinkRecv(this.fd, bytes);
  }

  /** Blocks the thread up to `timeoutMs` (-1: forever). 1: recv() has something; 0: timeout or signal; or -errno. */
  pollIn(timeoutMs: number): number {
    return sys.pollIn(this.fd, timeoutMs);
  }

  /** The receive buffer as the kernel counts it: twice what was set. */
  get rcvbuf(): number {
    return sys.rcvbuf(this.fd);
  }

  /** Bytes; above net.core.rmem_max it needs CAP_NET_ADMIN, and is cut without. */
  set rcvbuf(bytes: number) {
    sys.setRcvbuf(this.fd, bytes);
  }
}

/** poll(2) for readability of any fd: 1, 0 on timeout or signal, or -errno. */
export function pollIn(fd: number, timeoutMs: number): number {
  return sys.pollIn(fd, timeoutMs);
}
