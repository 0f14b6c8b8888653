import { execFileSync } from 'node:child_process';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { expect, onTestFinished, test } from 'vitest';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { AnnounceWatch } from '../../src/announce/index.js';
import { LinkMonitor } from '../../src/netlink/index.js';
import { inGuest, type Lab, lab, status, untilActive, world } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

/** What is announced at a switch is what is there at that moment: addresses, the master's MAC, stations behind its bridge. */

/** From a change until the workers have it. */
const FOLLOWED_MS = 100;
const NEW_MAC = '02:76:66:00:00:77';

interface Heard {
  /** Sources of all frames that were announced. */
  macs: Set<string>;
  /** Addresses in gratuitous ARP. */
  ips: string[];
  /** Destinations that are nobody's. */
  nobody: Set<string>;
}

const mac = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex', 0, 6)
    .replace(/..(?!$)/g, '$&:');

/** Listens at the host's end of virtio's wire; `heard` tells what was announced there since the last call. */
function listen({ world: w }: Lab): () => Heard {
  const socket = new PacketSocket({ netns: w.host, ifindex: w.virtio.hostIfindex });
  onTestFinished(() => socket.close());
  const f = new Uint8Array(256);
  return () => {
    const heard: Heard = { macs: new Set(), ips: [], nobody: new Set() };
    while (socket.recv(f) > 0) {
      const type = (f[12]! << 8) | f[13]!;
      const gratuitous = type === 0x0806 && f.subarray(28, 32).every((b, i) => b === f[38 + i]);
      if (gratuitous) heard.ips.push(f.subarray(28, 32).join('.'));
      if (gratuitous || type === 0x8035) heard.macs.add(mac(f.subarray(6)));
      if (type === 0x8035 && f[0] === 6) heard.nobody.add(mac(f));
    }
    return heard;
  };
}

async function active(): Promise<{ l: Lab; heard: () => Heard }> {
  const l = await lab('veth');
  await untilActive(l, 'primary');
  const heard = listen(l);
  await elapse(FOLLOWED_MS);
  heard();
  return { l, heard };
}

test('addresses: one that is gone is not named, one that came 100 ms before the fault is', async () => {
  const { l, heard } = await active();
  inGuest(l.world, ...'ip addr add 10.99.0.50/32 dev virtio0'.split(' '));
  await elapse(FOLLOWED_MS * SLOWDOWN);
  inGuest(l.world, ...'ip addr del 10.99.0.50/32 dev virtio0'.split(' '));
  inGuest(l.world, ...'ip addr add 10.99.0.60/32 dev virtio0'.split(' '));
  await elapse(FOLLOWED_MS * SLOWDOWN);
  l.world.cutVf();
  await untilActive(l, 'standby');
  expect(heard().ips.sort()).toEqual(['10.99.0.2', '10.99.0.60']);
});

test('the MAC: nothing is announced under the old one, neither at the leave that its change brings nor later', async () => {
  const { l, heard } = await active();
  inGuest(l.world, 'ip', 'link', 'set', 'virtio0', 'address', NEW_MAC);
  inGuest(l.world, 'ip', 'link', 'set', 'vf0', 'address', NEW_MAC);
  await until(
    () => status(l),
    (s) => s.active === 'primary' && s.primary.state === 'joined',
    15_000,
  );
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  await untilActive(l, 'standby');
  expect([...heard().macs]).toEqual([NEW_MAC]);
});

