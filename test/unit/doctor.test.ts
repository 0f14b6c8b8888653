import type { Probe } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import type { Device } from '../../src/device.js';
import { findCandidates } from '../../src/doctor/candidates.js';
import { list, releaseAtLeast } from '../../src/doctor/check.js';
import {
  type Candidate,
  type CandidateDevice,
  type Check,
  type DropInState,
  FEATURES,
  type Findings,
  type HostFindings,
  type Manager,
  type ProbeFindings,
} from '../../src/doctor/findings.js';
import { gatherHost, parseCapabilities } from '../../src/doctor/host.js';
import { renderReport } from '../../src/doctor/render.js';
import { makeReport } from '../../src/doctor/report.js';

const yes: Probe = { answer: 'supported', detail: 'works' };
const no: Probe = { answer: 'unsupported', detail: 'X not supported (requires kernel >= 9.9)' };
const perhaps: Probe = { answer: 'inconclusive', detail: 'X: EPERM' };
const ALL_CAPABILITIES = (1n << 41n) - 1n;

const member = (
  name: string,
  driver: string | null,
  more: Partial<CandidateDevice> = {},
): CandidateDevice => ({
  name,
  ifindex: 2,
  driver,
  managedBy: [],
  foreign: [],
  xdp: [],
  qdisc: null,
  permanentMac: true,
  addresses: [],
  routes: [],
  promiscuous: false,
  letsIn: { macs: [], vlans: [] },
  ...more,
});
const pair: Candidate = {
  mac: '52:54:00:00:00:01',
  master: member('ens4', 'virtio_net'),
  others: [member('ens5', 'iavf')],
  owner: null,
  visible: member('ens4', 'virtio_net'),
  hidden: [member('ens5', 'iavf')],
  stacked: [],
};

/** A machine where all is well, but for what a test says. */
function machine(host: Partial<HostFindings> = {}, probes: Partial<ProbeFindings> = {}): Findings {
  return {
    host: {
      version: '1.2.3',
      release: '6.12.0-1-amd64',
      arch: 'x64',
      node: '22.1.0',
      cpus: 4,
      capabilities: ALL_CAPABILITIES,
      bpffs: { mounted: true, writable: yes },
      sysctls: { netdevMaxBacklog: 1000, rmemMax: 212_992 },
      missing: [],
      managers: [],
      configurators: [],
      networkConfigured: true,
      ...host,
    },
    dropIns: [],
    probes: {
      libbpf: '1.1.2',
      features: Object.fromEntries(FEATURES.map((f) => [f, yes])) as ProbeFindings['features'],
      programs: yes,
      setns: yes,
      memlock: { soft: 8_388_608, hard: 8_388_608 },
      virtio: [{ name: 'ens4', queues: 8 }],
      candidates: [pair],
      ...probes,
    },
  };
}

const without = (feature: (typeof FEATURES)[number], probe: Probe = no): Findings => {
  const found = machine();
  (found.probes as ProbeFindings).features[feature] = probe;
  return found;
};

