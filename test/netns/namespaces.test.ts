import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeFd, netnsCreate, netnsOpen } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import type { DaemonProcess } from '../../lab/netns/daemon-process.js';
import { GUEST_MAC, type World } from '../../lab/netns/world.js';
import type { Namespace } from '../../src/daemon/namespace.js';
import { Namespaces } from '../../src/daemon/namespaces.js';
import { Rtnl } from '../../src/netlink/index.js';
import { daemonOf, status, untilActive, world } from '../helpers/daemon.js';
import { quietFor, until } from '../helpers/wait.js';

const OWN = readlinkSync('/proc/self/ns/net');

/** A process in a namespace of its own, as a container is; the namespace ends with it. */
async function container(): Promise<{ path: string; end: () => Promise<void> }> {
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'sleep', '600'], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const end = (): Promise<void> => {
    child.kill('SIGKILL');
    return ended;
  };
  onTestFinished(end);
  const path = `/proc/${child.pid}/ns/net`;
  await until(
    () => readlinkSync(path),
    (link) => link !== OWN,
  );
  return { path, end };
}

/** Gives a namespace a master and a VF, whose far ends are in `far`. */
function furnish(path: string, far: number, mac: string, tag: string): void {
  const netns = netnsOpen(path);
  try {
    using rtnl = new Rtnl({ netns });
    using there = new Rtnl({ netns: far });
    for (const name of ['virtio0', 'vf0']) {
      const { ifindex } = rtnl.createVeth({ name, mac, peer: { name: `${name}${tag}`, netnsFd: far } });
      there.setLink(there.link(`${name}${tag}`)!.ifindex, { up: true });
      rtnl.setLink(ifindex, { up: true, addrGenMode: 1 });
    }
  } finally {
    closeFd(netns);
  }
}

