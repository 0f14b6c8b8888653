import { possibleCpus } from 'bpf-loader-ts';
import { netnsCreate, withNetns } from 'bpf-loader-ts/sys';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Vfailover, VfDetector, VfUdpAsks, vfailover } from '../../bpf/vfailover.bpf.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { Rtnl } from '../../src/netlink/index.js';
import { bpfObject } from '../../src/paths.js';

/** Which frames the watchdog takes for questions: the real program, run on frames made here. */

const SECOND = 1_000_000_000n;
const netns = netnsCreate();
let object: Vfailover;

const load = (vf_udp: number, ports: number[] = []): Vfailover => {
  const o = vfailover.load(bpfObject('vfailover'), {
    maxEntries: { counters: possibleCpus() },
    variables: {
      vf_cpus: possibleCpus(),
      vf_detect: VfDetector.VF_DETECT_UNANSWERED,
      vf_udp,
      vf_udp_ports: Array.from({ length: 8 }, (_, i) => ports[i] ?? 0),
    },
  });
  using lines = o.maps.lines.mmap();
  lines.at(0).word = STANDBY;
  lines.at(0).primary_ifindex = 1;
  using watches = o.maps.watches.mmap();
  watches.at(STANDBY).timeout_ns = 60n * SECOND;
  watches.at(STANDBY).ack_timeout_ns = 60n * SECOND;
  return o;
};

beforeAll(() => {
  const rtnl = new Rtnl({ netns });
  rtnl.setLink(1, { up: true });
  rtnl.close();
  object = load(VfUdpAsks.VF_UDP_LISTED, [53, 4500]);
});
afterAll(() => object.close());

/** Sends a frame through steer: when an answer is expected, by the watch of the active path. */
function asks(frame: number[], o = object): 'soon' | 'delayed' | 'never' {
  using watches = o.maps.watches.mmap();
  const w = watches.at(STANDBY);
  w.since_ns = 0n;
  const data = Uint8Array.from([...frame, ...new Array(Math.max(0, 15 - frame.length)).fill(0)]);
  withNetns(netns, () => o.programs.vf_steer.testRun({ data }));
  expect(watches.at(PRIMARY).since_ns).toBe(0n);
  return w.since_ns === 0n ? 'never' : w.soon > 0 ? 'soon' : 'delayed';
}

const be16 = (n: number): number[] => [n >> 8, n & 0xff];
const zeros = (n: number): number[] => new Array<number>(n).fill(0);
const ONE = [2, 0, 0, 0, 0, 1];
const ALL = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const eth = (type: number, payload: number[], dst = ONE): number[] => [
  ...dst,
  ...[2, 0, 0, 0, 0, 9],
  ...be16(type),
  ...payload,
];
const vlan = (inner: number[]): number[] => [...inner.slice(0, 12), 0x81, 0, 0, 5, ...inner.slice(12)];
const ip4 = (protocol: number, l4: number[], o: { options?: number; fragment?: number } = {}): number[] => {
  const options = zeros(o.options ?? 0);
  return [
    0x40 | (5 + options.length / 4),
    0,
    ...be16(20 + options.length + l4.length),
    ...zeros(2),
    ...be16(o.fragment ?? 0),
    64,
    protocol,
    ...zeros(2),
    ...[10, 0, 0, 2, 10, 0, 0, 1],
    ...options,
    ...l4,
  ];
};
const ADDRESS = [0xfe, 0x80, ...zeros(13), 2];
const ip6 = (next: number, l4: number[], source = ADDRESS): number[] => [
  0x60,
  ...zeros(3),
  ...be16(l4.length),
  next,
  255,
  ...source,
  ...[0xfe, 0x80, ...zeros(13), 1],
  ...l4,
];
const tcp = (flags: number, payload = 0, options = 0): number[] => [
  ...be16(40000),
  ...be16(80),
  ...zeros(8),
  (5 + options / 4) << 4,
  flags,
  ...zeros(6 + options + payload),
];
const udp = (port: number): number[] => [...be16(40000), ...be16(port), ...zeros(24)];
const arp = (op: number, sender: number[], target: number[]): number[] => [
  ...[0, 1, 8, 0, 6, 4],
  ...be16(op),
  ...ONE,
  ...sender,
  ...zeros(6),
  ...target,
];
const sctp = (chunk: number): number[] => [...zeros(12), chunk, ...zeros(7)];
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16] as const;
const [US, THEM] = [
  [10, 0, 0, 2],
  [10, 0, 0, 1],
];

describe('an answer is expected soon to', () => {
  test.each<[string, number[]]>([
    ['an ARP request', eth(0x0806, arp(1, US, THEM), ALL)],
    ['an ARP request to one station', eth(0x0806, arp(1, US, THEM))],
    ['a neighbour solicitation', eth(0x86dd, ip6(58, [135, ...zeros(23)]), [0x33, 0x33, 0xff, 0, 0, 1])],
    ['a neighbour solicitation to one station', eth(0x86dd, ip6(58, [135, ...zeros(23)]))],
    ['an ICMP echo request', eth(0x0800, ip4(1, [8, ...zeros(15)]))],
    ['an ICMPv6 echo request', eth(0x86dd, ip6(58, [128, ...zeros(15)]))],
    ['SYN', eth(0x0800, ip4(6, tcp(SYN)))],
    ['UDP to a named port', eth(0x0800, ip4(17, udp(4500)))],
    ['UDP to a named port over IPv6', eth(0x86dd, ip6(17, udp(53)))],
    ['an SCTP heartbeat', eth(0x86dd, ip6(132, sctp(4)))],
  ])('%s', (_, frame) => {
    expect(asks(frame)).toBe('soon');
  });
});