function check(findings: Findings, name: string): Check {
  const found = makeReport(findings).checks.find((c) => c.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return found;
}

describe('the report', () => {
  it('of a machine that lacks nothing is all ok, without a cost', () => {
    const report = makeReport(machine());
    expect(report.checks.filter((c) => c.status !== 'ok' || c.cost !== null)).toEqual([]);
    expect(report).toMatchObject({
      can_run: true,
      version: '1.2.3',
      kernel: '6.12.0-1-amd64',
      node: '22.1.0',
      cpus: 4,
    });
    expect(new Set(report.checks.map((c) => c.name)).size).toBe(report.checks.length);
  });

  it.each([
    ['kernel', without('atomics'), 'fail'],
    ['btf', without('btf'), 'fail'],
    ['mmapable-arrays', without('mmapableArray'), 'fail'],
    ['ring-buffer', without('ringBuffer'), 'fail'],
    ['tcx', without('tcx'), 'warn'],
    ['kern-ctx', without('kernCtx'), 'warn'],
    ['native-xdp', without('nativeXdp'), 'warn'],
    ['netkit', without('netkit'), 'warn'],
    ['vlan', without('vlan'), 'warn'],
    ['dummy', without('dummy'), 'warn'],
    ['fentry', without('fentry'), 'warn'],
    ['fentry', without('fentry', perhaps), 'unknown'],
    ['kprobe', without('kprobe'), 'warn'],
    ['virtio-xdp', machine({}, { virtio: [{ name: 'ens4', queues: 1 }] }), 'warn'],
    ['virtio-xdp', machine({}, { virtio: 'EPERM' }), 'unknown'],
    ['netkit', without('netkit', perhaps), 'unknown'],
    ['btf', without('btf', perhaps), 'unknown'],
    ['programs', machine({}, { programs: no }), 'fail'],
    ['programs', machine({}, { programs: perhaps }), 'unknown'],
    ['namespaces', machine({}, { setns: no }), 'fail'],
    ['capabilities', machine({ capabilities: ALL_CAPABILITIES & ~(1n << 13n) }), 'fail'],
    ['capabilities', machine({ capabilities: null }), 'unknown'],
    ['node', machine({ node: '18.19.1' }), 'fail'],
    ['bpf-objects', machine({ missing: ['bpf/vfailover.bpf.o'] }), 'fail'],
    ['workers', machine({ missing: ['dist/workers/decision.js'] }), 'fail'],
    ['workers', machine({ missing: ['bpf/vfailover.h'] }), 'fail'],
    ['bpffs', machine({ bpffs: { mounted: true, writable: no } }), 'fail'],
    ['bpffs', machine({ bpffs: { mounted: false, writable: perhaps } }), 'warn'],
    ['bpffs', machine({ bpffs: { mounted: false, writable: perhaps }, capabilities: 0n }), 'fail'],
    ['netdev-max-backlog', machine({ sysctls: { netdevMaxBacklog: 300, rmemMax: 1 } }), 'warn'],
    ['netdev-max-backlog', machine({ sysctls: { netdevMaxBacklog: null, rmemMax: 1 } }), 'unknown'],
    ['rmem-max', machine({ capabilities: 0n }), 'warn'],
    [
      'rmem-max',
      machine({ capabilities: 0n, sysctls: { netdevMaxBacklog: 1000, rmemMax: null } }),
      'unknown',
    ],
    ['cpus', machine({ cpus: 1 }), 'warn'],
    ['devices', machine({}, { candidates: [] }), 'warn'],
    ['devices', machine({}, { candidates: 'EPERM' }), 'unknown'],
  ] as const)('%s: an absence has a cost and a fix', (name, findings, status) => {
    const found = check(findings, name);
    expect(found).toMatchObject({
      status,
      cost: expect.stringMatching(/\w/),
      fix: expect.stringMatching(/\w/),
    });
    expect(makeReport(findings).can_run).toBe(makeReport(findings).checks.every((c) => c.status !== 'fail'));
    if (status === 'fail') expect(makeReport(findings).can_run).toBe(false);
  });

  it('an addon that cannot be loaded is a finding, and nothing that it would have found is made up', () => {
    const { can_run, checks, libbpf, candidates } = makeReport({
      ...machine(),
      probes: 'Cannot find module',
    });
    expect(can_run).toBe(false);
    expect(checks.find((c) => c.name === 'addon')).toMatchObject({
      status: 'fail',
      found: 'Cannot find module',
    });
    expect(checks.map((c) => c.name)).not.toContain('tcx');
    expect({ libbpf, candidates }).toEqual({ libbpf: null, candidates: [] });
  });

  it('capabilities: CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON; without CAP_PERFMON it is a warning', () => {
    const old = (1n << 12n) | (1n << 13n) | (1n << 21n);
    expect(check(machine({ capabilities: old }), 'capabilities').status).toBe('ok');
    expect(check(machine({ capabilities: old }), 'perfmon').status).toBe('ok');
    const least = (1n << 12n) | (1n << 13n) | (1n << 39n);
    expect(check(machine({ capabilities: least }), 'capabilities').status).toBe('ok');
    expect(check(machine({ capabilities: least }), 'perfmon').status).toBe('warn');
    expect(check(machine({ capabilities: 0n }), 'capabilities').found).toBe(
      'without CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW',
    );
  });

  it('kernel: what was tried counts for more than the number', () => {
    const backported = machine({ release: '5.4.0-150.el8' });
    expect(check(backported, 'kernel').status).toBe('ok');
    const unprivileged = without('atomics', perhaps);
    expect(check(unprivileged, 'kernel').status).toBe('ok');
    unprivileged.host.release = '5.10.0';
    expect(check(unprivileged, 'kernel').status).toBe('unknown');
  });

  it('XDP on virtio: what too few queues cost, and on an old kernel', () => {
    const virtio = [
      { name: 'ens4', queues: 1 },
      { name: 'ens5', queues: 8 },
    ];
    expect(check(machine({}, { virtio }), 'virtio-xdp')).toMatchObject({
      found: 'ens4 with 1 queue and ens5 with 8 queues',
      cost: expect.stringMatching(/^ens4: native XDP works.*under a lock/),
      fix: expect.stringContaining('queues=8'),
    });
    expect(check(machine({ release: '5.12.0' }, { virtio }), 'virtio-xdp').cost).toMatch(/is refused/);
    expect(check(machine({}, { virtio: [] }), 'virtio-xdp').status).toBe('ok');
  });

  it('one of TCX and clsact is enough', () => {
    const neither = without('tcx');
    (neither.probes as ProbeFindings).features.clsact = no;
    expect(makeReport(neither).can_run).toBe(false);
    expect(check(neither, 'clsact').status).toBe('fail');
    expect(check(without('clsact'), 'clsact').status).toBe('ok');
    expect(makeReport(without('tcx')).can_run).toBe(true);
  });

  it('memlock matters before 5.11 only, and not when it can be raised', () => {
    const memlock = { soft: 65_536, hard: 65_536 };
    expect(check(machine({ release: '5.10.0' }, { memlock }), 'memlock').status).toBe('warn');
    expect(check(machine({ release: '5.11.0' }, { memlock }), 'memlock').status).toBe('ok');
    const raisable = { soft: 65_536, hard: Number.POSITIVE_INFINITY };
    expect(check(machine({ release: '5.10.0' }, { memlock: raisable }), 'memlock').status).toBe('ok');
  });

  it('a missing object is not also a refused one', () => {
    const findings = machine({ missing: ['bpf/vfailover.bpf.o'] }, { programs: no });
    expect(check(findings, 'programs').status).toBe('unknown');
  });
});

describe('devices and managers', () => {
  const devices = (candidate: Partial<Candidate>): Check =>
    check(machine({}, { candidates: [{ ...pair, ...candidate }] }), 'devices');

  it('a pair is listed, and its master named for the configuration', () => {
    expect(devices({})).toMatchObject({
      status: 'ok',
      found: 'ens4 (virtio_net) + ens5 (iavf), 52:54:00:00:00:01',
      fix: expect.stringContaining('master: ens4'),
    });
  });

  it.each([
    ['belongs to net_failover', { owner: 'net_failover eth0' }, /net_failover eth0/, /STANDBY/],
    ['belongs to a bond', { owner: 'bond bond0' }, /bond bond0/, /nomaster/],
    [
      'no virtio device',
      { master: null, others: [member('a', 'veth'), member('b', 'veth')] },
      /a and b/,
      /master: DEV/,
    ],
    ['two VFs', { others: [member('ens5', 'iavf'), member('ens6', 'iavf')] }, /ens5 and ens6/, /primary/],
    [
      'foreign program',
      { others: [member('ens5', 'iavf', { foreign: ['cil_from_netdev (id 7)'] })] },
      /cil_from/,
      /detach/,
    ],
  ] as const)('%s', (_, candidate, cost, fix) => {
    expect(devices(candidate)).toMatchObject({
      status: 'warn',
      cost: expect.stringMatching(cost),
      fix: expect.stringMatching(fix),
    });
  });

  it('a manager that manages a slave is a warning', () => {
    const vf = (...managedBy: CandidateDevice['managedBy']) => [
      { ...pair, hidden: [member('ens5', 'iavf', { managedBy })] },
    ];
    const running: Manager[] = ['NetworkManager', 'dhcpcd'];
    expect(
      check(machine({ managers: running }, { candidates: vf('NetworkManager') }), 'managers'),
    ).toMatchObject({ status: 'warn', found: 'NetworkManager manages ens5', fix: 'vfailover doctor --fix' });
    expect(check(machine({ managers: running }, { candidates: vf('dhcpcd') }), 'managers')).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('denyinterfaces ens5'),
    });
  });

  it('files that are missing, or are not ours, cost what their manager would do', () => {
    const files = (state: DropInState['state']): DropInState[] => [
      { for: 'systemd-networkd', path: '/x.network', content: '', effect: 'boot', state, reason: null },
    ];
    const of = (state: DropInState['state']): Check =>
      check({ ...machine(), dropIns: files(state) }, 'drop-ins');
    expect(of('absent')).toMatchObject({
      status: 'warn',
      found: '/x.network is absent',
      fix: 'vfailover doctor --fix',
    });
    expect(of('absent').cost).toMatch(/lease/);
    expect(of('kept')).toMatchObject({ status: 'warn', fix: expect.stringContaining('compare /x.network') });
    expect(of('current')).toMatchObject({ status: 'ok', found: '/x.network' });
    expect(of('written').status).toBe('ok');
    expect(check(machine(), 'drop-ins')).toMatchObject({ status: 'ok', found: 'none is needed' });
  });

  it('addresses on a slave, and those of the master that the kernel gave up, are warnings', () => {
    const fe80 = { address: 'fe80::1/64', duplicate: false };
    const candidates: Candidate[] = [
      {
        ...pair,
        visible: member('ens4', 'virtio_net', { addresses: [{ ...fe80, duplicate: true }] }),
        hidden: [member('ens5', 'iavf', { addresses: [fe80], routes: ['default'] })],
      },
    ];
    expect(check(machine({}, { candidates }), 'master-addresses')).toMatchObject({
      status: 'warn',
      found: 'fe80::1/64 of ens4',
      fix: expect.stringContaining('ip addr add fe80::1/64 dev ens4'),
    });
    expect(check(machine({}, { candidates }), 'slave-addresses')).toMatchObject({
      status: 'warn',
      found: 'ens5: fe80::1/64 and a route to default',
      fix: expect.stringContaining('ip addr flush dev ens5'),
    });
    for (const name of ['master-addresses', 'slave-addresses'])
      expect(check(machine(), name).status).toBe('ok');
  });

  it('XDP of others, and a qdisc that frames of the VF do not pass, are told', () => {
    const of = (visible: Partial<CandidateDevice>, slave: Partial<CandidateDevice>, driver = 'virtio_net') =>
      machine(
        {},
        {
          candidates: [
            { ...pair, visible: member('ens4', driver, visible), hidden: [member('ens5', 'iavf', slave)] },
          ],
        },
      );
    expect(check(of({ xdp: ['lb (id 3)'] }, {}), 'xdp')).toMatchObject({
      status: 'warn',
      cost: expect.stringMatching(/lb \(id 3\) on ens4 sees only what arrives by the standby/),
    });
    expect(check(of({}, { xdp: ['lb (id 3)'] }), 'xdp').cost).toMatch(/before ours/);
    expect(check(of({ qdisc: 'tbf' }, {}), 'qdisc')).toMatchObject({ status: 'warn', found: 'tbf on ens4' });
    expect(check(of({ qdisc: 'tbf' }, {}, 'net_failover'), 'qdisc').status).toBe('ok');
    for (const qdisc of ['mq', 'fq_codel', 'fq', null])
      expect(check(of({ qdisc }, {}), 'qdisc').status).toBe('ok');
  });

  it('a device on top of the master is held against what the slave lets in', () => {
    const on = (kind: string, mac: string, vlan: number | null = null) => ({ name: 'x', kind, mac, vlan });
    const OTHER = '52:54:00:00:00:09';
    const of = (
      stacked: Candidate['stacked'],
      slave: Partial<CandidateDevice> = {},
      driver = 'virtio_net',
    ): Check => {
      const visible = member('ens4', driver);
      const candidates = [{ ...pair, visible, stacked, hidden: [member('ens5', 'iavf', slave)] }];
      return check(machine({}, { candidates }), 'stacked');
    };
    expect(of([]).status).toBe('ok');
    for (const wanting of [on('vlan', pair.mac, 7), on('macvlan', OTHER), on('bridge', OTHER)]) {
      expect(of([wanting]).status, wanting.kind).toBe('warn');
      expect(of([wanting], { promiscuous: true }).status, wanting.kind).toBe('ok');
      // The kernel's own master hands its filters down.
      expect(of([wanting], {}, 'net_failover').status, wanting.kind).toBe('ok');
    }
    expect(of([on('vlan', pair.mac, 7)], { letsIn: { macs: [], vlans: [7] } }).status).toBe('ok');
    expect(of([on('macvlan', OTHER)], { letsIn: { macs: [OTHER], vlans: [] } }).status).toBe('ok');
    expect(of([on('macvlan', pair.mac)]).status).toBe('ok');
    expect(of([on('ipvlan', pair.mac)]).status).toBe('ok');
  });

  it('a manager that leaves the VF alone gets a hint', () => {
    const found = check(machine({ managers: ['NetworkManager', 'dhcpcd'] }), 'managers');
    expect(found).toMatchObject({ status: 'ok', cost: null, found: 'NetworkManager and dhcpcd run' });
    expect(found.fix).toContain('denyinterfaces ens5');
  });
});

