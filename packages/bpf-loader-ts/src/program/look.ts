import { native } from '../binding.js';

/**
 * Runs a tc program once on an empty frame of each of `n` devices (BPF_PROG_TEST_RUN with the device's ifindex in the context, Linux 4.15)
 * and stores what it returned: out[i] for device ifindexes[i] of the namespace netnsFds[i]; -ENODEV where there is none (and for the
 * loopback), or another -errno. One call for all, no lock taken, nothing allocated: about 2 µs a device. It moves the calling thread into
 * the devices' namespace and leaves it there; another one than its own takes CAP_SYS_ADMIN. Returns n, or -EINVAL when an array is
 * shorter than n.
 */
export const runOnDevices = native.runOnDevices as (
  progFd: number,
  netnsFds: Int32Array,
  ifindexes: Int32Array,
  out: Int32Array,
  n: number,
) => number;

/** To be called by that thread when one of the namespaces' descriptors was closed: its number may come to mean another. */
export const forgetNetns = native.forgetNetns as () => void;
