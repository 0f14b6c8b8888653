import { native } from '../binding.js';

/** The version of the libbpf inside the addon: `1.1`. */
export const libbpfVersion = native.libbpfVersion as string;
