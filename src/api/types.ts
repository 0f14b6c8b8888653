import type { Config } from '../config/index.js';
import type { ReflectorReason } from '../datapath/reflector-map.js';
import type { Evidence } from '../detect/evidence.js';
import type { Health } from '../detect/health.js';
import type { DetectorStatus } from '../detect/status.js';
import type { DetectorName } from '../detect/table.js';
import type { Role } from '../device.js';
import type { VfError } from '../errors.js';
import type { Impairment } from '../impairments.js';

/** Data that the API tells of the daemon. All types are plain data that survives JSON. */

export type DecisionCause =
  | 'carrier'
  | 'admin-down'
  | 'unplug'
  | 'manual'
  | 'failback'
  | 'join'
  | 'leave'
  | 'no-path'
  | 'latency'
  | 'maintenance'
  /** Programs of ours were taken off, or get no frames. */
  | 'hooks'
  /** What a detector says of a slave whose link is up. */
  | DetectorName;

/** One change of the active slave, recorded once. `*_ns` are nanoseconds of CLOCK_MONOTONIC, the machine's time since boot. */
export interface Decision {
  /** Number of the decision, counted from 1 while the daemon lives. `events` pages by it. */
  seq: number;
  instance: string;
  cause: DecisionCause;
  /** The tier that decided: 0 the BPF programs, 1 a decision worker, 2 the supervisor. */
  tier: 0 | 1 | 2;
  /** Signal that showed the fault, in words: `carrier of ens5 is off`. */
  signal: string;
  /** A detector's evidence against the slave that was left. null if no detector took part. */
  evidence: Evidence | null;
  /** null: no slave was active. */
  from: Role | null;
  /** null: no slave is left. */
  to: Role | null;
  /** Epoch of the steering word after the flip. */
  epoch: number;
  detected_ns: number;
  flipped_ns: number;
  /** First frame sent and received on the new slave. null until there is one. */
  first_frame_out_ns: number | null;
  first_frame_in_ns: number | null;
  /** Wall-clock time of the flip, ISO 8601 with milliseconds, UTC. */
  at: string;
  /** Health of both slaves before the flip. */
  health: { primary: Health; standby: Health };
}

/** Facts of a device now. null: there is no device, or it does not tell. */
export interface DeviceStatus {
  ifindex: number | null;
  name: string | null;
  mac: string | null;
  mtu: number | null;
  /** IFF_UP. */
  up: boolean;
  carrier: boolean;
  /** IFLA_OPERSTATE, or `notpresent` for an absent device. */
  operstate: string;
  driver: string | null;
  /** Bus address: `0000:01:10.0`. */
  bus: string | null;
  /** Speed in Mb/s. Absent where the driver does not know it. */
  speed?: number;
}

/** The facts of a device that is not there. */
export const ABSENT_DEVICE: Readonly<DeviceStatus> = {
  ifindex: null,
  name: null,
  mac: null,
  mtu: null,
  up: false,
  carrier: false,
  operstate: 'notpresent',
  driver: null,
  bus: null,
};

export interface PathCounters {
  /** `rerouted`: frames sent on the other slave because this one could not carry them. */
  tx: { packets: number; bytes: number; drops: number; rerouted: number };
  /** `suppressed`: second copies of broadcast and multicast that were not delivered. */
  rx: { packets: number; bytes: number; drops: number; suppressed: number };
}

export type { DetectorStatus };

/** Cost of a slave's flaps (`policy.damping`). */
export interface DampingStatus {
  /** Penalty. It halves every half-life, and a flap adds 1000. 0 where damping is off. */
  penalty: number;
  /** When the slave may be chosen again, ISO 8601. null: it is not suppressed. */
  suppressed_until: string | null;
}

export interface SlaveStatus extends DeviceStatus {
  state: 'absent' | 'joining' | 'joined' | 'refused';
  /** Health as in `events`. `absent`: no device has joined, or the decision worker has not looked at it yet. */
  health: Health;
  /** Why the device is refused, or what it waits for. */
  reason?: string;
  /** Number of times that the link was lost or set down since the slave joined, or since the daemon started. Verdicts do not count. */
  link_failure_count: number;
  /** All configured detectors, whatever the slave's state. */
  detectors: DetectorStatus[];
  damping: DampingStatus;
  /** Smoothed round-trip time of the slave's probes, µs. null: not measured. */
  rtt_us: number | null;
  counters: PathCounters;
}

