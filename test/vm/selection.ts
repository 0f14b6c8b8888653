import { test } from 'vitest';
import { KERNELS, type KernelName } from '../../lab/vm/kernel.js';
import type { ManagerName } from '../../lab/vm/managers.js';
import { MODELS, type Model } from '../../lab/vm/questions/interview.js';
import { PRIMARIES, type PrimaryKind } from '../../lab/vm/testbed.js';

/** `make vm-test` sets VM_TEST=full. The other targets have time for one kernel and the essential cases. */
export const FULL = process.env.VM_TEST === 'full';

/** A test for the full form only. */
export const thorough: typeof test | (() => void) = FULL ? test : () => {};

/** Kernels and primaries that the daemon is tested with: every one of each, not every pair. TCX and clsact, link at once and after seconds. */
const ALL: readonly [KernelName, PrimaryKind][] = [
  ['6.12', 'vmxnet3'],
  ['6.1', 'e1000e'],
  ['7', 'igbvf'],
];

/** `VM_WIRE=taps` tests the daemon behind the kernel's own switch, as root. */
export const WIRE = process.env.VM_WIRE === 'taps' ? 'taps' : 'sockets';

export const TESTBEDS = FULL ? ALL : ALL.slice(0, 1);

/** NICs that are asked what they let in: every one with every kernel, in each model. */
export const FILTERS: readonly [KernelName, PrimaryKind, Model][] = FULL
  ? (Object.keys(KERNELS) as KernelName[]).flatMap((kernel) =>
      PRIMARIES.flatMap((primary) =>
        MODELS.map((model): [KernelName, PrimaryKind, Model] => [kernel, primary, model]),
      ),
    )
  : [['6.12', 'vmxnet3', 'transparent']];

/** Kernels that doctor is asked on. */
export const DOCTORS: readonly KernelName[] = FULL ? (Object.keys(KERNELS) as KernelName[]) : ['6.12'];
/** Migrations take minutes: the whole matrix only. By hand (the transparent model), and by QEMU itself (STANDBY). */
export const MIGRATIONS: readonly [KernelName, PrimaryKind, 'transparent' | 'net-failover'][] = [
  ['6.12', 'vmxnet3', 'net-failover'],
  ['6.12', 'e1000e', 'transparent'],
];

/** Managers of the network in whole Debian guests; `VM_MANAGER=ifupdown` takes one. */
const MANAGER_NAMES: readonly ManagerName[] = ['networkd', 'NetworkManager', 'ifupdown', 'cloud-init'];
export const DEBIAN: readonly ManagerName[] = process.env.VM_MANAGER
  ? MANAGER_NAMES.filter((m) => m === process.env.VM_MANAGER)
  : FULL
    ? MANAGER_NAMES
    : MANAGER_NAMES.slice(0, 1);
