/** Checks of what stands on a master and its slaves: addresses, routes, devices on top. Pure. */
import { AS_ROOT, list, ok, problem } from './check.js';
import type { Candidate, CandidateDevice, Check, ProbeFindings, StackedDevice } from './findings.js';

/** Kernel's masters that hand filters down to their slaves themselves. */
const FILTERS_FOLLOW: ReadonlySet<string> = new Set(['net_failover', 'hv_netvsc']);

export function slaveChecks({ candidates }: ProbeFindings): Check[] {
  if (typeof candidates !== 'string')
    return [masterAddresses(candidates), slaveAddresses(candidates), stacked(candidates)];
  const unknown = (name: string, needed: string): Check =>
    problem('unknown', name, needed, candidates, 'cannot tell', AS_ROOT);
  return [
    unknown('master-addresses', 'none found twice'),
    unknown('slave-addresses', 'none'),
    unknown('stacked', 'what the VF lets in'),
  ];
}

/** A VF that was up beside its master answered the master's own question for duplicates. */
function masterAddresses(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['master-addresses', 'none found twice (dadfailed)'];
  const failed = candidates.flatMap(({ visible }) =>
    (visible?.addresses ?? [])
      .filter((a) => a.duplicate)
      .map(({ address }) => ({ device: visible!.name, address })),
  );
  if (failed.length === 0) return ok(name, needed, 'none');
  return problem(
    'warn',
    name,
    needed,
    failed.map(({ device, address }) => `${address} of ${device}`).join(', '),
    'the kernel does not use such an address, and never tries again: with it goes IPv6 on this device',
    `take the VF out of its way (slave-addresses), then: ${failed
      .map(
        ({ device, address }) => `ip addr del ${address} dev ${device}; ip addr add ${address} dev ${device}`,
      )
      .join('; ')}`,
  );
}

function slaveAddresses(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['slave-addresses', 'no addresses or routes on slaves'];
  const configured = candidates
    .flatMap(({ hidden }) => hidden)
    .filter(({ addresses, routes }) => addresses.length > 0 || routes.length > 0);
  if (configured.length === 0) return ok(name, needed, 'none');
  const words = ({ name: device, addresses, routes }: CandidateDevice): string =>
    `${device}: ${list([...addresses.map((a) => a.address), ...routes.map((r) => `a route to ${r}`)])}`;
  return problem(
    'warn',
    name,
    needed,
    configured.map(words).join('; '),
    'the kernel sends by these past the master, so nothing fails over; and it answers for the master’s own IPv6 addresses, which become duplicates',
    `${configured.map((d) => `ip addr flush dev ${d.name}`).join('; ')}; what made them must leave the slave alone (managers, drop-ins)`,
  );
}

/** Devices on top of a master whose frames a slave may not let in. */
function stacked(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['stacked', 'VLANs, macvlans and bridges that slaves let in'];
  const all = candidates.flatMap((c) => c.stacked);
  if (all.length === 0) return ok(name, needed, 'none');
  const missing = candidates
    .filter(({ visible }) => !FILTERS_FOLLOW.has(visible?.driver ?? ''))
    .flatMap((c) => c.hidden.flatMap((slave) => c.stacked.flatMap((s) => wanting(s, slave, c.mac) ?? [])));
  const words = ({ name: device, kind, vlan }: StackedDevice): string =>
    `${device} (${kind}${vlan === null ? '' : ` ${vlan}`})`;
  if (missing.length === 0) return ok(name, needed, list(all.map(words)));
  return problem(
    'warn',
    name,
    needed,
    missing.join('; '),
    'a NIC that filters drops such frames when they arrive by the VF, and tells nobody',
    'run vfailover: a slave takes over what its master lets in, and `vfailover status` names what its driver refuses; ' +
      'by hand: ip link set VF promisc on, on a VF that its host trusts',
  );
}

/** What the slave was not asked to let in; undefined: all that the device needs is let in. */
function wanting(device: StackedDevice, slave: CandidateDevice, mac: string): string | undefined {
  if (slave.promiscuous) return undefined;
  const { macs, vlans } = slave.letsIn;
  switch (device.kind) {
    case 'vlan':
      return device.vlan === null || vlans.includes(device.vlan)
        ? undefined
        : `${slave.name} was not asked to let in VLAN ${device.vlan} (${device.name})`;
    case 'macvlan':
    case 'macvtap':
      return device.mac === mac || macs.includes(device.mac)
        ? undefined
        : `${slave.name} was not asked to let in ${device.mac} (${device.name})`;
    case 'bridge':
      return `${slave.name} lets in only its own MAC, and behind ${device.name} are others`;
    default:
      return undefined;
  }
}
