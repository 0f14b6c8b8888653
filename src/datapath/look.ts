import { type Look, look } from '../../bpf/look.bpf.js';
import { bpfObject } from '../paths.js';
import { seesCarrier } from './program-loader.js';

/**
 * The program that reads a device's state without a lock (bpf/look.bpf.c); undefined where the kernel (before 6.2) or a missing
 * CAP_PERFMON does not allow it. Returns LINK_* bits.
 */
export const loadLook = (): Look | undefined => (seesCarrier() ? look.load(bpfObject('look')) : undefined);
