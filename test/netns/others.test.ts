import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { attachBystander, type Bystander, type Place } from '../../lab/netns/bystander.js';
import { DaemonProcess } from '../../lab/netns/daemon-process.js';
import { Stream } from '../../lab/netns/stream.js';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { daemonOf, inGuest, type Lab, lab, status, untilActive, world } from '../helpers/daemon.js';
import { ours, programsOn, told, WHOLE } from '../helpers/hooks.js';
import { elapse, until } from '../helpers/wait.js';

const SEEN_MS = 5000;
const PPS = 2000;

const running = async (attach: 'tcx' | 'clsact'): Promise<Lab> => {
  const l = await lab('veth', { attach });
  await untilActive(l, 'primary');
  l.world.startTraffic(null);
  return l;
};

/** Somebody else's program on a device of the guest. */
function somebody(l: Lab, on: 'virtio' | 'vf', place: Omit<Place, 'netns' | 'ifindex'>): Bystander {
  const by = attachBystander({ netns: l.world.guest, ifindex: l.world[on].guestIfindex, ...place });
  let there = true;
  const detach = (): void => {
    if (there) by[Symbol.dispose]();
    there = false;
  };
  onTestFinished(detach);
  return {
    ...by,
    get seen() {
      return by.seen;
    },
    [Symbol.dispose]: detach,
  };
}

/** Frames that get through, each way, in a quarter of a second. */
async function exchange(l: Lab): Promise<{ out: number; in: number; sent: number }> {
  const stream = new Stream(l.world, 1 << 14);
  try {
    await stream.start(PPS);
    await elapse(250);
    const r = await stream.stop();
    return { out: r.sent - r.out.lost, in: r.sent - r.in.lost, sent: r.sent };
  } finally {
    stream.close();
  }
}

const noteOf = (l: Lab, text: RegExp) =>
  until(
    async () => (await status(l)).impairments.find((i) => text.test(i.message)),
    (i) => i !== undefined,
    SEEN_MS,
  );

describe('a program behind ours on the master', () => {
  test('of TCX sees every frame, whichever slave is active: ours goes last again', async (context) => {
    requires(context, 'TCX', '6.6');
    const l = await running('tcx');
    const by = somebody(l, 'virtio', { by: 'tcx', direction: 'egress' });
    await until(
      () => programsOn(l.world, l.world.virtio.guestIfindex),
      (p) => p.at(-1) === 'vf_steer egress',
      SEEN_MS,
    );
    for (const active of ['primary', 'standby'] as const) {
      await l.client.request('switch', { name: 'net0', to: active });
      await untilActive(l, active);
      const before = by.seen;
      const r = await exchange(l);
      expect(by.seen - before).toBeGreaterThanOrEqual(r.sent);
      expect(r.out).toBe(r.sent);
    }
    expect(await status(l)).toMatchObject({ state: 'ok' });
  });

  test('a filter, where ours is TCX, misses what leaves by the slave: that is told, and its end', async (context) => {
    requires(context, 'TCX', '6.6');
    const l = await running('tcx');
    const by = somebody(l, 'virtio', { by: 'clsact', direction: 'egress' });
    const found = await noteOf(l, /^bystander .* at virtio0 egress comes after vf_steer/);
    expect(found).toMatchObject({ severity: 'degraded', fix: expect.stringContaining('attach: clsact') });
    expect(await status(l)).toMatchObject({ state: 'degraded', active: 'primary' });
    by[Symbol.dispose]();
    await until(
      () => status(l),
      (s) => s.state === 'ok' && s.impairments.length === 0,
      SEEN_MS,
    );
    expect(await told(l)).toContain('over: bystander');
  });

  test('a filter of priority 1, where ours is a filter, sees every frame', async () => {
    const l = await running('clsact');
    const by = somebody(l, 'virtio', { by: 'clsact', direction: 'egress' });
    const r = await exchange(l);
    expect(by.seen).toBeGreaterThanOrEqual(r.sent);
    expect(r.out).toBe(r.sent);
  });
});

describe.each([
  ['steer', 'virtio', 'egress', 'clsact', 'clsact'],
  ['deliver', 'vf', 'ingress', 'clsact', 'clsact'],
  ['steer', 'virtio', 'egress', 'tcx', 'tcx'],
  ['deliver', 'vf', 'ingress', 'tcx', 'tcx'],
] as const)('a program before %s (%s %s, %s) that ends the chain', (name, on, direction, attach, by) => {
  test('is named at once; traffic takes the standby, and the primary when it is gone', async (context) => {
    if (attach === 'tcx') requires(context, 'TCX', '6.6');
    const l = await running(attach);
    const other = somebody(l, on, { by, direction, first: true });
    await noteOf(l, new RegExp(`^bystander .* runs before vf_${name}: `));
    expect(await status(l)).toMatchObject({ state: 'ok', active: 'primary' });
    const stream = new Stream(l.world, 1 << 16);
    await stream.start(PPS);
    other.endsChain(true);
    await noteOf(l, new RegExp(`^no frame reaches vf_${name} .* bystander .* ends the chain`));
    await untilActive(l, 'standby');
    expect(await status(l)).toMatchObject({ state: 'degraded', last_switch: { cause: 'hooks' } });
    await stream.stop({ orderedNs: 0, detectedNs: null, immediate: true });
    stream.close();
    const r = await exchange(l);
    expect(r).toEqual({ out: r.sent, in: r.sent, sent: r.sent });
    other[Symbol.dispose]();
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ state: 'ok', impairments: [] });
  });
});

