import { ARPHRD_ETHER, type Device, identityMac, normaliseMac, ROLES, type Role } from '../device.js';
import { VfError } from '../errors.js';
import { MODELS, type ModelName } from '../models/table.js';

/** Names a slave by hand. All the fields given must agree; at least one is needed. */
export interface SlaveSelector {
  name?: string;
  /** Permanent or current MAC. */
  mac?: string;
  /** Bus address, `0000:01:10.0`, with or without its bus in front: `pci/0000:01:10.0`. */
  bus?: string;
}

/** What is configured beyond the MAC. A role with a selector takes the device selected and no other. */
export type MatchRules = { readonly [role in Role]?: Readonly<SlaveSelector> };

/** What matching needs to know of an instance. */
export interface MatchTarget {
  readonly name: string;
  readonly model: ModelName;
  readonly master: Device;
  readonly rules: MatchRules;
  /** The MAC that the master had when the instance was made: a slave whose master changed its MAC meanwhile still is its slave. */
  readonly formerMac?: string;
}

/** The MACs that say "this instance's": the master's permanent and current one, and the one that the instance began with. */
export function macsOf({ master, formerMac }: Pick<MatchTarget, 'master' | 'formerMac'>): string[] {
  const macs = [identityMac(master), normaliseMac(master.address), formerMac];
  return macs.filter((mac) => mac !== undefined);
}

/**
 * `reason` is given where a device has the MAC and yet is plainly not meant, such as a VLAN on the master.
 */
export type MatchResult =
  | ({ readonly match: true } & Claim)
  | { readonly match: false; readonly reason?: string }
  | { readonly refused: VfError; readonly role: Role };

/**
 * Which slave of an instance a device claims to be. `explicit`: named by a rule, or the master of its own
 * instance.
 */
export interface Claim {
  readonly role: Role;
  readonly explicit: boolean;
  /** By a MAC that the master had, and has no longer. */
  readonly former?: true;
}

/** Name of a device by ifindex, for messages. */
export type NameOf = (ifindex: number) => string | undefined;

/** Devices of these kinds lie on top of another, or join others, and inherit a MAC that is not their own. */
export const STACKED_KINDS: ReadonlySet<string> = new Set(
  (
    'vlan macvlan macvtap ipvlan ipvtap macsec bridge bond team netkit vrf hsr dsa batadv openvswitch ' +
    'vxlan geneve virt_wifi rmnet amt ovpn ifb'
  ).split(' '),
);

/** Whether the selector names the device. Any field that is given and differs says no. */
export function selects(selector: SlaveSelector, device: Device): boolean {
  const { name, mac, bus } = selector;
  if (name === undefined && mac === undefined && bus === undefined) return false;
  if (name !== undefined && name !== device.name) return false;
  if (bus !== undefined && bus !== device.parentDev && bus !== `${device.parentBus}/${device.parentDev}`)
    return false;
  if (mac === undefined) return true;
  const wanted = normaliseMac(mac);
  return wanted !== undefined && (wanted === identityMac(device) || wanted === normaliseMac(device.address));
}

/**
 * Does the device answer to this instance, whether or not it is fit for it? (failover_get_bymac and the
 * test for the bus parent in net_failover_slave_pre_register.) Undefined: it has nothing to do with it.
 */
export function claimOf(target: MatchTarget, device: Device): Claim | undefined {
  const traits = MODELS[target.model];
  if (device.ifindex === target.master.ifindex) {
    return traits.standbyIsMaster ? { role: 'standby', explicit: true } : undefined;
  }
  for (const role of ROLES) {
    const selector = target.rules[role];
    if (selector !== undefined && selects(selector, device)) return { role, explicit: true };
  }
  const mac = identityMac(device);
  if (!traits.sameMac || mac === undefined || !macsOf(target).includes(mac)) return undefined;
  const role: Role = sameParent(device, target.master) ? 'standby' : 'primary';
  if (target.rules[role] !== undefined) return undefined;
  const former = ![identityMac(target.master), normaliseMac(target.master.address)].includes(mac);
  return { role, explicit: false, ...(former && { former }) };
}

/** Whether both belong to one device on a bus, as the standby and the kernel's failover master do. */
export function sameParent(a: Device, b: Device): boolean {
  return a.parentDev !== undefined && a.parentDev === b.parentDev && a.parentBus === b.parentBus;
}

/**
 * Is the device a slave of the instance, and in which role? Looks at the two devices alone; what other
 * devices and instances make of it is for `arbitrate` (claims.ts).
 */
export function matchDevice(target: MatchTarget, device: Device, nameOf: NameOf = noName): MatchResult {
  const claim = claimOf(target, device);
  if (claim === undefined) return { match: false };
  const { role, explicit } = claim;
  if (device.ifindex === target.master.ifindex) return { match: true, role, explicit };
  const below = stackedOn(device, nameOf);
  if (below !== undefined) {
    if (!explicit) return { match: false, reason: below };
    return { refused: stackedError(target, device, role, below), role };
  }
  const refused = unfit(target, device, claim, nameOf) ?? otherMac(target, device, claim);
  return refused === undefined ? { match: true, ...claim } : { refused, role };
}

/**
 * Why a joined slave may not stay, or undefined. Rules are not asked again: a slave chosen by name keeps
 * its place when it is renamed. Nor is its current MAC: it follows the master's (src/slave/mac.ts).
 */
