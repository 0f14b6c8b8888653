import { type AttachedProgram, inspect, Link } from 'bpf-loader-ts';
import { detachFilters } from '../datapath/abandon.js';
import { mapIdsOf, type Owner, ownerOf } from '../datapath/owners.js';
import type { PinStore } from '../datapath/store.js';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { OUR_PROGRAMS } from '../models/table.js';
import { allPinned } from './kept.js';
import type { Namespace } from './namespace.js';

/**
 * Makes sure that no other vfailover steers a device. Programs of ours whose maps nobody has any more (their pins were removed) are
 * orphans: they are taken off, from every device of the namespace. Returns the names of those devices.
 *
 * @throws VfError INSTANCE_BUSY if somebody has the maps
 */
export function clearOrphans(ns: Namespace, store: PinStore, device: Device): string[] {
  const found = oursOn(ns, device);
  if (found.length === 0 || isClaimed(store, ns, device)) return [];
  const maps = new Set<number>();
  for (const { progId } of found) {
    // What works with our own maps and belongs to no slot was left behind by ourselves.
    const its = mapIdsOf(progId);
    const owner = its.has(store.linesId) ? undefined : ownerOf(progId);
    if (owner) throw busy(device, owner);
    for (const id of its) maps.add(id);
  }
  maps.delete(store.linesId);
  const related = ns.rtnl.links().filter((d) => d.ifindex === device.ifindex || sharesMaps(ns, d, maps));
  for (const d of related) takeOff(ns, d);
  return related.map((d) => d.name);
}

const oursOn = (ns: Namespace, { ifindex }: Device): AttachedProgram[] =>
  ns.enter(() => inspect(ifindex)).filter(({ hook, name }) => hook !== 'xdp' && OUR_PROGRAMS.includes(name));

/** A slot of our own store says that the device is its. */
function isClaimed(store: PinStore, ns: Namespace, { ifindex }: Device): boolean {
  for (const { id } of allPinned(store))
    if (id.netns === ns.inode && [id.masterIfindex, id.primaryIfindex, id.standbyIfindex].includes(ifindex))
      return true;
  return false;
}

/** True if a program of ours there works with one of the maps: it belongs to the same lost store. */
const sharesMaps = (ns: Namespace, device: Device, maps: ReadonlySet<number>): boolean =>
  oursOn(ns, device).some(({ progId }) => [...mapIdsOf(progId)].some((id) => maps.has(id)));

function takeOff(ns: Namespace, device: Device): void {
  for (const program of oursOn(ns, device)) {
    if (program.hook === 'tcx' && program.linkId !== undefined) {
      using link = Link.fromId(program.linkId);
      link.detach();
    } else ns.enter(() => detachFilters(device.ifindex));
  }
}

function busy({ name }: Device, { root, pid }: Owner): VfError {
  const who = root === undefined ? `process ${pid}` : `pins in ${root}`;
  const fix =
    root === undefined
      ? `its pins are gone, so nobody can ask it: stop process ${pid}, then attach again`
      : `detach the instance with the daemon that works with pin_root ${root}; if none runs, start one: \`vfailover run\` with that pin_root, then \`vfailover detach\``;
  return new VfError('INSTANCE_BUSY', `another vfailover owns ${name}: its programs belong to ${who}`, {
    field: 'master',
    value: name,
    fix,
  });
}
