import { monotonicNs } from 'bpf-loader-ts/sys';
import { Announcer } from '../announce/index.js';
import type { InstanceConfig } from '../config/index.js';
import { type Datapath, openDatapath } from '../datapath/datapath.js';
import { attachKind, ourPrograms } from '../datapath/hooks.js';
import type { PinStore } from '../datapath/store.js';
import { VfError } from '../errors.js';
import {
  type Device,
  identityMac,
  type Path,
  PRIMARY,
  pathOf,
  ROLES,
  type Role,
  STANDBY,
} from '../failover/device.js';
import type { FailoverInstance } from '../failover/instance.js';
import { sameParent } from '../failover/match.js';
import { MODELS } from '../failover/model.js';
import {
  CAUSE_UNPLUG,
  CHOICE_NONE,
  isHealthyLink,
  P_LINK_PRIMARY,
  policyBase,
  speedWord,
} from '../failover/policy.js';
import { parseMac } from '../netlink/codec.js';
import { SlaveKeeper } from '../slave/keeper.js';
import type { SlaveContext } from '../slave/takeover.js';
import { checkBfd, reflectorKey } from './bfd-setup.js';
import { DetectorSupplier } from './detector-supply.js';
import { HookKeeper } from './hooks/keeper.js';
import { type Impairment, Impairments } from './impairments.js';
import { InstanceOps, refuseForeign } from './instance-ops.js';
import type { Namespace } from './namespace.js';
import { policyInput } from './policy-input.js';
import { detectVariables } from './programs.js';
import type { Shards } from './shards.js';

/** A worker's word of a switch takes less, ms. */
const HOOK_LOSS_MS = 5_000;

/** An instance that runs: its configuration, its datapath, its place in the registry and in a shard. */
export class Managed {
  readonly config: InstanceConfig;
  readonly ns: Namespace;
  readonly datapath: Datapath;
  readonly ops: InstanceOps;
  readonly instance: FailoverInstance;
  overrideUntil: string | null = null;
  overrideTimer: NodeJS.Timeout | undefined;
  readonly announcer: Announcer;
  readonly #shards: Shards;
  readonly supplier: DetectorSupplier;
  readonly impairments: Impairments;
  readonly hooks: HookKeeper;
  /** Why traffic leaves a slave whose programs are not in place, until the decision is recorded, and since when (performance.now()). */
  #hookLoss: { why: string; at: number } | undefined;

  /** Attaches or adopts. On failure everything is as it was. */
  constructor(
    config: InstanceConfig,
    ns: Namespace,
    store: PinStore,
    shards: Shards,
    impaired: (impairment: Impairment, over: boolean) => void = () => {},
  ) {
    this.config = config;
    this.impairments = new Impairments(impaired);
    this.ns = ns;
    this.#shards = shards;
    const bfd = checkBfd(ns, config);
    const master = findMaster(ns, config);
    const mac = identityMac(master) ?? master.address;
    const adopted = [...store.occupied()].some((s) => s.name === config.name);
    if (!adopted) {
      refuseForeign(ns, master);
      refuseOtherDaemon(ns, store, master);
    }
    this.datapath = openDatapath({
      store,
      shardOf: (slot) => shards.shardOf(slot),
      name: config.name,
      model: config.model,
      netns: ns.inode,
      masterIfindex: master.ifindex,
      mac,
      attach: attachKind(config.attach),
      detect: detectVariables(config),
      active: kernelUsesPrimary(ns, config, master) ? PRIMARY : STANDBY,
      slaveAlive: (ifindex) => {
        const d = ns.rtnl.link(ifindex);
        return (
          d !== undefined &&
          (identityMac(d) === mac || config.primary.mac !== undefined || config.primary.bus !== undefined)
        );
      },
      enter: ns.enter,
      nameOf: (ifindex) => ns.rtnl.link(ifindex)?.name ?? `device ${ifindex}`,
    });
    const { overrideUntilNs } = this.datapath.identity;
    // It ended while no daemon ran.
    if (overrideUntilNs !== 0 && overrideUntilNs <= monotonicNs())
      this.datapath.remember({ override: CHOICE_NONE, overrideUntilNs: 0 });
    this.ops = new InstanceOps(ns, this.datapath, store.undo);
    this.ops.keeper = new SlaveKeeper({
      model: config.model,
      context: () => this.#slaveContext(),
      report: (takeover, shortfalls) => this.impairments.replace(takeover, shortfalls),
    });
    this.ops.onLink = () => this.readSpeeds();
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
      mac,
      count: config.announce.count,
      delayMs: config.announce.delay_ms,
      rejoin: { count: config.announce.rejoin.count, delayMs: config.announce.rejoin.delay_ms },
      devices: () => ns.monitor.links.values(),
      reader: ns.addresses,
    });
    const { slot } = this.datapath;
    this.datapath.reflect(config.reflector && reflectorKey(config.reflector, parseMac(mac)));
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
      mac: parseMac(mac),
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
        ...(Object.keys(selector).length > 0 && { rules: { primary: selector } }),
      });
      const standby = this.instance.slave('standby');
      // An adopted instance goes on with what it has; a new one whose master cannot serve is refused.
      if (standby.error && !adopted) {
        ns.registry.unregister(config.name);
        throw standby.error;
      }
    } catch (e) {
      shards.detach(slot);
      if (adopted) this.datapath.release();
      else this.datapath.remove();
      throw e;
    }
  }

  /** What the slave that is not the master itself must follow; undefined: there is none. */
  #slaveContext(): SlaveContext | undefined {
    const { instance } = this;
    if (instance === undefined) return undefined;
    for (const role of ROLES) {
      const device = instance.joined.get(role)?.device;
      if (device && device.ifindex !== instance.master.ifindex)
        return this.ops.contextOf(instance, device, role);
    }
    return undefined;
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

  /** Brings the slave in line with its master. */
  keep(): void {
    this.ops.keeper?.look();
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

function findMaster(ns: Namespace, config: InstanceConfig): Device {
  const { master } = config;
  const device = ns.rtnl.link(master);
  if (device) return device;
  const names = ns.rtnl.links().map((d) => d.name);
  throw new VfError('DEVICE_NOT_FOUND', `there is no device ${master}`, {
    field: 'master',
    value: master,
    fix: `name one of: ${names.join(', ')}`,
  });
}

/** Whether the kernel's own failover has a primary, and so sends there. */
const kernelUsesPrimary = (ns: Namespace, { model }: InstanceConfig, master: Device): boolean =>
  MODELS[model].masterOwnsSlaves &&
  [...ns.monitor.links.values()].some((d) => d.master === master.ifindex && !sameParent(d, master));

/** Our own programs on a device whose slot is not in our store: another daemon, with another pin_root, owns it. */
function refuseOtherDaemon(ns: Namespace, store: PinStore, master: Device): void {
  const ours = [...store.occupied()].some(({ slot }) => {
    const id = store.identities.read(slot)!;
    return id.masterIfindex === master.ifindex && id.netns === ns.inode;
  });
  if (ours || ns.enter(() => ourPrograms(master.ifindex)).length === 0) return;
  throw new VfError(
    'INSTANCE_BUSY',
    `another vfailover owns ${master.name}: its programs are attached there`,
    {
      field: 'master',
      value: master.name,
      fix: 'use that daemon (its socket and pin_root), or detach the instance there first',
    },
  );
}