export function mustLeave(
  target: MatchTarget,
  device: Device,
  claim: Claim,
  nameOf: NameOf = noName,
): VfError | undefined {
  if (device.ifindex === target.master.ifindex) return undefined;
  const permanent = device.permAddress === undefined ? undefined : normaliseMac(device.permAddress);
  const other = permanent !== undefined && !macsOf(target).includes(permanent);
  if (other && !claim.explicit && MODELS[target.model].sameMac)
    return macMismatch(target, device, claim.role);
  return unfit(target, device, claim, nameOf);
}

/** The checks that a device must pass in any role. */
function unfit(target: MatchTarget, device: Device, claim: Claim, nameOf: NameOf): VfError | undefined {
  const { master } = target;
  if (device.type !== ARPHRD_ETHER) return notEthernet(device, claim.role);
  // An unset IFLA_MASTER and 0 both mean: none. The kernel's own failover master owns its slaves, as it
  // should.
  if (device.master && device.master !== master.ifindex) return owned(device, claim.role, nameOf);
  const { min, max } = mtuLimits([device]);
  return master.mtu >= min && master.mtu <= max
    ? undefined
    : mtuMismatch(target, device, claim.role, min, max);
}

/** A slave named by hand must have the master's MAC, too. Its current one may have been set by hand. */
function otherMac(target: MatchTarget, device: Device, claim: Claim): VfError | undefined {
  if (!claim.explicit || !MODELS[target.model].sameMac) return undefined;
  const macs = macsOf(target);
  const known = [identityMac(device), normaliseMac(device.address)].some(
    (mac) => mac !== undefined && macs.includes(mac),
  );
  return known ? undefined : macMismatch(target, device, claim.role);
}

/**
 * Why a device is taken to lie on top of another, or undefined. `link` within the same namespace means a
 * lower device, except for veth, where it is the peer.
 */
export function stackedOn(device: Device, nameOf: NameOf = noName): string | undefined {
  const { kind, link } = device;
  if (kind !== undefined && STACKED_KINDS.has(kind)) return `${device.name} is a ${kind} device`;
  if (!link || link === device.ifindex || device.linkNetnsId !== undefined || kind === 'veth')
    return undefined;
  return `${device.name} lies on top of ${label(link, nameOf)}`;
}

/**
 * The MTUs that every one of the devices can be given, bytes. A maximum of 0 means that the driver sets no
 * limit.
 */
export function mtuLimits(devices: Iterable<Device>): { min: number; max: number } {
  let min = 0;
  let max = Number.POSITIVE_INFINITY;
  for (const device of devices) {
    min = Math.max(min, device.minMtu ?? 0);
    if (device.maxMtu) max = Math.min(max, device.maxMtu);
  }
  return { min, max };
}

function notEthernet(device: Device, role: Role): VfError {
  return new VfError(
    'DEVICE_NOT_ETHERNET',
    `${device.name} is not an Ethernet device (ARPHRD type ${device.type})`,
    {
      field: role,
      value: device.type,
      fix: `choose an Ethernet device as ${role}`,
    },
  );
}

function owned(device: Device, role: Role, nameOf: NameOf): VfError {
  const owner = label(device.master ?? 0, nameOf);
  return new VfError('DEVICE_OWNED', `${device.name} belongs to ${owner}`, {
    field: role,
    value: owner,
    fix: `ip link set dev ${device.name} nomaster, or leave it to ${owner} and choose another ${role}`,
  });
}

function macMismatch(target: MatchTarget, device: Device, role: Role): VfError {
  const selector = target.rules[role];
  const key = selector?.name !== undefined ? 'name' : selector?.bus !== undefined ? 'bus' : 'mac';
  const theirs = identityMac(device) ?? device.address;
  const ours = identityMac(target.master) ?? target.master.address;
  return new VfError(
    'MAC_MISMATCH',
    `${role} ${device.name} has MAC ${theirs}, master ${target.master.name} of ${target.name} has ${ours}`,
    {
      field: selector === undefined ? role : `${role}.${key}`,
      value: theirs,
      fix: `give the VF the MAC ${ours} on its host (ip link set PF vf N mac ${ours}), or name another ${role}`,
    },
  );
}

function mtuMismatch(target: MatchTarget, device: Device, role: Role, min: number, max: number): VfError {
  const { master } = target;
  const limit = master.mtu > max ? max : min;
  return new VfError(
    'MTU_MISMATCH',
    `${role} ${device.name} takes an MTU of ${master.mtu > max ? 'at most' : 'at least'} ${limit}, ` +
      `master ${master.name} of ${target.name} has ${master.mtu}`,
    { field: `${role}.mtu`, value: limit, fix: `ip link set dev ${master.name} mtu ${limit}` },
  );
}

function stackedError(target: MatchTarget, device: Device, role: Role, why: string): VfError {
  return new VfError('CONFIG_INVALID', `${device.name} cannot be the ${role} of ${target.name}: ${why}`, {
    field: role,
    value: device.name,
    fix: 'name the hardware device below it',
  });
}

function label(ifindex: number, nameOf: NameOf): string {
  return nameOf(ifindex) ?? `ifindex ${ifindex}`;
}

function noName(): undefined {
  return undefined;
}