test('a namespace ends with its container though an instance lives there, and the next one is taken by itself', async () => {
  const far = netnsCreate();
  onTestFinished(() => closeFd(far));
  using rtnl = new Rtnl({ netns: far });
  const folder = mkdtempSync(join(tmpdir(), 'vf-ns-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const name = join(folder, 'net');
  // Absent at the start: the instance waits.
  const { daemon } = daemonOf(world(), { netns: name });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  expect((await status({ client })).state).toBe('waiting');
  for (const tag of ['a', 'b']) {
    const c = await container();
    furnish(c.path, far, '02:76:66:00:09:01', tag);
    rmSync(name, { force: true });
    symlinkSync(c.path, name);
    await untilActive({ client }, 'primary');
    await c.end();
    await until(
      () => rtnl.links().map((d) => d.name),
      (names) => !names.some((n) => n.endsWith(tag)),
    );
    expect((await status({ client })).state).toBe('waiting');
  }
});

test('a namespace that two instances name by different paths is one: a VF has one instance, and each path its own end', async () => {
  const far = netnsCreate();
  onTestFinished(() => closeFd(far));
  using there = new Rtnl({ netns: far });
  const folder = mkdtempSync(join(tmpdir(), 'vf-ns-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const name = join(folder, 'net');
  const c = await container();
  symlinkSync(c.path, name);
  furnish(c.path, far, '02:76:66:00:09:01', 'a');
  // Held no longer than for this.
  const netns = netnsOpen(c.path);
  const rtnl = new Rtnl({ netns });
  rtnl.createVeth({
    name: 'virtio1',
    mac: '02:76:66:00:09:01',
    peer: { name: 'virtio1a', netnsFd: far },
  });
  rtnl.close();
  closeFd(netns);
  const { daemon } = daemonOf(world(), { netns: name, primary: { name: 'vf0' } });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  await untilActive({ client }, 'primary');
  await client.request('attach', {
    name: 'net1',
    netns: c.path,
    master: 'virtio1',
    primary: { name: 'vf0' },
  });
  expect(await status({ client }, 'net1')).toMatchObject({
    primary: { state: 'refused' },
    refusals: [{ device: 'vf0', error: { code: 'DEVICE_OWNED', fix: expect.stringContaining('net0') } }],
  });
  rmSync(name);
  await until(
    () => status({ client }, 'net0'),
    (s) => s.state === 'waiting',
  );
  expect((await status({ client }, 'net1')).master.name).toBe('virtio1');
  await c.end();
  await until(
    () => there.links().map((d) => d.name),
    (names) => !names.some((n) => n.endsWith('a')),
  );
});

/** What a process holds of namespaces: descriptors of them, and sockets, of which none says where it is. */
const held = (pid: number): string[] => {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      const what = readlinkSync(`${folder}/${fd}`);
      return /^(net|socket):/.test(what) ? [what] : [];
    } catch {
      return [];
    }
  });
};

test('a namespace is let go with the last instance in it, and with one that was refused, and ends', async () => {
  const far = netnsCreate();
  onTestFinished(() => closeFd(far));
  using there = new Rtnl({ netns: far });
  const c = await container();
  furnish(c.path, far, '02:76:66:00:09:01', 'a');
  const inode = readlinkSync(c.path);
  const { daemon } = daemonOf(world());
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  await untilActive({ client }, 'primary');
  const ours = (): string[] => held(daemon.pid!);
  const before = ours().length;

  const absent = client.request('attach', { name: 'net1', netns: c.path, master: 'absent0' });
  await expect(absent).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  await until(ours, (fds) => !fds.includes(inode) && fds.length <= before);

  const net1 = { name: 'net1', netns: c.path, master: 'virtio0' };
  await client.request('attach', net1);
  expect(ours()).toContain(inode);
  const { netlink } = await client.request('status', {});
  await client.request('detach', { name: 'net1' });
  await until(ours, (fds) => !fds.includes(inode) && fds.length <= before);
  // What its monitor had counted counts on.
  expect((await client.request('status', {})).netlink.messages).toBeGreaterThanOrEqual(netlink.messages);

  // The same one again, as if it had never been there.
  await client.request('attach', net1);
  await until(
    () => status({ client }, 'net1'),
    (s) => s.active === 'primary',
  );
  await client.request('detach', { name: 'net1' });
  await c.end();
  await until(
    () => there.links().map((d) => d.name),
    (names) => !names.some((n) => n.endsWith('a')),
  );
});

test('a namespace that cannot be started is closed, and opened anew by the next that names it', () => {
  const netns = netnsCreate();
  onTestFinished(() => closeFd(netns));
  const path = `/proc/${process.pid}/fd/${netns}`;
  let begun = 0;
  const ended: Namespace[] = [];
  const all = new Namespaces({
    capacity: 4,
    begin: (ns) => {
      if (begun++ === 0) throw new Error('no');
      ns.start();
    },
    end: (ns) => ended.push(ns),
    settled: () => Promise.resolve(),
    lost: () => {},
    found: () => {},
  });
  const before = held(process.pid).length;
  expect(() => all.open(path)).toThrow('no');
  expect(held(process.pid).length).toBe(before);
  expect(ended).toHaveLength(1);
  const ns = all.open(path);
  expect(ns).not.toBe(ended[0]);
  expect(all.open(path)).toBe(ns);
  all.end();
  all.close();
  expect(held(process.pid).length).toBe(before);
});

/** A namespace that a daemon runs in, and a guest without a VF in another one. */
interface Apart {
  home: number;
  own: Rtnl;
  w: World;
  daemon: DaemonProcess;
}

function apart(): Apart {
  const home = netnsCreate();
  onTestFinished(() => closeFd(home));
  const own = new Rtnl({ netns: home });
  onTestFinished(() => own.close());
  const w = world();
  w.guestRtnl.deleteLink(w.vf.guestIfindex);
  const { daemon } = daemonOf(w, {}, {}, `/proc/${process.pid}/fd/${home}`);
  return { home, own, w, daemon };
}

/** Made from the host's end: a daemon that runs may have moved the other one before anybody has looked at it. */
function plug({ home, w }: Apart, name: string): number {
  const spec = { name: `p${name}`, peer: { name, mac: GUEST_MAC, netnsFd: home } };
  const { ifindex, peerIfindex } = w.hostRtnl.createVeth(spec);
  w.hostRtnl.setLink(ifindex, { up: true, addrGenMode: 1, master: w.bridge });
  return peerIfindex;
}

test('a VF that is plugged into the first namespace is moved after its master, and back at the end', async () => {
  const a = apart();
  const { own, w, daemon } = a;
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  // Of a name that the master's namespace has already.
  w.guestRtnl.createVeth({ name: 'eth1', peer: { name: 'other' } });
  plug(a, 'eth1');
  await untilActive({ client }, 'primary');
  expect((await status({ client })).primary.name).toBe('eth1_0');
  expect(own.link('eth1')).toBeUndefined();
  // The next daemon knows where it came from.
  await daemon.kill('SIGKILL');
  await daemon.start();
  const next = await daemon.client();
  onTestFinished(() => next.close());
  await untilActive({ client: next }, 'primary');
  await next.request('detach', { name: 'net0' });
  await until(
    () => own.link('eth1'),
    (d) => d !== undefined && !d.up && d.address === GUEST_MAC,
  );
});

test('a device of the first namespace that others use is not taken', async () => {
  const a = apart();
  const { own, daemon } = a;
  const bridge = own.createBridge({ name: 'br0' });
  const used = plug(a, 'vf1');
  own.setLink(used, { master: bridge });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  await quietFor(500);
  expect((await status({ client })).primary.state).toBe('absent');
  expect(own.link('vf1')).toBeDefined();
  // Let go, it is taken.
  own.setLink(used, { master: 0 });
  await untilActive({ client }, 'primary');
  expect((await status({ client })).primary.name).toBe('vf1');
});

test('of two devices of the first namespace that answer to an instance none is taken', async () => {
  const a = apart();
  const { own, daemon } = a;
  plug(a, 'vf1');
  const second = plug(a, 'vf2');
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  const told = await until(
    async () => (await status({ client })).impairments,
    (list) => list.length > 0,
  );
  expect(told).toMatchObject([
    { key: 'namespace/MAC_AMBIGUOUS', message: expect.stringMatching(/vf1 and vf2/) },
  ]);
  own.deleteLink(second);
  await untilActive({ client }, 'primary');
  expect((await status({ client })).impairments).toEqual([]);
});
