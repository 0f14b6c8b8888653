import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestDaemon } from './lab/daemon.js';
import { Stream, type StreamReport } from './lab/stream.js';
import { type Devices, Testbed } from './lab/testbed.js';
import { KERNELS_HERE } from './selection.js';

/** What is peculiar to the net-failover model: what the kernel does alone, and that coming and going moves nothing. */

const PPS = 200;
/** A path that does not come back loses all of the second that it is watched. */
const A_SWITCH = PPS / 2;

describe.each(KERNELS_HERE)('net-failover beside the kernel’s own, Linux %s', (kernel) => {
  let bed: Testbed;
  let daemon: GuestDaemon;
  let devices: Devices;

  async function during(act: () => Promise<void>): Promise<StreamReport> {
    const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS });
    await sleep(500);
    await act();
    await sleep(1000);
    return stream.stop(bed.guest);
  }

  const primaryHasCarrier = (): Promise<void> =>
    bed.until('carrier of the primary', async () => {
      const r = await bed.guest.exec(`cat /sys/class/net/${devices.primary}/carrier`);
      return r.stdout.trim() === '1';
    });

  beforeAll(async () => {
    bed = await Testbed.boot({ kernel, standbyFeature: true });
    daemon = new GuestDaemon(bed);
    devices = await bed.devices();
    await primaryHasCarrier();
  }, 240_000);
  afterAll(() => bed?.close());

  test('the kernel alone loses what arrives on the standby while a dead primary is registered', async () => {
    const r = await during(() => bed.guest.setLink('primary', false));
    expect(r.out.lost).toBeLessThan(A_SWITCH);
    expect(r.in.outageMs).toBe(Number.POSITIVE_INFINITY);
    await bed.guest.setLink('primary', true);
    await primaryHasCarrier();
  });

  test('a master that is not the kernel’s is refused, and nothing is left behind', async () => {
    const pins = 'ls -R /sys/fs/bpf; cd /sys/class/net; for d in *; do tc qdisc show dev $d; done';
    const before = await bed.guest.run(pins);
    const instance = `{ name: a, model: net-failover, master: ${devices.standby} }`;
    await bed.guest.writeFile(
      '/run/wrong.yaml',
      `socket: /run/wrong.sock\npin_root: /sys/fs/bpf/wrong\ninstances: [${instance}]\n`,
    );
    const r = await bed.guest.exec('node /project/dist/src/cli/main.js run --config /run/wrong.yaml', {
      timeoutMs: 180_000,
    });
    expect(r.code).toBe(1);
    expect(r.stderr).toContain('MASTER_UNFIT [master]');
    expect(r.stderr).toContain(`set master to ${devices.master}`);
    expect(await bed.guest.run(pins)).toBe(before);
  }, 240_000);

  test('attaching moves nothing: the word begins where the kernel sends', async () => {
    await daemon.start({ model: 'net-failover', master: devices.master });
    const status = await daemon.untilActive('primary');
    expect(status).toMatchObject({ model: 'net-failover', state: 'ok', epoch: 0 });
    expect(status.attach).toBe(kernel === '6.1' ? 'clsact' : 'tcx');
    expect([status.primary.name, status.standby.name]).toEqual([devices.primary, devices.standby]);
    expect(await daemon.events()).toEqual([]);
  }, 240_000);

  test('the standby loses carrier while it is active: the primary takes over, both ways', async () => {
    await daemon.switch('standby');
    const r = await during(() => bed.guest.setLink('standby', false));
    for (const way of [r.out, r.in]) {
      expect(way.moves.at(-1)).toMatchObject({ from: 'standby', to: 'primary' });
      expect(way.lost).toBeLessThan(A_SWITCH);
    }
    expect((await daemon.events()).at(-1)).toMatchObject({ from: 'standby', to: 'primary' });
    await bed.guest.setLink('standby', true);
    await daemon.switch('auto');
    await daemon.untilActive('primary');
  });

  test('both slaves dead: frames are dropped, not sent in circles, and the first that is back carries them', async () => {
    const r = await during(async () => {
      await bed.guest.setLink('primary', false);
      await bed.guest.setLink('standby', false);
      await sleep(500);
      await bed.guest.setLink('standby', true);
      await daemon.untilActive('standby');
    });
    for (const way of [r.out, r.in]) expect(way.outageMs).not.toBe(Number.POSITIVE_INFINITY);
    await bed.guest.setLink('primary', true);
    await daemon.untilActive('primary');
    // At most there and back again for each of the two faults and their mending.
    expect((await daemon.events()).length).toBeLessThan(10);
  });

  test('detaching moves nothing', async () => {
    const r = await during(() => daemon.detach());
    expect([r.out.moves, r.in.moves]).toEqual([[], []]);
    // A kernel as old as 6.1 resets a device's queues when a clsact qdisc is removed.
    expect(r.out.lost + r.in.lost).toBeLessThan(kernel === '6.1' ? A_SWITCH : 1);
    await daemon.kill('TERM');
    expect(await daemon.log).not.toContain('could not be undone');
  });
});