describe('an acknowledgement, which may be delayed, is expected to', () => {
  test.each<[string, number[]]>([
    ['FIN', eth(0x0800, ip4(6, tcp(FIN | ACK)))],
    ['TCP payload', eth(0x0800, ip4(6, tcp(PSH | ACK, 1)))],
    ['TCP payload behind options', eth(0x0800, ip4(6, tcp(ACK, 1, 12), { options: 8 }))],
    ['TCP payload over IPv6', eth(0x86dd, ip6(6, tcp(ACK, 1)))],
    ['TCP payload in a VLAN', vlan(eth(0x0800, ip4(6, tcp(ACK, 1))))],
    ['a first fragment', eth(0x0800, ip4(6, tcp(ACK, 100), { fragment: 0x2000 }))],
    ['SCTP data', eth(0x0800, ip4(132, sctp(0)))],
  ])('%s', (_, frame) => {
    expect(asks(frame)).toBe('delayed');
  });
});

describe('no answer is expected to', () => {
  test.each<[string, number[]]>([
    ['an ARP reply', eth(0x0806, arp(2, US, THEM))],
    ['gratuitous ARP', eth(0x0806, arp(1, US, US), ALL)],
    ['an ARP probe for duplicates', eth(0x0806, arp(1, [0, 0, 0, 0], THEM), ALL)],
    ['duplicate address detection', eth(0x86dd, ip6(58, [135, ...zeros(23)], zeros(16)))],
    ['a neighbour advertisement', eth(0x86dd, ip6(58, [136, ...zeros(23)]))],
    ['an ICMP echo reply', eth(0x0800, ip4(1, [0, ...zeros(15)]))],
    ['an ICMP echo request to many', eth(0x0800, ip4(1, [8, ...zeros(15)]), [1, 0, 0x5e, 0, 0, 1])],
    ['an acknowledgement', eth(0x0800, ip4(6, tcp(ACK)))],
    ['an acknowledgement with options', eth(0x0800, ip4(6, tcp(ACK, 0, 12)))],
    ['an acknowledgement that is padded', eth(0x0800, [...ip4(6, tcp(ACK)), ...zeros(6)])],
    ['an acknowledgement over IPv6', eth(0x86dd, ip6(6, tcp(ACK)))],
    ['a reset', eth(0x0800, ip4(6, tcp(RST | ACK, 1)))],
    ['a later fragment', eth(0x0800, ip4(6, tcp(SYN), { fragment: 10 }))],
    ['UDP to another port', eth(0x0800, ip4(17, udp(5000)))],
    ['UDP to port 0', eth(0x0800, ip4(17, udp(0)))],
    ['UDP to many', eth(0x0800, ip4(17, udp(53)), [1, 0, 0x5e, 0, 0, 1])],
    ['an SCTP acknowledgement', eth(0x0800, ip4(132, sctp(3)))],
    ['an unknown SCTP chunk', eth(0x0800, ip4(132, sctp(0xc1)))],
    ['another protocol', eth(0x0800, ip4(47, zeros(40)))],
    ['an IPv6 extension header', eth(0x86dd, ip6(0, tcp(SYN)))],
    ['an unknown Ethertype', eth(0x88b5, zeros(60))],
    ['nothing at all', eth(0x0806, [])],
    ['an IPv4 header that is too short', eth(0x0800, [0x44, ...ip4(6, tcp(SYN)).slice(1)])],
    ['half a TCP header', eth(0x0800, ip4(6, tcp(SYN).slice(0, 12)))],
    ['half an ARP request', eth(0x0806, arp(1, US, THEM).slice(0, 20), ALL)],
    ['half a solicitation', eth(0x86dd, ip6(58, []), [0x33, 0x33, 0xff, 0, 0, 1])],
    ['half a VLAN header', [...eth(0x8100, []), 0]],
  ])('%s', (_, frame) => {
    expect(asks(frame)).toBe('never');
  });
});

test.each([
  [VfUdpAsks.VF_UDP_ALL, 'soon'],
  [VfUdpAsks.VF_UDP_NONE, 'never'],
])('UDP may expect an answer always, or never (%i)', (mode, expected) => {
  const o = load(mode, [53]);
  onTestFinished(() => o.close());
  expect(asks(eth(0x0800, ip4(17, udp(53))), o)).toBe(expected);
  expect(asks(eth(0x0800, ip4(17, udp(5000))), o)).toBe(expected);
});

test('without the watchdog nothing waits', () => {
  const o = vfailover.load(bpfObject('vfailover'), {
    maxEntries: { counters: possibleCpus() },
    variables: { vf_cpus: possibleCpus() },
  });
  onTestFinished(() => o.close());
  {
    using lines = o.maps.lines.mmap();
    lines.at(0).word = STANDBY;
    lines.at(0).primary_ifindex = 1;
    using watches = o.maps.watches.mmap();
    watches.at(STANDBY).timeout_ns = SECOND;
  }
  expect(asks(eth(0x0800, ip4(6, tcp(SYN))), o)).toBe('never');
});
