import { parseArgs } from 'node:util';
import { KERNELS, type KernelName } from '../../lab/vm/kernel.js';
import type { PrimaryKind } from '../../lab/vm/testbed.js';
import { contenders } from './contenders.js';
import { FAULTS, type Fault } from './faults.js';
import { MIGRATION } from './migration.js';
import { TCP_FAULTS, type TcpFault } from './tcp.js';

export const USAGE = `make bench-vm [ARGS='…']
  --n N              trials of each fault (default 10)
  --kernel NAME      ${Object.keys(KERNELS).join(', ')} (default 6.12)
  --primary LIST     vmxnet3,e1000e (default both)
  --contender TEXT   only those whose name contains it; may be repeated
  --fault TEXT       only those whose name contains it; may be repeated
  --fresh            forget the trials of earlier runs; without it a run goes on where the last one stopped
  --account          tells of each migration what happened when, and what was lost between
  --table            measure nothing: results and docs/peers.md from the trials there are
`;

export interface Options {
  n: number;
  kernel: KernelName;
  primaries: PrimaryKind[];
  /** Names. */
  contenders: readonly string[];
  faults: readonly Fault[];
  tcp: readonly TcpFault[];
  migration: boolean;
  fresh: boolean;
  tableOnly: boolean;
  account: boolean;
}

/** A command line that is wrong, in words. */
export class UsageError extends Error {}

/** Reads the arguments. Throws UsageError. */
export function parseOptions(argv: string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      n: { type: 'string', default: '10' },
      kernel: { type: 'string', default: '6.12' },
      primary: { type: 'string', default: 'vmxnet3,e1000e' },
      contender: { type: 'string', multiple: true, default: [] },
      fault: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      account: { type: 'boolean', default: false },
    },
  });
  const n = Number(values.n);
  if (!Number.isInteger(n) || n < 1) throw new UsageError(`--n ${values.n}: a whole number from 1`);
  if (!Object.hasOwn(KERNELS, values.kernel))
    throw new UsageError(`--kernel ${values.kernel}: one of ${Object.keys(KERNELS).join(', ')}`);
  const primaries = values.primary.split(',') as PrimaryKind[];
  for (const p of primaries)
    if (p !== 'vmxnet3' && p !== 'e1000e') throw new UsageError(`--primary ${p}: vmxnet3 or e1000e`);
  const chosen = <T extends { name: string }>(what: string, all: readonly T[], words: string[]): T[] => {
    const found = all.filter((x) => words.length === 0 || words.some((w) => x.name.includes(w)));
    if (found.length === 0)
      throw new UsageError(`--${what} ${words.join(' ')}: none of ${all.map((x) => x.name).join(', ')}`);
    return found;
  };
  const faults = chosen('fault', [...FAULTS, ...TCP_FAULTS, MIGRATION], values.fault);
  return {
    n,
    kernel: values.kernel as KernelName,
    primaries,
    contenders: chosen('contender', contenders(), values.contender).map(({ name }) => name),
    faults: FAULTS.filter((f) => faults.includes(f)),
    tcp: TCP_FAULTS.filter((f) => faults.includes(f)),
    migration: faults.includes(MIGRATION),
    fresh: values.fresh,
    tableOnly: values.table,
    account: values.account,
  };
}
