import type { Device, Role } from '../device.js';
import { VfError } from '../errors.js';
import { admit } from './admit.js';
import { EventQueue, type FailoverListener } from './events.js';
import type { FailoverInstance } from './instance.js';
import { asVfError, expel, leave, leaveAll, refName, wakeAt } from './join.js';
import { claimOf } from './match.js';
import { settingsChanged, tellDrift, tellLinkAndName } from './notify.js';
import { type RefHandle, RefTracker } from './refs.js';
import type { BackoffOptions } from './retry.js';
import { type SettleContext, settle } from './settle.js';
import { checkSpec, type InstanceSpec } from './spec.js';
import { runSteps, type UndoFailure, type UndoStack } from './transaction.js';

export interface RegistryOptions {
  /** Monotonic clock, ms. The core has none of its own. */
  now: () => number;
  /** Uniform in [0, 1), for the jitter of retries. */
  random: () => number;
  /** Bounds of the retries; see `BackoffOptions`. */
  retryBaseMs?: number;
  retryMaxMs?: number;
  /** How many instances the maps hold. Default 1024. */
  maxInstances?: number;
  refs?: RefTracker;
}

interface Registered {
  readonly ref: RefHandle;
  readonly masterUndo: UndoStack;
}

type UnregisterReason = 'unregister' | 'master-removed';

/**
 * The failover instances of one network namespace (failover_list of net/core/failover.c). The supervisor
 * feeds in what its LinkMonitor sees, in order; the registry compares with the facts it holds, so a
 * repeated or missing event does no harm.
 */
export class FailoverRegistry {
  readonly refs: RefTracker;
  readonly maxInstances: number;
  readonly #devices = new Map<number, Device>();
  readonly #instances = new Map<string, FailoverInstance>();
  readonly #registered = new Map<FailoverInstance, Registered>();
  readonly #events = new EventQueue((error) => asVfError(error));
  readonly #ctx: SettleContext;
  readonly #deferred: (() => void)[] = [];
  #busy = false;
  #tickMs: number | undefined;

