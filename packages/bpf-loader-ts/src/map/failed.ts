import { readFileSync } from 'node:fs';
import { BpfError, type BpfErrorCode } from '../errors.js';
import { errnoName } from '../sys/fd.js';
import { toBpfError } from '../wrap.js';
import type { OpenMap } from './info.js';

const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;

/** What /proc/self/fdinfo tells of a map, as `name: text`; empty without /proc. */
export function fdInfo(fd: number): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch {
    return new Map();
  }
  return new Map(
    text
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

/** Why nothing can be stored through this descriptor of a map; undefined if something can, or nobody knows. */
export function whyReadOnly(fd: number): string | undefined {
  const info = fdInfo(fd);
  if (Number(info.get('frozen')) === 1) return 'the map is frozen';
  const flags = info.get('flags');
  return flags !== undefined && (Number.parseInt(flags, 8) & O_ACCMODE) === O_RDONLY
    ? 'the descriptor was opened read-only (BPF_F_RDONLY)'
    : undefined;
}

const isWriteOnly = (fd: number): boolean =>
  (Number.parseInt(fdInfo(fd).get('flags') ?? '', 8) & O_ACCMODE) === O_WRONLY;

/** The kernel's own number for a missing operation; the C library has no name for it. */
const ENOTSUPP = 'E524';

const HINTS: { readonly [errno: string]: string } = {
  EINVAL: 'this type of map takes no such operation, flag, key or value',
  E2BIG: 'it is full, or the index is outside',
  EEXIST: 'the key is there already',
  ELOOP: 'it changed too often to see every key',
};

/** Throws what a map operation that answered -errno deserves. `count`: elements of a batch that were done. */
export function mapFailed(map: OpenMap, rc: number, doing: string, count?: number): never {
  const raw = errnoName(rc);
  const errno = raw === ENOTSUPP ? 'ENOTSUPP' : raw;
  const fail = (code: BpfErrorCode, why?: string): never => {
    const done = count === undefined ? '' : `, after ${count} elements`;
    throw new BpfError(code, `${doing} ${map.what}: ${why ? `${why} (${errno})` : errno}${done}`, {
      errno,
      ...(count !== undefined && { count }),
    });
  };
  if (errno === 'EPERM' || errno === 'EACCES') {
    const why = whyReadOnly(map.fd);
    if (why) fail('BPF_READONLY', why);
    if (isWriteOnly(map.fd)) fail('BPF_PERMISSION', 'the descriptor was opened write-only (BPF_F_WRONLY)');
    fail('BPF_PERMISSION', 'it needs CAP_BPF');
  }
  if (errno === 'ENOTSUPP' || errno === 'EOPNOTSUPP')
    fail('BPF_UNSUPPORTED', `maps of type ${map.info.typeName} do not have this on the running kernel`);
  return fail('BPF_MAP', HINTS[errno]);
}

/** Runs a call of the addon that answers 0 or -errno; an argument that it refuses is BPF_ARGUMENT. */
export function attempt(map: OpenMap, doing: string, call: () => number): number {
  try {
    return call();
  } catch (e) {
    throw toBpfError('BPF_MAP', `${doing} ${map.what}`, e);
  }
}
