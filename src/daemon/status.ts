import { VfArm } from '../../bpf/vfailover.bpf.js';
import {
  ABSENT_DEVICE,
  type Decision,
  type DeviceStatus,
  type InstanceStatus,
  type SlaveStatus,
} from '../api/index.js';
import { monotonicMs } from '../clock.js';
import type { InstanceConfig } from '../config/index.js';
import { watched } from '../detect/watched.js';
import { type Device, type Path, PRIMARY, type Role, roleOf, STANDBY } from '../device.js';
import type { VfError } from '../errors.js';
import { describePolicy, type PathDescription } from '../policy/describe.js';
import {
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  hasCarrier,
  LINK_UP,
  P_LINK_PRIMARY,
  policyBase,
  verdictOf,
} from '../policy/evaluate.js';
import { healthOf } from '../policy/health.js';
import { linkFailures } from '../policy/link-failures.js';
import type { FailoverInstance } from '../registry/instance.js';
import { masterLabel } from '../registry/master.js';
import type { Shards } from '../shard/host.js';
import { detectorStatus } from './detector-status.js';
import type { Managed } from './managed.js';
import { isAbsence, type Waiting } from './waiting.js';

const NO_COUNTERS: SlaveStatus['counters'] = {
  tx: { packets: 0, bytes: 0, drops: 0, rerouted: 0 },
  rx: { packets: 0, bytes: 0, drops: 0, suppressed: 0 },
};

/** Of a slave that nobody looks at. */
const UNKNOWN: Pick<SlaveStatus, 'health' | 'link_failure_count' | 'detectors' | 'damping' | 'rtt_us'> = {
  health: 'absent',
  link_failure_count: 0,
  detectors: [],
  damping: { penalty: 0, suppressed_until: null },
  rtt_us: null,
};

function deviceStatus(m: Managed, d: Device): DeviceStatus {
  let driver: { driver: string; busInfo: string } | null = null;
  try {
    driver = m.ns.control.driver(d.name);
  } catch {
    // Renamed or gone since the last event: the next one tells.
  }
  const speed = m.ns.ethtool.speed(d.ifindex);
  return {
    ifindex: d.ifindex,
    name: d.name,
    mac: d.address,
    mtu: d.mtu,
    up: d.up,
    carrier: d.carrier,
    operstate: d.operstate,
    driver: driver?.driver ?? d.kind ?? null,
    bus: d.parentDev ?? (driver?.busInfo || null),
    ...(speed && { speed: speed.mbps }),
  };
}

/** What the workers' memory says, and when that was looked at. */
interface Look extends Pick<Shards, 'policy' | 'detect' | 'linkFailures'> {
  readonly paths: readonly PathDescription[];
  /** Date.now() when `paths` was true. */
  readonly wall: number;
}

const linkOf = ({ policy }: Pick<Look, 'policy'>, m: Managed, path: Path): number =>
  policy[policyBase(m.datapath.slot) + P_LINK_PRIMARY + path]!;

/** The worker's own look decides of link and health: rtnetlink can be a second late with carrier. */
function slaveStatus(m: Managed, at: Path, look: Look): SlaveStatus {
  const view = m.instance.slave(roleOf(at));
  const link = linkOf(look, m, at);
  const { penalty, suppressedMs, rttUs } = look.paths[at]!;
  return {
    ...(view.device ? deviceStatus(m, view.device) : ABSENT_DEVICE),
    ...(view.state === 'joined' && link >= 0 && { up: (link & LINK_UP) !== 0, carrier: hasCarrier(link) }),
    state: view.state,
    health: healthOf(link),
    link_failure_count: linkFailures(look.linkFailures, m.datapath.slot, at),
    counters: m.datapath.counters(at),
    detectors: detectorStatus(m, at, look.detect),
    damping: {
      penalty,
      suppressed_until: suppressedMs > 0 ? new Date(look.wall + suppressedMs).toISOString() : null,
    },
    rtt_us: rttUs,
    ...(view.error && { reason: view.error.message }),
  };
}

const roleOfChoice = (choice: number): Role | undefined =>
  choice === CHOICE_PRIMARY ? 'primary' : choice === CHOICE_STANDBY ? 'standby' : undefined;

/** A master that is down carries nothing, whatever its slaves could do. A slave that joined and has no link word was not looked at yet. */
function stateOf(
  m: Managed,
  slaves: Readonly<Record<Role, SlaveStatus>>,
  look: Pick<Look, 'policy'>,
): InstanceStatus['state'] {
  if (!m.instance.master.up) return 'failed';
  const joined = ([PRIMARY, STANDBY] as const).filter((p) => slaves[roleOf(p)].state === 'joined');
  const ready = joined.filter((p) => {
    const s = slaves[roleOf(p)];
    const link = linkOf(look, m, p);
    return s.up && s.carrier && link >= 0 && verdictOf(link) === 0;
  }).length;
  if (ready === 2) return m.impairments.degraded ? 'degraded' : 'ok';
  if (ready === 1) return 'degraded';
  return joined.some((p) => linkOf(look, m, p) < 0) ? 'starting' : 'failed';
}

