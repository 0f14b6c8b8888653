import { setTimeout } from 'node:timers/promises';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';

/** Time for the kernel, or another process, to have done something: more where a machine is emulated. */
export const sleep = (ms: number): Promise<void> => setTimeout(ms * SLOWDOWN);
