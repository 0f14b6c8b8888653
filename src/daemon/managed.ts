import { monotonicNs } from 'bpf-loader-ts/sys';
import { Announcer } from '../announce/index.js';
import type { InstanceConfig } from '../config/index.js';
import { type Datapath, openDatapath } from '../datapath/datapath.js';
import { attachKind } from '../datapath/hooks.js';
import type { PinStore } from '../datapath/store.js';
import {
  type Device,
  identityMac,
  type Path,
  PRIMARY,
  pathOf,
  ROLES,
  type Role,
  STANDBY,
} from '../device.js';
import { HookKeeper } from '../hooks/keeper.js';
import { type Impairment, Impairments } from '../impairments.js';
import { MODELS } from '../models/table.js';
import { parseMac } from '../netlink/codec.js';
import {
  CAUSE_UNPLUG,
  CHOICE_NONE,
  isHealthyLink,
  P_LINK_PRIMARY,
  policyBase,
  speedWord,
} from '../policy/evaluate.js';
import type { FailoverInstance } from '../registry/instance.js';
import { macsOf, sameParent } from '../registry/match.js';
import type { Shards } from '../shard/host.js';
import { SlaveKeeper } from '../slave/keeper.js';
import type { SlaveContext } from '../slave/takeover.js';
import type { UndoLog } from '../slave/undo-log.js';
import { checkBfd, reflectorKey } from './bfd-setup.js';
import { DetectorSupplier } from './detector-supply.js';
import { InstanceOps, refuseForeign } from './instance-ops.js';
import { keep, type Source } from './kept.js';
import { refuseSwapped } from './master.js';
import type { Namespace } from './namespace.js';
import { clearOrphans } from './orphans.js';
import { policyInput } from './policy-input.js';
import { programVariables } from './programs.js';

/** Where an instance goes. */
export interface Placed {
  readonly master: Device;
  readonly source: Source;
  /** Told of devices that programs of a lost store were taken off. */
  onCleared(devices: readonly string[]): void;
}
/** A worker's word of a switch takes less, ms. */
const HOOK_LOSS_MS = 5_000;

/** An instance that runs: its configuration, its datapath, its place in the registry and in a shard. */
export class Managed {
  readonly config: InstanceConfig;
  /** Who asked for it. */
  source: Source;
  readonly ns: Namespace;
  readonly datapath: Datapath;
  readonly ops: InstanceOps;
  /** What has to be taken back on its primary. */
  readonly undo: UndoLog;
  readonly instance: FailoverInstance;
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

