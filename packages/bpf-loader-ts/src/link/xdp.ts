import { native } from '../binding.js';
import { AttachType, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE } from '../constants.js';
import { BpfError } from '../errors.js';
import { haveLink } from '../probe/attach.js';
import type { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import { Link } from './link.js';

/** In the driver, after it, or on the network card. */
export type XdpMode = 'native' | 'generic' | 'offload';
const FLAGS: Record<XdpMode, number> = {
  native: XDP_FLAGS_DRV_MODE,
  generic: XDP_FLAGS_SKB_MODE,
  offload: XDP_FLAGS_HW_MODE,
};

/** What to do instead, for what the kernel says of a mode. */
const ADVICE: Record<XdpMode, string> = {
  native: 'its driver may have none: use generic',
  generic: 'it has what generic XDP cannot do',
  offload: 'the program must be loaded for a network card that runs it itself: use native',
};

/**
 * Attaches an XDP program (Linux 5.9): in the driver (`native`), after it (`generic`), on the network card (`offload`). A second link on a
 * device is EBUSY. In the calling thread's namespace.
 */
export function attachXdp(program: Program, ifindex: number, mode: XdpMode): Link {
  if (!Object.hasOwn(FLAGS, mode))
    throw new BpfError('BPF_ARGUMENT', `XDP mode ${String(mode)} is not native, generic or offload`);
  const to = `XDP (${mode}) of device ${ifindex}`;
  try {
    return Link.attach({ program, to, takes: ['xdp'], have: () => haveLink('xdp') }, () =>
      native.linkCreate(program.fd, ifindex, AttachType.xdp, FLAGS[mode], 0, 0),
    );
  } catch (e) {
    if (!(e instanceof BpfError) || e.code !== 'BPF_ATTACH' || program.info.typeName !== 'xdp') throw e;
    if (e.errno !== 'EOPNOTSUPP' && e.errno !== 'EINVAL') throw e;
    throw new BpfError('BPF_ATTACH', `${e.message}; ${ADVICE[mode]}`, { errno: e.errno, cause: e });
  }
}

/** Ids of the XDP programs on a device, 0 for none; one device can have one of each mode. In the calling thread's namespace. */
export const queryXdp = (ifindex: number): Record<XdpMode, number> =>
  wrap('BPF_ATTACH', `query of XDP of device ${ifindex}`, () => native.xdpQuery(ifindex));
