import type { ApiEvent, Decision } from '../api/index.js';
import { monotonicMs } from '../clock.js';
import { pathOf } from '../datapath/line.js';
import type { Impairment } from '../impairments.js';
import { suppressedMs } from '../policy/damping.js';
import { policyBase } from '../policy/evaluate.js';
import type { FailoverEvent } from '../registry/events.js';
import type { Shards } from '../shard/host.js';
import type { FromWorker } from '../shard/protocol.js';
import { freeQueue } from '../slave/queue.js';
import type { History } from './history.js';
import type { ImpairmentLog } from './impairment-log.js';
import type { Log } from './log.js';
import type { Managed } from './managed.js';
import type { Upkeep } from './upkeep.js';

/** Causes that leave a dead slave with its queue as it was. A slave that is set down or unplugged is emptied by the kernel. */
const LEAVES_QUEUE: ReadonlySet<Decision['cause']> = new Set([
  'carrier',
  'unanswered',
  'probe',
  'bfd',
  'witness',
]);

export interface ReportsOptions {
  managed: ReadonlyMap<string, Managed>;
  shards: Shards;
  history: History;
  impairments: ImpairmentLog;
  upkeep: Upkeep;
  log: Log;
  /** Tells watchers. */
  emit: (event: ApiEvent) => void;
  /** Tells watchers of an instance's state. */
  publishStatus: (name: string) => void;
  /** The device of an instance's master is gone. */
  masterRemoved: (name: string) => void;
  /** A device may be free now that another instance waits for. */
  slaveFreed: () => void;
}

/** Takes in what registries, workers and keepers tell: into the history, the log, and to watchers. */
export class Reports {
  readonly #o: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#o = options;
  }

  fromRegistry(e: FailoverEvent): void {
    this.#log(e);
    if (e.type === 'unregister') {
      if (e.reason === 'master-removed') this.#o.masterRemoved(e.instance.name);
      return;
    }
    if (e.instance === undefined) return;
    const m = this.#o.managed.get(e.instance.name);
    if (m) {
      this.#o.upkeep.supply(m);
      m.keep();
    }
    if (e.type === 'leave') this.#o.slaveFreed();
    this.#o.publishStatus(e.instance.name);
  }

  #log(e: FailoverEvent): void {
    const { log } = this.#o;
    const instance = e.instance?.name;
    switch (e.type) {
      case 'join':
        log.info({ instance, device: e.device.name, role: e.role }, 'join');
        break;
      case 'leave':
        log.info({ instance, device: e.device.name, role: e.role, reason: e.reason }, 'leave');
        for (const f of e.undoFailures)
          log.error({ instance, step: f.step, error: f.error }, 'could not be undone');
        break;
      case 'refused':
        log.warn({ instance, device: e.device.name, role: e.role, error: e.error }, e.error.message);
        break;
      case 'fault':
        log.error({ instance, where: e.where, error: e.error }, e.error.message);
        break;
      default:
        break;
    }
  }

  fromWorker(m: FromWorker): void {
    const managed = this.#bySlot(m.slot);
    if (!managed) return;
    if (m.type === 'lost') managed.ns.hastenLink(m.ifindex);
    else if (m.type === 'first') this.#firstFrames(managed, m);
    else this.#decided(managed, m);
  }

  #bySlot(slot: number): Managed | undefined {
    for (const m of this.#o.managed.values()) if (m.datapath.slot === slot) return m;
    return undefined;
  }

  #firstFrames({ config: { name } }: Managed, m: FromWorker & { type: 'first' }): void {
    const decision = this.#o.history.first(name, m);
    if (decision) this.#o.emit({ type: 'decision', instance: name, decision });
  }

  #decided(managed: Managed, m: FromWorker & { type: 'decision' }): void {
    const { name } = managed.config;
    const hooks = managed.takeHookLoss(m.tier, m.cause, pathOf(m.from));
    const leave = managed.ops.leaving === 'removed' ? 'unplug' : 'leave';
    const cause = hooks !== undefined ? 'hooks' : m.tier === 2 ? leave : undefined;
    const decision = this.#o.history.add(name, m, cause, hooks ?? this.#suppressed(managed, m.from));
    const { identity } = managed.datapath;
    managed.datapath.remember({ switches: identity.switches + 1, seenWord: m.to });
    managed.announcer.announce(m.announced);
    this.#freeQueue(managed, decision);
    this.#o.upkeep.prepareAnnouncement(managed);
    this.#o.log.info(
      { decision },
      `${name}: ${decision.from} -> ${decision.to}, ${decision.cause}, tier ${decision.tier}`,
    );
    this.#o.emit({ type: 'decision', instance: name, decision });
    this.#o.publishStatus(name);
  }

  /** What waits for the slave that a fault made us leave is lost already, and keeps TCP from sending it again. */
  #freeQueue({ ns, instance, config }: Managed, { cause, from }: Decision): void {
    const device = from === null ? undefined : instance.joined.get(from)?.device;
    if (!device || !LEAVES_QUEUE.has(cause)) return;
    try {
      freeQueue(ns.rtnl, device.ifindex);
    } catch (error) {
      this.#o.log.warn(
        { instance: config.name, error },
        `what waits in the queue of ${device.name} stays there`,
      );
    }
  }

  /** In words, that the path which was left has flapped too often. */
  #suppressed({ datapath }: Managed, from: number): string | undefined {
    const ms = suppressedMs(this.#o.shards.policy, policyBase(datapath.slot), pathOf(from), monotonicMs());
    return ms > 0 ? `it flaps and is suppressed for ${(ms / 1000).toFixed(1)} s` : undefined;
  }

  /** An impairment of an instance is new or different; `over`: it is no more. */
  impaired(instance: string, impairment: Impairment, over: boolean): void {
    const { severity, message, fix, key } = impairment;
    const { log } = this.#o;
    if (over) log.info({ instance, impairment: key }, `over: ${message}`);
    else log[severity === 'degraded' ? 'warn' : 'info']({ instance, impairment: key, fix }, message);
    const record = this.#o.impairments.add(instance, impairment, over);
    this.#o.emit({ type: 'impairment', ...record });
    this.#o.publishStatus(instance);
  }

  /** Pins of the maps that cannot be put back concern all instances. `fault`: '' when they could. */
  storeFault(fault: string, root: string): void {
    for (const m of this.#o.managed.values())
      if (fault === '') m.impairments.clear('store');
      else
        m.impairments.set('store', {
          severity: 'note',
          message: `pins of the maps were removed and cannot be put back: ${fault}; everything works until the daemon ends`,
          fix: `see that ${root} can be written: \`mount -t bpf bpf /sys/fs/bpf\``,
        });
  }
}
