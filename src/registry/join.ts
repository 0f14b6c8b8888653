import { type Device, ROLES, type Role } from '../device.js';
import { VfError } from '../errors.js';
import type { EventQueue } from './events.js';
import type { FailoverInstance, PendingRetry, Refusal } from './instance.js';
import type { LeaveReason } from './ops.js';
import type { RefTracker } from './refs.js';
import { Backoff, type BackoffOptions, RETRY_BASE_MS } from './retry.js';
import { messageOf, runSteps } from './transaction.js';

/** What joining needs of its registry. */
export interface JoinContext {
  readonly refs: RefTracker;
  readonly retry: BackoffOptions;
  readonly events: EventQueue;
  now(): number;
}

/**
 * A failed join and its undo change the device, and those changes come back as link events. Within this
 * time of a try a change is held to be such an echo until it has lasted; otherwise each try would set off
 * the next. ms.
 */
export const ECHO_MS = RETRY_BASE_MS;

/** Anything thrown, as a VfError. */
export function asVfError(
  error: unknown,
  code: 'INTERNAL' | 'JOIN_FAILED' = 'INTERNAL',
  what?: string,
): VfError {
  if (error instanceof VfError) return error;
  return new VfError(code, what === undefined ? messageOf(error) : `${what}: ${messageOf(error)}`, {
    cause: error,
  });
}

/**
 * The facts that can make a failed join succeed; carrier is not one, so that a flapping link does not drive
 * retries.
 */
export function joinFacts(instance: FailoverInstance, device: Device): string {
  const { master } = instance;
  const of = (d: Device) => [
    d.name,
    d.type,
    d.address,
    d.permAddress,
    d.mtu,
    d.minMtu,
    d.maxMtu,
    d.up,
    d.kind,
    d.master,
  ];
  return JSON.stringify([
    ...of(device),
    device.link,
    device.parentDev,
    device.xdp,
    device.addrGenMode,
    ...(master.ifindex === device.ifindex ? [] : of(master)),
  ]);
}

/**
 * Is it time to try this device? Yes if it was not tried yet, if its wait is over, or if something that
 * matters changed; the last also resets the backoff.
 */
export function mayTry(refusal: Refusal | undefined, facts: string, nowMs: number): boolean {
  const retry = refusal?.retry;
  if (retry === undefined) return true;
  if (retry.expelled) return retry.backoff.due(nowMs);
  if (facts === retry.facts) {
    delete retry.recheckAtMs;
    return retry.backoff.due(nowMs);
  }
  if (nowMs - retry.attemptedAtMs < ECHO_MS) {
    retry.recheckAtMs = retry.attemptedAtMs + ECHO_MS;
    return retry.backoff.due(nowMs);
  }
  retry.backoff.reset();
  return true;
}

/** When the refusal wants to be looked at again; undefined if only an event can change the answer. */
export function wakeAt(refusal: Refusal): number | undefined {
  const { retry } = refusal;
  return retry && Math.min(retry.backoff.retryAtMs, retry.recheckAtMs ?? Number.POSITIVE_INFINITY);
}

/**
 * Joins the device, all or nothing (failover_slave_register). On failure everything is undone, and the
 * refusal is kept with the time of the next try.
 */
export function tryJoin(
  ctx: JoinContext,
  instance: FailoverInstance,
  device: Device,
  role: Role,
  explicit: boolean,
): boolean {
  const { ops } = instance;
  instance.joining.set(role, device);
  try {
    ops.preRegister(instance, device, role);
    const steps = ops.joinSteps(instance, device, role);
    const undo = runSteps(steps, `${device.name} as ${role} of ${instance.name}`);
    const ref = ctx.refs.hold(`instance ${instance.name} ${role}`, refName(device));
    instance.joined.set(role, { device, explicit, undo, ref });
  } catch (error) {
    const what = `${device.name} as ${role} of ${instance.name}`;
    refuse(ctx, instance, { device, role, error: asVfError(error, 'JOIN_FAILED', what), tried: true });
    return false;
  } finally {
    instance.joining.delete(role);
  }
  instance.refusals.delete(device.ifindex);
  ctx.events.push({ type: 'join', instance, device, role });
  return true;
}

/** How a device is named in the reference tracker. */
export function refName(device: Device): string {
  return `device ${device.name} (ifindex ${device.ifindex})`;
}

