import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap, type MapSpec } from 'bpf-loader-ts';

const PIN = 'groups';

/**
 * Opens the instance's map of group frames (bpf/group.bpf.h), pinned in its folder, or makes it. While a daemon restarts, some hooks run
 * its new programs and others the earlier ones: by one map between them no frame is delivered twice. The caller closes the map.
 */
export function openGroupTable(folder: string, spec: MapSpec): BpfMap {
  const path = join(folder, PIN);
  const { type, keySize, valueSize, maxEntries, flags } = spec;
  if (existsSync(path)) {
    const earlier = BpfMap.fromPin(path);
    if (earlier.info.valueSize === valueSize && earlier.info.maxEntries === maxEntries) return earlier;
    earlier.close();
    rmSync(path);
  }
  const map = BpfMap.create({ type, name: 'vf_groups', keySize, valueSize, maxEntries, flags });
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    map.pin(path);
    return map;
  } catch (e) {
    map.close();
    throw e;
  }
}

export function removeGroupTable(folder: string): void {
  rmSync(join(folder, PIN), { force: true });
}