describe('XDP that is attached later', () => {
  test.each([
    ['virtio', /^the XDP program bystander_xdp .* on virtio0 does not see what arrives by vf0/, 'degraded'],
    ['vf', /^the XDP program bystander_xdp .* on vf0 runs before vf_deliver/, 'ok'],
  ] as const)('to %s is told, though no message tells of a link', async (on, text, state) => {
    const l = await running('tcx');
    const by = somebody(l, on, { by: 'xdp', direction: 'ingress' });
    await noteOf(l, text);
    expect((await status(l)).state).toBe(state);
    by[Symbol.dispose]();
    await until(
      () => status(l),
      (s) => s.impairments.length === 0,
      SEEN_MS,
    );
  });
});

describe('an ingress qdisc', () => {
  test('on the master ends an attachment by clsact in words that name it; nothing is left', async () => {
    const w = world();
    inGuest(w, 'tc', 'qdisc', 'add', 'dev', 'virtio0', 'ingress');
    const { daemon } = daemonOf(w, { attach: 'clsact' });
    await expect(daemon.start()).rejects.toThrow(/virtio0 has an `ingress` qdisc/);
    expect(programsOn(w, w.virtio.guestIfindex)).toEqual([]);
    expect(inGuest(w, 'tc', 'qdisc', 'show', 'dev', 'virtio0')).toContain('ingress');
  });

  test('that takes the place of ours later: traffic takes the standby until it is gone', async () => {
    const l = await running('clsact');
    process.kill(l.daemon.pid!, 'SIGSTOP');
    inGuest(l.world, 'tc', 'qdisc', 'del', 'dev', 'vf0', 'clsact');
    inGuest(l.world, 'tc', 'qdisc', 'add', 'dev', 'vf0', 'ingress');
    process.kill(l.daemon.pid!, 'SIGCONT');
    await noteOf(l, /taken off.*It cannot be put back: vf0 has an `ingress` qdisc/);
    await untilActive(l, 'standby');
    expect(ours(l).vf).toEqual([]);
    inGuest(l.world, 'tc', 'qdisc', 'del', 'dev', 'vf0', 'ingress');
    await until(
      () => ours(l),
      (o) => JSON.stringify(o) === JSON.stringify(WHOLE),
      2 * SEEN_MS,
    );
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ state: 'ok' });
  });
});

test('a qdisc of the master that limits does not limit what leaves by the VF: that is told', async () => {
  const l = await running('tcx');
  const tbf = 'root tbf rate 200kbit burst 4kb latency 20ms'.split(' ');
  inGuest(l.world, 'tc', 'qdisc', 'add', 'dev', 'virtio0', ...tbf);
  expect(
    await noteOf(l, /^what leaves by vf0 passes its own qdisc \(noqueue\), not tbf of virtio0/),
  ).toMatchObject({
    severity: 'note',
  });
  const fast = await exchange(l);
  expect(fast.out).toBe(fast.sent);
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  await untilActive(l, 'standby');
  const slow = await exchange(l);
  expect(slow.out).toBeLessThan(slow.sent / 2);
  inGuest(l.world, 'tc', 'qdisc', 'add', 'dev', 'vf0', ...tbf);
  await until(
    () => status(l),
    (s) => s.impairments.length === 0,
    SEEN_MS,
  );
});

test('a leave and a detach leave filters of others, and the qdisc they are on', async () => {
  const l = await running('clsact');
  for (const on of ['virtio', 'vf'] as const)
    for (const direction of ['ingress', 'egress'] as const)
      attachBystander({ netns: l.world.guest, ifindex: l.world[on].guestIfindex, direction, by: 'clsact' });
  await l.client.request('detach', { name: 'net0' });
  for (const on of ['virtio', 'vf'] as const)
    expect(programsOn(l.world, l.world[on].guestIfindex)).toEqual(['bystander ingress', 'bystander egress']);
});

describe('a BPF file system', () => {
  test('that is unmounted and mounted again has all pins again, and no program went meanwhile', async (context) => {
    requires(context, 'TCX', '6.6');
    const fs = mkdtempSync(join(tmpdir(), 'vf-bpffs-'));
    const mount = (): void => void execFileSync('mount', ['-t', 'bpf', 'bpf', fs]);
    const umount = (): void => void execFileSync('umount', ['-l', fs]);
    mount();
    onTestFinished(() => {
      umount();
      rmdirSync(fs);
    });
    const w = world();
    const root = join(fs, 'pins');
    const daemon = new DaemonProcess({
      pin_root: root,
      instances: [{ name: 'net0', netns: w.guestPath, master: 'virtio0', policy: { hold_down_ms: 20 } }],
    });
    onTestFinished(() => daemon.close());
    await daemon.start();
    const client = await daemon.client();
    onTestFinished(() => client.close());
    const l: Lab = { world: w, daemon, client, pins: root };
    await untilActive(l, 'primary');
    umount();
    await noteOf(l, /pins .* cannot be put back/);
    expect(await status(l)).toMatchObject({ state: 'ok', active: 'primary' });
    expect(ours(l)).toEqual(WHOLE);
    mount();
    const pins = ['maps/lines', 'events/0', 'instances/net0/steer', 'instances/net0/deliver'];
    await until(
      () => pins.filter((p) => !existsSync(join(root, p))),
      (missing) => missing.length === 0,
      SEEN_MS,
    );
    await until(
      () => status(l),
      (s) => s.impairments.length === 0,
      SEEN_MS,
    );
  });
});
