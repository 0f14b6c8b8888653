import { describe, expect, it } from 'vitest';
import { type ProbeTarget, parseConfig } from '../../src/config/index.js';
import { planProbes, type Surroundings } from '../../src/detect/probe/plan.js';
import type { Device } from '../../src/device.js';
import { VfError } from '../../src/errors.js';
import { parseIp } from '../../src/frames/address.js';
import type { Route } from '../../src/netlink/index.js';

const ip = (text: string): Uint8Array => parseIp(text).bytes;
const MASTER = 7;
const around = (o: Partial<Surroundings> = {}): Surroundings => ({
  masterIfindex: MASTER,
  addresses: ['10.0.0.2', 'fe80::2', '127.0.0.1'],
  device: () => undefined,
  route: () => ({ type: 1, ifindex: MASTER, source: ip('10.0.0.2') }),
  ...o,
});

describe('what can be asked', () => {
  it('neighbours as they are, hosts by the way that the kernel knows', () => {
    const plan = planProbes(
      [
        { arp: '10.0.0.1' },
        { arp: '10.0.0.1', source: '10.0.0.2' },
        { nd: 'fe80::1' },
        { icmp: '10.0.0.1' },
        { icmp: '192.0.2.1' },
      ],
      around({
        route: (to) => ({
          type: 1,
          ifindex: MASTER,
          source: ip('10.0.0.2'),
          ...(to === '192.0.2.1' && { gateway: ip('10.0.0.1') }),
        }),
      }),
    );
    const none = new Uint8Array(4);
    const [own, gw] = [ip('10.0.0.2'), ip('10.0.0.1')];
    expect(plan.refused).toEqual([]);
    expect(plan.names).toEqual([
      'arp 10.0.0.1',
      'arp 10.0.0.1',
      'nd fe80::1',
      'icmp 10.0.0.1',
      'icmp 192.0.2.1',
    ]);
    expect(plan.asks).toEqual([
      { kind: 'arp', address: gw, source: none, nexthop: none, vlan: 0 },
      { kind: 'arp', address: gw, source: own, nexthop: none, vlan: 0 },
      { kind: 'nd', address: ip('fe80::1'), source: none, nexthop: none, vlan: 0 },
      { kind: 'icmp', address: gw, source: own, nexthop: gw, vlan: 0 },
      { kind: 'icmp', address: ip('192.0.2.1'), source: own, nexthop: gw, vlan: 0 },
    ]);
  });

  /** What lies on the master (7), which is a port of the bridge 20; 30 is no part of it. */
  const devices: Partial<Device>[] = [
    { ifindex: MASTER, name: 'eth0', master: 20 },
    { ifindex: 8, name: 'eth0.5', kind: 'vlan', link: MASTER, vlan: { id: 5, protocol: 0x8100 } },
    { ifindex: 9, name: 'eth0.5.6', kind: 'vlan', link: 8, vlan: { id: 6, protocol: 0x8100 } },
    { ifindex: 10, name: 'mac0', kind: 'macvlan', link: 8 },
    { ifindex: 20, name: 'br0', kind: 'bridge' },
    { ifindex: 21, name: 'br0.7', kind: 'vlan', link: 20, vlan: { id: 7, protocol: 0x8100 } },
    { ifindex: 30, name: 'eth1' },
    { ifindex: 31, name: 'eth1.5', kind: 'vlan', link: 30, vlan: { id: 5, protocol: 0x8100 } },
    {
      ifindex: 32,
      name: 'far.5',
      kind: 'vlan',
      link: MASTER,
      linkNetnsId: 0,
      vlan: { id: 5, protocol: 0x8100 },
    },
    { ifindex: 33, name: 'br1', kind: 'bridge' },
    { ifindex: 34, name: 'veth0', kind: 'veth', link: MASTER },
  ];
  const planAt = (ifindex: number, target: ProbeTarget) =>
    planProbes(
      [target],
      around({
        device: (i) => devices.find((d) => d.ifindex === i) as Device | undefined,
        route: () => ({ type: 1, ifindex, source: ip('10.0.0.2') }),
      }),
    );
  const targets: ProbeTarget[] = [{ arp: '10.5.0.1' }, { nd: 'fd00::1' }, { icmp: '10.5.0.1' }];

  it.each([
    ['the master', MASTER, 0],
    ['a VLAN on it', 8, 5],
    ['a macvlan on that', 10, 5],
    ['the bridge that it is a port of', 20, 0],
    ['a VLAN on that', 21, 7],
  ])('behind %s, with its tag', (_, ifindex, vlan) => {
    for (const target of targets) expect(planAt(ifindex, target).asks.map((a) => a.vlan)).toEqual([vlan]);
  });

  it.each([
    ['another device', 30, /begins at eth1, not at the master/],
    ['its VLAN', 31, /begins at eth1.5, not at the master/],
    ['a VLAN on another namespace’s device', 32, /begins at far.5/],
    ['another bridge', 33, /begins at br1/],
    ['a cable’s end', 34, /begins at veth0/],
    ['a VLAN in a VLAN', 9, /one tag/],
  ])('not asked behind %s', (_, ifindex, reason) => {
    for (const target of targets)
      expect(planAt(ifindex, target)).toMatchObject({
        asks: [],
        refused: [{ reason: expect.stringMatching(reason) }],
      });
  });

  it('a link-local target is asked on the master, whatever the kernel’s way; so is one behind a router, by ARP', () => {
    expect(planAt(30, { nd: 'fe80::9' }).asks).toMatchObject([{ vlan: 0 }]);
    const route = () => ({ type: 1, ifindex: 30, gateway: ip('10.9.0.1') });
    expect(planProbes([{ arp: '10.5.0.1' }], around({ route })).asks).toMatchObject([{ vlan: 0 }]);
    expect(planProbes([{ arp: '10.5.0.1' }], around({ route: () => undefined })).asks).toHaveLength(1);
  });

  const good: Route = { type: 1, ifindex: MASTER, source: ip('10.0.0.2') };
  it.each<[string, ProbeTarget, Route | undefined, RegExp]>([
    ['our own address', { arp: '10.0.0.2' }, good, /address of this machine/],
    ['our own IPv6 address, written otherwise', { nd: 'FE80:0::2' }, good, /address of this machine/],
    ['a local address', { arp: '10.9.9.9' }, { type: 2, ifindex: 1 }, /address of this machine/],
    ['a subnet’s broadcast address', { arp: '10.9.9.9' }, { type: 3, ifindex: 7 }, /broadcast/],
    ['no way', { icmp: '10.9.9.9' }, undefined, /no route/],
    ['a way that is refused', { icmp: '10.9.9.9' }, { type: 7, ifindex: 0 }, /no route/],
    ['a way elsewhere', { icmp: '10.9.9.9' }, { type: 1, ifindex: 3 }, /begins at device 3/],
    ['no source', { icmp: '10.9.9.9' }, { type: 1, ifindex: MASTER }, /no IPv4 address/],
    ['a gateway of IPv6', { icmp: '10.9.9.9' }, { ...good, gateway: ip('fe80::1') }, /no IPv4 address/],
  ])('refused with its reason: %s', (_, target, route, reason) => {
    const plan = planProbes(
      [target, { arp: '10.0.0.1' }],
      around({ route: (to) => (to === '10.0.0.1' ? good : route) }),
    );
    expect(plan.refused).toEqual([{ target: expect.any(String), reason: expect.stringMatching(reason) }]);
    // A bad target takes nothing from the others.
    expect(plan.names).toEqual(['arp 10.0.0.1']);
  });
});

