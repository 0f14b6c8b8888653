import { readdirSync, readFileSync } from 'node:fs';
import type { InstanceConfig } from '../config/index.js';
import { configured } from '../detect/section.js';
import { VfError } from '../errors.js';

/** Descriptors that an instance holds beside those of its detectors: counted in /proc/PID/fd. */
const INSTANCE = 10;
/** Kept free for clients, for what a load takes for a moment, and for namespaces. */
const RESERVE = 96;

/** Descriptors that an instance of this configuration holds. */
export const descriptorsOf = ({ detect }: Pick<InstanceConfig, 'detect'>): number =>
  configured(detect).reduce((n, { row }) => n + (row.descriptors ?? 0), INSTANCE);

/** The limit of open files in force. Node raises it to the hard one when it starts. */
export function openFilesLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * Refuses an instance that this process has no descriptors for, before anything of it is made: the others would lose theirs.
 *
 * @param others instances that run; what their workers open may not be open yet
 * @throws VfError INSTANCE_LIMIT with the field nofile
 */
export function refuseWithoutDescriptors(
  config: InstanceConfig,
  others: Iterable<InstanceConfig>,
  base: number,
  limit = openFilesLimit(),
): void {
  let planned = base;
  for (const other of others) planned += descriptorsOf(other);
  const need = descriptorsOf(config) + RESERVE;
  const used = Math.max(planned, openFiles());
  if (used + need <= limit) return;
  throw new VfError(
    'INSTANCE_LIMIT',
    `${config.name} needs ${descriptorsOf(config)} open files beside a reserve of ${RESERVE}; ${used} of ${limit} are taken`,
    {
      field: 'nofile',
      value: limit,
      fix: 'raise the hard limit and restart the daemon: LimitNOFILE=65536 in its unit, or ulimit -Hn 65536',
    },
  );
}

/** Descriptors that this process has open. */
export const openFiles = (): number => readdirSync('/proc/self/fd').length;
