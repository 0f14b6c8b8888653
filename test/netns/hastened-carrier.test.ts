import { expect, onTestFinished, test } from 'vitest';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { LinkMonitor } from '../../src/netlink/index.js';
import { daemonOf, untilActive, world } from '../helpers/daemon.js';
import { elapse, until } from '../helpers/wait.js';

/**
 * The kernel tells of a lost carrier up to a second late when another device's event came before (net/core/link_watch.c). Network managers
 * learn of it only then, unless somebody asks for the link.
 */

/** Cuts the VF `times` times, each less than a second after the last event; ms from each cut to the kernel's own message. */
async function tellsAfter(w: ReturnType<typeof world>, times: number): Promise<number[]> {
  using monitor = new LinkMonitor({ netns: w.guest });
  let lost = 0;
  monitor.on('changed', (d, before) => {
    if (d.ifindex === w.vf.guestIfindex && before.carrier && !d.carrier) lost = performance.now();
  });
  monitor.start();
  const carrier = (on: boolean) =>
    until(
      () => monitor.links.get(w.vf.guestIfindex)!.carrier,
      (is) => is === on,
    );
  const took: number[] = [];
  for (let i = 0; i < times; i++) {
    await carrier(true);
    await elapse(50);
    const cut = performance.now();
    w.cutVf();
    await carrier(false);
    took.push(lost - cut);
    w.mendVf();
  }
  return took.sort((a, b) => a - b);
}

test('a lost carrier is told at once, to everybody, because the daemon asks for the link', async (context) => {
  requires(context, 'RTM_GETLINK that handles waiting link events', '6.7');
  const w = world('tap');
  w.guestRtnl.setLink(w.vf.guestIfindex, { up: true });
  const without = await tellsAfter(w, 5);
  // It is late without us: else this test shows nothing.
  expect(without.at(-1)).toBeGreaterThan(300);

  const { daemon } = daemonOf(w, { policy: { hold_down_ms: 0 } });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  await untilActive({ client }, 'primary');
  const withUs = await tellsAfter(w, 9);
  // About 2.5 ms, and 950 without. The median: a loaded machine may stand still for longer once.
  expect(withUs[4]).toBeLessThan(100);
});
