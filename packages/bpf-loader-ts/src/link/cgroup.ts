import { closeSync, constants, openSync, statfsSync } from 'node:fs';
import { native } from '../binding.js';
import { AttachType } from '../constants.js';
import { BpfError } from '../errors.js';
import { haveLink } from '../probe/attach.js';
import { errno, orUnsupported, type Probe, probe } from '../probe/probe.js';
import type { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import { Link } from './link.js';
import { type PlaceOptions, place } from './place.js';

const CGROUP2_MAGIC = 0x63677270;

/** What can be attached to a cgroup. */
export type CgroupAttachType = Extract<keyof typeof AttachType, `cgroup_${string}` | 'lsm_cgroup'>;

const PROGRAMS = [
  'cgroup_skb',
  'cgroup_sock',
  'cgroup_sock_addr',
  'cgroup_sockopt',
  'cgroup_sysctl',
  'cgroup_device',
  'sock_ops',
  'lsm',
] as const;

function numberOf(attachType: CgroupAttachType): number {
  if (Object.hasOwn(AttachType, attachType) && /^cgroup_|^lsm_cgroup$/.test(attachType))
    return AttachType[attachType];
  throw new BpfError(
    'BPF_ARGUMENT',
    `attach type ${String(attachType)} is none of a cgroup's, such as cgroup_inet_egress`,
  );
}

/** Opens a folder of a cgroup2 hierarchy for as long as `use` needs it; a descriptor stays its owner's. */
function withCgroup<T>(doing: string, cgroup: string | number, use: (fd: number) => T): T {
  if (typeof cgroup === 'number') return use(cgroup);
  const no = (why: string, e?: unknown): BpfError => {
    const { code } = (e ?? {}) as NodeJS.ErrnoException;
    return new BpfError('BPF_ATTACH', `${doing}: ${why}`, {
      cause: e,
      ...(code !== undefined && { errno: code }),
    });
  };
  let fd: number;
  try {
    if (statfsSync(cgroup).type !== CGROUP2_MAGIC)
      throw no(`${cgroup} is no folder of a cgroup2 file system`);
    fd = openSync(cgroup, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (e) {
    throw e instanceof BpfError ? e : no((e as Error).message, e);
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Kernels that order programs of a cgroup count the changes of their list; those before 6.6 know no such question. */
const havePlaces = (fd: number, type: number): Probe =>
  probe('a place among the programs of a cgroup', '6.17', () => {
    try {
      return (native.progQuery(fd, type, true) as { revision: number }).revision > 0;
    } catch (e) {
      if (['EINVAL', 'E2BIG'].includes(errno(e) ?? '')) return false;
      throw e;
    }
  });

/**
 * Attaches to a cgroup, by its folder or a descriptor of that, for it and all below it (Linux 5.7): `cgroup_inet_egress`, `cgroup_device` …
 * Several programs run one after the other. A place among them takes Linux 6.17 (BPF_UNSUPPORTED before).
 */
export function attachCgroup(
  program: Program,
  cgroup: string | number,
  attachType: CgroupAttachType,
  options: PlaceOptions = {},
): Link {
  const type = numberOf(attachType);
  const { flags, relative, expectedRevision } = place(options);
  const to = `${attachType} of cgroup ${cgroup}`;
  const placed = flags !== 0 || expectedRevision !== 0;
  return withCgroup(`attach ${program.info.name} to ${to}`, cgroup, (fd) => {
    // Asked before: an older kernel takes a revision for nothing, and attaches.
    if (placed && haveLink('cgroup').answer === 'supported') {
      const { answer, detail } = havePlaces(fd, type);
      if (answer === 'unsupported')
        throw new BpfError('BPF_UNSUPPORTED', `attach ${program.info.name} to ${to}: ${detail}`);
    }
    return Link.attach({ program, to, takes: PROGRAMS, have: () => haveLink('cgroup') }, () =>
      native.linkCreate(program.fd, fd, type, flags, relative, expectedRevision),
    );
  });
}

/** Ids of the programs attached to a cgroup itself, not those of its parents, in the order they run (Linux 4.15). */
export function queryCgroup(cgroup: string | number, attachType: CgroupAttachType): number[] {
  const type = numberOf(attachType);
  const doing = `query of ${attachType} of cgroup ${cgroup}`;
  return withCgroup(doing, cgroup, (fd) => {
    try {
      const list = wrap('BPF_ATTACH', doing, () => native.progQuery(fd, type, false));
      return (list as { entries: { progId: number }[] }).entries.map((e) => e.progId);
    } catch (e) {
      throw orUnsupported(e, doing, () => haveLink('cgroup'));
    }
  });
}
