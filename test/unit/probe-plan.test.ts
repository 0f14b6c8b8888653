import { describe, expect, it } from 'vitest';
import { type ProbeTarget, parseConfig } from '../../src/config/index.js';
import { planProbes, type Surroundings } from '../../src/daemon/probe-plan.js';
import { VfError } from '../../src/errors.js';
import type { Route } from '../../src/netlink/index.js';
import { parseIp } from '../../src/netlink/ip.js';

const ip = (text: string): Uint8Array => parseIp(text).bytes;
const MASTER = 7;
const around = (o: Partial<Surroundings> = {}): Surroundings => ({
  masterIfindex: MASTER,
  addresses: ['10.0.0.2', 'fe80::2', '127.0.0.1'],
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
      { kind: 'arp', address: gw, source: none, nexthop: none },
      { kind: 'arp', address: gw, source: own, nexthop: none },
      { kind: 'nd', address: ip('fe80::1'), source: none, nexthop: none },
      { kind: 'icmp', address: gw, source: own, nexthop: gw },
      { kind: 'icmp', address: ip('192.0.2.1'), source: own, nexthop: gw },
    ]);
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
