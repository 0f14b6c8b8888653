import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestDaemon } from './lab/daemon.js';
import type { KernelName } from './lab/kernel.js';
import { Stream, type StreamReport } from './lab/stream.js';
import { type Devices, type PrimaryKind, Testbed } from './lab/testbed.js';

const PPS = 200;
/**
 * At a fault those frames may be lost that the card had taken before its driver knew, and to the guest those that were sent to the old
 * path before the guest's next one moved the entry. A busy host makes more of them.
 */
const FEW = PPS / 4;

/** TCX and the carrier seen by programs; clsact and neither. A card with link at once, and one that takes seconds. */
const MATRIX: [KernelName, PrimaryKind, 'tcx' | 'clsact'][] = [
  ['6.12', 'vmxnet3', 'tcx'],
  ['6.1', 'e1000e', 'clsact'],
];

describe.each(MATRIX)('net-failover on %s with %s', (kernel, primary, attach) => {
  let bed: Testbed;
  let daemon: GuestDaemon;
  let devices: Devices;
  let before: string;

  /** Everything of the machine that an instance touches. */
  const machine = (): Promise<string> =>
    bed.guest.run(`
      ip addr show scope global
      for d in /sys/class/net/*; do n=\${d##*/}
        echo $n $(cat $d/mtu $d/flags $d/address) $(readlink $d/master)
        tc qdisc show dev $n; tc filter show dev $n ingress; tc filter show dev $n egress
      done
      ls -R /sys/fs/bpf`);

  /** Numbered frames both ways, with something done meanwhile. */
  async function during(act: () => Promise<void>, afterMs = 1000): Promise<StreamReport> {
    const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS });
    await sleep(500);
    await act();
    await sleep(afterMs);
    return stream.stop(bed.guest);
  }

  const primaryHasCarrier = (): Promise<void> =>
    bed.until('carrier of the primary', async () => {
      const { primary: name } = await bed.devices();
      const r = await bed.guest.exec(`cat /sys/class/net/${name}/carrier`);
      return r.stdout.trim() === '1';
    });

  beforeAll(async () => {
    bed = await Testbed.boot({ kernel, primary, standbyFeature: true });
    daemon = new GuestDaemon(bed);
    devices = await bed.devices();
    await primaryHasCarrier();
  });
  afterAll(() => bed?.close());

  test('what the kernel loses alone: frames on the standby while a dead primary is registered', async () => {
    const r = await during(() => bed.guest.setLink('primary', false));
    expect(r.out.lost).toBeLessThan(FEW);
    expect(r.in.outageMs).toBe(Number.POSITIVE_INFINITY);
    await bed.guest.setLink('primary', true);
    await primaryHasCarrier();
    before = await machine();
  });

  test('refuses a master that is not the kernel’s', async () => {
    const cli = 'node /project/dist/src/cli/main.js';
    await bed.guest.writeFile(
      '/run/wrong.yaml',
      `socket: /run/wrong.sock\npin_root: /sys/fs/bpf/wrong\ninstances: [{ name: a, model: net-failover, master: ${devices.standby} }]\n`,
    );
    const r = await bed.guest.exec(`${cli} run --config /run/wrong.yaml`, { timeoutMs: 180_000 });
    expect(r.code).toBe(1);
    expect(r.stderr).toContain('MASTER_UNFIT');
    expect(r.stderr).toContain(`set master to ${devices.master}`);
    expect(await machine()).toBe(before);
  });

  test('attaches without moving anything', async () => {
    await daemon.start({ model: 'net-failover', master: devices.master });
    const status = await daemon.untilActive('primary');
    expect(status).toMatchObject({ model: 'net-failover', state: 'ok', attach, epoch: 0 });
    expect(status.primary.name).toBe(devices.primary);
    expect(status.standby.name).toBe(devices.standby);
    expect(await daemon.events()).toEqual([]);
  });

  test('carrier loss: what is sent moves, and what arrives is delivered', async () => {
    const r = await during(() => bed.guest.setLink('primary', false));
    expect(r.out.lost).toBeLessThan(FEW);
    expect(r.in.lost).toBeLessThan(FEW);
    expect(r.in.duplicated + r.out.duplicated).toBe(0);
    const decision = (await daemon.events()).at(-1);
    expect(decision).toMatchObject({ from: 'primary', to: 'standby', cause: 'carrier' });
    const status = await daemon.status();
    expect(status.standby.counters.rx.packets).toBeGreaterThan(PPS / 2);
    await bed.guest.setLink('primary', true);
    await daemon.untilActive('primary');
  });

  test('planned switches lose and duplicate nothing', async () => {
    const r = await during(async () => {
      for (const to of ['standby', 'auto', 'standby', 'auto'] as const) {
        await daemon.switch(to);
        await sleep(300);
      }
    }, 1500);
    expect([r.out.lost, r.in.lost, r.out.duplicated, r.in.duplicated]).toEqual([0, 0, 0, 0]);
    expect(r.out.moves.length).toBeGreaterThan(1);
    await daemon.untilActive('primary');
  });

  test('a black hole is left by an order, where the kernel would send for ever', async () => {
    const r = await during(async () => {
      bed.wire.port('primary').blackHole('both');
      await sleep(200);
      await daemon.switch('standby');
    });
    for (const way of [r.out, r.in]) {
      expect(way.lost).toBeGreaterThan(0);
      expect(way.outageMs).toBeLessThan(5000);
    }
    bed.wire.port('primary').blackHole('none');
    await daemon.switch('auto');
    await daemon.untilActive('primary');
  });

  test('the standby loses carrier while it is active: the primary takes over', async () => {
    await daemon.switch('standby');
    const r = await during(() => bed.guest.setLink('standby', false));
    expect(r.out.lost).toBeLessThan(FEW);
    expect(r.in.lost).toBeLessThan(FEW);
    expect((await daemon.status()).active).toBe('primary');
    await bed.guest.setLink('standby', true);
    await daemon.switch('auto');
    await daemon.untilActive('primary');
  });

  test('unplug and plug: leaves, joins by itself, comes back', async () => {
    const gone = await during(() => bed.guest.unplug('primary'));
    expect(gone.out.lost).toBeLessThan(FEW);
    expect(gone.in.lost).toBeLessThan(FEW);
    const status = await daemon.status();
    expect(status).toMatchObject({ active: 'standby', primary: { state: 'absent' } });
    const back = await during(async () => {
      await bed.guest.plug('primary');
      await daemon.untilActive('primary');
    });
    expect([back.out.lost, back.in.lost]).toEqual([0, 0]);
  });

  test('a fault while the controller is dead fails over; the next one adopts', async () => {
    await daemon.kill('KILL');
    const r = await during(() => bed.guest.setLink('primary', false));
    expect(r.out.lost).toBeLessThan(FEW);
    expect(r.in.lost).toBeLessThan(FEW);
    await daemon.restart();
    expect((await daemon.events())[0]).toMatchObject({ tier: 0, from: 'primary', to: 'standby' });
    await bed.guest.setLink('primary', true);
    await daemon.untilActive('primary');
  });

  test('detach moves nothing and leaves the machine as it was', async () => {
    const r = await during(() => daemon.detach());
    expect([r.out.moves, r.in.moves]).toEqual([[], []]);
    // A kernel as old as 6.1 resets a device's queues when a clsact qdisc is made or removed.
    expect(r.out.lost + r.in.lost).toBeLessThan(attach === 'tcx' ? 1 : FEW);
    await daemon.kill('TERM');
    expect(await machine()).toBe(before);
    expect(await daemon.log).not.toContain('could not be undone');
  });
});
