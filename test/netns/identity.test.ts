import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Stream } from '../../lab/netns/stream.js';
import type { World } from '../../lab/netns/world.js';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { cli, daemonOf, dump, inGuest, status, untilActive, world } from '../helpers/daemon.js';
import { edited, ONE_SET, programs } from '../helpers/edited.js';
import { Filters } from '../helpers/filters.js';
import { until } from '../helpers/wait.js';

/** Which device an instance is of, whatever its name is now, and which instances there are, whatever the file says. */

const MAC = '02:76:66:00:00:01';

/** Renames a device, which has to be down for that before Linux 6.2. */
function rename(w: World, from: string, to: string): void {
  inGuest(w, 'ip', 'link', 'set', from, 'down');
  inGuest(w, 'ip', 'link', 'set', from, 'name', to);
  inGuest(w, 'ip', 'link', 'set', to, 'up');
}

describe('a master that is absent', () => {
  test('waits with its reason, keeps no other waiting, and is attached when it comes', async () => {
    const e = await edited();
    await e.restart([{ ...e.net0, name: 'net1', master: 'eth9' }, e.net0], 'SIGKILL');
    expect(await status(e, 'net1')).toMatchObject({
      state: 'waiting',
      source: 'file',
      master: { ifindex: null, name: 'eth9' },
      standby: { reason: 'there is no device eth9' },
      refusals: [],
    });
    await untilActive(e, 'primary');
    e.world.guestRtnl.createVeth({ name: 'eth9', mac: '02:76:66:00:00:09', peer: { name: 'eth9p' } });
    await until(
      () => status(e, 'net1'),
      (s) => s.master.name === 'eth9' && s.master.ifindex !== null,
    );
  });

  test('of an instance that no file names is waited for over restarts, until it is detached', async () => {
    const e = await edited();
    const plug = () =>
      e.world.guestRtnl.createVeth({ name: 'eth9', mac: '02:76:66:00:00:09', peer: { name: 'eth9p' } });
    const unplug = async () => {
      e.world.guestRtnl.deleteLink(e.world.guestRtnl.link('eth9')!.ifindex);
      await until(
        () => status(e, 'net1'),
        (s) => s.state === 'waiting',
      );
    };
    plug();
    await e.client.request('attach', { name: 'net1', netns: e.world.guestPath, master: 'eth9' });
    await unplug();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await e.restart([e.net0], signal);
      expect(await status(e, 'net1')).toMatchObject({
        state: 'waiting',
        source: 'attach',
        master: { ifindex: null, name: 'eth9' },
      });
    }
    plug();
    await until(
      () => status(e, 'net1'),
      (s) => s.master.ifindex !== null,
    );
    expect(await status(e, 'net1')).toMatchObject({ source: 'attach' });
    await unplug();
    await e.client.request('detach', { name: 'net1' });
    await e.restart([e.net0]);
    await expect(status(e, 'net1')).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
  });

  test('by selector, alone: MAC and driver name it whatever it is called', async () => {
    const w = world();
    rename(w, 'virtio0', 'hidden0');
    inGuest(w, 'ip', 'link', 'set', 'hidden0', 'address', '02:00:00:00:00:44');
    const { daemon } = daemonOf(w, { master: { mac: MAC, driver: 'veth', name: 'ens3' } });
    await daemon.start();
    const l = { client: await daemon.client() };
    onTestFinished(() => l.client.close());
    expect(await status(l)).toMatchObject({
      state: 'waiting',
      would_switch: `a device name ens3, mac ${MAC}, driver veth must appear`,
    });
    inGuest(w, 'ip', 'link', 'set', 'hidden0', 'address', MAC);
    rename(w, 'hidden0', 'ens3');
    expect(await untilActive(l, 'primary')).toMatchObject({ master: { name: 'ens3' } });
  });

  test('two that fit: refused with both, for the MAC says too little here', async () => {
    const w = world();
    const { daemon, pins } = daemonOf(w, { master: { mac: MAC } });
    await expect(daemon.start()).rejects.toThrow(
      /MAC_AMBIGUOUS \[master\]: .*virtio0 \(veth\), vf0 \(veth\)[\s\S]*fix: add what tells them apart/,
    );
    expect(existsSync(pins)).toBe(false);
  });
});

