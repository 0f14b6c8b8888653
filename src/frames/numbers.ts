/** Numbers by which a header says what follows it. */

/** EtherTypes (IEEE 802). */
export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
} as const;

/** Protocol numbers of IPv4, and next headers of IPv6 (IANA). */
export const PROTOCOL = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmpv6: 58 } as const;
