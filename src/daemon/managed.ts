import { Announcer } from '../announce/index.js';
import type { InstanceConfig } from '../config/index.js';
import type { Datapath } from '../datapath/datapath.js';
import type { UndoMap } from '../datapath/undo-map.js';
import { type Device, type Path, pathOf, ROLES, type Role } from '../device.js';
import { parseMac } from '../frames/mac.js';
import { HookKeeper } from '../hooks/keeper.js';
import { type Impairment, Impairments } from '../impairments.js';
import { CAUSE_UNPLUG, isHealthyLink, P_LINK_PRIMARY, policyBase, speedWord } from '../policy/evaluate.js';
import type { FailoverInstance } from '../registry/instance.js';
import type { Shards } from '../shard/host.js';
import { SlaveKeeper } from '../slave/keeper.js';
import type { SlaveContext } from '../slave/takeover.js';
import type { UndoLog } from '../slave/undo-log.js';
import { reflectorKey } from './bfd-setup.js';
import { DetectorSupplier } from './detector-supply.js';
import { InstanceOps } from './instance-ops.js';
import type { Source } from './kept.js';
import type { Namespace } from './namespace.js';

/** What a running instance is made of. */
export interface ManagedParts {
  readonly config: InstanceConfig;
  /** Who asked for it. */
  readonly source: Source;
  readonly ns: Namespace;
  readonly shards: Shards;
  readonly undo: UndoMap;
  readonly datapath: Datapath;
  readonly master: Device;
  /** Throws if another vfailover steers the device. */
  otherOwners(device: Device): void;
  /** An impairment is new or different; `over`: it is no more. */
  impaired(impairment: Impairment, over: boolean): void;
}

/** A worker's word of a switch takes less, ms. */
const HOOK_LOSS_MS = 5_000;

/** An instance that runs: its configuration, its datapath, its place in the registry and in a shard. `setUp` makes it. */
export class Managed {
  readonly config: InstanceConfig;
  /** Who asked for it. */
  source: Source;
  readonly ns: Namespace;
  readonly datapath: Datapath;
  readonly ops: InstanceOps;
  /** What has to be taken back on its primary. */
  readonly undo: UndoLog;
  #instance: FailoverInstance | undefined;
  overrideUntil: string | null = null;
  overrideTimer: NodeJS.Timeout | undefined;
  readonly announcer: Announcer;
  /** The master has another MAC. */
  onMac: () => void = () => {};
  readonly #shards: Shards;
  readonly supplier: DetectorSupplier;
  readonly impairments: Impairments;
  /** The MAC that is used in the master's name. */
  #mac: string;
  readonly hooks: HookKeeper;
  /** Why traffic leaves a slave whose programs are not in place, until the decision is recorded, and since when (performance.now()). */
  #hookLoss: { why: string; at: number } | undefined;

  constructor(parts: ManagedParts) {
    const { config, ns, shards, datapath, master } = parts;
    this.config = config;
    this.source = parts.source;
    this.ns = ns;
    this.datapath = datapath;
    this.#shards = shards;
    this.#mac = master.address;
    this.impairments = new Impairments(parts.impaired);
    this.ops = this.#makeOps(parts);
    this.undo = this.ops.undo.primary;
    this.hooks = new HookKeeper({
      datapath,
      rtnl: ns.rtnl,
      detect: config.detect,
      impairments: this.impairments,
      restUsable: () => this.#restUsable(),
      moving: (why) => {
        this.#hookLoss = { why, at: performance.now() };
      },
    });
    this.announcer = this.#makeAnnouncer(master);
    this.supplier = new DetectorSupplier(ns, datapath.slot, config.detect, shards);
  }

