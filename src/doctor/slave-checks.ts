/** Checks of what stands on a master and its slaves: addresses, routes, devices on top. Pure. */
import { AS_ROOT, list, ok, problem } from './check.js';
import type { Candidate, CandidateDevice, Check, ProbeFindings, StackedDevice } from './findings.js';

/** Kernel's masters that hand filters down to their slaves themselves. */
const FILTERS_FOLLOW: ReadonlySet<string> = new Set(['net_failover', 'hv_netvsc']);

export function slaveChecks({ candidates }: ProbeFindings): Check[] {
  if (typeof candidates !== 'string')
    return [
      masterAddresses(candidates),
      slaveAddresses(candidates),
      stacked(candidates),
      xdp(candidates),
      qdisc(candidates),
    ];
  const unknown = (name: string, needed: string): Check =>
    problem({ status: 'unknown', name, needed, found: candidates, cost: 'cannot tell', fix: AS_ROOT });
  return [
    unknown('master-addresses', 'none found twice'),
    unknown('slave-addresses', 'none'),
    unknown('stacked', 'VLANs, macvlans and bridges that slaves let in'),
    unknown('xdp', 'none on the devices of a pair'),
    unknown('qdisc', 'none that shapes on the master'),
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
  return problem({
    status: 'warn',
    name,
    needed,
    found: failed.map(({ device, address }) => `${address} of ${device}`).join(', '),
    cost: 'the kernel does not use such an address, and never tries again: with it goes IPv6 on this device',
    fix: `take the VF out of its way (slave-addresses), then: ${failed
      .map(
        ({ device, address }) => `ip addr del ${address} dev ${device}; ip addr add ${address} dev ${device}`,
      )
      .join('; ')}`,
  });
}

function slaveAddresses(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['slave-addresses', 'no addresses or routes on slaves'];
  const configured = candidates
    .flatMap(({ hidden }) => hidden)
    .filter(({ addresses, routes }) => addresses.length > 0 || routes.length > 0);
  if (configured.length === 0) return ok(name, needed, 'none');
  const words = ({ name: device, addresses, routes }: CandidateDevice): string =>
    `${device}: ${list([...addresses.map((a) => a.address), ...routes.map((r) => `a route to ${r}`)])}`;
  return problem({
    status: 'warn',
    name,
    needed,
    found: configured.map(words).join('; '),
    cost: 'the kernel sends by these past the master, so nothing fails over; and it answers for the master’s own IPv6 addresses, which become duplicates',
    fix: `${configured.map((d) => `ip addr flush dev ${d.name}`).join('; ')}; what made them must leave the slave alone (managers, drop-ins)`,
  });
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
  return problem({
    status: 'warn',
    name,
    needed,
    found: missing.join('; '),
    cost: 'a NIC that filters drops such frames when they arrive by the VF, and tells nobody',
    fix:
      'run vfailover: a slave takes over what its master lets in, and `vfailover status` names what its driver refuses; ' +
      'by hand: ip link set VF promisc on, on a VF that its host trusts',
  });
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

/** Programs of others that see frames before ours, or not at all. */
function xdp(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['xdp', 'none on the devices of a pair'];
  const on = (devices: readonly (CandidateDevice | null)[]): string[] =>
    devices.flatMap((d) => (d === null ? [] : d.xdp.map((program) => `${program} on ${d.name}`)));
  const master = on(candidates.map((c) => c.visible));
  const slaves = on(candidates.flatMap((c) => c.hidden));
  if (master.length + slaves.length === 0) return ok(name, needed, 'none');
  const costs = [
    ...(master.length > 0
      ? [
          `${list(master)} sees only what arrives by the standby: frames of the VF come to the master behind that hook`,
        ]
      : []),
    ...(slaves.length > 0 ? [`${list(slaves)} takes frames before ours see them`] : []),
  ];
  const fix =
    'let its owner attach it to every slave, or by tc on the master, where it sees the frames of both';
  return problem({
    status: 'warn',
    name,
    needed,
    found: [...master, ...slaves].join(', '),
    cost: costs.join('; '),
    fix,
  });
}

/** Kinds that do no more than queue, and fq, which a slave takes over. */
const PLAIN: ReadonlySet<string> = new Set([
  'noqueue',
  'pfifo_fast',
  'pfifo',
  'bfifo',
  'fq_codel',
  'mq',
  'codel',
  'fq',
]);

function qdisc(candidates: readonly Candidate[]): Check {
  const [name, needed] = ['qdisc', 'none that shapes on the master'];
  // The kernel's own master sends to its slaves from behind its qdisc.
  const found = candidates.flatMap(({ visible }) =>
    visible === null || FILTERS_FOLLOW.has(visible.driver ?? '') || PLAIN.has(visible.qdisc ?? 'noqueue')
      ? []
      : [`${visible.qdisc} on ${visible.name}`],
  );
  if (found.length === 0) return ok(name, needed, 'none');
  return problem({
    status: 'warn',
    name,
    needed,
    found: found.join(', '),
    cost: 'what leaves by the VF does not pass the master’s qdisc: its limits and marks apply on the standby alone',
    fix: 'put the same qdisc on the VF, or shape on a device on top of the master',
  });
}
