import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BpfError, BpfMap, Program } from 'bpf-loader-ts';

/** Who keeps a program's maps: pins below `root`, or a process that has them open. */
export interface Owner {
  readonly root?: string;
  readonly pid?: number;
}

/** Folders below a bpffs that are searched for a pin root. */
const DEPTH = 6;

/**
 * The owner of one of our programs, by its maps. Undefined: no bpffs that can be seen has them pinned and no process has them open, so
 * nobody can ever steer or detach it. Looks through all of /proc: for error paths only. Needs CAP_SYS_ADMIN.
 */
export function ownerOf(progId: number): Owner | undefined {
  const maps = mapIdsOf(progId);
  for (const mount of bpffsMounts()) {
    const root = rootWith(mount, maps, DEPTH);
    if (root !== undefined) return { root };
  }
  const pid = holderOf(maps);
  return pid === undefined ? undefined : { pid };
}

/** Ids of the maps that a program works with; none of one that has just ended. */
export function mapIdsOf(progId: number): ReadonlySet<number> {
  try {
    using program = Program.fromId(progId);
    return new Set(program.info.mapIds);
  } catch (e) {
    if (e instanceof BpfError && e.errno === 'ENOENT') return new Set();
    throw e;
  }
}

/** Paths of every bpffs, in this mount namespace and, by way of /proc/PID/root, in others. */
function bpffsMounts(): string[] {
  const paths = new Map<string, string>();
  const seen = new Set<string>();
  for (const pid of ['self', ...pids()]) {
    const space = quietly(() => readlinkSync(`/proc/${pid}/ns/mnt`));
    if (space === undefined || seen.has(space)) continue;
    seen.add(space);
    for (const line of (quietly(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8')) ?? '').split('\n')) {
      const [before = '', after = ''] = line.split(' - ');
      if (!after.startsWith('bpf ')) continue;
      const [, , device = '', , at = ''] = before.split(' ');
      // The same file system mounted in many namespaces is looked at once.
      if (!paths.has(device)) paths.set(device, pid === 'self' ? at : `/proc/${pid}/root${at}`);
    }
  }
  return [...paths.values()];
}

/** The folder whose `maps/lines` is one of `maps`. */
function rootWith(folder: string, maps: ReadonlySet<number>, depth: number): string | undefined {
  const pin = join(folder, 'maps', 'lines');
  if (existsSync(pin) && maps.has(mapIdAt(pin))) return folder;
  if (depth === 0) return undefined;
  for (const entry of quietly(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    if (!entry.isDirectory()) continue;
    const found = rootWith(join(folder, entry.name), maps, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function mapIdAt(pin: string): number {
  try {
    using map = BpfMap.fromPin(pin, { readOnly: true });
    return map.info.id;
  } catch {
    return 0;
  }
}

/** A process, not this one, that has one of the maps open. */
function holderOf(maps: ReadonlySet<number>): number | undefined {
  for (const pid of pids()) {
    if (Number(pid) === process.pid) continue;
    for (const fd of quietly(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      if (quietly(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) !== 'anon_inode:bpf-map') continue;
      const text = quietly(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? '';
      if (maps.has(Number(/^map_id:\s*(\d+)$/m.exec(text)?.[1] ?? 0))) return Number(pid);
    }
  }
  return undefined;
}

const pids = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** Undefined where something ended while it was looked at. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
