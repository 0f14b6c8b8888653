import { expect, onTestFinished, test } from 'vitest';
import type { InstanceStatus } from '../../src/api/index.js';
import { daemonOf, lab, status, untilActive, world } from '../helpers/daemon.js';
import { elapse, until } from '../helpers/wait.js';

/** What `status` says at moments at which nothing is carried, or nothing is known. */

test('from its first answer on, a daemon never calls healthy slaves failed', async () => {
  const w = world();
  const { daemon } = daemonOf(w);
  const seen: InstanceStatus['state'][] = [];
  // Asks from the moment at which the socket is there: before the worker has looked.
  let over = false;
  const asking = (async () => {
    while (!over) {
      const client = await daemon.client().catch(() => undefined);
      if (!client) {
        await elapse(1);
        continue;
      }
      try {
        while (!over) seen.push((await client.request('status', { name: 'net0' })).instances[0]!.state);
      } catch {
        // Not attached yet.
      } finally {
        client.close();
      }
    }
  })();
  onTestFinished(() => {
    over = true;
  });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  await untilActive({ client }, 'primary');
  over = true;
  await asking;
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen)).not.toContain('failed');
  expect(seen.at(-1)).toBe('ok');
});

test('an instance whose master is down has failed, whatever its slaves could carry', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  const { guestRtnl, virtio } = l.world;
  guestRtnl.setLink(virtio.guestIfindex, { up: false });
  const down = await until(
    () => status(l),
    (s) => s.state === 'failed',
  );
  expect(down).toMatchObject({
    master: { up: false },
    notes: expect.arrayContaining(['the master virtio0 is down: nothing is sent or received']),
  });
  guestRtnl.setLink(virtio.guestIfindex, { up: true });
  await until(
    () => status(l),
    (s) => s.state === 'ok' && s.active === 'primary',
  );
});
