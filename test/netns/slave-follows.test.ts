import { execFileSync } from 'node:child_process';
import { closeFd, netnsCreate, withNetns } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { InstanceStatus } from '../../src/api/index.js';
import { Ethtool, Rtnl } from '../../src/netlink/index.js';
import { daemonOf, inGuest, lab, status, untilActive, world } from '../helpers/daemon.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const MAC = '02:76:66:00:00:01';
const NEW = '02:76:66:00:00:77';

const ip = (l: { world: Parameters<typeof inGuest>[0] }, command: string): string =>
  inGuest(l.world, 'ip', ...command.split(' '));

interface AddressInfo {
  local: string;
  prefixlen: number;
  dynamic?: boolean;
  secondary?: boolean;
  label?: string;
  valid_life_time: number;
  preferred_life_time: number;
  dadfailed?: boolean;
}
/** Addresses of a device, without times. */
function addresses(l: { world: Parameters<typeof inGuest>[0] }, device: string): AddressInfo[] {
  const [d] = JSON.parse(ip(l, `-j address show dev ${device}`)) as [{ addr_info: AddressInfo[] }];
  return d.addr_info;
}
const plain = (l: Parameters<typeof addresses>[0], device: string): string[] =>
  addresses(l, device)
    .map(({ valid_life_time: _v, preferred_life_time: _p, ...rest }) => JSON.stringify(rest))
    .sort();
const impairment = (s: InstanceStatus, key: string) => s.impairments.find((i) => i.key.startsWith(key));

describe('MAC', () => {
  test('follows the master within 100 ms, also over a restart, and is given back', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    const at = performance.now();
    ip(l, `link set virtio0 address ${NEW}`);
    await until(
      () => l.world.guestRtnl.link('vf0')!.address,
      (mac) => mac === NEW,
    );
    expect(performance.now() - at).toBeLessThan(500);
    expect((await status(l)).primary.state).toBe('joined');
    await l.daemon.kill('SIGKILL');
    ip(l, 'link set virtio0 address 02:76:66:00:00:78');
    await l.daemon.start();
    const client = await l.daemon.client();
    onTestFinished(() => client.close());
    await untilActive({ client }, 'primary');
    expect(l.world.guestRtnl.link('vf0')!.address).toBe('02:76:66:00:00:78');
    await client.request('detach', { name: 'net0' });
    expect(l.world.guestRtnl.link('vf0')!.address).toBe(MAC);
  });

  test('that somebody else changes is set again, and told; whoever insists has it, and the slave leaves', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    ip(l, `link set vf0 address ${NEW}`);
    await until(
      () => l.world.guestRtnl.link('vf0')!.address,
      (mac) => mac === MAC,
    );
    const told = await until(
      async () => impairment(await status(l), 'mac/changed'),
      (i) => i !== undefined,
    );
    expect(told).toMatchObject({ severity: 'note', message: expect.stringContaining('vf0') });
    for (let i = 0; i < 20; i++) {
      ip(l, `link set vf0 address ${NEW}`);
      await elapse(120);
    }
    const s = await status(l);
    expect(s.active).toBe('standby');
    expect(s.refusals).toMatchObject([{ device: 'vf0', error: { code: 'MAC_MISMATCH' } }]);
    expect(l.world.guestRtnl.link('vf0')!.address).toBe(NEW);
  });
});