describe('candidates', () => {
  const MAC = '52:54:00:00:00:01';
  const device = (ifindex: number, name: string, more: Partial<Device> = {}): Device => ({
    ifindex,
    name,
    type: 1,
    address: MAC,
    mtu: 1500,
    up: true,
    carrier: true,
    operstate: 'up',
    ...more,
  });
  const find = (devices: Device[], drivers: Record<string, string> = {}): Candidate[] =>
    findCandidates(devices, ({ name }) => {
      const { name: _, ifindex: __, ...facts } = member(name, drivers[name] ?? null);
      return facts;
    });
  const DRIVERS = { ens4: 'virtio_net', ens5: 'iavf', eth0: 'net_failover' };

  it('share a MAC; the virtio device is the master', () => {
    const found = find(
      [device(1, 'ens5'), device(2, 'ens4'), device(3, 'x', { address: '52:54:00:00:00:02' })],
      DRIVERS,
    );
    expect(found).toMatchObject([
      { mac: MAC, master: { name: 'ens4' }, others: [{ name: 'ens5' }], owner: null },
    ]);
  });

  it('go by the permanent MAC', () => {
    const changed = device(1, 'ens5', { address: '02:00:00:00:00:09', permAddress: MAC });
    expect(find([changed, device(2, 'ens4')], DRIVERS)).toHaveLength(1);
  });

  it('are not what lies on top of a device, nor loopbacks, nor devices without a MAC', () => {
    const others = [
      device(2, 'v', { kind: 'vlan', link: 1 }),
      device(3, 'br0', { kind: 'bridge' }),
      device(4, 'odd', { link: 1 }),
      device(5, 'lo', { type: 772 }),
    ];
    expect(find([device(1, 'ens4'), ...others])).toEqual([]);
    const zero = { address: '00:00:00:00:00:00' };
    expect(find([device(1, 'a', zero), device(2, 'b', zero)])).toEqual([]);
  });

  it('that the kernel pairs already have an owner', () => {
    const three = [device(1, 'eth0'), device(2, 'ens4', { master: 1 }), device(3, 'ens5', { master: 1 })];
    // The kernel's master is what managers configure: never to be hidden.
    expect(find(three, DRIVERS)).toMatchObject([
      { owner: 'net_failover eth0', visible: { name: 'eth0' }, hidden: [{ name: 'ens4' }, { name: 'ens5' }] },
    ]);
    const bonded = [
      device(1, 'ens4', { master: 9 }),
      device(2, 'ens5', { master: 9 }),
      device(9, 'bond0', { kind: 'bond' }),
    ];
    expect(find(bonded, DRIVERS)).toMatchObject([
      { owner: 'bond bond0', master: { name: 'ens4' }, visible: null, hidden: [] },
    ]);
    expect(find([device(1, 'ens4', { master: 77 }), device(2, 'ens5')])).toMatchObject([
      { owner: 'device number 77' },
    ]);
  });

  it('know what lies on the visible device, and no other', () => {
    const found = findCandidates(
      [
        device(1, 'ens5'),
        device(2, 'ens4', { master: 5 }),
        device(3, 'v7', { kind: 'vlan', link: 2 }),
        device(4, 'v8', { kind: 'vlan', link: 1 }),
        device(5, 'br0', { kind: 'bridge', address: '52:54:00:00:00:09' }),
        device(6, 'far', { kind: 'macvlan', link: 2, linkNetnsId: 1 }),
      ],
      ({ name }) => {
        const {
          name: _,
          ifindex: __,
          ...facts
        } = member(name, DRIVERS[name as keyof typeof DRIVERS] ?? null);
        return facts;
      },
      (name) => (name === 'v7' ? 7 : null),
    );
    expect(found[0]?.owner).toBeNull();
    expect(found[0]?.stacked).toEqual([
      { name: 'v7', kind: 'vlan', mac: MAC, vlan: 7 },
      { name: 'br0', kind: 'bridge', mac: '52:54:00:00:00:09', vlan: null },
    ]);
  });

  it('with two virtio devices have no plain master', () => {
    const found = find([device(1, 'a'), device(2, 'b')], { a: 'virtio_net', b: 'virtio_net' });
    expect(found).toMatchObject([{ master: null, others: [{ name: 'a' }, { name: 'b' }] }]);
  });
});

