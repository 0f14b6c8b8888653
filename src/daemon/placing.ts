import type { InstanceConfig } from '../config/index.js';
import { attachKind } from '../datapath/hooks.js';
import type { PinStore } from '../datapath/store.js';
import { type Device, identityMac } from '../device.js';
import { VfError } from '../errors.js';
import { masterLabel } from '../registry/master.js';
import { type Kept, keptOf, type Pinned, pinnedAs, pinnedOn } from './kept.js';
import { findMaster } from './master.js';
import type { Namespace } from './namespace.js';

/** What becomes of an instance of the configuration, given what is pinned. */
export type Placement =
  /** `missing`: the master that the edited file names does not exist, so the pinned one is kept. */
  | { readonly how: 'attach' | 'adopt'; readonly master: Device; readonly missing?: VfError }
  /** It is pinned under another name. */
  | { readonly how: 'rename'; readonly from: Pinned }
  /** What is pinned cannot become what is configured: it is taken apart first. */
  | { readonly how: 'rebuild'; readonly because: string };

/**
 * A pinned instance is known by its master's ifindex, whatever that is called now. Another device becomes its master only where the
 * configuration was edited.
 *
 * @param taken whether an instance of that name is there beside this one, or will be
 * @throws VfError DEVICE_NOT_FOUND, MAC_AMBIGUOUS; INSTANCE_EXISTS if the master belongs to another instance
 */
export function placementOf(
  ns: Namespace,
  store: PinStore,
  config: InstanceConfig,
  taken: (name: string) => boolean,
): Placement {
  const pinned = pinnedAs(store, config.name);
  if (pinned) return placementOfPinned(ns, store, config, pinned);
  const master = findMaster(ns, config);
  const other = pinnedOn(store, ns.inode, master.ifindex);
  if (other === undefined) return { how: 'attach', master };
  if (!taken(other.name)) return { how: 'rename', from: other };
  throw new VfError('INSTANCE_EXISTS', `${master.name} is the master of ${other.name} already`, {
    field: 'master',
    value: master.name,
    fix: `choose another master, or \`vfailover detach ${other.name}\` first`,
  });
}

function placementOfPinned(
  ns: Namespace,
  store: PinStore,
  config: InstanceConfig,
  pinned: Pinned,
): Placement {
  const kept = keptOf(store, pinned.slot)?.config;
  if (kept && kept.netns !== config.netns && pinned.id.netns !== ns.inode)
    return { how: 'rebuild', because: 'it is configured in another namespace' };
  const master = masterOf(ns, pinned, kept);
  if (master === undefined) return { how: 'attach', master: findMaster(ns, config) };
  const because = difference(pinned, kept, config);
  if (because) return { how: 'rebuild', because };
  if (kept && JSON.stringify(kept.master) === JSON.stringify(config.master)) return { how: 'adopt', master };
  const named = tryFind(ns, config);
  if (named instanceof VfError) return { how: 'adopt', master, missing: named };
  if (named.ifindex === master.ifindex) return { how: 'adopt', master };
  return { how: 'rebuild', because: `its master was ${master.name} and now is ${named.name}` };
}

/** The device that the pinned programs sit on; undefined: it is gone, or its ifindex means another one now. */
export function masterOf(
  ns: Namespace,
  { id }: Pinned,
  kept: Kept['config'] | undefined,
): Device | undefined {
  const device = id.netns === ns.inode ? ns.rtnl.link(id.masterIfindex) : undefined;
  if (device === undefined) return undefined;
  const named = kept !== undefined && masterLabel(kept.master) === device.name;
  return named || identityMac(device) === id.mac || device.address === id.mac ? device : undefined;
}

/** Why the pinned programs cannot serve the configuration. */
function difference(
  { id }: Pinned,
  kept: Kept['config'] | undefined,
  config: InstanceConfig,
): string | undefined {
  if (id.model !== config.model) return `its model was ${id.model} and now is ${config.model}`;
  const edited = kept === undefined ? config.attach !== 'auto' : kept.attach !== config.attach;
  const attach = edited ? attachKind(config.attach) : id.attach;
  return attach === id.attach ? undefined : `it was attached by ${id.attach} and now is by ${attach}`;
}

function tryFind(ns: Namespace, config: InstanceConfig): Device | VfError {
  try {
    return findMaster(ns, config);
  } catch (e) {
    if (e instanceof VfError) return e;
    throw e;
  }
}
