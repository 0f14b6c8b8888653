/** What detectors need of the outside: the supervisor finds it, the worker's half takes it in. */

/** A target that can be asked as things are. Addresses as on the wire. */
export interface ProbeAsk {
  kind: 'arp' | 'nd' | 'icmp';
  address: Uint8Array;
  /** IPv4: what the answer is sent to. */
  source: Uint8Array;
  /** icmp: the neighbour that the way begins with. */
  nexthop: Uint8Array;
  /** 802.1Q id that it is asked with; 0: untagged. */
  vlan: number;
}

export interface DetectorSupply {
  /** Of the master. */
  mac: Uint8Array;
  /**
   * Packet sockets on [primary, standby] that bypass the queueing discipline; -1: no such device. The supervisor's: it closes none before
   * this message's successor has been taken in.
   */
  fds: [number, number];
  asks: ProbeAsk[];
  /** Of the BFD peer or the router to it, as the kernel has found it; null: unknown, or nobody asks. */
  peerMac: Uint8Array | null;
}
