import { describe, expect, test } from 'vitest';
import { cli, inGuest, lab, status, untilActive } from '../helpers/daemon.js';
import { until } from '../helpers/wait.js';

/** `link_failure_count`, as bonding has it, beside what the kernel makes of the devices. */

describe.each(['veth', 'tap'] as const)('on %s', (kind) => {
  test('a lost link is counted, by carrier or by hand, until the device leaves', async () => {
    const l = await lab(kind);
    const { world } = l;
    const counts = async (): Promise<number[]> => {
      const { primary, standby } = await status(l);
      return [primary.link_failure_count, standby.link_failure_count];
    };
    await untilActive(l, 'primary');
    expect(await counts()).toEqual([0, 0]);

    world.cutVf();
    await untilActive(l, 'standby');
    expect(await counts()).toEqual([1, 0]);
    world.mendVf();
    await untilActive(l, 'primary');

    const set = (state: 'up' | 'down') => inGuest(world, 'ip', 'link', 'set', 'vf0', state);
    set('down');
    await untilActive(l, 'standby');
    set('up');
    await untilActive(l, 'primary');
    expect(await counts()).toEqual([2, 0]);
    expect(cli('--socket', l.daemon.socket, 'status').out).toMatch(
      / LOST [\s\S]*\* primary +vf0 \(\d+\) +joined +up +2 [\s\S]* standby +virtio0 \(\d+\) +joined +up +0 /,
    );

    // Nobody leaves the standby, and its losses count all the same.
    inGuest(world, 'ip', 'link', 'set', 'virtio0', 'down');
    await until(counts, ([, standby]) => standby === 1);
    inGuest(world, 'ip', 'link', 'set', 'virtio0', 'up');

    world.unplugVf();
    await until(
      () => status(l),
      (s) => s.primary.state === 'absent',
    );
    world.replugVf();
    await untilActive(l, 'primary');
    expect(await counts()).toEqual([0, 1]);
  });
});

test('a verdict of a detector is no lost link', async () => {
  const l = await lab('veth', {
    detect: { probes: { interval_ms: 20, targets: [{ arp: '10.99.0.77' }] } },
  });
  await until(
    () => status(l),
    (s) => s.state === 'failed',
  );
  const { primary, standby } = await status(l);
  expect([primary.link_failure_count, standby.link_failure_count]).toEqual([0, 0]);
});
