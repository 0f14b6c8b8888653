import { AttachType, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE } from '../constants.js';
import type { Program } from '../program.js';
import { Link } from './link.js';

export type XdpMode = 'native' | 'generic' | 'offload';
const flags: Record<XdpMode, number> = {
  native: XDP_FLAGS_DRV_MODE,
  generic: XDP_FLAGS_SKB_MODE,
  offload: XDP_FLAGS_HW_MODE,
};

/** Attaches an XDP program (Linux 5.9). A second link on a device is EBUSY. In the calling thread's namespace. */
export function attachXdp(program: Program, ifindex: number, mode: XdpMode): Link {
  return Link.create(program, ifindex, AttachType.xdp, `XDP (${mode})`, { flags: flags[mode] });
}