/** A device that is turned down. */
export interface Denial {
  readonly device: Device;
  readonly role: Role;
  readonly error: VfError;
  /** True: a join failed, so it is tried again after a wait. Otherwise the facts forbid it, and the next event tells. */
  readonly tried?: boolean;
}

/** Keeps a refusal, and tells it if it is news. */
export function refuse(
  ctx: JoinContext,
  instance: FailoverInstance,
  { device, role, error, tried = false }: Denial,
): void {
  const before = instance.refusals.get(device.ifindex);
  const retry = tried ? nextRetry(ctx, instance, device, before?.retry) : undefined;
  instance.refusals.set(device.ifindex, { device, role, error, ...(retry && { retry }) });
  // A standing "no" for the same reason is not news.
  if (!tried && before?.error.code === error.code && before.error.message === error.message) return;
  const retryAtMs = retry?.backoff.retryAtMs;
  ctx.events.push({
    type: 'refused',
    instance,
    device,
    role,
    error,
    ...(retryAtMs !== undefined && { retryAtMs }),
  });
}

function nextRetry(
  ctx: JoinContext,
  instance: FailoverInstance,
  device: Device,
  before: PendingRetry | undefined,
): PendingRetry {
  const backoff = before?.backoff ?? new Backoff(ctx.retry);
  const nowMs = ctx.now();
  backoff.fail(nowMs);
  const facts = joinFacts(instance, device);
  return { backoff, facts, attemptedAtMs: nowMs, ...(before?.expelled && { expelled: true }) };
}

/** A slave that has behaved for so long begins with a short wait again, ms. */
const REFORMED_MS = 120_000;
const EXPELLED_BASE_MS = 1000;

/** Takes a slave out because it cannot stay, and tries it again later: the later, the more often that has happened. */
export function expel(
  ctx: JoinContext,
  instance: FailoverInstance,
  role: Role,
  error: VfError,
  answers: boolean,
): void {
  const device = instance.joined.get(role)?.device;
  if (device === undefined) return;
  leave(ctx, instance, role, error.code === 'MAC_MISMATCH' ? 'mac-changed' : 'ineligible');
  const nowMs = ctx.now();
  let before = instance.expulsions.get(device.ifindex);
  if (before === undefined || nowMs - before.atMs > REFORMED_MS)
    before = { backoff: new Backoff({ ...ctx.retry, baseMs: EXPELLED_BASE_MS }), atMs: nowMs };
  instance.expulsions.set(device.ifindex, { ...before, atMs: nowMs });
  refuse(ctx, instance, { device, role, error });
  const refusal = instance.refusals.get(device.ifindex)!;
  if (!answers) {
    refusal.expelled = true;
    return;
  }
  before.backoff.fail(nowMs);
  const facts = joinFacts(instance, device);
  refusal.retry = { backoff: before.backoff, facts, attemptedAtMs: nowMs, expelled: true };
}

/**
 * Takes a slave out (failover_slave_unregister): traffic first, then every step of the join in reverse,
 * which restores the MTU and the rest. Always succeeds; what could not be restored is in the event.
 */
export function leave(ctx: JoinContext, instance: FailoverInstance, role: Role, reason: LeaveReason): void {
  const joined = instance.joined.get(role);
  if (joined === undefined) return;
  const { device } = joined;
  const isMaster = device.ifindex === instance.master.ifindex;
  const gone = reason === 'removed' || (reason === 'master-removed' && isMaster);
  callOp(ctx, instance, 'preLeave', () => instance.ops.preLeave(instance, device, role, reason));
  const undoFailures = joined.undo.undo(gone);
  instance.joined.delete(role);
  joined.ref.release();
  callOp(ctx, instance, 'leave', () => instance.ops.leave(instance, device, role, reason));
  ctx.events.push({ type: 'leave', instance, device, role, reason, undoFailures });
}

/** All slaves leave, primary first (net_failover_destroy). */
export function leaveAll(ctx: JoinContext, instance: FailoverInstance, reason: LeaveReason): void {
  for (const role of ROLES) leave(ctx, instance, role, reason);
}

/** Calls an op that may not throw. If it does, that is reported and the registry goes on. */
export function callOp(ctx: JoinContext, instance: FailoverInstance, where: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    ctx.events.push({ type: 'fault', instance, where, error: asVfError(error) });
  }
}
