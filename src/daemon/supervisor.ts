import { EventEmitter } from 'node:events';
import type { FromWorker } from '../../workers/protocol.js';
import { type Config, type InstanceConfig, netnsKey, redacted } from '../config/index.js';
import { pathOf } from '../datapath/line.js';
import { PinStore } from '../datapath/store.js';
import { VfError } from '../errors.js';
import type { FailoverEvent } from '../failover/events.js';
import { policyBase } from '../failover/policy.js';
import { suppressedMs } from '../failover/policy-damping.js';
import { KEEP_MS } from '../slave/keeper.js';
import { freeQueue } from '../slave/queue.js';
import type { ApiEvent, ApiHandlers, DaemonStatus, Decision, InstanceStatus } from './api/index.js';
import { VERSION } from './api/index.js';
import { History } from './history.js';
import { HookWatch } from './hooks/watch.js';
import { ImpairmentLog } from './impairment-log.js';
import type { Impairment } from './impairments.js';
import { Managed } from './managed.js';
import { Namespace } from './namespace.js';
import { Orders } from './orders.js';
import { preflight } from './preflight.js';
import { Shards } from './shards.js';
import { instanceStatus, nowMs, waitingStatus } from './status.js';

/** What the supervisor needs of a logger (pino's shape). */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** How often it is looked whether a master's addresses have changed, ms: what the workers announce at a switch is as old at most. */
const ADDRESSES_MS = 5_000;

/** Causes that leave a dead slave with its queue as it was. A slave that is set down or unplugged is emptied by the kernel. */
const LEAVES_QUEUE: ReadonlySet<Decision['cause']> = new Set([
  'carrier',
  'unanswered',
  'probe',
  'bfd',
  'witness',
]);

interface SupervisorEvents {
  event: [e: ApiEvent];
}

