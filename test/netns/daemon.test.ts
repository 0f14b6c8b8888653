import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Stream } from '../../lab/netns/stream.js';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { VfError } from '../../src/errors.js';
import { ROOT } from '../../src/paths.js';
import {
  cli,
  daemonOf,
  dump,
  events,
  inGuest,
  lab,
  status,
  stop,
  untilActive,
  world,
} from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

describe.each(['veth', 'tap'] as const)('life of an instance on %s', (kind) => {
  test('join, failover on carrier, failback, unplug, re-plug', async () => {
    const l = await lab(kind);
    const joined = await untilActive(l, 'primary');
    expect(joined).toMatchObject({
      state: 'ok',
      override: 'auto',
      primary: { state: 'joined', name: 'vf0', up: true },
    });
    expect((await events(l))[0]).toMatchObject({
      cause: 'join',
      from: 'standby',
      to: 'primary',
      tier: 1,
      epoch: 1,
    });

    l.world.cutVf();
    await untilActive(l, 'standby');
    // Without traffic there is no frame for tier 0 to see: the worker finds it. It flips first and tells then.
    const told = await until(
      () => events(l),
      (list) => list.length > 1,
    );
    expect(told.at(-1)).toMatchObject({
      cause: 'carrier',
      tier: 1,
      from: 'primary',
      to: 'standby',
    });
    expect(await status(l)).toMatchObject({ state: 'degraded', primary: { carrier: false } });
    l.world.mendVf();
    await untilActive(l, 'primary');
    expect((await events(l)).at(-1)).toMatchObject({ cause: 'failback', tier: 1 });

    l.world.unplugVf();
    const gone = await until(
      () => status(l),
      (s) => s.primary.state === 'absent',
    );
    expect(gone).toMatchObject({ active: 'standby', state: 'degraded' });
    l.world.replugVf();
    const back = await untilActive(l, 'primary');
    expect(back.primary.ifindex).toBe(l.world.vf.guestIfindex);
    expect((await events(l)).map((d) => d.seq)).toEqual((await events(l)).map((_, i) => i + 1));
  });
});

test('each waiting mode decides', async () => {
  for (const wait of ['epoll', 'poll', 'spin']) {
    const l = await lab(
      'tap',
      { policy: { hold_down_ms: 0, tier0: false } },
      { worker: { wait, poll_interval_us: 500 } },
    );
    await untilActive(l, 'primary');
    expect((await status(l)).tier0.armed).toEqual([]);
    l.world.cutVf();
    const list = await until(
      () => events(l),
      (e) => e.length === 2,
    );
    expect(list[1]).toMatchObject({ cause: 'carrier', tier: 1, to: 'standby' });
    await l.daemon.kill('SIGTERM');
  }
});

test('each switch is announced once, whoever made it', async () => {
  const w = world();
  using ear = new PacketSocket({ netns: w.host, ifindex: w.bridge, protocol: 0x0806 });
  const announced = (): number => {
    const bytes = new Uint8Array(128);
    let n = 0;
    // sender and target are the same address
    while (ear.recv(bytes) > 0) if (Buffer.compare(bytes.subarray(28, 32), bytes.subarray(38, 42)) === 0) n++;
    return n;
  };
  const { daemon } = daemonOf(w, { announce: { count: 1 } });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  const l = { client };
  let all = 0;
  const switches: [make: () => unknown, to: 'primary' | 'standby'][] = [
    [() => {}, 'primary'],
    [() => client.request('switch', { name: 'net0', to: 'standby' }), 'standby'],
    [() => client.request('switch', { name: 'net0', to: 'auto' }), 'primary'],
    [() => w.cutVf(), 'standby'],
    [() => w.mendVf(), 'primary'],
    [() => w.unplugVf(), 'standby'],
  ];
  for (const [make, to] of switches) {
    await make();
    await untilActive(l, to);
    const before = all;
    await until(
      () => {
        all += announced();
        return all;
      },
      (n) => n > before,
    );
  }
  await quietFor(200);
  expect(all + announced()).toBe((await events(l)).length);
});

