import type { Config } from '../config/index.js';
import type { ReflectorReason } from '../datapath/reflector-map.js';
import type { Evidence } from '../detect/evidence.js';
import type { DetectorName, DetectorState } from '../detect/record.js';
import type { Role } from '../device.js';
import type { VfError } from '../errors.js';
import type { Impairment } from '../impairments.js';
import type { Health } from '../policy/health.js';

/** What the API says about the daemon. All of it is plain data that survives JSON. */

export type DecisionCause =
  | 'carrier'
  | 'admin-down'
  | 'unplug'
  | 'manual'
  | 'failback'
  | 'join'
  | 'leave'
  | 'no-path'
  | 'unanswered'
  | 'probe'
  | 'bfd'
  | 'witness'
  | 'latency'
  | 'maintenance'
  /** Programs of ours were taken off, or get no frames. */
  | 'hooks';

/** One change of the active slave, recorded once. `*_ns` are CLOCK_MONOTONIC nanoseconds of the machine since boot. */
export interface Decision {
  /** Counts up from 1 while the daemon lives; `events` pages by it. */
  seq: number;
  instance: string;
  cause: DecisionCause;
  /** Who decided: 0 the BPF programs, 1 a decision worker, 2 the supervisor. */
  tier: 0 | 1 | 2;
  /** What showed the fault, in words: `carrier of ens5 is off`. */
  signal: string;
  /** What a detector has against the slave that was left; null if none had a part in it. */
  evidence: Evidence | null;
  /** null: there was no path. */
  from: Role | null;
  /** null: no path is left. */
  to: Role | null;
  /** Of the steering word after the flip. */
  epoch: number;
  detected_ns: number;
  flipped_ns: number;
  /** First frame sent and received on the new path; null until there is one. */
  first_frame_out_ns: number | null;
  first_frame_in_ns: number | null;
  /** Wall-clock time of the flip, ISO 8601 with milliseconds, UTC. */
  at: string;
  /** Of both slaves before the flip. */
  health: { primary: Health; standby: Health };
}

/** A device now. null: there is none, or it does not say. */
export interface DeviceStatus {
  ifindex: number | null;
  name: string | null;
  mac: string | null;
  mtu: number | null;
  /** IFF_UP. */
  up: boolean;
  carrier: boolean;
  /** IFLA_OPERSTATE; `notpresent` for an absent device. */
  operstate: string;
  driver: string | null;
  /** Bus address: `0000:01:10.0`. */
  bus: string | null;
  /** Mb/s; absent where the driver does not know. */
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
  /** `rerouted`: sent on the other slave because this one could not carry them. */
  tx: { packets: number; bytes: number; drops: number; rerouted: number };
  /** `suppressed`: duplicates of broadcast and multicast that were not delivered. */
  rx: { packets: number; bytes: number; drops: number; suppressed: number };
}

/** What a detector says of a slave. */
export interface DetectorStatus {
  name: DetectorName;
  /** off: nothing to watch now; suspect: first signs of a fault; down: it wants the slave left. */
  state: DetectorState;
  /** When `state` last changed, ISO 8601; null: not since the daemon started. */
  since: string | null;
  /** In words: what it sees. */
  detail: string;
  /** In words: what would make it say down, or ok again. */
  to_switch: string;
}

/** What a slave's flaps have cost it (`policy.damping`). */
export interface DampingStatus {
  /** Halves every half-life; a flap adds 1000. 0 where damping is off. */
  penalty: number;
  /** When it may be chosen again, ISO 8601; null: it is not suppressed. */
  suppressed_until: string | null;
}

export interface SlaveStatus extends DeviceStatus {
  state: 'absent' | 'joining' | 'joined' | 'refused';
  /** As `events` tell it. `absent`: none has joined, or the decision worker has not looked at it yet. */
  health: Health;
  /** Why it is refused, or what it waits for. */
  reason?: string;
  /** How often its link was lost, or set down, since it joined, or since the daemon started. Verdicts of detectors do not count. */
  link_failure_count: number;
  /** Those configured, whatever the slave's state. */
  detectors: DetectorStatus[];
  damping: DampingStatus;
  /** Smoothed round-trip time of its probes, µs; null: not measured. */
  rtt_us: number | null;
  counters: PathCounters;
}