  /** Attaches or adopts. On failure everything is as it was. */
  constructor(
    config: InstanceConfig,
    ns: Namespace,
    store: PinStore,
    shards: Shards,
    { master, source, onCleared }: Placed,
    impaired: (impairment: Impairment, over: boolean) => void = () => {},
  ) {
    this.config = config;
    this.source = source;
    this.impairments = new Impairments(impaired);
    this.ns = ns;
    this.#shards = shards;
    const bfd = checkBfd(ns, config);
    const mac = identityMac(master) ?? master.address;
    const clear = (device: Device): void => {
      const devices = clearOrphans(ns, store, device);
      if (devices.length > 0) onCleared(devices);
    };
    this.#mac = master.address;
    const pinned = [...store.occupied()].find((s) => s.name === config.name);
    const adopted = pinned !== undefined;
    const formerMac = pinned && store.identities.read(pinned.slot)?.mac;
    if (!adopted) {
      refuseSwapped(ns, config, master);
      refuseForeign(ns, master);
      clear(master);
    }
    this.datapath = openDatapath({
      store,
      shardOf: (slot) => shards.shardOf(slot),
      name: config.name,
      model: config.model,
      netns: ns.inode,
      netnsCookie: ns.cookie,
      masterIfindex: master.ifindex,
      mac,
      attach: attachKind(config.attach),
      variables: programVariables(config),
      active: kernelUsesPrimary(ns, config, master) ? PRIMARY : STANDBY,
      slaveAlive: (ifindex) => {
        const d = ns.rtnl.link(ifindex);
        if (d === undefined) return false;
        const macs = macsOf({ master, ...(formerMac !== undefined && { formerMac }) });
        const known = macs.includes(identityMac(d) ?? '') || macs.includes(d.address);
        return known || config.primary.mac !== undefined || config.primary.bus !== undefined;
      },
      enter: ns.enter,
      nameOf: (ifindex) => ns.rtnl.link(ifindex)?.name ?? `device ${ifindex}`,
    });
    const { overrideUntilNs } = this.datapath.identity;
    // It ended while no daemon ran.
    if (overrideUntilNs !== 0 && overrideUntilNs <= monotonicNs())
      this.datapath.remember({ override: CHOICE_NONE, overrideUntilNs: 0 });
    this.ops = new InstanceOps(ns, this.datapath, store.undo, {
      roles: config.check_roles,
      otherOwners: clear,
      slaveAddresses: config.slave_addresses,
      slaveVlans: config.slave_vlans,
      groupsEither: config.groups === 'either',
    });
    this.undo = this.ops.undo.primary;
    this.ops.keeper = new SlaveKeeper({
      traits: this.datapath.traits,
      contexts: () => this.#slaveContexts(),
      report: (source, shortfalls) => this.impairments.replace(source, shortfalls),
      unfit: (role, reason) => ns.registry.expel(config.name, role, reason),
    });
    this.ops.onLink = () => this.readSpeeds();
    this.ops.onDrift = () => this.keep();
    this.hooks = new HookKeeper({
      datapath: this.datapath,
      rtnl: ns.rtnl,
      detect: config.detect,
      impairments: this.impairments,
      restUsable: () => this.#restUsable(),
      moving: (why) => {
        this.#hookLoss = { why, at: performance.now() };
      },
    });
    this.announcer = new Announcer({
      netns: ns.fd,
      masterIfindex: master.ifindex,
      count: config.announce.count,
      delayMs: config.announce.delay_ms,
      rejoin: { count: config.announce.rejoin.count, delayMs: config.announce.rejoin.delay_ms },
      devices: () => ns.monitor.links.values(),
      reader: ns.addresses,
      settled: () => shards.settled(),
    });
    const { slot } = this.datapath;
    this.datapath.reflect(config.reflector && reflectorKey(config.reflector, parseMac(master.address)));
    this.supplier = new DetectorSupplier(ns, slot, config.detect, shards);
    shards.attach({
      slot,
      netnsFd: ns.fd,
      tier0: config.policy.tier0,
      policy: {
        ...policyInput(config.policy),
        override: this.datapath.identity.override,
        maintenance: this.datapath.identity.maintenance,
        known: this.datapath.adopted && this.datapath.primaryIfindex !== 0,
      },
      detect: config.detect,
      mac: parseMac(master.address),
      deadlineFd: this.datapath.bfd?.fd ?? -1,
      bfdAuth: bfd,
      knownWord: this.datapath.identity.seenWord,
    });
    try {
      const { name, mac: by, bus } = config.primary;
      const selector = {
        ...(name !== undefined && { name }),
        ...(by !== undefined && { mac: by }),
        ...(bus !== undefined && { bus }),
      };
      this.instance = ns.registry.register({
        name: config.name,
        model: config.model,
        master,
        ops: this.ops,
        index: slot,
        ...(formerMac !== undefined && { formerMac }),
        ...(Object.keys(selector).length > 0 && { rules: { primary: selector } }),
      });
      const standby = this.instance.slave('standby');
      // An adopted instance goes on with what it has; a new one whose master cannot serve is refused.
      if (standby.error && !adopted) {
        ns.registry.unregister(config.name);
        throw standby.error;
      }
      this.#dropStray();
      keep(store, slot, { source, config });
    } catch (e) {
      shards.detach(slot);
      if (adopted) this.datapath.release();
      else this.datapath.remove();
      throw e;
    }
  }

  /** A slave of the earlier daemon that the configuration, or the device itself, does not let join any more is taken apart. */
  #dropStray(): void {
    const { instance, datapath, ops, ns } = this;
    const held = { primary: datapath.identity.primaryIfindex, standby: datapath.identity.standbyIfindex };
    for (const role of ROLES) {
      const ifindex = held[role];
      if (ifindex === 0 || ifindex === instance.master.ifindex) continue;
      if (instance.joined.get(role)?.device.ifindex === ifindex) continue;
      const device = ns.rtnl.link(ifindex);
      const steps = device ? ops.joinSteps(instance, device, role) : [];
      if (role === 'primary') datapath.abandonPrimary();
      for (const step of [...steps].reverse()) step.undo(false);
      if (datapath.identity[`${role}Ifindex`] === ifindex) datapath.detachSlave(role);
    }
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
    const { instance } = this;
    if (instance === undefined) return [];
    return ROLES.flatMap((role) => {
      const device = instance.joined.get(role)?.device;
      const apart = device !== undefined && device.ifindex !== instance.master.ifindex;
      return apart ? [this.ops.contextOf(instance, device, role)] : [];
    });
  }

  /** Brings the slave in line with its master, and what is sent in the master's name. */
  keep(): void {
    if (this.instance === undefined) return;
    const { address } = this.instance.master;
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
    if (this.instance === undefined) return;
    if (this.instance.master.address === this.#mac) this.ops.keeper?.poll();
    else this.keep();
  }

  /** Tells the policy how good the links are, if it asks. */
  readSpeeds(): void {
    if (this.config.policy.reselect !== 'better' || this.instance === undefined) return;
    const of = (role: Role): number => {
      const device = this.instance.slave(role).device;
      const speed = device && this.ns.ethtool.speed(device.ifindex);
      return speed ? speedWord(speed.mbps, speed.fullDuplex) : 0;
    };
    this.#shards.speeds(this.datapath.slot, of('primary'), of('standby'));
  }

  /** Lets go of what this process holds for the instance. */
  close(): void {
    this.announcer.close();
    this.supplier.close();
  }
}

/** Whether the kernel's own failover has a primary, and so sends there. */
const kernelUsesPrimary = (ns: Namespace, { model }: InstanceConfig, master: Device): boolean =>
  MODELS[model].masterOwnsSlaves &&
  [...ns.monitor.links.values()].some((d) => d.master === master.ifindex && !sameParent(d, master));