test('a VF that is renamed while up, or whose MTU or carrier changes, stays joined', async (context) => {
  requires(context, 'renaming of a device that is up', '6.2');
  const l = await lab();
  await untilActive(l, 'primary');
  inGuest(l.world, 'ip', 'link', 'set', 'vf0', 'name', 'ens3nsby');
  inGuest(l.world, 'ip', 'link', 'set', 'virtio0', 'name', 'ens3');
  await until(
    () => status(l),
    (s) => s.primary.name === 'ens3nsby' && s.master.name === 'ens3',
  );
  expect(await status(l)).toMatchObject({ active: 'primary', primary: { state: 'joined' } });
  l.world.cutVf();
  await untilActive(l, 'standby');
  l.world.mendVf();
  await untilActive(l, 'primary');
  // The slave follows the master's MTU, and drift is set right.
  inGuest(l.world, 'ip', 'link', 'set', 'ens3nsby', 'mtu', '1400');
  await until(
    () => status(l),
    (s) => s.primary.mtu === 1500,
  );
});

test('switch by hand, override, expiry, refusal', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  const r = await l.client.request('switch', { name: 'net0', to: 'standby' });
  expect(r.decision).toMatchObject({ cause: 'manual', from: 'primary', to: 'standby' });
  expect(r.status).toMatchObject({ active: 'standby', override: 'standby' });
  await quietFor(100);
  expect((await status(l)).active).toBe('standby');
  await l.client.request('switch', { name: 'net0', to: 'auto' });
  await untilActive(l, 'primary');
  await l.client.request('switch', { name: 'net0', to: 'standby', for_ms: 100 });
  await untilActive(l, 'primary');
  expect((await status(l)).override).toBe('auto');
  l.world.cutVf();
  await untilActive(l, 'standby');
  await expect(l.client.request('switch', { name: 'net0', to: 'primary' })).rejects.toMatchObject({
    code: 'PATH_NOT_READY',
    message: expect.stringMatching(/primary of net0 (is down|has no carrier)/),
    field: 'to',
  });
});

describe('the controller dies', () => {
  test('kill -9: traffic goes on, a fault still fails over, the next start adopts and tells', async (context) => {
    requires(context, 'tier 0 on carrier: bpf_cast_to_kern_ctx', '6.2');
    const l = await lab('veth');
    await untilActive(l, 'primary');
    l.world.startTraffic(null);
    const stream = new Stream(l.world, 1 << 16);
    await stream.start(5000);
    await l.daemon.kill('SIGKILL');
    await elapse(100);
    l.world.cutVf();
    await elapse(100);
    const r = await stream.stop({ orderedNs: 0, detectedNs: null, immediate: true });
    // At 5 kpps a frame every 200 µs: what is lost is lost while the kernel sets the far end down.
    expect(r.out.lost + r.in.lost).toBeLessThan(60);
    expect(r.out.outageNs).not.toBeNull();
    await l.daemon.start();
    const client = await l.daemon.client();
    const again = { client };
    const [first] = await until(
      () => events(again),
      (list) => list.length > 0,
    );
    expect(first).toMatchObject({ tier: 0, cause: 'carrier', from: 'primary', to: 'standby' });
    expect(await status(again)).toMatchObject({ active: 'standby', state: 'degraded' });
    l.world.mendVf();
    await untilActive(again, 'primary');
    expect((await status(again)).switches).toBe(3);
    stream.close();
    client.close();
  });

  test('SIGTERM and start again: attached all the time, counters and override kept', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    await l.client.request('switch', { name: 'net0', to: 'standby' });
    inGuest(l.world, 'bash', '-c', 'for i in 1 2 3; do echo $i >/dev/udp/10.99.0.1/9; done');
    const before = await status(l);
    expect(before.standby.counters.tx.packets).toBeGreaterThanOrEqual(3);
    await l.daemon.kill('SIGTERM');
    expect(readdirSync(`${l.pins}/instances/net0`).sort()).toEqual([
      'accept',
      'deliver',
      'groups',
      'guard',
      'steer',
    ]);
    await l.daemon.start();
    const again = { client: await l.daemon.client() };
    const s = await until(
      () => status(again),
      (x) => x.state === 'ok',
    );
    expect(s).toMatchObject({ active: 'standby', override: 'standby', epoch: before.epoch });
    expect(s.standby.counters.tx.packets).toBeGreaterThanOrEqual(before.standby.counters.tx.packets);
    again.client.close();
  });

  test('the VF is pulled and plugged while the daemon is dead', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    await l.daemon.kill('SIGKILL');
    l.world.unplugVf();
    l.world.replugVf();
    await l.daemon.start();
    const again = { client: await l.daemon.client() };
    const s = await untilActive(again, 'primary');
    expect(s.primary.ifindex).toBe(l.world.vf.guestIfindex);
    again.client.close();
  });

  test('SIGSTOP: tier 0 fails over, and the stopped worker accepts it when it goes on', async (context) => {
    requires(context, 'tier 0 on carrier: bpf_cast_to_kern_ctx', '6.2');
    const l = await lab('veth');
    await untilActive(l, 'primary');
    l.world.startTraffic(null);
    const stream = new Stream(l.world, 1 << 16);
    await stream.start(5000);
    await stop(l.daemon.pid!);
    l.world.cutVf();
    await elapse(100);
    process.kill(l.daemon.pid!, 'SIGCONT');
    await stream.stop();
    const last = await until(
      () => events(l),
      (list) => list.at(-1)?.cause === 'carrier',
    );
    expect(last.at(-1)).toMatchObject({ tier: 0, to: 'standby' });
    stream.close();
  });
});

