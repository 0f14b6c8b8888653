import { monotonicNs } from 'bpf-loader-ts/sys';
import type { InstanceConfig } from '../config/index.js';
import { type Datapath, openDatapath } from '../datapath/datapath.js';
import { type AttachKind, attachKind } from '../datapath/hooks.js';
import type { PinStore } from '../datapath/store.js';
import type { BfdAuthConfig } from '../detect/bfd/auth.js';
import { type Device, identityMac, PRIMARY, ROLES, STANDBY } from '../device.js';
import { parseMac } from '../frames/mac.js';
import { MODELS } from '../models/table.js';
import { CHOICE_NONE } from '../policy/evaluate.js';
import type { FailoverInstance } from '../registry/instance.js';
import { macsOf, type SlaveSelector, sameParent } from '../registry/match.js';
import { checkBfd, reflectorKey } from './bfd-setup.js';
import { refuseForeign } from './instance-ops.js';
import { keep, pinnedAs } from './kept.js';
import { Managed, type ManagedParts } from './managed.js';
import { refuseSwapped } from './master.js';
import type { Namespace } from './namespace.js';
import { clearOrphans } from './orphans.js';
import { policyInput } from './policy-input.js';
import { programVariables } from './programs.js';

/** An instance that is to run, and where. */
export interface SetUpRequest
  extends Pick<ManagedParts, 'config' | 'source' | 'master' | 'ns' | 'shards' | 'impaired'> {
  readonly store: PinStore;
  /** Told of devices that programs of a lost store were taken off. */
  onCleared(devices: readonly string[]): void;
}

/** What is known of an instance before anything is made. */
interface Plan {
  readonly adopted: boolean;
  /** The MAC that its master had when an earlier daemon made it. */
  readonly formerMac?: string;
  readonly attach: AttachKind;
  readonly bfdAuth: BfdAuthConfig | undefined;
  /** Throws if another vfailover steers the device. */
  otherOwners(device: Device): void;
}

/** Takes back one thing that was done. */
type Undo = () => void;

/**
 * Attaches an instance, or adopts what an earlier daemon pinned of it: plan, open, register.
 * @throws VfError why it cannot run. Everything is as it was then; what was pinned goes on.
 */
export function setUp(request: SetUpRequest): Managed {
  const undo: Undo[] = [];
  try {
    const plan = planned(request);
    const managed = opened(request, plan, undo);
    registered(request, plan, managed, undo);
    return managed;
  } catch (e) {
    for (const step of undo.reverse()) step();
    throw e;
  }
}

/** Looks whether the instance can be. Takes programs of a lost store off its master, and changes nothing else. */
function planned({ config, master, ns, store, onCleared }: SetUpRequest): Plan {
  const bfdAuth = checkBfd(ns, config);
  const pinned = pinnedAs(store, config.name);
  const otherOwners = (device: Device): void => {
    const devices = clearOrphans(ns, store, device);
    if (devices.length > 0) onCleared(devices);
  };
  if (pinned === undefined) {
    refuseSwapped(ns, config, master);
    refuseForeign(ns, master);
    otherOwners(master);
  }
  const adopted = pinned !== undefined;
  const attach = attachKind(config.attach);
  return { adopted, ...(pinned && { formerMac: pinned.id.mac }), attach, bfdAuth, otherOwners };
}