describe('configuration', () => {
  const parse = (detect: string) =>
    parseConfig(`instances: [{ name: a, master: eth0, detect: { ${detect} } }]`, 'x').instances[0]!.detect;
  const problem = (detect: string): VfError => {
    try {
      parse(detect);
    } catch (e) {
      if (e instanceof VfError) return e;
      throw e;
    }
    throw new Error('accepted');
  };

  it('fills in what is left out', () => {
    expect(parse('probes: { targets: [{ arp: 10.0.0.1 }] }, witness: {}')).toEqual({
      combine: 'any',
      carrier: 'alone',
      witness: { slaves: ['primary', 'standby'], timeout_ms: 3000, min_frames: 3 },
      probes: {
        slaves: ['primary', 'standby'],
        interval_ms: 100,
        missed_max: 2,
        targets_of: 'any',
        validate: 'all',
        inactive: true,
        targets: [{ arp: '10.0.0.1' }],
      },
    });
  });

  it.each([
    ['0.0.0.0', 'arp: 0.0.0.0', 'targets[0].arp'],
    ['broadcast', 'arp: 255.255.255.255', 'targets[0].arp'],
    ['multicast', 'icmp: 224.0.0.1', 'targets[0].icmp'],
    ['loopback', 'icmp: 127.0.0.1', 'targets[0].icmp'],
    ['IPv6 as IPv4', 'arp: fe80::1', 'targets[0].arp'],
    ['IPv4 as IPv6', 'nd: 10.0.0.1', 'targets[0].nd'],
    ['IPv6 multicast', 'nd: "ff02::1"', 'targets[0].nd'],
    ['unspecified', 'nd: "::"', 'targets[0].nd'],
    ['IPv6 loopback', 'nd: "::1"', 'targets[0].nd'],
    ['a zone', 'nd: "fe80::1%eth0"', 'targets[0].nd'],
    ['two kinds', 'arp: 10.0.0.1, icmp: 10.0.0.1', 'targets[0]'],
    ['no kind', 'source: 10.0.0.1', 'targets[0]'],
    ['a source for nd', 'nd: "fe80::1", source: 10.0.0.1', 'targets[0].source'],
    ['a source that is none', 'arp: 10.0.0.1, source: 0.0.0.0', 'targets[0].source'],
  ])('refuses as a target: %s', (_, target, field) => {
    const e = problem(`probes: { targets: [{ ${target} }] }`);
    expect(e).toMatchObject({ code: 'CONFIG_INVALID', field: `instances[0].detect.probes.${field}` });
    expect(e.fix).toBeTruthy();
  });

  it('refuses 33 targets, none, the same twice, and times out of range', () => {
    const many = Array.from({ length: 33 }, (_, i) => `{ arp: 10.0.0.${i + 1} }`).join(', ');
    const at = (e: VfError): string => String(e.field).replace('instances[0].detect.', '');
    expect(at(problem(`probes: { targets: [${many}] }`))).toBe('probes.targets');
    expect(at(problem('probes: { targets: [] }'))).toBe('probes.targets');
    expect(at(problem('probes: { targets: [{ arp: 10.0.0.1 }, { arp: 10.0.0.1 }] }'))).toBe('probes.targets');
    const one = 'targets: [{ arp: 10.0.0.1 }]';
    expect(at(problem(`probes: { ${one}, interval_ms: 1 }`))).toBe('probes.interval_ms');
    expect(at(problem(`probes: { ${one}, interval_ms: 100, timeout_ms: 80 }`))).toBe('probes.timeout_ms');
    expect(at(problem(`probes: { ${one}, missed_max: 0 }`))).toBe('probes.missed_max');
    expect(problem(`probes: { ${one}, validate: backup }`)).toMatchObject({
      field: 'instances[0].detect.probes.validate',
      value: 'backup',
      fix: 'set it to one of all, active, inactive, none, or leave it out for all',
    });
    expect(problem(`probes: { ${one}, init_wait_ms: -1 }`)).toMatchObject({
      field: 'instances[0].detect.probes.init_wait_ms',
      value: -1,
      fix: 'set it to an integer from 0 to 600000 ms',
    });
    expect(at(problem('witness: { timeout_ms: 1 }'))).toBe('witness.timeout_ms');
    expect(problem(`probes: { ${one}, intervall_ms: 5 }`)).toMatchObject({
      code: 'CONFIG_UNKNOWN_KEY',
      fix: expect.stringContaining('interval_ms'),
    });
  });
});