describe('over a restart', () => {
  test('a master that was renamed is adopted by its ifindex', async () => {
    const e = await edited();
    const before = await status(e);
    e.client.close();
    await e.daemon.kill('SIGKILL');
    rename(e.world, 'virtio0', 'ens3');
    await e.restart([e.net0]);
    const s = await status(e);
    expect(s).toMatchObject({ master: { name: 'ens3' }, epoch: before.epoch, impairments: [] });
    expect(programs(e.world)).toEqual(ONE_SET);
  });

  test('a master that went while no daemon lived: the VF is given back, as when one lives', async () => {
    const e = await edited();
    const filters = new Filters(e.world);
    const vf = () => {
      const { mtu, userFlags, address, up } = e.world.guestRtnl.link('vf0')!;
      const groups = [...filters.groups('vf0')].sort();
      const off = inGuest(e.world, 'sysctl', '-n', 'net.ipv6.conf.vf0.disable_ipv6').trim();
      return { mtu, userFlags, address, up, groups, off };
    };
    expect(cli('--socket', e.daemon.socket, 'detach', 'net0')).toMatchObject({ code: 0 });
    const before = vf();
    await e.restart([e.net0]);
    await untilActive(e, 'primary');
    for (const change of ['mtu 1400', 'allmulticast on', 'address 02:76:66:00:00:77'])
      inGuest(e.world, 'ip', 'link', 'set', 'virtio0', ...change.split(' '));
    inGuest(e.world, 'ip', 'maddress', 'add', '33:33:00:00:12:12', 'dev', 'virtio0');
    await until(
      vf,
      ({ groups, userFlags }) => groups.includes('33:33:00:00:12:12') && userFlags !== undefined,
    );
    e.client.close();
    await e.daemon.kill('SIGKILL');
    e.world.guestRtnl.deleteLink(e.world.guestRtnl.link('virtio0')!.ifindex);
    await e.restart([e.net0]);
    expect(await status(e)).toMatchObject({ state: 'waiting' });
    expect(vf()).toEqual(before);
    expect(programs({ ...e.world, virtio: e.world.vf } as World)).toEqual([]);
  });

  test('one that is gone from the file goes on, is told of, and detach ends it', async () => {
    const w = await edited();
    await w.restart([]);
    const s = await untilActive(w, 'primary');
    expect(s).toMatchObject({ source: 'unconfigured', state: 'ok' });
    expect(s.impairments).toEqual([
      expect.objectContaining({
        key: 'configuration',
        severity: 'note',
        message: 'net0 is not in the configuration any more: it goes on as it was',
        fix: expect.stringContaining('vfailover detach net0'),
      }),
    ]);
    // Still so after another restart, and in the file again it is as before.
    await w.restart([]);
    expect((await status(w)).source).toBe('unconfigured');
    await w.restart([w.net0]);
    expect(await status(w)).toMatchObject({ source: 'file', impairments: [] });
    await w.restart([]);
    expect(cli('--socket', w.daemon.socket, 'detach', 'net0')).toMatchObject({ code: 0 });
    expect(programs(w.world)).toEqual([]);
    await w.daemon.kill('SIGTERM');
    expect(existsSync(w.pins)).toBe(false);
  });

  test('one that has another name in the file goes on under it, without a loss', async () => {
    const e = await edited();
    e.world.startTraffic(null);
    const stream = new Stream(e.world, 1 << 16);
    onTestFinished(() => stream.close());
    await stream.start(1000);
    const before = await status(e);
    await e.restart([{ ...e.net0, name: 'net9' }], 'SIGKILL');
    const s = await status(e, 'net9');
    const r = await stream.stop();
    expect(s).toMatchObject({ active: 'primary', epoch: before.epoch, source: 'file' });
    expect(s.primary.counters.tx.packets).toBeGreaterThan(before.primary.counters.tx.packets);
    expect(r.out.lost + r.in.lost).toBe(0);
    expect(programs(e.world)).toEqual(ONE_SET);
    await expect(status(e, 'net0')).rejects.toMatchObject({ code: 'INSTANCE_NOT_FOUND' });
  });

  test('a daemon that was killed while it gave another name is no harm', async () => {
    const e = await edited({ attach: 'auto' });
    await e.daemon.kill('SIGKILL');
    renameSync(`${e.pins}/instances/net0`, `${e.pins}/instances/net9`);
    await e.restart([e.net0]);
    await untilActive(e, 'primary');
    expect(programs(e.world)).toEqual(ONE_SET);
    await e.daemon.kill('SIGKILL');
    renameSync(`${e.pins}/instances/net0`, `${e.pins}/instances/net9`);
    await e.restart([{ ...e.net0, name: 'net9' }]);
    expect(await status(e, 'net9')).toMatchObject({ active: 'primary', state: 'ok' });
    expect(programs(e.world)).toEqual(ONE_SET);
  });

  test('what attach made is still known, and a second name for its devices is refused', async () => {
    const e = await edited();
    await e.restart([]);
    await e.client.request('detach', { name: 'net0' });
    const made = { ...e.net0, policy: { hold_down_ms: 30 } };
    await e.client.request('attach', made as never);
    await e.restart([], 'SIGKILL');
    expect(await untilActive(e, 'primary')).toMatchObject({ source: 'attach', impairments: [] });
    const before = dump(e.world);
    await expect(e.client.request('attach', { ...made, name: 'net1' } as never)).rejects.toMatchObject({
      code: 'INSTANCE_EXISTS',
      message: 'virtio0 is the master of net0 already',
      fix: expect.stringContaining('vfailover detach net0'),
    });
    expect(dump(e.world)).toBe(before);
    await e.client.request('detach', { name: 'net0' });
    expect(programs(e.world)).toEqual([]);
  });
});