/** Puts the programs in place, and gives the slot to a decision worker. */
function opened(request: SetUpRequest, plan: Plan, undo: Undo[]): Managed {
  const { config, master, ns, store, shards } = request;
  const datapath = openDatapath({
    store,
    shardOf: (slot) => shards.shardOf(slot),
    name: config.name,
    model: config.model,
    netns: ns.inode,
    netnsCookie: ns.cookie,
    masterIfindex: master.ifindex,
    mac: identityMac(master) ?? master.address,
    attach: plan.attach,
    variables: programVariables(config),
    active: kernelUsesPrimary(ns, config, master) ? PRIMARY : STANDBY,
    slaveAlive: (ifindex) => isItsSlave(request, plan, ifindex),
    enter: ns.enter,
    nameOf: (ifindex) => ns.rtnl.link(ifindex)?.name ?? `device ${ifindex}`,
  });
  undo.push(() => (plan.adopted ? datapath.release() : datapath.remove()));
  const { overrideUntilNs } = datapath.identity;
  // It ended while no daemon ran.
  if (overrideUntilNs !== 0 && overrideUntilNs <= monotonicNs())
    datapath.remember({ override: CHOICE_NONE, overrideUntilNs: 0 });
  const managed = new Managed({ ...request, undo: store.undo, datapath, otherOwners: plan.otherOwners });
  undo.push(() => managed.close());
  datapath.reflect(config.reflector && reflectorKey(config.reflector, parseMac(master.address)));
  toWorker(request, plan, datapath);
  undo.push(() => shards.detach(datapath.slot));
  return managed;
}

/** True if a slave of the earlier daemon still is there, and still is this instance's. */
function isItsSlave({ config, master, ns }: SetUpRequest, { formerMac }: Plan, ifindex: number): boolean {
  const d = ns.rtnl.link(ifindex);
  if (d === undefined) return false;
  const macs = macsOf({ master, ...(formerMac !== undefined && { formerMac }) });
  const known = macs.includes(identityMac(d) ?? '') || macs.includes(d.address);
  return known || config.primary.mac !== undefined || config.primary.bus !== undefined;
}

function toWorker({ config, master, ns, shards }: SetUpRequest, { bfdAuth }: Plan, datapath: Datapath): void {
  const { override, maintenance, seenWord } = datapath.identity;
  shards.attach({
    slot: datapath.slot,
    netnsFd: ns.fd,
    tier0: config.policy.tier0,
    policy: {
      ...policyInput(config.policy),
      override,
      maintenance,
      known: datapath.adopted && datapath.primaryIfindex !== 0,
    },
    detect: config.detect,
    mac: parseMac(master.address),
    deadlineFd: datapath.bfd?.fd ?? -1,
    bfdAuth,
    knownWord: seenWord,
  });
}

/** Offers it every device of the namespace, and keeps its configuration for the next daemon. */
function registered(request: SetUpRequest, plan: Plan, managed: Managed, undo: Undo[]): void {
  const { config, source, master, ns, store } = request;
  const { registry } = ns;
  const { formerMac, adopted } = plan;
  const { slot } = managed.datapath;
  const instance = registry.register({
    name: config.name,
    model: config.model,
    master,
    ops: managed.ops,
    index: slot,
    ...(formerMac !== undefined && { formerMac }),
    ...rulesOf(config),
  });
  managed.registered(instance);
  undo.push(() => (adopted ? registry.forget(config.name) : registry.unregister(config.name)));
  const standby = instance.slave('standby');
  // An adopted instance goes on with what it has; a new one whose master cannot serve is refused.
  if (standby.error && !adopted) throw standby.error;
  dropStray(managed, instance);
  keep(store, slot, { source, config });
}

function rulesOf({ primary: { name, mac, bus } }: InstanceConfig): { rules?: { primary: SlaveSelector } } {
  const primary: SlaveSelector = {
    ...(name !== undefined && { name }),
    ...(mac !== undefined && { mac }),
    ...(bus !== undefined && { bus }),
  };
  return Object.keys(primary).length > 0 ? { rules: { primary } } : {};
}

/** A slave of the earlier daemon that the configuration, or the device itself, does not let join any more is taken apart. */
function dropStray({ datapath, ops, ns }: Managed, instance: FailoverInstance): void {
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

/** Whether the kernel's own failover has a primary, and so sends there. */
const kernelUsesPrimary = (ns: Namespace, { model }: InstanceConfig, master: Device): boolean =>
  MODELS[model].masterOwnsSlaves &&
  [...ns.monitor.links.values()].some((d) => d.master === master.ifindex && !sameParent(d, master));