/** `VfError` as it travels: `VfError.toJSON()`, with `errors` when it gathers several. */
export type ErrorJson = ReturnType<VfError['toJSON']> & { errors?: ErrorJson[] };

/** What the programs have made of S-BFD packets for the instance's reflector. */
export interface ReflectorStatus {
  answered: number;
  /** By why. */
  refused: Record<ReflectorReason, number>;
}

export interface InstanceStatus {
  name: string;
  model: string;
  /** As configured; null is the daemon's own. */
  netns: string | null;
  /** Who asked for it: the file, or `attach`. `unconfigured`: the file did and does no more; it goes on as it was until it is detached. */
  source: 'file' | 'attach' | 'unconfigured';
  /**
   * ok: both slaves are healthy. degraded: one is, or an impairment of that severity stands. failed: neither is, the master is down, or the
   * instance cannot be attached: `refusals` say why. starting: the decision worker has not looked at the slaves yet. waiting: the master, or
   * the namespace that it is to be in, does not exist.
   */
  state: 'ok' | 'degraded' | 'waiting' | 'starting' | 'failed';
  /** The slave that the steering word names. */
  active: Role;
  /** By hand, or `auto`: the policy decides. */
  override: 'auto' | Role;
  /** ISO 8601 time at which the override ends; null: it does not, or there is none. */
  override_until: string | null;
  /** The slave that is out of service by order; null: none is. */
  maintenance: Role | null;
  epoch: number;
  master: DeviceStatus;
  primary: SlaveStatus;
  standby: SlaveStatus;
  /** Conditions on which the BPF programs fall back by themselves. */
  tier0: {
    armed: string[];
    /** Why it does not hear of a lost carrier from the driver itself, before a frame meets it; null: it does. */
    carrier_signal_missing: string | null;
  };
  /** null: none is configured. */
  reflector: ReflectorStatus | null;
  attach: 'tcx' | 'clsact';
  /** Since the instance was attached. */
  switches: number;
  last_switch: Decision | null;
  /** Devices that matched and were not taken, and why. */
  refusals: { device: string; error: ErrorJson }[];
  /**
   * In words: what must happen before the slave that is not active becomes so; `now`: nothing more. Of an instance that is not attached:
   * what must happen before it can be.
   */
  would_switch: string;
  /** In words, what is not as it should be: no slave is healthy, the active one is in maintenance … */
  notes: string[];
  /** What keeps it from carrying all that its master should receive, the oldest first. With one of severity degraded, `state` is not ok. */
  impairments: Impairment[];
}

/** An impairment that began, became another, or ended. */
export interface ImpairmentRecord {
  /** Counts up from 1 while the daemon lives. */
  seq: number;
  /** When, ISO 8601 with milliseconds, UTC. */
  at: string;
  instance: string;
  /** It is no more. */
  over: boolean;
  impairment: Impairment;
}

export interface ShardStatus {
  id: number;
  state: string;
  /** Rounds of the decision loop. */
  ticks: number;
  /** Times the wait returned. */
  wakeups: number;
}

export interface DaemonStatus {
  version: string;
  pid: number;
  uptime_ms: number;
  /** In force, with defaults filled in, without secrets. */
  config: Config;
  instances: InstanceStatus[];
  worker: { wait: string; poll_interval_us: number; shards: ShardStatus[] };
  netlink: { overruns: number; resyncs: number; messages: number };
  /** Lines of the log that could not be written. */
  log_lines_lost?: number;
  /** Of the socket itself; `ApiServer.stats`. */
  api?: ApiStats;
}

export interface ApiStats {
  connections: number;
  subscribers: number;
  requests: number;
  /** Lines that were no valid request. */
  bad_requests: number;
  /** Subscribers cut off because they did not read. */
  dropped_subscribers: number;
}

/** What `watch` streams. */
export type ApiEvent =
  | { type: 'decision'; instance: string; decision: Decision }
  | { type: 'status'; instance: string; status: InstanceStatus }
  | { type: 'detached'; instance: string }
  /** An impairment is new or different; `over`: it is no more. */
  | ({ type: 'impairment' } & ImpairmentRecord);

export type ApiEventType = ApiEvent['type'];
