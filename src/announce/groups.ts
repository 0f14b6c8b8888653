/** The multicast groups that a namespace's devices have joined, as /proc/net/igmp and igmp6 tell them. Pure. */

/** Groups of one device; addresses as on the wire. */
export interface Groups {
  /** The least version of IGMP that a querier on the device's link has spoken: 1, 2 or 3. */
  igmp: number;
  ip4: Uint8Array[];
  ip6: Uint8Array[];
}

/** By ifindex. What switches never ask for, since they always forward it (RFC 4541 2.1.2, RFC 3810 6), is left out. */
export function parseGroups(igmp: string, igmp6: string): Map<number, Groups> {
  const found = new Map<number, Groups>();
  const of = (ifindex: number): Groups => {
    const groups = found.get(ifindex) ?? { igmp: 3, ip4: [], ip6: [] };
    found.set(ifindex, groups);
    return groups;
  };
  let device: Groups | undefined;
  for (const line of igmp.split('\n')) {
    const head = /^(\d+)\s.*\sV([123])\s*$/.exec(line);
    const group = /^\s+([0-9A-F]{8})\s/.exec(line);
    if (head) {
      device = of(Number(head[1]));
      device.igmp = Number(head[2]);
    } else if (group && device) {
      // Printed as a number of the machine's byte order, which is little.
      const ip = Uint8Array.from(Buffer.from(group[1]!, 'hex').reverse());
      if (ip[0] !== 224 || ip[1] !== 0 || ip[2] !== 0) device.ip4.push(ip);
    }
  }
  for (const line of igmp6.split('\n')) {
    const group = /^(\d+)\s+\S+\s+([0-9a-f]{32})\s/.exec(line);
    if (!group) continue;
    const ip = Uint8Array.from(Buffer.from(group[2]!, 'hex'));
    const allNodes = ip[1] === 2 && ip[15] === 1 && ip.subarray(2, 15).every((b) => b === 0);
    if ((ip[1]! & 0xf) >= 2 && !allNodes) of(Number(group[1])).ip6.push(ip);
  }
  return found;
}