describe('an edit', () => {
  test('of attach: detached and attached anew, and said', async (context) => {
    requires(context, 'TCX', '6.6');
    const e = await edited({ attach: 'tcx' });
    await e.restart([{ ...e.net0, attach: 'clsact' }]);
    expect(await untilActive(e, 'primary')).toMatchObject({ attach: 'clsact', state: 'ok' });
    expect(e.daemon.log).toContain(
      'it was attached by tcx and now is by clsact: it is detached and attached anew',
    );
    expect(programs(e.world)).toEqual(ONE_SET);
    // Not edited: `auto` is not asked again.
    await e.restart([{ ...e.net0, attach: 'clsact' }]);
    expect(e.daemon.log).not.toContain('attached anew');
  });

  test('of the master: to one that does not exist nothing moves, to another device it does', async () => {
    const e = await edited();
    await e.restart([{ ...e.net0, master: 'ens3' }]);
    expect(await untilActive(e, 'primary')).toMatchObject({
      master: { name: 'virtio0' },
      impairments: [{ key: 'configuration', message: expect.stringContaining('there is no device ens3') }],
    });
    e.world.guestRtnl.createVeth({ name: 'ens3', mac: '02:76:66:00:00:09', peer: { name: 'ens3p' } });
    await e.restart([{ ...e.net0, master: 'ens4' }]);
    expect((await status(e)).master.name).toBe('virtio0');
    await e.restart([{ ...e.net0, master: 'ens3' }]);
    expect(await status(e)).toMatchObject({ master: { name: 'ens3' }, primary: { state: 'absent' } });
    expect(programs(e.world)).toEqual([]);
  });

  test.for([
    ['model', { model: 'net-failover' }, /no failover device of the kernel's/],
    ['master', { master: 'lo' }, /lo is not an Ethernet device/],
  ] as const)(
    'of the %s that cannot be taken: it goes on as before, with the reason',
    async ([, edit, why]) => {
      const e = await edited();
      await e.restart([{ ...e.net0, ...edit }]);
      const s = await untilActive(e, 'primary');
      expect(s).toMatchObject({ model: 'transparent', master: { name: 'virtio0' }, state: 'ok' });
      expect(s.impairments[0]).toMatchObject({ key: 'configuration', message: expect.stringMatching(why) });
      expect(programs(e.world)).toEqual(ONE_SET);
    },
  );

  test('of the primary: the VF that does not match any more is let go, as it was', async () => {
    const e = await edited();
    await e.restart([{ ...e.net0, primary: { name: 'other0' } }]);
    expect(await untilActive(e, 'standby')).toMatchObject({ primary: { state: 'absent' } });
    expect(programs(e.world)).toEqual(['vf_accept', 'vf_steer']);
    await e.restart([e.net0]);
    await untilActive(e, 'primary');
  });
});

describe('SIGHUP', () => {
  const reload = async (e: Awaited<ReturnType<typeof edited>>, told: string): Promise<void> => {
    const from = e.daemon.log.length;
    process.kill(e.daemon.pid!, 'SIGHUP');
    await until(
      () => e.daemon.log.slice(from),
      (log) => log.includes(told),
    );
  };

  test('takes over the file as it is now; traffic does not notice', async () => {
    const e = await edited();
    e.world.guestRtnl.createVeth({ name: 'ens3', mac: '02:76:66:00:00:09', peer: { name: 'ens3p' } });
    e.world.startTraffic(null);
    const stream = new Stream(e.world, 1 << 16);
    onTestFinished(() => stream.close());
    await stream.start(1000);
    const before = await status(e);
    const net1 = { ...e.net0, name: 'net1', master: 'ens3' };
    e.write([{ ...e.net0, policy: { hold_down_ms: 40 } }, net1], { log_level: 'debug', capacity: 7 });
    await reload(e, '"msg":"reloaded"');
    expect(e.daemon.log).toContain('capacity is changed by a restart only');
    const { config } = await e.client.request('status', {});
    expect(config).toMatchObject({ log_level: 'debug', capacity: 64 });
    expect(config.instances[0]!.policy.hold_down_ms).toBe(40);
    expect(await status(e)).toMatchObject({ active: 'primary', epoch: before.epoch });
    expect((await status(e, 'net1')).master.name).toBe('ens3');

    // Gone from the file, and under another name.
    e.write([{ ...e.net0, name: 'net9' }]);
    await reload(e, '"msg":"reloaded"');
    expect(await status(e, 'net9')).toMatchObject({ active: 'primary', epoch: before.epoch });
    expect(await status(e, 'net1')).toMatchObject({ source: 'unconfigured' });
    const r = await stream.stop();
    expect(r.out.lost + r.in.lost).toBe(0);
    expect(programs(e.world)).toEqual(ONE_SET);
    e.world.cutVf();
    await until(
      () => status(e, 'net9'),
      (s) => s.active === 'standby',
    );
  });

  test('a file that is wrong changes nothing, and says what is', async () => {
    const e = await edited();
    e.write([
      { ...e.net0, name: 'net1' },
      { name: 'x', polcy: {} },
    ]);
    await reload(e, 'not reloaded, nothing is changed: ');
    expect(e.daemon.log).toContain('CONFIG_UNKNOWN_KEY');
    expect(await status(e)).toMatchObject({ state: 'ok', source: 'file' });
  });
});

describe('pins that somebody removed', () => {
  test.for(['tcx', 'clsact'] as const)('are no dead end with %s', async (attach, context) => {
    if (attach === 'tcx') requires(context, 'TCX', '6.6');
    const e = await edited({ attach });
    await e.daemon.kill('SIGKILL');
    rmSync(e.pins, { recursive: true });
    // Links of TCX end with their pins, filters stay.
    const left = attach === 'tcx' ? 0 : ONE_SET.length;
    await until(
      () => programs(e.world),
      (now) => now.length === left,
    );
    await e.restart([e.net0]);
    await untilActive(e, 'primary');
    expect(programs(e.world)).toEqual(ONE_SET);
    expect(e.daemon.log.includes('were taken off')).toBe(attach === 'clsact');
    for (const part of ['maps', 'instances']) {
      await e.daemon.kill('SIGKILL');
      rmSync(`${e.pins}/${part}`, { recursive: true });
      await e.restart([e.net0]);
      await untilActive(e, 'primary');
      expect(programs(e.world)).toEqual(ONE_SET);
    }
    await e.client.request('detach', { name: 'net0' });
    expect(programs(e.world)).toEqual([]);
  });

  test('of a daemon that stands still, and so cannot put them back: the process is named', async () => {
    const e = await edited({ attach: 'clsact' });
    const pid = e.daemon.pid!;
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGCONT'));
    rmSync(e.pins, { recursive: true });
    const { daemon: other } = daemonOf(e.world);
    await expect(other.start()).rejects.toThrow(
      new RegExp(`INSTANCE_BUSY[\\s\\S]*belong to process ${pid}[\\s\\S]*stop process ${pid}`),
    );
    expect(programs(e.world)).toEqual(ONE_SET);
  });
});

test('an instance without descriptors is refused, the others run', async () => {
  const e = await edited();
  e.world.guestRtnl.createVeth({ name: 'ens3', mac: '02:76:66:00:00:09', peer: { name: 'ens3p' } });
  execFileSync('prlimit', [`--pid=${e.daemon.pid}`, '--nofile=150:']);
  const net1 = { ...e.net0, name: 'net1', master: 'ens3' };
  await expect(e.client.request('attach', net1 as never)).rejects.toMatchObject({
    code: 'INSTANCE_LIMIT',
    field: 'nofile',
    value: 150,
    fix: expect.stringContaining('LimitNOFILE'),
  });
  expect((await status(e)).state).toBe('ok');
  execFileSync('prlimit', [`--pid=${e.daemon.pid}`, '--nofile=1024:']);
  await e.client.request('attach', net1 as never);
});
