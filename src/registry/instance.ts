import { type Device, identityMac, isReady, type Path, ROLES, type Role, roleOf } from '../device.js';
import type { VfError } from '../errors.js';
import type { ModelTraits } from '../models/model.js';
import { MODELS, type ModelName } from '../models/table.js';
import { type Claim, type MatchRules, mtuLimits } from './match.js';
import type { FailoverOps } from './ops.js';
import type { RefHandle } from './refs.js';
import type { Backoff } from './retry.js';
import type { UndoStack } from './transaction.js';
import type { InstanceView, SlaveView } from './view.js';

/** A device that answers to an instance and was turned down. */
export interface Refusal {
  device: Device;
  role: Role;
  error: VfError;
  /**
   * Present if a join was tried and failed: the outside may change without an event, so it is tried again.
   */
  retry?: PendingRetry;
  /** It was a slave, had to leave, and does not answer to the instance any more. */
  expelled?: true;
}

/** A failed join that waits. */
export interface PendingRetry {
  readonly backoff: Backoff;
  /** The facts that the failed try was based on: see `joinFacts` (join.ts). */
  facts: string;
  attemptedAtMs: number;
  /** A change that may be an echo of our own undo is looked at again then. */
  recheckAtMs?: number;
  /** The device had to leave: whoever made it may change its facts again and again, so only time counts. */
  expelled?: true;
}

/** What is joined in a slot, with what it takes to leave. */
export interface Joined {
  device: Device;
  readonly explicit: boolean;
  readonly undo: UndoStack;
  readonly ref: RefHandle;
}

export interface InstanceInit {
  name: string;
  index: number;
  model: ModelName;
  master: Device;
  rules: MatchRules;
  ops: FailoverOps;
  formerMac?: string;
}

/**
 * One failover instance: a master with its primary and standby. Only the registry and join.ts change it; to
 * everybody else it is read-only.
 */
export class FailoverInstance implements InstanceView {
  readonly name: string;
  /** Slot of the instance in the maps: its steering word, counters and policy record. */
  readonly index: number;
  readonly model: ModelName;
  readonly rules: MatchRules;
  readonly ops: FailoverOps;
  /** The MAC that the master had at the beginning. */
  readonly formerMac?: string;
  /** The latest facts of the master. */
  master: Device;
  /** @internal */
  readonly joined = new Map<Role, Joined>();
  /** @internal */
  readonly joining = new Map<Role, Device>();
  /** Of slaves that had to leave, by ifindex: how long the next one waits. @internal */
  readonly expulsions = new Map<number, { backoff: Backoff; atMs: number }>();
  /** By ifindex. */
  readonly refusals = new Map<number, Refusal>();

  constructor(init: InstanceInit) {
    this.name = init.name;
    this.index = init.index;
    this.model = init.model;
    this.master = init.master;
    this.rules = init.rules;
    this.ops = init.ops;
    const formerMac = init.formerMac ?? identityMac(init.master);
    if (formerMac !== undefined) this.formerMac = formerMac;
  }

  get traits(): ModelTraits {
    return MODELS[this.model];
  }

  slave(role: Role): SlaveView {
    const joined = this.joined.get(role);
    if (joined !== undefined) return { role, state: 'joined', device: joined.device };
    const joining = this.joining.get(role);
    if (joining !== undefined) return { role, state: 'joining', device: joining };
    for (const refusal of this.refusals.values()) {
      if (refusal.role === role) return refusedView(refusal);
    }
    return { role, state: 'absent' };
  }

  get slaves(): SlaveView[] {
    return ROLES.map((role) => this.slave(role));
  }

  /** The joined device of a path. */
  deviceOf(path: Path): Device | undefined {
    return this.joined.get(roleOf(path))?.device;
  }

  /** The claim by which the device is joined here, if it is. */
  heldClaim(ifindex: number): Claim | undefined {
    for (const [role, { device, explicit }] of this.joined)
      if (device.ifindex === ifindex) return { role, explicit };
    return undefined;
  }

  /** The role in which the device is joined here, if it is. */
  roleHeldBy(ifindex: number): Role | undefined {
    return this.heldClaim(ifindex)?.role;
  }

  /** Is the slave joined and able to carry frames? */
  ready(role: Role): boolean {
    const device = this.joined.get(role)?.device;
    return device !== undefined && isReady(device);
  }

  /** The carrier to give a master of ours: on if either slave is ready (net_failover_slave_link_change). */
  get carrier(): boolean {
    return ROLES.some((role) => this.ready(role));
  }

  /** `ok`: both paths ready. `degraded`: one. `down`: none. */
  get health(): 'ok' | 'degraded' | 'down' {
    const ready = ROLES.filter((role) => this.ready(role)).length;
    return ready === ROLES.length ? 'ok' : ready > 0 ? 'degraded' : 'down';
  }

  /**
   * The MTUs that master and slaves all accept, bytes; check it before setting one (net_failover_change_mtu
   * does not).
   */
  mtuLimits(): { min: number; max: number } {
    return mtuLimits([this.master, ...[...this.joined.values()].map((joined) => joined.device)]);
  }
}

function refusedView(refusal: Refusal): SlaveView {
  const { role, device, error, retry } = refusal;
  return {
    role,
    state: 'refused',
    device,
    error,
    ...(retry !== undefined && { retryAtMs: retry.backoff.retryAtMs, attempts: retry.backoff.attempts }),
  };
}
