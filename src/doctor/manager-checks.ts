/** Checks of the programs that configure devices by themselves. Pure. */
import { list, ok, problem } from './check.js';
import type {
  CandidateDevice,
  Check,
  DropInState,
  HostFindings,
  Manager,
  ProbeFindings,
} from './findings.js';

/** Takes the state of our files for managers too. */
export function managerChecks(
  host: HostFindings,
  probes: ProbeFindings,
  states: readonly DropInState[],
): Check[] {
  return [managers(host, probes), dropIns(states)];
}

/** Managers without a folder for drop-ins are told by hand. Never by MAC: the master has the same one, and must stay managed. */
const BY_HAND: Partial<Record<Manager, (name: string) => string>> = {
  dhcpcd: (name) => `/etc/dhcpcd.conf: denyinterfaces ${name}`,
  connman: (name) => `/etc/connman/main.conf: NetworkInterfaceBlacklist=${name}`,
  wicked: (name) => `/etc/sysconfig/network/ifcfg-${name}: STARTMODE=off`,
};
const BY_FIX = 'vfailover doctor --fix';

const fixOf = (by: Manager, device: CandidateDevice): string => BY_HAND[by]?.(device.name) ?? BY_FIX;

function managers({ managers: running }: HostFindings, { candidates }: ProbeFindings): Check {
  const [name, needed] = ['managers', 'leave the slaves alone'];
  if (running.length === 0) return ok(name, needed, 'none runs');
  const slaves = typeof candidates === 'string' ? [] : candidates.flatMap(({ hidden }) => hidden);
  const managed = slaves.flatMap((device) => device.managedBy.map((by) => ({ device, by })));
  const unique = (fixes: readonly string[]): string => [...new Set(fixes)].join('; ');
  if (managed.length === 0) {
    const hints = running.flatMap((by) =>
      BY_HAND[by] === undefined ? [] : [BY_HAND[by](slaves[0]?.name ?? 'VF')],
    );
    const found = `${list(running)} ${running.length > 1 ? 'run' : 'runs'}`;
    return ok(name, needed, found, hints.length === 0 ? null : `to keep it so: ${unique(hints)}`);
  }
  return problem({
    status: 'warn',
    name,
    needed,
    found: managed.map(({ device, by }) => `${by} manages ${device.name}`).join(', '),
    cost: 'the slave asks for an address of its own and gets routes, so that traffic leaves past the master and is lost with the slave',
    fix: unique(managed.map(({ device, by }) => fixOf(by, device))),
  });
}

const COST: Record<DropInState['for'], string> = {
  'systemd-networkd':
    'systemd-networkd configures each device that a .network file matches: a lease and addresses for the VF too',
  NetworkManager:
    'NetworkManager makes a connection for each device that it meets, with the better metric for the VF',
  netplan: 'udev gives the name that netplan sets by MAC to whichever device comes first',
  'cloud-init': 'cloud-init ends with "duplicate mac found" at the next boot, and renders no network',
};

function dropIns(states: readonly DropInState[]): Check {
  const [name, needed] = ['drop-ins', 'files that tell managers so'];
  const bad = states.filter(({ state }) => state === 'absent' || state === 'outdated' || state === 'failed');
  const kept = states.filter(({ state }) => state === 'kept');
  if (bad.length === 0 && kept.length === 0)
    return ok(name, needed, states.length === 0 ? 'none is needed' : list(states.map(({ path }) => path)));
  const found = [...bad, ...kept]
    .map(
      ({ path, state, reason }) =>
        `${path} is ${state === 'kept' ? 'not ours, or was edited' : state}${reason === null ? '' : `: ${reason}`}`,
    )
    .join('; ');
  const costs = [...new Set([...bad, ...kept].map((s) => COST[s.for]))].join('; ');
  const fixes = [
    ...(bad.length > 0 ? [BY_FIX] : []),
    ...(kept.length > 0
      ? [
          `compare ${list(kept.map(({ path }) => path))} with \`content\` of \`vfailover doctor --json\`, or remove it and run ${BY_FIX}`,
        ]
      : []),
  ];
  return problem({ status: 'warn', name, needed, found, cost: costs, fix: fixes.join('; ') });
}
