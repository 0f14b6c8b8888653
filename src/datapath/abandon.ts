import { rmSync } from 'node:fs';
import { BpfError, detachClsact } from 'bpf-loader-ts';
import { HANDLE, PRIORITIES } from './hooks.js';
import type { PinStore } from './store.js';

/**
 * Frees a slot whose instance cannot be opened any more: its namespace or its master is gone, or its programs do not load. Links of TCX
 * end with their pins; filters of clsact are taken off by `enter`, where the namespace still can be entered.
 */
export function abandon(store: PinStore, slot: number, enter: (<T>(fn: () => T) => T) | undefined): void {
  const id = store.identities.read(slot);
  if (id === undefined) return;
  rmSync(store.instanceFolder(id.name), { recursive: true, force: true });
  if (id.attach === 'clsact' && enter)
    for (const ifindex of new Set([id.masterIfindex, id.primaryIfindex, id.standbyIfindex]))
      if (ifindex !== 0) enter(() => detachFilters(ifindex));
  store.undo.clear(slot);
  store.kept.clear(slot);
  store.identities.clear(slot);
}

/** Takes our filters off a device, by their places. In the device's namespace. */
export function detachFilters(ifindex: number): void {
  for (const direction of ['ingress', 'egress'] as const)
    for (const priority of PRIORITIES)
      try {
        detachClsact({ ifindex, direction, handle: HANDLE, priority });
      } catch (e) {
        if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? '')) throw e;
      }
}
