import { KERNELS, type KernelName } from './lab/kernel.js';
import type { PrimaryKind } from './lab/testbed.js';

/** The whole matrix (`make vm-test`), or what `make test` has time for. */
export const FULL = process.env.VM_TEST === 'full';

export const KERNELS_HERE: readonly KernelName[] = FULL ? (Object.keys(KERNELS) as KernelName[]) : ['6.12'];
export const PRIMARIES_HERE: readonly PrimaryKind[] = FULL ? ['vmxnet3', 'e1000e', 'igbvf'] : ['vmxnet3'];