  constructor(options: RegistryOptions) {
    this.refs = options.refs ?? new RefTracker();
    this.maxInstances = options.maxInstances ?? 1024;
    const retry: BackoffOptions = {
      random: options.random,
      ...(options.retryBaseMs !== undefined && { baseMs: options.retryBaseMs }),
      ...(options.retryMaxMs !== undefined && { maxMs: options.retryMaxMs }),
    };
    this.#ctx = {
      refs: this.refs,
      retry,
      events: this.#events,
      devices: this.#devices,
      instances: this.#instances,
      now: () => this.#tickMs ?? options.now(),
    };
  }

  get devices(): ReadonlyMap<number, Device> {
    return this.#devices;
  }

  /** By name. */
  get instances(): ReadonlyMap<string, FailoverInstance> {
    return this.#instances;
  }

  /**
   * Listens to every event; returns the function that ends it. Called after the change is complete, in
   * order.
   */
  subscribe(listener: FailoverListener): () => void {
    return this.#events.subscribe(listener);
  }

  /**
   * Adds an instance and offers it every device known (failover_register).
   * @throws VfError CONFIG_INVALID, INSTANCE_EXISTS, INSTANCE_LIMIT, DEVICE_NOT_FOUND,
   *   DEVICE_NOT_ETHERNET, DEVICE_OWNED; or what `ops.masterSteps` failed with. Nothing is registered then.
   */
  register(spec: InstanceSpec): FailoverInstance {
    return this.#exclusive('register', () => {
      checkSpec(spec);
      const concerned = new Set<FailoverInstance>();
      try {
        const instance = this.#create(spec, concerned);
        concerned.add(instance);
        for (const other of this.#related(instance)) concerned.add(other);
        return instance;
      } finally {
        // Also when refused: the master's facts may have been news to the others.
        settle(this.#ctx, concerned);
      }
    });
  }

  /**
   * Takes an instance out: primary, standby, then master (net_failover_destroy).
   * @returns what could not be restored.
   * @throws VfError INSTANCE_NOT_FOUND.
   */
  unregister(name: string): readonly UndoFailure[] {
    return this.#exclusive('unregister', () => {
      const instance = this.#instances.get(name);
      if (instance === undefined) {
        const known = [...this.#instances.keys()].join(', ') || 'none';
        throw new VfError('INSTANCE_NOT_FOUND', `no instance ${name}`, {
          field: 'name',
          value: name,
          fix: `use one of: ${known}`,
        });
      }
      const related = this.#related(instance);
      const failures = this.#drop(instance, 'unregister');
      settle(this.#ctx, related);
      return failures;
    });
  }

  /**
   * Takes an instance out as it stands: nothing is undone, and no op is called. It is for whoever registers the same again at once.
   */
  forget(name: string): void {
    this.#exclusive('forget', () => {
      const instance = this.#instances.get(name);
      if (instance === undefined) return;
      for (const { ref } of instance.joined.values()) ref.release();
      this.#registered.get(instance)!.ref.release();
      this.#registered.delete(instance);
      this.#instances.delete(name);
    });
  }

  /**
   * A slave of an instance cannot be what its master is: it leaves with this reason, and is tried again as after a failed join. Nothing
   * happens if there is no such instance or slave any more.
   */
  expel(name: string, role: Role, error: VfError): void {
    this.#input(() => {
      const instance = this.#instances.get(name);
      const device = instance?.joined.get(role)?.device;
      if (instance === undefined || device === undefined) return;
      // One that answers to this instance no longer is not tried again, but `status` goes on telling why it left.
      expel(this.#ctx, instance, role, error, claimOf(instance, device) !== undefined);
    });
  }

  /** A device is there: new, or known with perhaps other facts. */
  offer(device: Device): void {
    this.#input(() => this.#update([device]));
  }

  /** A device has changed. The registry finds out what by itself. */
  changed(device: Device): void {
    this.offer(device);
  }

  /** A device has another name. Its slave state stands. */
  renamed(device: Device): void {
    this.offer(device);
  }

  /** A device is gone. Unknown ones are ignored. If it was a master, its instance is unregistered. */
  removed(ifindex: number): void {
    this.#input(() => settle(this.#ctx, this.#remove(ifindex)));
  }

  /** The whole truth, after a dump: devices not in it are gone, and all the others are offered at once. */
  reconcile(devices: Iterable<Device>): void {
    const dump = [...devices];
    this.#input(() => {
      const present = new Set(dump.map((device) => device.ifindex));
      const concerned = new Set<FailoverInstance>();
      for (const ifindex of [...this.#devices.keys()]) {
        if (!present.has(ifindex)) for (const instance of this.#remove(ifindex)) concerned.add(instance);
      }
      this.#update(dump, concerned);
    });
  }

  /** Tries again what is due. Call it at `nextRetryAtMs`, or at any interval. */
  tick(nowMs: number): void {
    this.#input(() => {
      this.#tickMs = nowMs;
      try {
        settle(
          this.#ctx,
          [...this.#instances.values()].filter((instance) => wakeOf(instance) <= nowMs),
        );
      } finally {
        this.#tickMs = undefined;
      }
    });
  }

  /** When `tick` next has something to do; undefined if nothing waits. */
  get nextRetryAtMs(): number | undefined {
    const next = Math.min(...[...this.#instances.values()].map(wakeOf));
    return Number.isFinite(next) ? next : undefined;
  }

  #create(spec: InstanceSpec, concerned: Set<FailoverInstance>): FailoverInstance {
    if (typeof spec.master !== 'number') this.#absorb(spec.master, concerned);
    const instance = admit(spec, this.#instances, this.#devices, this.maxInstances);
    const { name, master, ops } = instance;
    const ref = this.refs.hold(`instance ${name} master`, refName(master));
    let masterUndo: UndoStack;
    try {
      masterUndo = runSteps(ops.masterSteps?.(instance) ?? [], `${master.name} as master of ${name}`);
    } catch (error) {
      ref.release();
      throw asVfError(error, 'JOIN_FAILED');
    }
    this.#registered.set(instance, { ref, masterUndo });
    this.#instances.set(name, instance);
    this.#events.push({ type: 'register', instance });
    return instance;
  }

  #drop(instance: FailoverInstance, reason: UnregisterReason): readonly UndoFailure[] {
    const registered = this.#registered.get(instance)!;
    leaveAll(this.#ctx, instance, reason);
    instance.refusals.clear();
    const undoFailures = registered.masterUndo.undo(reason === 'master-removed');
    registered.ref.release();
    this.#registered.delete(instance);
    this.#instances.delete(instance.name);
    this.#events.push({ type: 'unregister', instance, reason, undoFailures });
    return undoFailures;
  }

  #update(devices: readonly Device[], concerned = new Set<FailoverInstance>()): void {
    const before = new Map(devices.map((device) => [device.ifindex, this.#devices.get(device.ifindex)]));
    for (const device of devices) this.#absorb(device, concerned);
    settle(this.#ctx, concerned);
    for (const [ifindex, old] of before) {
      const device = this.#devices.get(ifindex);
      if (old === undefined || device === undefined) continue;
      for (const instance of this.#instances.values()) tellDrift(this.#ctx, instance, old, device);
    }
  }

  /**
   * Takes in a device's facts and tells of its link; collects the instances that must be settled
   * afterwards.
   */
  #absorb(facts: Device, concerned: Set<FailoverInstance>): void {
    const before = this.#devices.get(facts.ifindex);
    // A copy, because the caller may go on writing to its own.
    const device: Device = { ...facts };
    const matters = before === undefined || settingsChanged(before, device);
    if (matters && before !== undefined) this.#concern(before, concerned);
    this.#devices.set(device.ifindex, device);
    for (const instance of this.#instances.values()) adopt(instance, device);
    if (matters) this.#concern(device, concerned);
    if (before === undefined) return;
    for (const instance of this.#instances.values()) tellLinkAndName(this.#ctx, instance, before, device);
  }

  #remove(ifindex: number): Set<FailoverInstance> {
    const concerned = new Set<FailoverInstance>();
    const device = this.#devices.get(ifindex);
    if (device === undefined) return concerned;
    this.#concern(device, concerned);
    this.#devices.delete(ifindex);
    for (const instance of [...this.#instances.values()]) {
      if (instance.master.ifindex === ifindex) {
        this.#drop(instance, 'master-removed');
        continue;
      }
      instance.refusals.delete(ifindex);
      instance.expulsions.delete(ifindex);
      const role = instance.roleHeldBy(ifindex);
      if (role !== undefined) leave(this.#ctx, instance, role, 'removed');
    }
    return concerned;
  }

  /** Instances whose decisions depend on the device. */
  #concern(device: Device, concerned: Set<FailoverInstance>): void {
    const { ifindex } = device;
    for (const instance of this.#instances.values()) {
      if (instance.master.ifindex === ifindex) {
        concerned.add(instance);
        for (const other of this.#related(instance)) concerned.add(other);
      } else if (
        instance.refusals.has(ifindex) ||
        instance.roleHeldBy(ifindex) !== undefined ||
        claimOf(instance, device) !== undefined
      ) {
        concerned.add(instance);
      }
    }
  }

  /** Other instances that lay claim to a device which this one claims too, or to its master. */
  #related(instance: FailoverInstance): FailoverInstance[] {
    const shared = [...this.#devices.values()].filter((device) => claimOf(instance, device) !== undefined);
    shared.push(instance.master);
    return [...this.#instances.values()].filter(
      (other) => other !== instance && shared.some((device) => claimOf(other, device) !== undefined),
    );
  }

  /** An input. During a call of the ops it is put off, so that no join is interleaved with another change. */
  #input(work: () => void): void {
    if (this.#busy) this.#deferred.push(work);
    else this.#run(work);
  }

  #exclusive<T>(what: string, work: () => T): T {
    if (!this.#busy) return this.#run(work);
    throw new VfError('INTERNAL', `${what} was called from within FailoverOps`, {
      field: what,
      fix: 'call it from an event listener',
    });
  }

  #run<T>(work: () => T): T {
    this.#busy = true;
    try {
      return work();
    } finally {
      // Also when `work` threw: what was put off is news, whatever became of the rest.
      for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) next();
      this.#busy = false;
      this.#events.flush();
    }
  }
}

function adopt(instance: FailoverInstance, device: Device): void {
  if (instance.master.ifindex === device.ifindex) instance.master = device;
  const refusal = instance.refusals.get(device.ifindex);
  if (refusal !== undefined) refusal.device = device;
  for (const joined of instance.joined.values()) {
    if (joined.device.ifindex === device.ifindex) joined.device = device;
  }
}

function wakeOf(instance: FailoverInstance): number {
  let next = Number.POSITIVE_INFINITY;
  for (const refusal of instance.refusals.values()) next = Math.min(next, wakeAt(refusal) ?? next);
  return next;
}
