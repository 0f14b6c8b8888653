import { EventEmitter } from 'node:events';
import type { ApiEvent, ApiHandlers, DaemonStatus, InstanceStatus } from '../api/index.js';
import { VERSION } from '../api/index.js';
import { type Config, type InstanceConfig, redacted } from '../config/index.js';
import { PinStore } from '../datapath/store.js';
import { HOOKS_MS, HookWatch } from '../hooks/watch.js';
import { Shards } from '../shard/host.js';
import { KEEP_MS } from '../slave/takeover.js';
import { Arrivals } from './arrivals.js';
import { Directory } from './directory.js';
import { History } from './history.js';
import { ImpairmentLog } from './impairment-log.js';
import { Instances } from './instances.js';
import type { Log } from './log.js';
import type { Managed } from './managed.js';
import type { Namespace } from './namespace.js';
import { PATHS_MS } from './namespace-watch.js';
import { Namespaces } from './namespaces.js';
import { Orders } from './orders.js';
import { preflight } from './preflight.js';
import { Pulse } from './pulse.js';
import { Reports } from './reports.js';
import { Roster } from './roster.js';
import { ADDRESSES_MS, Upkeep } from './upkeep.js';

interface SupervisorEvents {
  event: [e: ApiEvent];
}

/**
 * The main thread's part: which instances there are, which devices belong to them, what is told to whom. It is never in the way of a
 * frame or of a decision; when it is gone, programs, maps and (while the process lives) workers go on.
 */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly handlers: ApiHandlers;
  #config: Config;
  readonly #log: Log;
  readonly #linesLost: () => number;
  readonly #store: PinStore;
  readonly #shards: Shards;
  readonly #history: History;
  readonly #impairments: ImpairmentLog;
  readonly #instances: Instances;
  readonly #managed: ReadonlyMap<string, Managed>;
  readonly #namespaces: Namespaces;
  readonly #roster: Roster;
  readonly #directory: Directory;
  readonly #orders: Orders;
  readonly #upkeep: Upkeep;
  readonly #reports: Reports;
  readonly #hooks: HookWatch<Managed>;
  readonly #pulse: Pulse;
  readonly #refresh: NodeJS.Timeout;
  /** Only where an instance lives in another namespace than the daemon. */
  #arrivals: Arrivals | undefined;
  readonly #startedAt = Date.now();

  /** `linesLost`: how many lines of the log could not be written. */
  constructor(config: Config, log: Log, linesLost: () => number = () => 0) {
    super();
    preflight();
    this.#config = config;
    this.#log = log;
    this.#linesLost = linesLost;
    this.#history = new History(config.worker.history);
    this.#impairments = new ImpairmentLog(config.worker.history);
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
    if (this.#shards.crowded)
      log.warn(
        { worker: config.worker },
        'worker.wait: spin shares a CPU with the rest of the daemon, and decides later; fix: set worker.cpu, and leave the daemon another CPU',
      );
    this.#instances = this.#makeInstances();
    this.#managed = this.#instances.running;
    this.#upkeep = new Upkeep({ managed: this.#managed, shards: this.#shards, log });
    this.#reports = this.#makeReports();
    this.#namespaces = this.#makeNamespaces();
    this.#roster = this.#makeRoster();
    this.#hooks = this.#makeHookWatch();
    this.#directory = new Directory({
      running: this.#managed,
      waiting: this.#roster.waiting,
      shards: this.#shards,
      history: this.#history,
    });
    this.#orders = this.#makeOrders();
    this.handlers = this.#makeHandlers();
    this.#shards.on('message', (m) => this.#reports.fromWorker(m));
    this.#shards.on('failed', (shard, error) => log.error({ shard, error }, error.message));
    this.#refresh = setInterval(() => this.#upkeep.refresh(), ADDRESSES_MS).unref();
    this.#pulse = new Pulse((error) =>
      log.error({ error }, `defect: please report it: ${(error as Error).message}`),
    );
    this.#pulse.add(KEEP_MS, () => this.#upkeep.keep());
    this.#pulse.add(PATHS_MS, () => this.#namespaces.look());
    this.#pulse.add(HOOKS_MS, () => this.#hooks.look());
  }

  #makeInstances(): Instances {
    return new Instances({
      store: this.#store,
      shards: this.#shards,
      log: this.#log,
      namespace: (netns) => this.#namespace(netns),
      impaired: (name, impairment, over) => this.#reports.impaired(name, impairment, over),
      begun: (m) => this.#begun(m),
    });
  }

  #makeReports(): Reports {
    return new Reports({
      managed: this.#managed,
      shards: this.#shards,
      history: this.#history,
      impairments: this.#impairments,
      upkeep: this.#upkeep,
      log: this.#log,
      emit: (event) => this.emit('event', event),
      publishStatus: (name) => this.#publishStatus(name),
      masterRemoved: (name) => this.#masterRemoved(name),
      slaveFreed: () => this.#arrivals?.look(),
    });
  }

  #makeNamespaces(): Namespaces {
    return new Namespaces({
      capacity: this.#store.capacity,
      begin: (ns) => this.#beginNamespace(ns),
      end: (ns) => this.#hooks.unfollow(ns),
      settled: () => this.#shards.settled(),
      lost: (ns, is) => this.#namespaceLost(ns, is),
      found: () => this.#roster.retry(),
    });
  }

  #makeRoster(): Roster {
    return new Roster({
      store: this.#store,
      log: this.#log,
      managed: this.#managed,
      namespace: (netns) => this.#namespace(netns),
      open: (instance, source, master) => this.#instances.open(instance, source, master),
      remove: (name) => this.#instances.remove(name),
      release: (name) => this.#instances.release(name),
      changed: (name) => this.#publishStatus(name),
    });
  }

  #makeHookWatch(): HookWatch<Managed> {
    return new HookWatch({
      store: this.#store,
      instances: () => [...this.#managed.values()],
      storeReport: (fault) => this.#reports.storeFault(fault, this.#store.root),
      restored: (what, m) =>
        this.#log.warn({ instance: m?.config.name }, `${what} were removed by somebody and are put back`),
      failed: (m, error) => this.#log.error({ instance: m.config.name, error }, error.message),
    });
  }

  #makeOrders(): Orders {
    return new Orders({
      shards: this.#shards,
      onDecision: (listen) => {
        const heard = (e: ApiEvent) => {
          if (e.type === 'decision') listen(e.instance, e.decision);
        };
        this.on('event', heard);
        return () => this.off('event', heard);
      },
      lastSeq: (name) => this.#history.last(name)?.seq ?? 0,
      statusOf: (name) => this.#directory.statusOf(name),
      changed: (name) => this.#publishStatus(name),
      find: (name) => this.#directory.find(name),
    });
  }

  #makeHandlers(): ApiHandlers {
    return {
      status: (p) => this.status(p.name),
      events: (p) => this.#history.list(p),
      impairments: (p) => this.#impairments.list(p),
      switch: (p) => this.#orders.switch(p.name, p.to, p.for_ms),
      maintenance: (p) => this.#orders.maintenance(p.name, p.slave, p.on),
      attach: (p) => this.attach(p),
      detach: (p) => this.detach(p.name),
    };
  }

  /** Attaches or adopts what the configuration names (Roster.start). */
  async start(): Promise<void> {
    this.#roster.start(this.#config.instances);
    this.#keepNamespaces();
    await this.#shards.settled();
    this.#upkeep.readSpeeds();
  }

  /** Takes over the instances of a changed file. What else has changed in it waits for a restart. */
  async reload(config: Config): Promise<void> {
    for (const key of ['socket', 'socket_group', 'pin_root', 'capacity', 'worker'] as const)
      if (JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]))
        this.#log.warn({ field: key }, `${key} is changed by a restart only`);
    const { instances, log_level } = config;
    this.#config = { ...this.#config, instances, log_level };
    this.#roster.reload(instances);
    this.#keepNamespaces();
    await this.#shards.settled();
    this.#upkeep.readSpeeds();
  }

  #namespace(netns: string | null): Namespace {
    const ns = this.#namespaces.open(netns);
    if (netns !== null) this.#watchArrivals();
    return ns;
  }

  #beginNamespace(ns: Namespace): void {
    // Before the registry listens: what it does about a change is announced as things are then.
    ns.watchAnnounced(() => this.#upkeep.announced(ns));
    ns.start();
    this.#hooks.follow(ns);
    ns.registry.subscribe((e) => this.#reports.fromRegistry(e));
    ns.monitor.on('resync', (d) =>
      this.#log.warn({ netns: ns.netns, ...d }, 'link events were lost: devices read afresh'),
    );
  }

  /** Lets go of the namespaces that no instance lives in, or waits for. */
  #keepNamespaces(): void {
    const all = [...this.#managed.values(), ...this.#roster.waiting.values()];
    this.#namespaces.keepOnly(all.map(({ config }) => config.netns));
  }

  #namespaceLost(ns: Namespace, is: (netns: string | null) => boolean): void {
    for (const [name, m] of [...this.#managed]) {
      if (m.ns !== ns || !is(m.config.netns)) continue;
      this.#log.warn(
        { instance: name, netns: m.config.netns },
        'its namespace is gone: waiting for a new one',
      );
      this.#instances.remove(name);
      this.#roster.lost(m);
    }
  }

  /** A VF comes to the first namespace, which is presumably our own. */
  #watchArrivals(): void {
    this.#arrivals ??= new Arrivals(this.#namespaces.open(null), {
      managed: () => this.#managed.values(),
      moved: (device, instance) =>
        this.#log.info({ instance, device: device.name }, 'moved into the namespace of its master'),
    });
  }

  /** An instance has just begun to run. */
  #begun(m: Managed): void {
    m.onMac = () => this.#upkeep.supply(m);
    this.#upkeep.prepareAnnouncement(m);
    this.#orders.resume(m);
    this.#upkeep.supply(m);
    this.#arrivals?.look();
  }

  #masterRemoved(name: string): void {
    const m = this.#managed.get(name);
    if (!m) return;
    this.#log.warn({ instance: name }, 'the master is gone: waiting for it');
    this.#instances.remove(name);
    this.#roster.lost(m);
  }

  #publishStatus(name: string): void {
    if (this.listenerCount('event') > 0 && this.#directory.has(name))
      this.emit('event', { type: 'status', instance: name, status: this.#directory.statusOf(name) });
  }

  status(name?: string): DaemonStatus {
    const names = name === undefined ? this.#directory.names : [name];
    const { wait, poll_interval_us } = this.#config.worker;
    return {
      version: VERSION,
      pid: process.pid,
      uptime_ms: Date.now() - this.#startedAt,
      config: redacted(this.#config),
      instances: names.map((n) => this.#directory.statusOf(n)),
      worker: { wait, poll_interval_us, shards: this.#shards.status() },
      netlink: this.#namespaces.counters,
      log_lines_lost: this.#linesLost(),
    };
  }

  async attach(config: InstanceConfig): Promise<InstanceStatus> {
    try {
      const m = this.#roster.attach(config);
      await this.#shards.settled();
      m.readSpeeds();
      return this.#directory.statusOf(config.name);
    } finally {
      this.#keepNamespaces();
    }
  }

  async detach(name: string): Promise<{ detached: string }> {
    if (!this.#roster.detach(name)) this.#directory.find(name);
    this.#instances.remove(name);
    this.#keepNamespaces();
    await this.#shards.settled();
    this.emit('event', { type: 'detached', instance: name });
    this.#log.info({ instance: name }, 'detached');
    return { detached: name };
  }

  /** Ends the daemon's part. Instances stay pinned and steering unless they are detached first. */
  async close(): Promise<void> {
    clearInterval(this.#refresh);
    this.#pulse.close();
    this.#roster.close();
    this.#namespaces.end();
    await this.#shards.close();
    this.#instances.close();
    this.#namespaces.close();
    this.#store.removeIfEmpty();
    this.#store.close();
  }
}
