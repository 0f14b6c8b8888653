/** What `Rtnl` and `LinkMonitor` need of a netlink socket; NetlinkSocket has it, tests feed bytes through it. */
export interface NetlinkTransport {
  /** Bytes sent or -errno. */
  send(bytes: Uint8Array): number;
  /** One datagram: its length or -errno (-EAGAIN: none waits). */
  recv(bytes: Uint8Array): number;
  /** 1 when recv() has something, 0 on timeout or signal, or -errno. */
  pollIn(timeoutMs: number): number;
  close(): void;
}

/** Larger than any datagram the kernel makes for a dump (32 KiB). */
export const RECEIVE_BYTES = 65_536;