/** Conditions on which the programs fall back by themselves, in words. */
function armedOf({ config, datapath }: Managed): string[] {
  const { armed, primaryIfindex } = datapath;
  const watchdog = watched(config.detect.unanswered);
  const has = (bit: number): boolean => (armed & bit) !== 0;
  // Nothing goes to a primary that is not there.
  const back = primaryIfindex !== 0;
  return [
    ...(has(VfArm.VF_ARM_PRIMARY) ? ['primary unusable: go to the standby'] : []),
    ...(has(VfArm.VF_ARM_STANDBY) && back ? ['standby unusable: go to the primary'] : []),
    ...(watchdog[PRIMARY] && has(VfArm.VF_ARM_PRIMARY_SILENT) ? ['primary silent: go to the standby'] : []),
    ...(watchdog[STANDBY] && has(VfArm.VF_ARM_STANDBY_SILENT) && back
      ? ['standby silent: go to the primary']
      : []),
    ...(has(VfArm.VF_ARM_PRIMARY_BFD) ? ['BFD session of the primary down: go to the standby'] : []),
    ...(has(VfArm.VF_ARM_STANDBY_BFD) && back ? ['BFD session of the standby down: go to the primary'] : []),
  ];
}

/** What `status` says of an instance: facts of the devices, the programs' counters, and the policy's own account. */
export function instanceStatus(
  m: Managed,
  memory: Pick<Shards, 'policy' | 'detect' | 'linkFailures'>,
  last: Decision | null,
): InstanceStatus {
  const { config, instance, datapath } = m;
  const { override, maintenance, switches } = datapath.identity;
  const { policy, detect, linkFailures: lost } = memory;
  // Both clocks at once: what follows takes milliseconds on a loaded machine.
  const wall = Date.now();
  const what = describePolicy(policy, policyBase(datapath.slot), monotonicMs());
  const look: Look = { policy, detect, linkFailures: lost, paths: what.paths, wall };
  const slaves = { primary: slaveStatus(m, PRIMARY, look), standby: slaveStatus(m, STANDBY, look) };
  const state = stateOf(m, slaves, look);
  return {
    name: config.name,
    model: instance.model,
    netns: config.netns,
    source: m.source,
    state,
    active: datapath.active,
    override: roleOfChoice(override) ?? 'auto',
    override_until: m.overrideUntil,
    maintenance: roleOfChoice(maintenance) ?? null,
    epoch: datapath.epoch,
    master: deviceStatus(m, instance.master),
    ...slaves,
    tier0: { armed: armedOf(m), carrier_signal_missing: datapath.carrierSignalMissing ?? null },
    reflector: config.reflector === undefined ? null : datapath.reflected,
    attach: datapath.identity.attach,
    switches,
    last_switch: last,
    refusals: refusalsOf(instance),
    would_switch: what.toSwitch.length === 0 ? 'now' : what.toSwitch.join('; '),
    // Before the worker's first look the policy knows of no path, and says so.
    notes: [...masterNotes(instance), ...(state === 'starting' ? [] : what.notes)],
    impairments: m.impairments.list(),
  };
}

const refusalsOf = ({ refusals }: FailoverInstance): InstanceStatus['refusals'] =>
  [...refusals.values()].map(({ device, error }) => ({ device: device.name, error: error.toJSON() }));

const masterNotes = ({ master }: FailoverInstance): string[] =>
  master.up ? [] : [`the master ${master.name} is down: nothing is sent or received`];

/** An instance that is not attached: its master is not there yet, or something is in the way. */
export function waitingStatus({ config, source, error }: Waiting, last: Decision | null): InstanceStatus {
  const label = masterLabel(config.master);
  const refused = !isAbsence(error);
  const absent: SlaveStatus = { ...ABSENT_DEVICE, state: 'absent', counters: NO_COUNTERS, ...UNKNOWN };
  return {
    name: config.name,
    model: config.model,
    netns: config.netns,
    source,
    state: refused ? 'failed' : 'waiting',
    active: 'standby',
    override: 'auto',
    override_until: null,
    maintenance: null,
    epoch: 0,
    master: { ...ABSENT_DEVICE, name: label },
    primary: absent,
    standby: { ...absent, reason: error.message },
    tier0: { armed: [], carrier_signal_missing: null },
    reflector: null,
    attach: 'tcx',
    switches: 0,
    last_switch: last,
    refusals: refused ? [{ device: label, error: error.toJSON() }] : [],
    would_switch: refused ? (error.fix ?? 'what is in the way must go') : mustAppear(config, error),
    notes: [],
    impairments: [],
  };
}

function mustAppear({ master, netns }: InstanceConfig, { code }: VfError): string {
  return code === 'NETNS_NOT_FOUND'
    ? `a network namespace ${netns} must appear`
    : `a device ${masterLabel(master)} must appear`;
}
