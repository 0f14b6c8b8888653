/**
 * A network device as the core sees it: facts only, no handles. `src/netlink` produces it. Known by (netns,
 * ifindex); the name is a label that can change at any time.
 */
export interface Device {
  readonly ifindex: number;
  name: string;
  /** ARPHRD type; 1 is Ethernet. */
  type: number;
  /** Current MAC, lower case `aa:bb:cc:dd:ee:ff`. */
  address: string;
  /** IFLA_PERM_ADDRESS where the driver has one. */
  permAddress?: string;
  mtu: number;
  minMtu?: number;
  maxMtu?: number;
  /** IFLA_TXQLEN: frames; 0 where there is no queue. */
  txQueueLength?: number;
  /** IFLA_NUM_TX_QUEUES: as many as the driver can have. */
  txQueues?: number;
  /** IFF_UP: administratively up. */
  up: boolean;
  /** IFLA_CARRIER. */
  carrier: boolean;
  /** IFLA_OPERSTATE: unknown, notpresent, down, lowerlayerdown, testing, dormant, up. */
  operstate: string;
  /** IFLA_INFO_KIND: veth, vlan, bridge, tun …; absent for hardware. */
  kind?: string;
  /** IFLA_MASTER: ifindex of the bridge, bond or other upper device that owns it. */
  master?: number;
  /** IFLA_LINK: ifindex of the device below or of the peer. */
  link?: number;
  /** IFLA_LINK_NETNSID: set when `link` counts in another namespace. */
  linkNetnsId?: number;
  /** IFLA_PARENT_DEV_NAME and IFLA_PARENT_DEV_BUS_NAME: `0000:01:10.0`, `pci`. */
  parentDev?: string;
  parentBus?: string;
  physPortName?: string;
  /** IFLA_XDP: attachment mode and program id. */
  xdp?: { mode: 'driver' | 'generic' | 'offload' | 'multi'; progId: number };
  /** IFLA_PROMISCUITY: how many ask the device for all frames; absent: nobody. */
  promiscuity?: number;
  /** IFLA_ALLMULTI (Linux 6.0): how many ask it for all groups; absent: nobody, or the kernel does not say. */
  allmulti?: number;
  /** IFF_PROMISC and IFF_ALLMULTI as set by hand (`ip link set DEV promisc on`); absent: neither. */
  userFlags?: number;
  /** Of a VLAN device: its id, and the EtherType of its tag (0x8100, 0x88a8). */
  vlan?: { id: number; protocol: number };
  /** Of a bridge that filters VLANs: the EtherType of its tags. */
  vlanFiltering?: number;
  /** IFLA_AF_SPEC/AF_INET6/IFLA_INET6_ADDR_GEN_MODE: 0 eui64, 1 none, 2 stable-privacy, 3 random. */
  addrGenMode?: number;
}

export const ARPHRD_ETHER = 1;

/** The two slaves of an instance, in the numbering that the BPF programs use. */
export const PRIMARY = 0;
export const STANDBY = 1;
export type Path = typeof PRIMARY | typeof STANDBY;
export type Role = 'primary' | 'standby';
export const ROLES: readonly Role[] = ['primary', 'standby'];

/** Which part of an instance a device is: a slave's role, or `master` where the master is a device apart. */
export type Part = Role | 'master';

/** The path number of a role: what the BPF programs and the policy record count with. */
export function pathOf(role: Role): Path {
  return role === 'primary' ? PRIMARY : STANDBY;
}

/** The role of a path number. */
export function roleOf(path: Path): Role {
  return path === PRIMARY ? 'primary' : 'standby';
}

/** Whether frames can leave through the device now: running with carrier (net_failover_xmit_ready). */
export function isReady(device: Device): boolean {
  return device.up && device.carrier;
}

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/**
 * A MAC as `Device` writes it (lower case, colons), from any usual spelling; undefined if it is none, or is
 * one that no device can own (all zero, or a group address).
 */
export function normaliseMac(text: string): string | undefined {
  // Netlink's spelling comes by the thousand; only what a person typed needs more than the test.
  const mac = MAC.test(text) ? text : text.trim().toLowerCase().replaceAll('-', ':');
  if (!MAC.test(mac) || mac === '00:00:00:00:00:00') return undefined;
  return Number.parseInt(mac.charAt(1), 16) & 1 ? undefined : mac;
}

/**
 * The MAC a device is known by: the permanent one, or the current one where the driver has no permanent
 * one. Undefined for a device without a usable MAC, which therefore never matches anything.
 */
export function identityMac(device: Device): string | undefined {
  const permanent = device.permAddress === undefined ? undefined : normaliseMac(device.permAddress);
  return permanent ?? normaliseMac(device.address);
}