/** Operstate and addresses settle a moment after; then a difference is shown as one. */
async function same(w: ReturnType<typeof world>, before: string): Promise<void> {
  await until(
    () => dump(w),
    (now) => now === before,
    3000,
  ).catch(() => {});
  expect(dump(w)).toBe(before);
}

describe('detach leaves the machine as it was', () => {
  test.for([
    ['tcx', 'down'],
    ['tcx', 'up'],
    ['clsact', 'down'],
  ] as const)('%s, VF %s before', async ([attach, state], context) => {
    if (attach === 'tcx') requires(context, 'TCX', '6.6');
    const w = world();
    w.guestRtnl.setLink(w.vf.guestIfindex, { mtu: 1400 });
    // Opened once: a device that never was shows `qdisc noop`, and no kernel goes back to that.
    w.guestRtnl.setLink(w.vf.guestIfindex, { up: true });
    // Duplicate address detection goes on for a second or two, and adds a route at its end.
    await until(
      () => inGuest(w, 'ip', '-6', 'addr', 'show', 'dev', 'vf0'),
      (a) => a.includes('fe80') && !a.includes('tentative'),
      10_000,
    );
    if (state === 'down') w.guestRtnl.setLink(w.vf.guestIfindex, { up: false });
    await quietFor(50);
    const before = dump(w);
    const { daemon, pins } = daemonOf(w, { attach });
    await daemon.start();
    const l = { client: await daemon.client() };
    const s = await untilActive(l, 'primary');
    expect(s).toMatchObject({ attach, primary: { mtu: 1500, up: true } });
    expect(dump(w)).not.toBe(before);
    expect(cli('--socket', daemon.socket, 'detach', 'net0')).toMatchObject({ code: 0 });
    await same(w, before);
    expect(existsSync(`${pins}/instances/net0`)).toBe(false);
    // Attached again by the command line, then by a daemon that died in between: still undone completely.
    const attached = cli(
      '--socket',
      daemon.socket,
      'attach',
      'net0',
      '--netns',
      w.guestPath,
      '--master',
      'virtio0',
      '--attach',
      attach,
      '--hold-down-ms',
      '0',
    );
    expect(attached).toMatchObject({ code: 0 });
    await untilActive(l, 'primary');
    l.client.close();
    await daemon.kill('SIGKILL');
    await daemon.start();
    const again = { client: await daemon.client() };
    await untilActive(again, 'primary');
    await again.client.request('detach', { name: 'net0' });
    await same(w, before);
    again.client.close();
    await daemon.kill('SIGTERM');
    expect(existsSync(pins)).toBe(false);
  });
});

