import type { Rtnl } from '../netlink/index.js';

/** True if frames wait in a device's queueing discipline, or may do. */
const waits = (rtnl: Rtnl, ifindex: number): boolean =>
  rtnl.qdiscs(ifindex).some(({ queued = 1, kind }) => queued > 0 && !NO_QUEUE.has(kind));

/** These hold no frames, and some kernels give no figures for them. */
const NO_QUEUE: ReadonlySet<string> = new Set(['noqueue', 'clsact', 'ingress']);

/**
 * Throws away what waits in a device's queueing discipline, of whatever kind and however many queues. TCP does not retransmit a segment
 * that this host still holds (skb_still_in_host_queue, net/ipv4/tcp_output.c), so a connection stands still on the new path for as
 * long as its frames sit in the queue of the old one.
 *
 * A changed queue length does it: the kernel deactivates the device's queues for that (dev_qdisc_change_tx_queue_len,
 * net/sched/sch_generic.c, since 4.17), and so resets them. The length is put back at once. Frames that the driver has in its ring
 * stay there. Takes two RCU grace periods, 10 to 30 ms on an idle machine, during which the device sends nothing.
 * So it is done only where frames wait.
 */
export function freeQueue(rtnl: Rtnl, ifindex: number): void {
  const device = rtnl.link(ifindex);
  const length = device?.txQueueLength ?? 0;
  if (!device?.up || length === 0 || !waits(rtnl, ifindex)) return;
  try {
    rtnl.setLink(ifindex, { txQueueLength: length + 1 });
  } finally {
    rtnl.setLink(ifindex, { txQueueLength: length });
  }
}