describe('addresses', () => {
  const ROUTES = [
    '10.7.0.0/16 dev vf0',
    '10.8.0.0/16 via 10.99.7.1 dev vf0 metric 77',
    'fd00:8::/32 dev vf0 metric 5',
  ];
  /** A VF that somebody has configured in every way. */
  function configure(w: Parameters<typeof inGuest>[0]): void {
    const l = { world: w };
    ip(l, 'link set vf0 up');
    ip(l, 'address add 10.99.7.2/24 brd + dev vf0');
    ip(l, 'address add 10.99.7.3/24 dev vf0 label vf0:x');
    ip(l, 'address add 10.99.8.2/24 dev vf0 valid_lft 1000 preferred_lft 900');
    ip(l, 'address add fd00:7::2/64 dev vf0 nodad');
    for (const route of ROUTES) ip(l, `${route.includes(':') ? '-6 ' : ''}route add ${route}`);
  }
  const routes = (l: Parameters<typeof addresses>[0]): string =>
    ['route show dev vf0 table all', '-6 route show dev vf0 table main']
      .map((c) => ip(l, c).replaceAll(/ expires \d+sec/g, ''))
      .join('\n')
      .split('\n')
      // The link-local address is the master's as well: the check for duplicates decides.
      .filter((line) => !line.startsWith('local fe80'))
      .sort()
      .join('\n');

  test('and routes are taken away at the join and given back at the leave, whoever lives then', async () => {
    const w = world();
    configure(w);
    await until(
      () => addresses({ world: w }, 'vf0').length,
      (n) => n === 5,
    );
    const before = { addresses: plain({ world: w }, 'vf0'), routes: routes({ world: w }) };
    const { daemon } = daemonOf(w);
    const l = { world: w };
    await daemon.start();
    let client = await daemon.client();
    await untilActive({ client }, 'primary');
    expect(addresses(l, 'vf0')).toEqual([]);
    expect(routes(l)).not.toMatch(/10\.|fd00/);
    client.close();
    await daemon.kill('SIGKILL');
    expect(addresses(l, 'vf0')).toEqual([]);
    await daemon.start();
    client = await daemon.client();
    onTestFinished(() => client.close());
    await untilActive({ client }, 'primary');
    await client.request('detach', { name: 'net0' });
    await until(
      () => plain(l, 'vf0').join(),
      (now) => !now.includes('tentative'),
    );
    // Its own link-local is the master's as well; the check for duplicates may find so now.
    const withoutLinkLocal = (list: string[]) => list.filter((a) => !a.includes('fe80::'));
    expect(withoutLinkLocal(plain(l, 'vf0'))).toEqual(withoutLinkLocal(before.addresses));
    expect(routes(l)).toBe(before.routes);
    const lease = addresses(l, 'vf0').find((a) => a.local === '10.99.8.2')!;
    expect(lease.valid_life_time).toBeGreaterThan(800);
    expect(lease.valid_life_time).toBeLessThan(1000);
  });

  test('that come later are taken away, bounded and told', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    ip(l, 'address add 10.99.7.2/24 dev vf0');
    await until(
      () => addresses(l, 'vf0').length,
      (n) => n === 0,
    );
    const first = await until(
      async () => impairment(await status(l), 'addresses/configured'),
      (i) => i !== undefined,
    );
    expect(first).toMatchObject({
      severity: 'note',
      message: expect.stringMatching(/10\.99\.7\.2\/24.*vf0/),
    });
    // The kernel refuses IPv6 there.
    expect(() => ip(l, 'address add fd00:7::2/64 dev vf0')).toThrow(/IPv6 is disabled|Permission denied/);
    for (let i = 0; i < 12; i++) {
      try {
        ip(l, 'address add 10.99.7.2/24 dev vf0');
      } catch {
        // it is still there
      }
      await elapse(150);
    }
    const s = await status(l);
    expect(impairment(s, 'addresses/configured')).toMatchObject({
      severity: 'degraded',
      message: expect.stringContaining('again and again'),
    });
    expect(s.state).toBe('degraded');
  });

  test('routes that come alone are taken away, and those that have other next hops as well are told', async () => {
    const l = await lab();
    await untilActive(l, 'primary');
    ip(l, 'route add 10.7.0.0/16 dev vf0');
    await until(
      () => ip(l, 'route show dev vf0'),
      (routes) => routes === '',
    );
    expect(impairment(await status(l), 'addresses/configured')).toMatchObject({
      message: expect.stringMatching(/put routes on vf0/),
    });
    ip(l, 'route add 10.9.0.0/16 nexthop dev vf0 nexthop dev virtio0');
    const told = await until(
      async () => impairment(await status(l), 'addresses/shared'),
      (i) => i !== undefined,
    );
    expect(told).toMatchObject({
      severity: 'degraded',
      message: expect.stringMatching(/a route .* has vf0 among them/),
    });
    ip(l, 'route del 10.9.0.0/16');
    await until(
      async () => impairment(await status(l), 'addresses/shared'),
      (i) => i === undefined,
    );
  });

  test('that the kernel made meanwhile are not given to a slave that has another MAC again, and is down', async () => {
    const w = world();
    const l = { world: w };
    // As udev and managers leave it: IPv6 makes an address, as soon as it is switched on.
    ip(l, 'link set vf0 down addrgenmode eui64');
    const { daemon } = daemonOf(w);
    await daemon.start();
    const client = await daemon.client();
    onTestFinished(() => client.close());
    await untilActive({ client }, 'primary');
    ip(l, `link set virtio0 address ${NEW}`);
    // Below IPv6's minimum the kernel forgets that it is switched off.
    for (const mtu of [1000, 1500]) {
      ip(l, `link set virtio0 mtu ${mtu}`);
      await until(
        () => w.guestRtnl.link('vf0')!.mtu,
        (n) => n === mtu,
      );
    }
    const made = await until(
      async () => impairment(await status({ client }), 'addresses/configured'),
      (i) => i !== undefined,
    );
    expect(made!.message).toContain('fe80::');
    await client.request('detach', { name: 'net0' });
    expect(addresses(l, 'vf0')).toEqual([]);
  });

  test('slave_addresses: refuse', async () => {
    const w = world();
    const l = { world: w };
    ip(l, 'address add 10.99.7.2/24 dev vf0');
    const { daemon } = daemonOf(w, { slave_addresses: 'refuse' });
    await daemon.start();
    const client = await daemon.client();
    onTestFinished(() => client.close());
    const s = await until(
      () => status({ client }),
      (x) => x.refusals.length > 0,
    );
    expect(s.refusals[0]!.error).toMatchObject({ message: expect.stringContaining('10.99.7.2/24') });
    expect(addresses(l, 'vf0')).toHaveLength(1);
    ip(l, 'address flush dev vf0');
    await untilActive({ client }, 'primary');
    ip(l, 'address add 10.99.7.2/24 dev vf0');
    await untilActive({ client }, 'standby');
    expect((await status({ client })).refusals[0]!.error.code).toBe('SLAVE_ADDRESSED');
    expect(addresses(l, 'vf0')).toHaveLength(1);
  });

  test('a master whose link-local address failed against its own VF’s is mended', async () => {
    const w = world();
    const l = { world: w };
    ip(l, 'link set virtio0 down');
    ip(l, 'link set vf0 up');
    await until(
      () => addresses(l, 'vf0').map((a) => a.local),
      (list) => list.length === 1 && !ip(l, 'address show dev vf0').includes('tentative'),
    );
    w.guestRtnl.setLink(w.virtio.guestIfindex, { addrGenMode: 0 });
    ip(l, 'link set virtio0 up');
    await until(
      () => addresses(l, 'virtio0'),
      (list) => list.some((a) => a.dadfailed),
    );
    const { daemon } = daemonOf(w);
    await daemon.start();
    const client = await daemon.client();
    onTestFinished(() => client.close());
    await untilActive({ client }, 'primary');
    await until(
      () => ip(l, '-6 address show dev virtio0 scope link'),
      (text) => text.includes('fe80::') && !/dadfailed|tentative/.test(text),
    );
  });
});