describe('printing', () => {
  it('a row per check, the cost and fix below, lines of 110 characters, a verdict at the end', () => {
    const findings = without('netkit');
    findings.host.cpus = 1;
    const text = renderReport(makeReport(findings));
    const lines = text.split('\n');
    expect(lines[0]).toBe('vfailover 1.2.3, Linux 6.12.0-1-amd64 (x64), Node 22.1.0, libbpf 1.1.2, 1 CPU');
    expect(text).toMatch(
      /^warn {5}netkit .*\n {9}cost: the hidden .*\n(?: {15}\S.*\n)* {9}fix: {2}a kernel/m,
    );
    expect(text).toMatch(/\nvfailover can run here; warnings: netkit and cpus\.\n$/);
    const prose = lines.filter((l) => l.startsWith(' '));
    expect(Math.max(...prose.map((l) => l.length))).toBeLessThanOrEqual(110);
    expect(lines.filter((l) => l !== l.trimEnd())).toEqual([]);
  });

  it('says what fails and what is not known', () => {
    const findings = without('btf');
    (findings.probes as ProbeFindings).features.netkit = perhaps;
    expect(renderReport(makeReport(findings))).toMatch(/cannot run here: btf; not known: netkit\.\n$/);
  });

  it('hands no escape sequence of a device name to the terminal', () => {
    const evil = { ...pair, others: [member('\x1b[2J', 'iavf')] };
    const text = renderReport(makeReport(machine({}, { candidates: [evil] })));
    expect(text).toContain('?[2J');
    expect(text).not.toContain('\x1b');
  });
});

describe('reading', () => {
  it('capabilities and releases', () => {
    expect(parseCapabilities('Name:\tnode\nCapPrm:\tffff\nCapEff:\t000001ffffffffff\n')).toBe(
      ALL_CAPABILITIES,
    );
    expect(parseCapabilities('')).toBeNull();
    expect(releaseAtLeast('5.12.0', 5, 12)).toBe(true);
    expect(releaseAtLeast('5.4.0-150', 5, 12)).toBe(false);
    expect(releaseAtLeast('6.1', 5, 12)).toBe(true);
    expect(releaseAtLeast('odd', 5, 12)).toBeUndefined();
    expect([list([]), list(['a']), list(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
  });

  it('the host, without privileges or failure', () => {
    const host = gatherHost();
    expect(host.node).toBe(process.versions.node);
    expect(host.cpus).toBeGreaterThan(0);
    expect(host.missing).not.toContain('bpf/vfailover.h');
  });
});
