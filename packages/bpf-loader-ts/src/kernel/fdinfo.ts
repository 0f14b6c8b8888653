import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A map, program or link of the kernel's. */
export interface KernelObject {
  kind: 'map' | 'program' | 'link';
  id: number;
}

const FOLDER = '/proc/self/fd';

/** What a descriptor of this process stands for; undefined for anything else than these. */
export function objectOfFd(fd: number | string): KernelObject | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return undefined;
  }
  const id = (name: string): number => Number(text.match(new RegExp(`^${name}:\\s*(\\d+)$`, 'm'))?.[1] ?? 0);
  // A link names its program too.
  for (const [kind, name] of [
    ['link', 'link_id'],
    ['program', 'prog_id'],
    ['map', 'map_id'],
  ] as const) {
    const found = id(name);
    if (found > 0) return { kind, id: found };
  }
  return undefined;
}

/** Every map, program and link that this process has open, in whichever thread. */
export function openObjects(): KernelObject[] {
  return readdirSync(FOLDER)
    .filter((fd) => {
      try {
        return readlinkSync(`${FOLDER}/${fd}`).startsWith('anon_inode:bpf');
      } catch {
        return false;
      }
    })
    .map(objectOfFd)
    .filter((o) => o !== undefined);
}