  #makeOps({ config, ns, datapath, undo, otherOwners }: ManagedParts): InstanceOps {
    const ops = new InstanceOps(ns, datapath, undo, {
      roles: config.check_roles,
      otherOwners,
      slaveAddresses: config.slave_addresses,
      slaveVlans: config.slave_vlans,
      groupsEither: config.groups === 'either',
    });
    ops.keeper = new SlaveKeeper({
      traits: datapath.traits,
      contexts: () => this.#slaveContexts(),
      report: (source, shortfalls) => this.impairments.replace(source, shortfalls),
      unfit: (role, reason) => ns.registry.expel(config.name, role, reason),
    });
    ops.onLink = () => this.readSpeeds();
    ops.onDrift = () => this.keep();
    return ops;
  }

  #makeAnnouncer(master: Device): Announcer {
    const { config, ns } = this;
    return new Announcer({
      netns: ns.fd,
      masterIfindex: master.ifindex,
      count: config.announce.count,
      delayMs: config.announce.delay_ms,
      rejoin: { count: config.announce.rejoin.count, delayMs: config.announce.rejoin.delay_ms },
      devices: () => ns.monitor.links.values(),
      reader: ns.addresses,
      settled: () => this.#shards.settled(),
    });
  }

  /** Its place in the registry; there is one from the end of `setUp` on. */
  get instance(): FailoverInstance {
    return this.#instance!;
  }

  /** It is in the registry: from now on its slaves are kept. */
  registered(instance: FailoverInstance): void {
    this.#instance = instance;
  }

  /** Whether the slave that needs no programs has carrier, as the worker sees it. */
  #restUsable(): boolean {
    const { slot, rest } = this.datapath;
    return isHealthyLink(this.#shards.policy[policyBase(slot) + P_LINK_PRIMARY + pathOf(rest)]!);
  }

  /**
   * Why traffic left `path`, if it was for programs that are not in place; once. A worker may have been the first to see that the slave is out
   * of use: `cause` is what it says.
   */
  takeHookLoss(tier: number, cause: number, path: Path): string | undefined {
    const loss = this.#hookLoss;
    if (loss === undefined || path !== pathOf(this.datapath.dependent)) return undefined;
    if (tier === 0 || (tier === 1 && cause !== CAUSE_UNPLUG)) return undefined;
    this.#hookLoss = undefined;
    return this.datapath.suspended || performance.now() - loss.at < HOOK_LOSS_MS ? loss.why : undefined;
  }

  /** Of the slaves that are not the master itself. */
  #slaveContexts(): SlaveContext[] {
    const instance = this.#instance;
    if (instance === undefined) return [];
    return ROLES.flatMap((role) => {
      const device = instance.joined.get(role)?.device;
      const apart = device !== undefined && device.ifindex !== instance.master.ifindex;
      return apart ? [this.ops.contextOf(instance, device, role)] : [];
    });
  }

  /** Brings the slave in line with its master, and what is sent in the master's name. */
  keep(): void {
    if (this.#instance === undefined) return;
    const { address } = this.#instance.master;
    const news = address !== this.#mac && address !== '';
    // First: a later daemon knows the slave by the MAC that it is about to get.
    if (news) this.datapath.remember({ mac: address });
    this.ops.keeper?.look();
    if (!news) return;
    this.#mac = address;
    const { reflector } = this.config;
    this.datapath.reflect(reflector && reflectorKey(reflector, parseMac(address)));
    this.onMac();
  }

  /** Called every KEEP_MS: looks whether anything has changed that the slave has to follow. */
  poll(): void {
    if (this.#instance === undefined) return;
    if (this.#instance.master.address === this.#mac) this.ops.keeper?.poll();
    else this.keep();
  }

  /** Tells the policy how good the links are, if it asks. */
  readSpeeds(): void {
    const instance = this.#instance;
    if (this.config.policy.reselect !== 'better' || instance === undefined) return;
    const of = (role: Role): number => {
      const device = instance.slave(role).device;
      const speed = device && this.ns.ethtool.speed(device.ifindex);
      return speed ? speedWord(speed.mbps, speed.fullDuplex) : 0;
    };
    this.#shards.speeds(this.datapath.slot, of('primary'), of('standby'));
  }

  /** Lets go of what this process holds for the instance beside its datapath. */
  close(): void {
    clearTimeout(this.overrideTimer);
    this.announcer.close();
    this.supplier.close();
  }

  /** As the end of the daemon does: everything in the kernel stays as it is. */
  release(): void {
    this.datapath.release();
    this.close();
  }
}
