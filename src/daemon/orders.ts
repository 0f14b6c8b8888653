import { monotonicNs } from 'bpf-loader-ts/sys';
import type { Decision, InstanceStatus, MaintenanceResult, SwitchResult } from '../api/index.js';
import { pathOf, type Role } from '../device.js';
import { VfError } from '../errors.js';
import {
  CHOICE_NONE,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  isHealthyLink,
  P_LINK_PRIMARY,
  policyBase,
} from '../policy/evaluate.js';
import { faultOf, healthOf } from '../policy/health.js';
import type { Shards } from '../shard/host.js';
import type { Managed } from './managed.js';

/** How long an order waits for the worker to carry it out, ms. */
const ORDER_MS = 500;

/** What orders need of the supervisor. */
export interface OrdersHost {
  readonly shards: Shards;
  /** Calls `listen` with every decision from now on, until it is cancelled. */
  onDecision(listen: (instance: string, decision: Decision) => void): () => void;
  lastSeq(name: string): number;
  statusOf(name: string): InstanceStatus;
  /** Tells watchers of an instance's state. */
  changed(name: string): void;
  find(name: string): Managed;
}

const choiceOf = (to: Role | 'auto') =>
  to === 'primary' ? CHOICE_PRIMARY : to === 'standby' ? CHOICE_STANDBY : CHOICE_NONE;
const otherOf = (role: Role): Role => (role === 'primary' ? 'standby' : 'primary');

/**
 * What operators order: overrides and their end, maintenance. Both are kept in the pinned identity, so that the next daemon goes on
 * with them.
 */
export class Orders {
  readonly #host: OrdersHost;

  constructor(host: OrdersHost) {
    this.#host = host;
  }

  /** Goes on with the end of an override that an earlier daemon was given. */
  resume(m: Managed): void {
    const { overrideUntilNs } = m.datapath.identity;
    if (overrideUntilNs !== 0) this.#endAfter(m, (overrideUntilNs - monotonicNs()) / 1e6);
  }

  #endAfter(m: Managed, ms: number): void {
    const { name } = m.config;
    m.overrideUntil = new Date(Date.now() + ms).toISOString();
    m.overrideTimer = setTimeout(
      () => {
        void this.switch(name, 'auto').then(
          () => this.#host.changed(name),
          () => {},
        );
      },
      Math.max(0, ms),
    );
  }

  async switch(name: string, to: Role | 'auto', forMs?: number): Promise<SwitchResult> {
    const { shards } = this.#host;
    const m = this.#host.find(name);
    const { slot } = m.datapath;
    if (to !== 'auto') this.#checkTarget(m, to);
    const decided =
      to === 'auto' || m.datapath.active === to ? Promise.resolve(null) : this.#decisionAfter(name, to);
    clearTimeout(m.overrideTimer);
    m.overrideUntil = null;
    const ends = to !== 'auto' && forMs !== undefined;
    m.datapath.remember({
      override: choiceOf(to),
      overrideUntilNs: ends ? monotonicNs() + forMs * 1e6 : 0,
    });
    shards.override(slot, choiceOf(to));
    if (ends) this.#endAfter(m, forMs);
    const decision = await decided;
    if (to !== 'auto' && m.datapath.active !== to) throw notDone(name, to, `did the ${to} lose carrier?`);
    return { decision, status: this.#host.statusOf(name) };
  }

  #checkTarget(m: Managed, to: Role): void {
    const { name } = m.config;
    if (m.datapath.identity.maintenance === choiceOf(to))
      throw new VfError('PATH_IN_MAINTENANCE', `the ${to} of ${name} is in maintenance`, {
        field: 'to',
        value: to,
        fix: `end that first: \`vfailover maintenance ${name} ${to} off\``,
      });
    if (!this.#isHealthy(m, to))
      throw new VfError('PATH_NOT_READY', `the ${to} of ${name} ${faultOf(healthOf(this.#link(m, to)))}`, {
        field: 'to',
        value: to,
        fix: `look at \`vfailover status ${name}\``,
      });
  }

  #link({ datapath }: Managed, role: Role): number {
    return this.#host.shards.policy[policyBase(datapath.slot) + P_LINK_PRIMARY + pathOf(role)]!;
  }

  #isHealthy(m: Managed, role: Role): boolean {
    return isHealthyLink(this.#link(m, role));
  }

  /** Takes a slave out of service, or back into it. One that carries traffic is left at once if the other is healthy. */
  async maintenance(name: string, slave: Role, on: boolean): Promise<MaintenanceResult> {
    const m = this.#host.find(name);
    const now = m.datapath.identity.maintenance;
    const other = otherOf(slave);
    if (on && now === choiceOf(other))
      throw new VfError('PATH_IN_MAINTENANCE', `the ${other} of ${name} is in maintenance already`, {
        field: 'slave',
        value: slave,
        fix: `one slave must stay in service; end the other’s first: \`vfailover maintenance ${name} ${other} off\``,
      });
    const next = on ? choiceOf(slave) : CHOICE_NONE;
    if (on ? now === next : now !== choiceOf(slave))
      return { decision: null, status: this.#host.statusOf(name) };
    const moves = on && m.datapath.active === slave && this.#isHealthy(m, other);
    const decided = moves ? this.#decisionAfter(name, other) : Promise.resolve(null);
    m.datapath.remember({ maintenance: next });
    this.#host.shards.maintenance(m.datapath.slot, next);
    const decision = await decided;
    if (moves && m.datapath.active === slave && this.#isHealthy(m, other))
      throw notDone(name, other, 'the maintenance stands; did a worker end?');
    this.#host.changed(name);
    return { decision, status: this.#host.statusOf(name) };
  }

  /** The next decision for a slave, past any earlier one that is still being told; null if there is none in ORDER_MS. */
  #decisionAfter(name: string, to: Role): Promise<Decision | null> {
    const seq = this.#host.lastSeq(name);
    return new Promise((done) => {
      const finish = (d: Decision | null) => {
        clearTimeout(timer);
        cancel();
        done(d);
      };
      const cancel = this.#host.onDecision((instance, decision) => {
        if (instance === name && decision.seq > seq && decision.to === to) finish(decision);
      });
      const timer = setTimeout(() => finish(null), ORDER_MS);
    });
  }
}

function notDone(name: string, to: Role, question: string): VfError {
  return new VfError(
    'WORKER_FAILED',
    `the decision worker did not switch ${name} to the ${to} within ${ORDER_MS} ms`,
    { fix: `look at \`vfailover status ${name}\`: ${question}` },
  );
}
