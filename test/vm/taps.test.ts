import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stream, type StreamReport } from '../../lab/vm/stream.js';
import { Testbed } from '../../lab/vm/testbed.js';
import { GUEST_MAC, STATION_ADDRESS } from '../../lab/vm/wire.js';
import { ROOT } from '../../src/paths.js';
import { elapse, until } from '../helpers/wait.js';

/** A guest behind the kernel's own switch, with the kernel's own failover: what the wire says of each fault. */

const PPS = 500;
const BEFORE_MS = 300;
const AFTER_MS = 1_000;
/** Frames of the time after the fault that a loaded machine sends at least, and those that emulation may lose by itself. */
const SOME = 100;
const FEW = 20;

let bed: Testbed;
beforeAll(async () => {
  bed = await Testbed.boot({ wire: 'taps', standbyFeature: true });
  await carrier();
}, 240_000);
afterAll(() => bed?.close());

/** Waits for the primary's link. */
async function carrier(): Promise<void> {
  const { primary } = await bed.devices();
  await bed.until(
    'the primary has carrier',
    async () => (await bed.guest.exec(`grep -q 1 /sys/class/net/${primary}/carrier`)).code === 0,
  );
}

/** Streams, does something, watches. */
async function through(act: () => unknown): Promise<StreamReport> {
  const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS });
  await elapse(BEFORE_MS);
  await act();
  await elapse(AFTER_MS);
  return stream.stop(bed.guest);
}

test('without a fault nothing is swallowed, both directions stay on the primary, the station answers', async () => {
  // A switch that does not know the guest yet sends its frames to both ports.
  await bed.until('the guest is known at the primary', async () => {
    await bed.guest.exec(`ping -c 1 -W 1 ${STATION_ADDRESS}`);
    return bed.wire.entries.get(GUEST_MAC) === 'primary';
  });
  const report = await through(() => bed.guest.run(`ping -c 3 -i 0.2 ${STATION_ADDRESS}`));
  for (const d of [report.out, report.in]) {
    expect(d.sent).toBeGreaterThan(SOME);
    expect(d.lost).toBeLessThan(FEW);
    expect(d).toMatchObject({ duplicated: 0, reordered: 0, moves: [] });
  }
  expect(['standby', 'primary'].map((name) => bed.wire.port(name).counts.swallowed)).toEqual([0, 0]);
  expect(bed.wire.entries.get(GUEST_MAC)).toBe('primary');
});

test.each(['to-guest', 'from-guest'] as const)(
  'a black hole %s is seen in that direction alone, and no link tells of it',
  async (direction) => {
    const port = bed.wire.port('primary');
    const report = await through(() => port.blackHole(direction));
    port.blackHole('none');
    const [dead, alive] = direction === 'to-guest' ? [report.in, report.out] : [report.out, report.in];
    expect(dead.lost).toBeGreaterThan(SOME);
    expect(dead.outageMs).toBe(Number.POSITIVE_INFINITY);
    expect(alive.lost).toBeLessThan(FEW);
    expect([...dead.moves, ...alive.moves]).toEqual([]);
    expect(port.counts.swallowed).toBeGreaterThanOrEqual(dead.lost);
  },
);

test('of a path that loses half, half arrives', async () => {
  const port = bed.wire.port('primary');
  port.loss(0.5);
  const report = await through(() => {});
  port.loss(0);
  for (const d of [report.out, report.in]) {
    expect(d.lost / d.sent).toBeGreaterThan(0.35);
    expect(d.lost / d.sent).toBeLessThan(0.65);
    expect(d.gaps.length).toBeGreaterThan(FEW);
  }
});

test('a lost carrier moves the guest and its forwarding entry to the standby, and back', async () => {
  const seenAt = (port: string): Promise<void> =>
    bed.until(`the guest is seen at ${port}`, async () => bed.wire.entries.get(GUEST_MAC) === port);
  const lost = await through(async () => {
    await bed.guest.setLink('primary', false);
    await seenAt('standby');
  });
  expect(lost.out.moves.at(-1)).toMatchObject({ from: 'primary', to: 'standby' });
  expect(lost.in.moves.at(-1)).toMatchObject({ from: 'primary', to: 'standby' });
  expect(bed.wire.port('standby').counts.fromGuest).toBeGreaterThan(SOME);
  const back = await through(async () => {
    await bed.guest.setLink('primary', true);
    await seenAt('primary');
  });
  expect(back.out.moves.at(-1)).toMatchObject({ from: 'standby', to: 'primary' });
});

test('a guest and its wire end with the process that made them, however that ends', async () => {
  const script = `
    import { readlinkSync } from 'node:fs';
    import { Guest } from '${ROOT}/dist/lab/vm/guest.js';
    import { GUEST_MAC } from '${ROOT}/dist/lab/vm/wire.js';
    import { TapWire } from '${ROOT}/dist/lab/vm/wire-taps.js';
    const { spawnPrefix, ports, netns } = new TapWire('a');
    const { pid, folder } = await Guest.boot({ project: false, memoryMb: 160, cpus: 1, spawnPrefix,
      nics: [{ id: 'a', driver: 'virtio-net-pci', mac: GUEST_MAC, netdev: ports.a.netdev }] });
    console.log(JSON.stringify({ pid, folder, qemu: readlinkSync('/proc/' + pid + '/ns/net'),
      wire: readlinkSync('/proc/self/fd/' + netns) }));
    process.kill(process.pid, 'SIGKILL');`;
  const { stdout } = (await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    script,
  ]).catch((e) => e)) as { stdout: string };
  const { pid, folder, qemu, wire } = JSON.parse(stdout) as Record<string, string>;
  // It was in the wire's namespace, which ends with the last process in it.
  expect(qemu).toBe(wire);
  const left = (): string[] => [`/proc/${pid}`, folder!].filter((path) => existsSync(path));
  await until(left, (all) => all.length === 0);
});