test('the slave is set down and up with its master, and whoever sets it down keeps it down', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  const isUp = (): boolean => l.world.guestRtnl.link('vf0')!.up;
  ip(l, 'link set virtio0 down');
  await until(isUp, (up) => !up);
  ip(l, 'link set virtio0 up');
  await until(isUp, (up) => up);
  await untilActive(l, 'primary');
  ip(l, 'link set vf0 down');
  await untilActive(l, 'standby');
  await quietFor(300);
  expect(isUp()).toBe(false);
  // Another daemon knows that the order came after the master was last set up.
  await l.daemon.kill('SIGKILL');
  await l.daemon.start();
  const client = await l.daemon.client();
  onTestFinished(() => client.close());
  await untilActive({ client }, 'standby');
  expect(isUp()).toBe(false);
  ip(l, 'link set virtio0 down');
  await until(
    async () => (await status({ client })).master.up,
    (up) => !up,
  );
  ip(l, 'link set virtio0 up');
  await until(isUp, (up) => up);
});

test('offloads are read and switched', () => {
  const netns = netnsCreate();
  onTestFinished(() => closeFd(netns));
  using rtnl = new Rtnl({ netns });
  using ethtool = new Ethtool({ netns });
  const { ifindex } = rtnl.createVeth({ name: 'a', peer: { name: 'b' } });
  expect(ethtool.features(ifindex)).toContain('tx-tcp-segmentation');
  expect(ethtool.setFeature(ifindex, 'rx-gro', true)).toBe(true);
  expect(ethtool.features(ifindex)).toContain('rx-gro');
  // Nothing to change is answered at once, too.
  expect(ethtool.setFeature(ifindex, 'rx-gro', true)).toBe(true);
  expect(ethtool.setFeature(ifindex, 'rx-gro', false)).toBe(false);
  // A veth has none.
  expect(ethtool.setFeature(ifindex, 'rx-lro', true)).toBe(false);
  expect(ethtool.features(9999)).toBeUndefined();
});

