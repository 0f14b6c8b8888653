import { VfArm } from '../../bpf/vfailover.bpf.js';
import {
  ABSENT_DEVICE,
  type Decision,
  type DeviceStatus,
  type InstanceStatus,
  type SlaveStatus,
} from '../api/index.js';
import { monotonicMs } from '../clock.js';
import { watched } from '../detect/watched.js';
import { type Device, type Path, PRIMARY, type Role, roleOf, STANDBY } from '../device.js';
import { describePolicy, type PathDescription } from '../policy/describe.js';
import {
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  hasCarrier,
  LINK_UP,
  P_LINK_PRIMARY,
  P_LINK_STANDBY,
  policyBase,
  verdictOf,
} from '../policy/evaluate.js';
import { linkFailures } from '../policy/link-failures.js';
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
const UNKNOWN: Pick<SlaveStatus, 'link_failure_count' | 'detectors' | 'damping' | 'rtt_us'> = {
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

/** `link`: the worker's own look, LINK_* bits. rtnetlink can be a second late with carrier. `wall`: when `path` was true, Date.now(). */
function slaveStatus(
  m: Managed,
  role: Role,
  link: number,
  detect: Int32Array,
  failures: Int32Array,
  path: PathDescription,
  wall: number,
): SlaveStatus {
  const view = m.instance.slave(role);
  const at = role === 'primary' ? PRIMARY : STANDBY;
  const counters = m.datapath.counters(at);
  return {
    ...(view.device ? deviceStatus(m, view.device) : ABSENT_DEVICE),
    ...(view.state === 'joined' && link >= 0 && { up: (link & LINK_UP) !== 0, carrier: hasCarrier(link) }),
    state: view.state,
    link_failure_count: linkFailures(failures, m.datapath.slot, at),
    counters,
    detectors: detectorStatus(m, at, detect),
    damping: {
      penalty: path.penalty,
      suppressed_until: path.suppressedMs > 0 ? new Date(wall + path.suppressedMs).toISOString() : null,
    },
    rtt_us: path.rttUs,
    ...(view.error && { reason: view.error.message }),
  };
}

const roleOfChoice = (choice: number): Role | undefined =>
  choice === CHOICE_PRIMARY ? 'primary' : choice === CHOICE_STANDBY ? 'standby' : undefined;

/** A master that is down carries nothing, whatever its slaves could do. A slave that joined and has no link word was not looked at yet. */
function stateOf(
  m: Managed,
  slaves: Readonly<Record<Role, SlaveStatus>>,
  policy: Int32Array,
  record: number,
): InstanceStatus['state'] {
  if (!m.instance.master.up) return 'failed';
  const joined = ([PRIMARY, STANDBY] as const).filter((p) => slaves[roleOf(p)].state === 'joined');
  const link = (p: Path): number => policy[record + P_LINK_PRIMARY + p]!;
  const ready = joined.filter((p) => {
    const s = slaves[roleOf(p)];
    return s.up && s.carrier && link(p) >= 0 && verdictOf(link(p)) === 0;
  }).length;
  if (ready === 2) return m.impairments.degraded ? 'degraded' : 'ok';
  if (ready === 1) return 'degraded';
  return joined.some((p) => link(p) < 0) ? 'starting' : 'failed';
}

/** What `status` says of an instance: facts of the devices, the programs' counters, and the policy's own account. */
export function instanceStatus(
  m: Managed,
  { policy, detect, linkFailures: lost }: Pick<Shards, 'policy' | 'detect' | 'linkFailures'>,
  last: Decision | null,
): InstanceStatus {
  const { config, instance, datapath } = m;
  const { override, maintenance, switches } = datapath.identity;
  // Both clocks at once: what follows takes milliseconds on a loaded machine.
  const wall = Date.now();
  const what = describePolicy(policy, policyBase(datapath.slot), monotonicMs());
  const record = policyBase(datapath.slot);
  const slave = (role: Role, link: number, path: Path): SlaveStatus =>
    slaveStatus(m, role, policy[record + link]!, detect, lost, what.paths[path]!, wall);
  const slaves = {
    primary: slave('primary', P_LINK_PRIMARY, PRIMARY),
    standby: slave('standby', P_LINK_STANDBY, STANDBY),
  };
  const state = stateOf(m, slaves, policy, record);
  const watchdog = watched(config.detect.unanswered);
  const armed = [
    ...(datapath.armed & VfArm.VF_ARM_PRIMARY ? ['primary unusable: go to the standby'] : []),
    ...(datapath.armed & VfArm.VF_ARM_STANDBY && datapath.primaryIfindex
      ? ['standby unusable: go to the primary']
      : []),
    ...(watchdog[PRIMARY] && datapath.armed & VfArm.VF_ARM_PRIMARY_SILENT
      ? ['primary silent: go to the standby']
      : []),
    ...(watchdog[STANDBY] && datapath.armed & VfArm.VF_ARM_STANDBY_SILENT && datapath.primaryIfindex
      ? ['standby silent: go to the primary']
      : []),
    ...(datapath.armed & VfArm.VF_ARM_PRIMARY_BFD
      ? ['BFD session of the primary down: go to the standby']
      : []),
    ...(datapath.armed & VfArm.VF_ARM_STANDBY_BFD && datapath.primaryIfindex
      ? ['BFD session of the standby down: go to the primary']
      : []),
  ];
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
    tier0: { armed, carrier_signal_missing: datapath.carrierSignalMissing ?? null },
    reflector: config.reflector === undefined ? null : datapath.reflected,
    attach: datapath.identity.attach,
    switches,
    last_switch: last,
    refusals: [...instance.refusals.values()].map((r) => ({
      device: r.device.name,
      error: r.error.toJSON(),
    })),
    would_switch: what.toSwitch.length === 0 ? 'now' : what.toSwitch.join('; '),
    notes: [
      ...(instance.master.up
        ? []
        : [`the master ${instance.master.name} is down: nothing is sent or received`]),
      // Before the worker's first look the policy knows of no path, and says so.
      ...(state === 'starting' ? [] : what.notes),
    ],
    impairments: m.impairments.list(),
  };
}

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
    would_switch: refused ? (error.fix ?? 'what is in the way must go') : `a device ${label} must appear`,
    notes: [],
    impairments: [],
  };
}