/**
 * The main thread's part: which instances there are, which devices belong to them, what is told to whom. It is never in the way of a
 * frame or of a decision; when it is gone, programs, maps and (while the process lives) workers go on.
 */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly handlers: ApiHandlers;
  readonly #config: Config;
  readonly #log: Log;
  readonly #store: PinStore;
  readonly #shards: Shards;
  readonly #history: History;
  readonly #impairmentLog: ImpairmentLog;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #managed = new Map<string, Managed>();
  /** Instances whose master went away: attached again when it is back. */
  readonly #waiting = new Map<string, InstanceConfig>();
  readonly #startedAt = Date.now();
  readonly #orders: Orders;
  readonly #addresses: NodeJS.Timeout;
  readonly #keeping: NodeJS.Timeout;
  readonly #hooks: HookWatch<Managed>;

  constructor(config: Config, log: Log) {
    super();
    preflight();
    this.#config = config;
    this.#log = log;
    this.#history = new History(config.worker.history);
    this.#impairmentLog = new ImpairmentLog(config.worker.history);
    this.#store = new PinStore({
      root: config.pin_root,
      capacity: config.capacity,
      shards: config.worker.count,
    });
    try {
      this.#shards = new Shards(this.#store, config.worker);
    } catch (e) {
      this.#store.close();
      throw e;
    }
    this.#addresses = setInterval(() => {
      for (const m of this.#managed.values()) {
        this.#prepareAnnouncement(m);
        m.readSpeeds();
        this.#supply(m);
      }
    }, ADDRESSES_MS).unref();
    this.#keeping = setInterval(() => {
      for (const m of this.#managed.values()) m.keep();
    }, KEEP_MS).unref();
    this.#hooks = new HookWatch({
      store: this.#store,
      instances: () => [...this.#managed.values()],
      storeReport: (fault) => this.#storeFault(fault),
      restored: (what, m) =>
        log.warn({ instance: m?.config.name }, `${what} were removed by somebody and are put back`),
      failed: (m, error) => log.error({ instance: m.config.name, error }, error.message),
    });
    this.#orders = new Orders({
      shards: this.#shards,
      onDecision: (listen) => {
        const heard = (e: ApiEvent) => {
          if (e.type === 'decision') listen(e.instance, e.decision);
        };
        this.on('event', heard);
        return () => this.off('event', heard);
      },
      lastSeq: (name) => this.#history.last(name)?.seq ?? 0,
      statusOf: (name) => this.#statusOf(name),
      changed: (name) => this.#publishStatus(name),
      find: (name) => this.#find(name),
    });
    this.#shards.on('message', (m) => this.#fromWorker(m));
    this.#shards.on('failed', (shard, error) => log.error({ shard, error }, error.message));
    this.handlers = {
      status: (p) => this.status(p.name),
      events: (p) => this.#history.list(p),
      impairments: (p) => this.#impairmentLog.list(p),
      switch: (p) => this.#orders.switch(p.name, p.to, p.for_ms),
      maintenance: (p) => this.#orders.maintenance(p.name, p.slave, p.on),
      attach: (p) => this.attach(p),
      detach: (p) => this.detach(p.name),
    };
  }

  /** Attaches or adopts what the configuration names. All or nothing: an error leaves what was there before. */
  async start(): Promise<void> {
    const known = new Set(this.#config.instances.map((i) => i.name));
    for (const { name } of this.#store.occupied())
      if (!known.has(name))
        this.#log.warn(
          { instance: name },
          'a pinned instance is not in the configuration: it keeps steering by tier 0 alone; attach or detach it',
        );
    const made: string[] = [];
    try {
      for (const config of this.#config.instances) {
        const adopted = [...this.#store.occupied()].some((s) => s.name === config.name);
        this.#add(config);
        if (!adopted) made.push(config.name);
      }
    } catch (e) {
      for (const name of made) this.#remove(name);
      throw e;
    }
    await this.#shards.settled();
    for (const m of this.#managed.values()) m.readSpeeds();
  }

  #namespace(netns: string | null): Namespace {
    const key = netns === null ? '' : netnsKey(netns);
    let ns = this.#namespaces.get(key);
    if (!ns) {
      ns = new Namespace(netns, this.#store.capacity);
      this.#namespaces.set(key, ns);
      ns.start();
      this.#hooks.follow(ns);
      ns.registry.subscribe((e) => this.#fromRegistry(e));
      const retry = () => this.#attachWaiting();
      ns.monitor.on('added', retry);
      ns.monitor.on('renamed', retry);
      // What makes a device the kernel's failover master is that its standby belongs to it.
      ns.monitor.on('changed', (d, before) => {
        if (d.master !== before.master) retry();
      });
      ns.monitor.on('resync', (d) =>
        this.#log.warn({ netns, ...d }, 'link events were lost: devices read afresh'),
      );
    }
    return ns;
  }

  #add(config: InstanceConfig): Managed {
    if (this.#managed.has(config.name) || this.#waiting.has(config.name))
      throw new VfError('INSTANCE_EXISTS', `there is an instance ${config.name} already`, {
        field: 'name',
        value: config.name,
        fix: 'choose another name, or detach that one first',
      });
    const m = new Managed(
      config,
      this.#namespace(config.netns),
      this.#store,
      this.#shards,
      (impairment, over) => this.#impaired(config.name, impairment, over),
    );
    this.#managed.set(config.name, m);
    this.#prepareAnnouncement(m);
    this.#orders.resume(m);
    this.#supply(m);
    this.#log.info(
      { instance: config.name, master: m.instance.master.name, adopted: m.datapath.adopted },
      m.datapath.adopted ? 'adopted' : 'attached',
    );
    return m;
  }

  #impaired(instance: string, impairment: Impairment, over: boolean): void {
    const { severity, message, fix } = impairment;
    if (over) this.#log.info({ instance, impairment: impairment.key }, `over: ${message}`);
    else
      this.#log[severity === 'degraded' ? 'warn' : 'info'](
        { instance, impairment: impairment.key, fix },
        message,
      );
    const record = this.#impairmentLog.add(instance, impairment, over);
    this.emit('event', { type: 'impairment', ...record });
    this.#publishStatus(instance);
  }

  #remove(name: string): void {
    const m = this.#managed.get(name);
    if (!m) return;
    clearTimeout(m.overrideTimer);
    this.#shards.detach(m.datapath.slot);
    if (m.ns.registry.instances.has(name)) {
      const failures = m.ns.registry.unregister(name);
      for (const f of failures)
        this.#log.error({ instance: name, step: f.step, error: f.error }, 'could not be undone');
    }
    m.datapath.remove();
    m.close();
    this.#managed.delete(name);
  }

  #fromRegistry(e: FailoverEvent): void {
    const instance = e.instance?.name;
    switch (e.type) {
      case 'join':
      case 'leave':
        this.#log.info(
          { instance, device: e.device.name, role: e.role, ...(e.type === 'leave' && { reason: e.reason }) },
          e.type,
        );
        if (e.type === 'leave')
          for (const f of e.undoFailures)
            this.#log.error({ instance, step: f.step, error: f.error }, 'could not be undone');
        break;
      case 'refused':
        this.#log.warn({ instance, device: e.device.name, role: e.role, error: e.error }, e.error.message);
        break;
      case 'fault':
        this.#log.error({ instance, where: e.where, error: e.error }, e.error.message);
        break;
      case 'unregister':
        if (e.reason === 'master-removed') this.#masterRemoved(e.instance.name);
        return;
      default:
        break;
    }
    if (instance === undefined) return;
    const m = this.#managed.get(instance);
    if (m) {
      this.#supply(m);
      m.keep();
    }
    this.#publishStatus(instance);
  }

  #masterRemoved(name: string): void {
    const m = this.#managed.get(name);
    if (!m) return;
    this.#log.warn({ instance: name }, 'the master is gone: waiting for it');
    this.#remove(name);
    this.#waiting.set(name, m.config);
    this.#publishStatus(name);
  }

  #attachWaiting(): void {
    for (const [name, config] of [...this.#waiting]) {
      this.#waiting.delete(name);
      try {
        this.#add(config);
        this.#publishStatus(name);
      } catch (error) {
        this.#waiting.set(name, config);
        if (!(error instanceof VfError && error.code === 'DEVICE_NOT_FOUND'))
          this.#log.warn({ instance: name, error }, 'cannot attach again yet');
      }
    }
  }

  #bySlot(slot: number): Managed | undefined {
    for (const m of this.#managed.values()) if (m.datapath.slot === slot) return m;
    return undefined;
  }

  #fromWorker(m: FromWorker): void {
    const managed = this.#bySlot(m.slot);
    if (!managed) return;
    const { name } = managed.config;
    if (m.type === 'first') {
      const decision = this.#history.first(name, m);
      if (decision) this.emit('event', { type: 'decision', instance: name, decision });
      return;
    }
    const hooks = managed.takeHookLoss(m.tier, m.cause, pathOf(m.from));
    const leave = managed.ops.leaving === 'removed' ? 'unplug' : 'leave';
    const cause = hooks !== undefined ? 'hooks' : m.tier === 2 ? leave : undefined;
    const decision = this.#history.add(name, m, cause, hooks ?? this.#suppressed(managed, m.from));
    const { identity } = managed.datapath;
    managed.datapath.remember({ switches: identity.switches + 1, seenWord: m.to });
    managed.announcer.announce(m.announced);
    this.#freeQueue(managed, decision);
    this.#prepareAnnouncement(managed);
    this.#log.info(
      { decision },
      `${name}: ${decision.from} -> ${decision.to}, ${decision.cause}, tier ${decision.tier}`,
    );
    this.emit('event', { type: 'decision', instance: name, decision });
    this.#publishStatus(name);
  }

  /** Pins of the maps that cannot be put back concern all instances. */
  #storeFault(fault: string): void {
    for (const m of this.#managed.values())
      if (fault === '') m.impairments.clear('store');
      else
        m.impairments.set('store', {
          severity: 'note',
          message: `pins of the maps were removed and cannot be put back: ${fault}; everything works until the daemon ends`,
          fix: `see that ${this.#store.root} can be written: \`mount -t bpf bpf /sys/fs/bpf\``,
        });
  }

  /** What waits for the slave that a fault made us leave is lost already, and keeps TCP from sending it again. */
  #freeQueue({ ns, instance, config }: Managed, { cause, from }: Decision): void {
    const device = from === null ? undefined : instance.joined.get(from)?.device;
    if (!device || !LEAVES_QUEUE.has(cause)) return;
    try {
      freeQueue(ns.rtnl, device.ifindex);
    } catch (error) {
      this.#log.warn(
        { instance: config.name, error },
        `what waits in the queue of ${device.name} stays there`,
      );
    }
  }

  /** In words, that the path which was left has flapped too often. */
  #suppressed({ datapath }: Managed, from: number): string | undefined {
    const ms = suppressedMs(this.#shards.policy, policyBase(datapath.slot), pathOf(from), nowMs());
    return ms > 0 ? `it flaps and is suppressed for ${(ms / 1000).toFixed(1)} s` : undefined;
  }

  /** The worker announces a switch itself, at once: this thread may be at its garbage. What it is to say is kept up to date here. */
  #prepareAnnouncement({ announcer, datapath }: Managed): void {
    const sends = announcer.prepare();
    if (sends) this.#shards.announce(datapath.slot, sends);
  }

  #supply(m: Managed): void {
    try {
      m.supplier.refresh(m.instance);
    } catch (error) {
      this.#log.warn({ instance: m.config.name, error }, 'detectors go on with what they have');
    }
  }

  #publishStatus(name: string): void {
    if (this.listenerCount('event') === 0) return;
    if (this.#managed.has(name) || this.#waiting.has(name))
      this.emit('event', { type: 'status', instance: name, status: this.#statusOf(name) });
  }

  #find(name: string): Managed {
    const m = this.#managed.get(name);
    if (m) return m;
    const names = [...this.#managed.keys(), ...this.#waiting.keys()].join(', ') || 'none';
    throw new VfError('INSTANCE_NOT_FOUND', `there is no running instance ${name}`, {
      field: 'name',
      value: name,
      fix: `instances: ${names}`,
    });
  }

  #statusOf(name: string): InstanceStatus {
    const waiting = this.#waiting.get(name);
    if (waiting) return waitingStatus(waiting, this.#history.last(name));
    return instanceStatus(this.#find(name), this.#shards, this.#history.last(name));
  }

  status(name?: string): DaemonStatus {
    const names = name === undefined ? [...this.#managed.keys(), ...this.#waiting.keys()] : [name];
    const netlink = { overruns: 0, resyncs: 0, messages: 0 };
    for (const { monitor } of this.#namespaces.values())
      for (const key of ['overruns', 'resyncs', 'messages'] as const) netlink[key] += monitor.counters[key];
    const { wait, poll_interval_us } = this.#config.worker;
    return {
      version: VERSION,
      pid: process.pid,
      uptime_ms: Date.now() - this.#startedAt,
      config: redacted(this.#config),
      instances: names.map((n) => this.#statusOf(n)),
      worker: { wait, poll_interval_us, shards: this.#shards.status() },
      netlink,
    };
  }

  async attach(config: InstanceConfig): Promise<InstanceStatus> {
    const m = this.#add(config);
    await this.#shards.settled();
    m.readSpeeds();
    return this.#statusOf(config.name);
  }

  async detach(name: string): Promise<{ detached: string }> {
    if (this.#waiting.delete(name)) return { detached: name };
    // One that is pinned but not configured can be detached as well: it is attached (adopted) first.
    this.#find(name);
    this.#remove(name);
    await this.#shards.settled();
    this.emit('event', { type: 'detached', instance: name });
    this.#log.info({ instance: name }, 'detached');
    return { detached: name };
  }

  /** Ends the daemon's part. Instances stay pinned and steering unless they are detached first. */
  async close(): Promise<void> {
    clearInterval(this.#addresses);
    clearInterval(this.#keeping);
    this.#hooks.close();
    await this.#shards.close();
    for (const m of this.#managed.values()) {
      clearTimeout(m.overrideTimer);
      m.datapath.release();
      m.close();
    }
    for (const ns of this.#namespaces.values()) ns.close();
    this.#store.removeIfEmpty();
    this.#store.close();
  }
}