describe('refusals: an error that says what to do, and nothing changed', () => {
  /** Starts a daemon that must refuse; returns what it said. */
  async function refused(
    instance: object,
    prepare: (w: ReturnType<typeof world>) => void = () => {},
  ): Promise<string> {
    const w = world();
    prepare(w);
    await until(
      () => inGuest(w, 'ip', 'link', 'show', 'virtio0'),
      (s) => s.includes('state UP'),
    );
    const before = dump(w);
    const { daemon, pins } = daemonOf(w, instance);
    const error = await daemon.start().then(
      () => {
        throw new Error('the daemon started');
      },
      (e: Error) => e,
    );
    expect(error.message).toContain('the daemon ended (1)');
    expect(dump(w)).toBe(before);
    expect(existsSync(pins)).toBe(false);
    return error.message;
  }

  test('a namespace that is none', async () => {
    expect(await refused({ netns: '/proc/self/status' })).toMatch(/NETNS_NOT_FOUND \[netns\]/);
  });
  test('a device that is not Ethernet', async () => {
    expect(await refused({ master: 'lo' })).toMatch(/DEVICE_NOT_ETHERNET/);
  });
  test('a VF that belongs to a bridge is left to it', async () => {
    const w = world();
    w.guestRtnl.setLink(w.vf.guestIfindex, { master: w.guestRtnl.createBridge({ name: 'brx' }) });
    const { daemon } = daemonOf(w);
    await daemon.start();
    const client = await daemon.client();
    const s = await until(
      () => status({ client }),
      (x) => x.refusals.length > 0,
    );
    expect(s.refusals[0]!.error).toMatchObject({
      code: 'DEVICE_OWNED',
      message: expect.stringContaining('brx'),
    });
    w.guestRtnl.setLink(w.vf.guestIfindex, { master: 0 });
    await untilActive({ client }, 'primary');
    client.close();
  });

  test('two devices of different MAC: the named primary is refused with the reason in status', async () => {
    const w = world();
    inGuest(w, 'ip', 'link', 'set', 'vf0', 'address', '02:00:00:00:00:55');
    const { daemon } = daemonOf(w, { primary: { name: 'vf0' } });
    await daemon.start();
    const client = await daemon.client();
    const s = await until(
      () => status({ client }),
      (x) => x.refusals.length > 0,
    );
    expect(s.refusals[0]).toMatchObject({ device: 'vf0', error: { code: 'MAC_MISMATCH' } });
    expect(s).toMatchObject({ active: 'standby', primary: { state: 'refused' } });
    // Mended while it runs, it joins by itself.
    inGuest(w, 'ip', 'link', 'set', 'vf0', 'address', '02:76:66:00:00:01');
    await untilActive({ client }, 'primary');
    client.close();
  });

  test('two candidates for the primary: neither is taken, both are named', async () => {
    const w = world();
    w.guestRtnl.createVeth({ name: 'vf1', mac: '02:76:66:00:00:01', peer: { name: 'vf1p' } });
    const { daemon } = daemonOf(w);
    await daemon.start();
    const client = await daemon.client();
    const s = await until(
      () => status({ client }),
      (x) => x.refusals.length === 2,
    );
    expect(s.refusals.map((r) => r.error.code)).toEqual(['MAC_AMBIGUOUS', 'MAC_AMBIGUOUS']);
    client.close();
  });

  test('a foreign program: on the master it refuses the instance, on the VF the join; neither is removed', async () => {
    const w = world();
    const { attachLast } = await import('../../lab/netns/attach-last.js');
    const { lab } = await import('../../bpf/lab.bpf.js');
    const { bpfObject } = await import('../../src/paths.js');
    using object = lab.load(bpfObject('lab'));
    const attach = (ifindex: number) => attachLast(object.programs.vf_blackhole, w.guest, ifindex);
    const detachMaster = attach(w.virtio.guestIfindex);
    await until(
      () => inGuest(w, 'ip', 'link', 'show', 'virtio0'),
      (s) => s.includes('state UP'),
    );
    const before = dump(w);
    const { daemon } = daemonOf(w);
    await expect(daemon.start()).rejects.toThrow(
      /DEVICE_FOREIGN_PROGRAM[\s\S]*virtio0[\s\S]*vf_blackhole[\s\S]*fix: .*bpftool net show dev virtio0/,
    );
    expect(dump(w)).toBe(before);
    detachMaster();
    const detachVf = attach(w.vf.guestIfindex);
    await daemon.start();
    const client = await daemon.client();
    const s = await until(
      () => status({ client }),
      (x) => x.refusals.length > 0,
    );
    expect(s.refusals[0]!.error.code).toBe('DEVICE_FOREIGN_PROGRAM');
    expect(s.active).toBe('standby');
    detachVf();
    // Gone without a link event: found by a retry.
    await untilActive({ client }, 'primary');
    client.close();
  });

  test('a second daemon: on the same socket, on the same pins, on the same device', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    const before = dump(l.world);
    const same = cli('--socket', l.daemon.socket, 'run', '--config', `${l.daemon.folder}/config.yaml`);
    expect(same).toMatchObject({ code: 1 });
    expect(same.err).toMatch(new RegExp(`INSTANCE_BUSY[\\s\\S]*${l.daemon.pid}`));
    const pins = cli(
      '--socket',
      `${l.daemon.folder}/other.sock`,
      'run',
      '--config',
      `${l.daemon.folder}/config.yaml`,
    );
    expect(pins.code).toBe(1);
    expect(pins.err).toMatch(/INSTANCE_BUSY[\s\S]*pin_root/);
    const { daemon: other } = daemonOf(l.world);
    await expect(other.start()).rejects.toThrow(/INSTANCE_BUSY[\s\S]*another vfailover owns virtio0/);
    expect(dump(l.world)).toBe(before);
    expect((await status(l)).state).toBe('ok');
  });

  test('missing capabilities', async () => {
    const w = world();
    const { daemon } = daemonOf(w, { netns: null, master: 'eth9' });
    const r = spawnSync(
      'setpriv',
      [
        '--bounding-set',
        '-all',
        '--inh-caps',
        '-all',
        process.execPath,
        'dist/src/cli/main.js',
        'run',
        '--config',
        `${daemon.folder}/config.yaml`,
      ],
      { encoding: 'utf8' },
    );
    expect(r.status).toBe(1);
    expect(r.stderr).toMatch(/CAPABILITY_MISSING[\s\S]*fix: run as root/);
  });

  test('a kernel that publishes no BTF', async () => {
    const w = world();
    const { daemon, pins } = daemonOf(w);
    const run = `mount -t tmpfs none /sys/kernel/btf && exec ${process.execPath} dist/src/cli/main.js run --config ${daemon.folder}/config.yaml`;
    const r = spawnSync('unshare', ['--mount', 'sh', '-c', run], { encoding: 'utf8', cwd: ROOT });
    expect(r).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/BTF_ABSENT[\s\S]*fix: .*CONFIG_DEBUG_INFO_BTF/),
    });
    expect(existsSync(pins)).toBe(false);
  });

  test('with the four capabilities of the manual and no more it runs', async () => {
    const w = world();
    const { daemon } = daemonOf(w, { netns: null });
    const caps = '+bpf,+net_admin,+net_raw,+perfmon';
    const prog = `${process.execPath} dist/src/cli/main.js run --config ${daemon.folder}/config.yaml`;
    // In the guest's namespace already: entering another one takes CAP_SYS_ADMIN. Programs and all are taken away again by `detach`.
    const child = spawn(
      'nsenter',
      [
        `--net=${w.guestPath}`,
        'sh',
        '-c',
        `exec setpriv --pdeathsig KILL --bounding-set -all,${caps} --inh-caps -all,${caps} --ambient-caps -all,${caps} ${prog}`,
      ],
      { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (t: Buffer) => {
      said += t.toString();
    });
    await until(
      () => said,
      (s) => s.includes('"msg":"ready"') || child.exitCode !== null,
      20_000,
    );
    expect(said).toContain('"msg":"ready"');
    const client = await daemon.client();
    expect((await untilActive({ client }, 'primary')).tier0.armed).toHaveLength(2);
    await client.request('detach', { name: 'net0' });
    client.close();
  });

  test('an instance that exists, one that does not, bad attach parameters', async () => {
    const l = await lab();
    await expect(
      l.client.request('attach', { name: 'net0', netns: l.world.guestPath, master: 'virtio0' }),
    ).rejects.toMatchObject({ code: 'INSTANCE_EXISTS' });
    await expect(l.client.request('detach', { name: 'nope' })).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
      fix: expect.stringContaining('net0'),
    });
    await expect(
      l.client.request('attach', {
        name: 'x',
        netns: l.world.guestPath,
        master: 'virtio0',
        polcy: {},
      } as never),
    ).rejects.toMatchObject({ code: 'CONFIG_UNKNOWN_KEY', fix: expect.stringContaining('policy') });
    await expect(
      l.client.request('attach', { name: 'x', netns: l.world.guestPath, master: 'virtio0' }),
    ).rejects.toBeInstanceOf(VfError);
    expect((await status(l)).state).toBe('ok');
  });
});

test('the master goes away and comes back', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  l.world.guestRtnl.deleteLink(l.world.virtio.guestIfindex);
  const s = await until(
    () => status(l),
    (x) => x.state === 'waiting',
  );
  expect(s.standby.reason).toMatch(/does not exist/);
  l.world.virtio.plug();
  l.world.hostRtnl.setLink(l.world.virtio.hostIfindex, { master: l.world.bridge });
  l.world.guestRtnl.setLink(l.world.virtio.guestIfindex, { up: true });
  await untilActive(l, 'primary');
});
