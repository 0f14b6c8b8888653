import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { KERNELS, type KernelName } from '../../../lab/vm/kernel.js';
import { VfError } from '../../../src/errors.js';

export interface MatrixOptions {
  kernels: KernelName[];
  /** These test files only; undefined: all that are for guests. */
  files: string[] | undefined;
  /** Guests side by side, of all kernels together. */
  guests: number;
  limitMs: number;
  /** File for a further copy of the results. */
  json: string | undefined;
  help: boolean;
}

const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

export const USAGE = `node dist/test/vm/matrix/main.js [--kernels LIST] [--files LIST] [--guests N] [--limit SECONDS] [--json FILE]

Boots each kernel under emulation, runs the tests for it and prints the result of each. Ends with 1 if a test failed.

  --kernels LIST  ${KERNEL_NAMES.join(',')} (default: all)
  --files LIST    test files as paths from the repository (default: all that are for guests)
  --guests N      guests side by side, of all kernels together (default: one a CPU)
  --limit SECONDS the longest that all of it may take (default 1800)
  --json FILE     write the results there too
  --help          this text
Lists are separated by commas.
`;

/** Reads the command line. @throws VfError USAGE */
export function parseOptions(args: readonly string[]): MatrixOptions {
  const values = read(args);
  const kernels = values.kernels.split(',') as KernelName[];
  const unknown = kernels.find((k) => !Object.hasOwn(KERNELS, k));
  if (unknown !== undefined)
    throw new VfError('USAGE', `there is no kernel ${unknown}`, {
      field: '--kernels',
      value: values.kernels,
      fix: `choose from ${KERNEL_NAMES.join(', ')}`,
    });
  return {
    kernels,
    files: values.files?.split(','),
    guests: wholeNumber('--guests', values.guests),
    limitMs: wholeNumber('--limit', values.limit) * 1000,
    json: values.json,
    help: values.help,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        kernels: { type: 'string', default: KERNEL_NAMES.join(',') },
        files: { type: 'string' },
        guests: { type: 'string', default: String(availableParallelism()) },
        limit: { type: 'string', default: '1800' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (e) {
    throw new VfError('USAGE', (e as Error).message, { fix: 'see --help', cause: e });
  }
}

function wholeNumber(field: string, text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n > 0) return n;
  throw new VfError('USAGE', `${field} ${text}: it takes a whole number from 1`, {
    field,
    value: text,
    fix: `${field} 2`,
  });
}