test('what lies on the master: its bridge, a station behind that, a macvlan in another namespace', async () => {
  const { l, heard } = await active();
  const { world: w } = l;
  const ip = (line: string) => inGuest(w, 'ip', ...line.split(' '));
  ip('addr flush dev virtio0');
  ip('link add brg type bridge mcast_snooping 0 forward_delay 0 stp_state 0');
  ip('link set brg address 02:76:66:00:00:01 up');
  ip('link set virtio0 master brg');
  ip('addr add 10.99.0.2/24 dev brg');
  ip('link add tap0 type veth peer name tap1 address 02:76:66:00:0a:03');
  // Without IPv6: a router solicitation would be taken for an announcement, and teach the bridge the station anew.
  // Two commands: Linux 6.1 sets a device up before it reads the mode of the same request.
  for (const port of ['tap0', 'tap1']) {
    ip(`link set ${port} addrgenmode none`);
    ip(`link set ${port} up`);
  }
  ip('link set tap0 master brg');
  // A frame of the station, and nothing more.
  const station = new PacketSocket({
    netns: w.guest,
    ifindex: w.guestRtnl.link('tap1')!.ifindex,
    protocol: 0,
    bypass: true,
  });
  onTestFinished(() => station.close());
  await until(
    () => {
      station.send(
        Uint8Array.of(...Array(6).fill(0xff), 2, 0x76, 0x66, 0, 0x0a, 3, 0x88, 0xb5, ...Array(46).fill(0)),
      );
      return inGuest(w, 'bridge', 'fdb', 'show', 'br', 'brg');
    },
    (fdb) => fdb.includes('02:76:66:00:0a:03 dev tap0 master brg'),
  );
  // What a macvlan elsewhere leaves behind on its lower device.
  ip('link set dev virtio0 promisc on');
  inGuest(w, 'bridge', 'fdb', 'add', '02:76:66:00:0b:07', 'dev', 'virtio0', 'self', 'permanent');
  await elapse(2 * FOLLOWED_MS * SLOWDOWN);
  heard();
  w.cutVf();
  await untilActive(l, 'standby');
  const first = heard();
  expect([...first.macs].sort()).toEqual(['02:76:66:00:00:01', '02:76:66:00:0a:03', '02:76:66:00:0b:07']);
  expect([...new Set(first.ips)]).toEqual(['10.99.0.2']);
  // Each switch has destinations of its own, or Open vSwitch would take them for what it knows.
  w.mendVf();
  await untilActive(l, 'primary');
  w.cutVf();
  await untilActive(l, 'standby');
  const second = heard();
  expect(second.nobody.size).toBeGreaterThanOrEqual(3);
  for (const m of second.nobody) expect(first.nobody).not.toContain(m);
  // It moves away: its bridge learns it at the uplink, and it is not ours any more.
  inGuest(w, 'bridge', 'fdb', 'replace', '02:76:66:00:0a:03', 'dev', 'virtio0', 'master', 'dynamic');
  w.mendVf();
  await untilActive(l, 'primary');
  await elapse(3 * FOLLOWED_MS * SLOWDOWN);
  heard();
  w.cutVf();
  await untilActive(l, 'standby');
  expect([...heard().macs]).not.toContain('02:76:66:00:0a:03');
});

test('a watch tells of changes once for many, and of neighbours of bridges when it is told to', async () => {
  const w = world();
  const monitor = new LinkMonitor({ netns: w.guest, ref: false });
  onTestFinished(() => monitor.close());
  monitor.start();
  let told = 0;
  const watch = new AnnounceWatch(w.guest, monitor, () => told++);
  onTestFinished(() => watch.close());
  await quietFor(50);
  told = 0;
  for (let i = 1; i <= 200; i++)
    w.guestRtnl.addAddress(w.virtio.guestIfindex, `10.5.${i >> 8}.${i & 255}/32`);
  await until(
    () => told,
    (n) => n > 0,
  );
  await quietFor(150);
  expect(told).toBeLessThan(10);
  told = 0;
  const entry = (op: string) =>
    execFileSync('nsenter', [
      `--net=${w.guestPath}`,
      'bridge',
      'fdb',
      op,
      '02:76:66:00:0c:01',
      'dev',
      'virtio0',
      'self',
    ]);
  entry('add');
  await quietFor(100);
  expect(told).toBe(0);
  watch.bridges();
  entry('del');
  await until(
    () => told,
    (n) => n === 1,
  );
});