test('a VF that was moved away while no daemon lived is the other namespace’s', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  await l.daemon.kill('SIGKILL');
  const pod = netnsCreate();
  onTestFinished(() => closeFd(pod));
  using rtnl = new Rtnl({ netns: pod });
  // A device of the pod that has the master's ifindex there.
  rtnl.createVeth({ name: 'first', peer: { name: 'first2' } });
  const { virtio, vf } = l.world;
  const own = rtnl.links().find((d) => d.ifindex === virtio.guestIfindex)!;
  for (const d of rtnl.links()) rtnl.setLink(d.ifindex, d.name === 'lo' ? {} : { up: true, addrGenMode: 1 });
  l.world.guestRtnl.setLink(vf.guestIfindex, { netnsFd: pod });
  const moved = rtnl.link('vf0')!;
  rtnl.setLink(moved.ifindex, { address: '02:76:66:00:07:07' });
  rtnl.setLink(moved.ifindex, { up: true, addrGenMode: 1 });
  rtnl.addAddress(moved.ifindex, '10.99.0.7/24');
  const received = (): number =>
    Number(
      withNetns(pod, () => execFileSync('cat', ['/proc/net/dev'], { encoding: 'utf8' })).match(
        new RegExp(`${own.name}:\\s+\\d+\\s+(\\d+)`),
      )![1],
    );
  const before = received();
  const pings = withNetns(pod, () => pingOf('10.99.0.1'));
  expect(pings).toBe(true);
  expect(received()).toBe(before);
  await l.daemon.start();
  const client = await l.daemon.client();
  onTestFinished(() => client.close());
  expect((await status({ client })).primary.state).toBe('absent');
  expect(
    withNetns(pod, () => execFileSync('bpftool', ['net', 'show', 'dev', 'vf0'], { encoding: 'utf8' })),
  ).not.toMatch(/vf_/);
  expect(rtnl.link('vf0')).toMatchObject({ up: true, address: '02:76:66:00:07:07' });
  await client.request('detach', { name: 'net0' });
});

/** True if three echo requests from the calling thread's namespace are answered. */
function pingOf(address: string): boolean {
  const script = `import socket,struct,sys
s=socket.socket(socket.AF_INET,socket.SOCK_RAW,1); s.settimeout(2)
def cs(b):
    t=sum(struct.unpack('!%dH'%(len(b)//2),b)); t=(t>>16)+(t&0xffff); return ~(t+(t>>16))&0xffff
for i in range(3):
    p=struct.pack('!BBHHH',8,0,0,77,i); p=p[:2]+struct.pack('!H',cs(p))+p[4:]
    s.sendto(p,('${address}',0))
    while True:
        r=s.recv(200)[20:]
        if r[0]==0: break
`;
  try {
    execFileSync('python3', ['-c', script]);
    return true;
  } catch {
    return false;
  }
}
