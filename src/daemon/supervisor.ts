import { EventEmitter } from 'node:events';
import type { ApiEvent, ApiHandlers, DaemonStatus, Decision, InstanceStatus } from '../api/index.js';
import { VERSION } from '../api/index.js';
import { monotonicMs } from '../clock.js';
import { type Config, type InstanceConfig, netnsKey, redacted } from '../config/index.js';
import { pathOf } from '../datapath/line.js';
import { PinStore } from '../datapath/store.js';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { HOOKS_MS, HookWatch } from '../hooks/watch.js';
import type { Impairment } from '../impairments.js';
import { suppressedMs } from '../policy/damping.js';
import { policyBase } from '../policy/evaluate.js';
import type { FailoverEvent } from '../registry/events.js';
import { Shards } from '../shard/host.js';
import type { FromWorker } from '../shard/protocol.js';
import { freeQueue } from '../slave/queue.js';
import { KEEP_MS } from '../slave/takeover.js';
import { Arrivals, giveBack } from './arrivals.js';
import { History } from './history.js';
import { ImpairmentLog } from './impairment-log.js';
import type { Source } from './kept.js';
import type { Log } from './log.js';
import { Managed } from './managed.js';
import { inodeOf, Namespace } from './namespace.js';
import { NamespaceWatch, PATHS_MS } from './namespace-watch.js';
import { openFiles, refuseWithoutDescriptors } from './nofile.js';
import { Orders } from './orders.js';
import { preflight } from './preflight.js';
import { Pulse } from './pulse.js';
import { Roster } from './roster.js';
import { instanceStatus, waitingStatus } from './status.js';

