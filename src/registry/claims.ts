import { type Device, identityMac, type Role } from '../device.js';
import { VfError } from '../errors.js';
import {
  type Claim,
  claimOf,
  type MatchResult,
  type MatchTarget,
  matchDevice,
  type NameOf,
} from './match.js';

/** An instance as its rivals see it. */
export interface Claimant extends MatchTarget {
  /** The claim by which the device is joined here, if it is. */
  heldClaim(ifindex: number): Claim | undefined;
}

/**
 * `matchDevice`, then the other instances' claims. A claim by rule beats a claim by MAC: that much the
 * operator has said. Two claims of one rank are an ambiguity and refused on both sides; the kernel lets the
 * first instance win without a word (failover_get_bymac). A join that stands is never broken for a
 * newcomer.
 */
export function arbitrate(
  instance: Claimant,
  device: Device,
  instances: Iterable<Claimant>,
  nameOf: NameOf,
): MatchResult {
  const own = matchDevice(instance, device, nameOf);
  if ('refused' in own || !own.match || device.ifindex === instance.master.ifindex) return own;
  const rivals: string[] = [];
  for (const other of instances) {
    if (other === instance) continue;
    if (other.master.ifindex === device.ifindex) {
      if (own.former) return { match: false };
      const refused = own.explicit
        ? heldElsewhere(device, own.role, other, 'master')
        : sameMacMaster(instance, device, other);
      return { refused, role: own.role };
    }
    const held = other.heldClaim(device.ifindex);
    if (held !== undefined && own.explicit) {
      return { refused: heldElsewhere(device, own.role, other, held.role), role: own.role };
    }
    // What holds a device keeps its claim, even if a rename has since made its rule untrue.
    const theirs = held ?? standingClaim(other, device, nameOf);
    if (theirs === undefined) continue;
    if (rank(theirs) > rank(own)) {
      const how = theirs.explicit ? 'by rule' : 'by its MAC';
      return { match: false, reason: `${device.name} is the ${theirs.role} of ${other.name} ${how}` };
    }
    if (rank(theirs) === rank(own)) rivals.push(other.name);
  }
  if (rivals.length === 0) return own;
  return { refused: manyInstances(device, own.role, [instance.name, ...rivals]), role: own.role };
}

/** A rule says more than a MAC, and a MAC of now more than one of before. */
const rank = ({ explicit, former }: Claim): number => (explicit ? 2 : former ? 0 : 1);

/** A joined slave that answers to another instance more than to this one by what both are now: it changes hands. */
export function goesElsewhere(instance: Claimant, device: Device, instances: Iterable<Claimant>): boolean {
  const of = (claimant: Claimant): number => {
    const claim = claimOf(claimant, device);
    return claim === undefined ? -1 : rank(claim);
  };
  const own = of(instance);
  if (own > 0) return false;
  for (const other of instances) if (other !== instance && of(other) > own) return true;
  return false;
}

function standingClaim(other: Claimant, device: Device, nameOf: NameOf): Claim | undefined {
  const result = matchDevice(other, device, nameOf);
  return 'match' in result && result.match ? result : undefined;
}

/** Several devices for one empty slot. */
export function manyDevices(instance: Claimant, role: Role, devices: readonly Device[]): VfError {
  const names = devices.map((device) => device.name).sort();
  return new VfError('MAC_AMBIGUOUS', `${names.join(' and ')} all match as ${role} of ${instance.name}`, {
    field: role,
    value: names,
    fix: `name one: set ${role}.bus or ${role}.name of ${instance.name}`,
  });
}

/** Another device has the slot. */
export function slotTaken(instance: Claimant, role: Role, device: Device, holder: Device): VfError {
  return new VfError(
    'SLOT_TAKEN',
    `${device.name} matches as ${role} of ${instance.name}, which is ${holder.name} already`,
    { field: role, value: holder.name, fix: `set ${role}.bus or ${role}.name of ${instance.name} to choose` },
  );
}

function manyInstances(device: Device, role: Role, names: readonly string[]): VfError {
  const sorted = [...names].sort();
  return new VfError('MAC_AMBIGUOUS', `${device.name} matches several instances: ${sorted.join(', ')}`, {
    field: role,
    value: sorted,
    fix: `give the instances different MACs, or set ${role}.bus or ${role}.name in each of them`,
  });
}

function sameMacMaster(instance: Claimant, device: Device, other: Claimant): VfError {
  const mac = identityMac(device);
  return new VfError(
    'MAC_AMBIGUOUS',
    `instances ${instance.name} and ${other.name} have one MAC, ${mac}: ` +
      `${device.name} is the master of ${other.name}`,
    {
      field: 'master',
      value: mac,
      fix: 'give the masters different MACs, or name the slaves of both instances',
    },
  );
}

function heldElsewhere(device: Device, role: Role, other: Claimant, as: string): VfError {
  return new VfError('DEVICE_OWNED', `${device.name} is the ${as} of instance ${other.name}`, {
    field: role,
    value: other.name,
    fix: `vfailover detach ${other.name}, or choose another ${role}`,
  });
}