/** `VfError` on the wire: `VfError.toJSON()`, with `errors` if it gathers several. */
export type ErrorJson = ReturnType<VfError['toJSON']> & { errors?: ErrorJson[] };

/** S-BFD packets that the programs took for the instance's reflector. */
export interface ReflectorStatus {
  answered: number;
  /** Number of refused packets by reason. */
  refused: Record<ReflectorReason, number>;
}

export interface InstanceStatus {
  name: string;
  model: string;
  /** Namespace as configured. null: the daemon's own. */
  netns: string | null;
  /** Origin of the instance: the file, or `attach`. `unconfigured`: the file no longer has it, and it stays until it is detached. */
  source: 'file' | 'attach' | 'unconfigured';
  /**
   * ok: both slaves are healthy. degraded: one is, or an impairment of that severity stands. failed: neither is healthy, the master is down,
   * or the instance cannot be attached (`refusals` say why). starting: the decision worker has not looked at the slaves yet. waiting: the
   * master or its namespace does not exist.
   */
  state: 'ok' | 'degraded' | 'waiting' | 'starting' | 'failed';
  /** The slave that the steering word names. */
  active: Role;
  /** Slave ordered by hand. `auto`: the policy decides. */
  override: 'auto' | Role;
  /** End of the override, ISO 8601. null: no override, or one without end. */
  override_until: string | null;
  /** Slave that is out of service by order. null: none. */
  maintenance: Role | null;
  epoch: number;
  master: DeviceStatus;
  primary: SlaveStatus;
  standby: SlaveStatus;
  /** Fallbacks that the BPF programs may execute by themselves. */
  tier0: {
    armed: string[];
    /** Why tier 0 does not learn of a lost carrier from the driver, before a frame meets it. null: it does. */
    carrier_signal_missing: string | null;
  };
  /** null: no reflector is configured. */
  reflector: ReflectorStatus | null;
  attach: 'tcx' | 'clsact';
  /** Number of switches since the instance was attached. */
  switches: number;
  last_switch: Decision | null;
  /** Devices that matched and were refused, and why. */
  refusals: { device: string; error: ErrorJson }[];
  /**
   * Conditions in words before the inactive slave becomes active. `now`: none. For an instance that is not attached, the conditions before it
   * can be.
   */
  would_switch: string;
  /** Faults in words: no slave is healthy, the active one is in maintenance, and so on. */
  notes: string[];
  /** Impairments that keep the master from receiving all that it should, the oldest first. With one of severity degraded, `state` is not ok. */
  impairments: Impairment[];
}

/** An impairment that began, changed, or ended. */
export interface ImpairmentRecord {
  /** Number of the record, counted from 1 while the daemon lives. */
  seq: number;
  /** Time, ISO 8601 with milliseconds, UTC. */
  at: string;
  instance: string;
  /** True if the impairment ended. */
  over: boolean;
  impairment: Impairment;
}

export interface ShardStatus {
  id: number;
  state: string;
  /** Number of turns of the decision loop. */
  ticks: number;
  /** Number of times that the wait returned. */
  wakeups: number;
}

export interface DaemonStatus {
  version: string;
  pid: number;
  uptime_ms: number;
  /** Configuration in force, with defaults filled in, without secrets. */
  config: Config;
  instances: InstanceStatus[];
  worker: { wait: string; poll_interval_us: number; shards: ShardStatus[] };
  netlink: { overruns: number; resyncs: number; messages: number };
  /** Number of log lines that could not be written. */
  log_lines_lost?: number;
  /** Figures of the socket itself (`ApiServer.stats`). */
  api?: ApiStats;
}

export interface ApiStats {
  connections: number;
  subscribers: number;
  requests: number;
  /** Number of lines that were no valid request. */
  bad_requests: number;
  /** Number of subscribers cut off because they did not read. */
  dropped_subscribers: number;
}

/** Events that `watch` streams. */
export type ApiEvent =
  | { type: 'decision'; instance: string; decision: Decision }
  | { type: 'status'; instance: string; status: InstanceStatus }
  | { type: 'detached'; instance: string }
  /** An impairment began or changed. With `over` it ended. */
  | ({ type: 'impairment' } & ImpairmentRecord);

export type ApiEventType = ApiEvent['type'];