/** How often everything is looked at for which no notification is listened to, ms: groups, routes, speeds, macvlans in other namespaces. */
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
  #config: Config;
  readonly #log: Log;
  readonly #linesLost: () => number;
  readonly #store: PinStore;
  readonly #shards: Shards;
  readonly #history: History;
  readonly #impairmentLog: ImpairmentLog;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #managed = new Map<string, Managed>();
  readonly #roster: Roster;
  readonly #startedAt = Date.now();
  /** Descriptors open before the first instance. */
  readonly #openFiles: number;
  readonly #orders: Orders;
  readonly #addresses: NodeJS.Timeout;
  readonly #pulse: Pulse;
  readonly #paths = new NamespaceWatch((netns) => this.#netnsChanged(netns));
  /** Only where an instance lives in another namespace than the daemon. */
  #arrivals: Arrivals | undefined;
  readonly #hooks: HookWatch<Managed>;

  /** `linesLost`: how many lines of the log could not be written. */
  constructor(config: Config, log: Log, linesLost: () => number = () => 0) {
    super();
    preflight();
    this.#config = config;
    this.#log = log;
    this.#linesLost = linesLost;
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
    if (this.#shards.crowded)
      log.warn(
        { worker: config.worker },
        'worker.wait: spin shares a CPU with the rest of the daemon, and decides later; fix: set worker.cpu, and leave the daemon another CPU',
      );
    this.#openFiles = openFiles();
    this.#addresses = setInterval(() => {
      for (const m of this.#managed.values()) {
        this.#prepareAnnouncement(m);
        m.readSpeeds();
        this.#supply(m);
      }
    }, ADDRESSES_MS).unref();
    this.#pulse = new Pulse((error) =>
      log.error({ error }, `defect: please report it: ${(error as Error).message}`),
    );
    this.#pulse.add(KEEP_MS, () => this.#keep());
    this.#pulse.add(PATHS_MS, () => this.#paths.look());
    this.#roster = new Roster({
      store: this.#store,
      log,
      managed: this.#managed,
      namespace: (netns) => this.#namespace(netns),
      open: (instance, source, master) => this.#add(instance, source, master),
      remove: (name) => this.#remove(name),
      release: (name) => this.#release(name),
      changed: (name) => this.#publishStatus(name),
    });
    this.#hooks = new HookWatch({
      store: this.#store,
      instances: () => [...this.#managed.values()],
      storeReport: (fault) => this.#storeFault(fault),
      restored: (what, m) =>
        log.warn({ instance: m?.config.name }, `${what} were removed by somebody and are put back`),
      failed: (m, error) => log.error({ instance: m.config.name, error }, error.message),
    });
    this.#pulse.add(HOOKS_MS, () => this.#hooks.look());
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

  /** Attaches or adopts what the configuration names (Roster.start). */
  async start(): Promise<void> {
    this.#roster.start(this.#config.instances);
    await this.#shards.settled();
    for (const m of this.#managed.values()) m.readSpeeds();
  }

  /** Takes over the instances of a changed file. What else has changed in it waits for a restart. */
  async reload(config: Config): Promise<void> {
    for (const key of ['socket', 'socket_group', 'pin_root', 'capacity', 'worker'] as const)
      if (JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]))
        this.#log.warn({ field: key }, `${key} is changed by a restart only`);
    const { instances, log_level } = config;
    this.#config = { ...this.#config, instances, log_level };
    this.#roster.reload(instances);
    await this.#shards.settled();
    for (const m of this.#managed.values()) m.readSpeeds();
  }

  #namespace(netns: string | null): Namespace {
    const key = netns === null ? '' : netnsKey(netns);
    let ns = this.#namespaces.get(key);
    if (!ns) {
      if (netns !== null) this.#paths.add(netns);
      ns = this.#sameAs(netns);
      if (ns) this.#namespaces.set(key, ns);
    }
    if (!ns) {
      ns = new Namespace(netns, this.#store.capacity);
      this.#namespaces.set(key, ns);
      const here = ns;
      // Before the registry listens: what it does about a change is announced as things are then.
      ns.watchAnnounced(() => {
        for (const m of this.#managed.values()) if (m.ns === here) this.#prepareAnnouncement(m);
      });
      ns.start();
      this.#hooks.follow(ns);
      ns.registry.subscribe((e) => this.#fromRegistry(e));
      const retry = () => this.#roster.retry();
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
    if (netns !== null) this.#watchArrivals();
    return ns;
  }

  /** The namespace that another path names as well: one registry knows all who claim its devices. */
  #sameAs(netns: string | null): Namespace | undefined {
    const inode = inodeOf(netns);
    return [...this.#namespaces.values()].find((ns) => ns.inode === inode);
  }

  /** A VF comes to the first namespace, which is presumably our own. */
  #watchArrivals(): void {
    if (this.#arrivals !== undefined) return;
    const home = this.#namespace(null);
    this.#arrivals = new Arrivals(home, () => this.#managed.values());
    for (const event of ['added', 'changed', 'renamed', 'removed'] as const)
      home.monitor.on(event, () => this.#lookForArrivals());
  }

  #lookForArrivals(): void {
    for (const { device, instance } of this.#arrivals?.look() ?? [])
      this.#log.info({ instance, device: device.name }, 'moved into the namespace of its master');
  }

  /** Looks whether the slaves are still what their masters are. */
  #keep(): void {
    const looked = new Map<Namespace, boolean>();
    for (const m of this.#managed.values()) {
      if (!looked.has(m.ns)) looked.set(m.ns, m.ns.lookAtFilters());
      // A look meets the same fault, and tells.
      if (looked.get(m.ns)) m.poll();
      else m.keep();
    }
  }

  /** A path names no namespace any more, or another one. */
  #netnsChanged(netns: string): void {
    const key = netnsKey(netns);
    const ns = this.#namespaces.get(key);
    if (ns !== undefined) {
      this.#namespaces.delete(key);
      for (const [name, m] of [...this.#managed]) {
        if (m.ns !== ns || m.config.netns === null || netnsKey(m.config.netns) !== key) continue;
        this.#log.warn({ instance: name, netns }, 'its namespace is gone: waiting for a new one');
        this.#remove(name);
        this.#roster.lost(m);
      }
      // Another path may name it still.
      if (![...this.#namespaces.values()].includes(ns)) this.#closeNamespace(ns);
    }
    this.#roster.retry();
  }

  /** Its sockets keep a namespace alive as its descriptor does. */
  #closeNamespace(ns: Namespace): void {
    this.#hooks.unfollow(ns);
    // The workers, too, must have let go of it.
    const close = () => ns.close();
    this.#shards.settled().then(close, close);
  }

  #add(config: InstanceConfig, source: Source, master: Device): Managed {
    refuseWithoutDescriptors(
      config,
      [...this.#managed.values()].map((m) => m.config),
      this.#openFiles,
    );
    const m = new Managed(
      config,
      this.#namespace(config.netns),
      this.#store,
      this.#shards,
      {
        master,
        source,
        onCleared: (devices) =>
          this.#log.warn(
            { instance: config.name, devices },
            'programs of a vfailover whose pins are gone were taken off',
          ),
      },
      (impairment, over) => this.#impaired(config.name, impairment, over),
    );
    this.#managed.set(config.name, m);
    m.onMac = () => this.#supply(m);
    this.#prepareAnnouncement(m);
    this.#orders.resume(m);
    this.#supply(m);
    this.#lookForArrivals();
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

  /** Lets go of an instance as the end of the daemon does. */
  #release(name: string): void {
    const m = this.#managed.get(name);
    if (!m) return;
    clearTimeout(m.overrideTimer);
    this.#shards.detach(m.datapath.slot);
    m.ns.registry.forget(name);
    m.datapath.release();
    m.close();
    this.#managed.delete(name);
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
    try {
      giveBack(m);
    } catch (error) {
      this.#log.error({ instance: name, error }, 'its slave could not be moved back');
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
    if (e.type === 'leave') this.#lookForArrivals();
    this.#publishStatus(instance);
  }

  #masterRemoved(name: string): void {
    const m = this.#managed.get(name);
    if (!m) return;
    this.#log.warn({ instance: name }, 'the master is gone: waiting for it');
    this.#remove(name);
    this.#roster.lost(m);
  }

  #bySlot(slot: number): Managed | undefined {
    for (const m of this.#managed.values()) if (m.datapath.slot === slot) return m;
    return undefined;
  }

  #fromWorker(m: FromWorker): void {
    const managed = this.#bySlot(m.slot);
    if (!managed) return;
    const { name } = managed.config;
    if (m.type === 'lost') {
      managed.ns.hastenLink(m.ifindex);
      return;
    }
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
    const ms = suppressedMs(this.#shards.policy, policyBase(datapath.slot), pathOf(from), monotonicMs());
    return ms > 0 ? `it flaps and is suppressed for ${(ms / 1000).toFixed(1)} s` : undefined;
  }

  /** The worker announces a switch itself, at once: this thread may be at its garbage. What it is to say is kept up to date here. */
  #prepareAnnouncement({ announcer, datapath, ns }: Managed): void {
    const sends = announcer.prepare();
    if (sends) this.#shards.announce(datapath.slot, sends);
    if (announcer.bridged) ns.watchBridges();
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
    if (this.#managed.has(name) || this.#roster.waiting.has(name))
      this.emit('event', { type: 'status', instance: name, status: this.#statusOf(name) });
  }

  #find(name: string): Managed {
    const m = this.#managed.get(name);
    if (m) return m;
    const names = [...this.#managed.keys(), ...this.#roster.waiting.keys()].join(', ') || 'none';
    throw new VfError('INSTANCE_NOT_FOUND', `there is no running instance ${name}`, {
      field: 'name',
      value: name,
      fix: `instances: ${names}`,
    });
  }

  #statusOf(name: string): InstanceStatus {
    const waiting = this.#roster.waiting.get(name);
    if (waiting) return waitingStatus(waiting, this.#history.last(name));
    return instanceStatus(this.#find(name), this.#shards, this.#history.last(name));
  }

  status(name?: string): DaemonStatus {
    const names = name === undefined ? [...this.#managed.keys(), ...this.#roster.waiting.keys()] : [name];
    const netlink = { overruns: 0, resyncs: 0, messages: 0 };
    for (const { monitor } of new Set(this.#namespaces.values()))
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
      log_lines_lost: this.#linesLost(),
    };
  }

  async attach(config: InstanceConfig): Promise<InstanceStatus> {
    const m = this.#roster.attach(config);
    await this.#shards.settled();
    m.readSpeeds();
    return this.#statusOf(config.name);
  }

  async detach(name: string): Promise<{ detached: string }> {
    if (!this.#roster.detach(name)) this.#find(name);
    this.#remove(name);
    await this.#shards.settled();
    this.emit('event', { type: 'detached', instance: name });
    this.#log.info({ instance: name }, 'detached');
    return { detached: name };
  }

  /** Ends the daemon's part. Instances stay pinned and steering unless they are detached first. */
  async close(): Promise<void> {
    clearInterval(this.#addresses);
    this.#pulse.close();
    this.#roster.close();
    this.#paths.close();
    for (const ns of this.#namespaces.values()) this.#hooks.unfollow(ns);
    await this.#shards.close();
    for (const m of this.#managed.values()) {
      clearTimeout(m.overrideTimer);
      m.datapath.release();
      m.close();
    }
    for (const ns of new Set(this.#namespaces.values())) ns.close();
    this.#store.removeIfEmpty();
    this.#store.close();
  }
}
