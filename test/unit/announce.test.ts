import { describe, expect, it } from 'vitest';
import { isAnnounced, planAnnouncements } from '../../src/announce/plan.js';
import { speakersOf } from '../../src/announce/speakers.js';
import { STATIONS_MAX } from '../../src/announce/stations.js';
import type { Device } from '../../src/device.js';
import { VfError } from '../../src/errors.js';
import { parseIp } from '../../src/frames/address.js';
import { gratuitousArp, moveFrame, rarpAnnouncement } from '../../src/frames/arp.js';
import { icmpv6Checksum } from '../../src/frames/icmp.js';
import { unsolicitedNeighbourAdvert } from '../../src/frames/nd.js';
import type { DeviceAddress, ForwardingEntry } from '../../src/netlink/index.js';

const mac = Uint8Array.of(0x02, 0, 0, 0, 0, 0x0a);
/** Of the plan's device 2. */
const mac2 = Uint8Array.of(0x02, 0, 0, 0, 0, 2);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): string => text.replace(/\s/g, '');
const ip = (text: string): Uint8Array => parseIp(text).bytes;

describe('gratuitous ARP', () => {
  it('is a broadcast request of the address for itself, padded to 60 bytes', () => {
    expect(hex(gratuitousArp({ mac, ip: ip('10.1.2.3') }))).toBe(
      bytes(`ffffffffffff 02000000000a 0806
             0001 0800 06 04 0001  02000000000a 0a010203  000000000000 0a010203`) + '00'.repeat(18),
    );
  });

  it('with a tag has the priority and id in it, and is 60 bytes without it', () => {
    const tagged = gratuitousArp({ mac, ip: ip('10.1.2.3'), vlan: { id: 100, priority: 5 } });
    expect(hex(tagged.subarray(12, 18))).toBe('8100a0640806');
    const plain = Uint8Array.of(...tagged.subarray(0, 12), ...tagged.subarray(16));
    expect(plain).toEqual(gratuitousArp({ mac, ip: ip('10.1.2.3') }));
  });
});

it("RARP is what QEMU's announce-self sends", () => {
  expect(hex(rarpAnnouncement({ mac }))).toBe(
    bytes(`ffffffffffff 02000000000a 8035
           0001 0800 06 04 0003  02000000000a 00000000  02000000000a 00000000`) + '00'.repeat(18),
  );
  expect(hex(rarpAnnouncement({ mac, vlan: { id: 4094 } }).subarray(12, 18))).toBe('81000ffe8035');
});

describe('unsolicited neighbour advertisement', () => {
  it('is as counted by hand', () => {
    // the checksum: 2001:0db8::1 twice, ff02::1, length 0x20, next header 0x3a, 8800 2000 0000, option 0201 0200 0000 000a:
    // 5b74 + ff03 + 005a + a800 + 040b = 0x206dc; folded 0x06de; complement 0xf921
    expect(hex(unsolicitedNeighbourAdvert({ mac, ip: ip('2001:db8::1'), router: false }))).toBe(
      bytes(`333300000001 02000000000a 86dd
             60000000 0020 3a ff
             20010db8000000000000000000000001 ff020000000000000000000000000001
             88 00 f921 20000000 20010db8000000000000000000000001  02 01 02000000000a`),
    );
  });

  it('has a right checksum for any address, and the router flag as told', () => {
    for (const text of ['fe80::1', 'fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db8:1:2:3:4:5:6']) {
      for (const router of [false, true]) {
        const frame = unsolicitedNeighbourAdvert({ mac, ip: ip(text), router });
        const [src, dst, icmp] = [frame.subarray(22, 38), frame.subarray(38, 54), frame.subarray(54)];
        expect(icmpv6Checksum(src, dst, icmp), text).toBe(0);
        expect(icmp[4]).toBe(router ? 0xa0 : 0x20);
        expect(hex(icmp.subarray(8, 24))).toBe(hex(ip(text)));
      }
    }
  });

  it('refuses what no neighbour can have', () => {
    for (const text of ['::', 'ff02::1'])
      expect(() => unsolicitedNeighbourAdvert({ mac, ip: ip(text), router: false })).toThrow(/unicast/);
  });
});

it('names what is wrong with its input', () => {
  const failures: [() => unknown, string][] = [
    [() => gratuitousArp({ mac: mac.subarray(1), ip: ip('10.0.0.1') }), 'mac'],
    [() => gratuitousArp({ mac, ip: ip('fd00::1') }), 'ip'],
    [() => unsolicitedNeighbourAdvert({ mac, ip: ip('10.0.0.1'), router: true }), 'ip'],
    [() => rarpAnnouncement({ mac, vlan: { id: 4095 } }), 'vlan.id'],
    [() => rarpAnnouncement({ mac, vlan: { id: 1, priority: 8 } }), 'vlan.priority'],
    [() => rarpAnnouncement({ mac, vlan: { id: 1.5 } }), 'vlan.id'],
  ];
  for (const [make, field] of failures) {
    expect(make).toThrow(VfError);
    expect(make).toThrow(expect.objectContaining({ code: 'INTERNAL', field }));
  }
});

describe('plan', () => {
  const device = (ifindex: number, more: Partial<Device> = {}): Device => ({
    ifindex,
    name: `d${ifindex}`,
    type: 1,
    address: `02:00:00:00:00:${String(ifindex).padStart(2, '0')}`,
    mtu: 1500,
    up: true,
    carrier: true,
    operstate: 'up',
    ...more,
  });
  const address = (ifindex: number, text: string, flags = 0, scope = 0): DeviceAddress => ({
    ifindex,
    family: text.includes(':') ? 6 : 4,
    address: text,
    prefix: 24,
    scope,
    flags,
  });

  it('takes what lies on the master, and what lies on that', () => {
    const devices = [
      device(5, { kind: 'vlan', link: 4 }),
      device(2, { master: 10 }),
      device(3),
      device(4, { kind: 'vlan', link: 2 }),
      device(6, { kind: 'vlan', link: 3 }),
      device(7, { kind: 'macvlan', link: 2 }),
      device(8, { kind: 'vlan', link: 2, linkNetnsId: 0 }), // its lower device is another namespace's number 2
      device(9, { kind: 'vlan', link: 2, up: false }),
      device(10, { kind: 'bridge' }),
      device(11, { kind: 'macvlan', link: 4 }),
      device(12, { kind: 'veth', link: 2 }),
      device(13, { kind: 'vlan', link: 10 }),
      device(14, { kind: 'macvlan', link: 10 }),
    ];
    const found = speakersOf(2, devices).map((s) => [s.device.ifindex, s.via]);
    expect(found.sort(([a], [b]) => a! - b!)).toEqual([
      [2, 2],
      [4, 4],
      [5, 5],
      [7, 2],
      [10, 10],
      [11, 4],
      [13, 13],
      [14, 10],
    ]);
    expect(speakersOf(9, [device(2)])).toEqual([]);
  });

  it('ends on devices that claim to lie on each other', () => {
    const loop = [device(2), device(3, { kind: 'vlan', link: 2 }), device(2, { kind: 'vlan', link: 3 })];
    expect(speakersOf(2, loop)).toHaveLength(3);
  });

  it('leaves out what is tentative, failed, or of this host only', () => {
    expect(isAnnounced({ scope: 0, flags: 0x80 })).toBe(true); // permanent
    expect(isAnnounced({ scope: 253, flags: 0x01 })).toBe(true); // link-local, secondary
    expect(isAnnounced({ scope: 0, flags: 0x40 })).toBe(false);
    expect(isAnnounced({ scope: 0, flags: 0x44 })).toBe(false); // optimistic: may not override (RFC 4429)
    expect(isAnnounced({ scope: 0, flags: 0x48 })).toBe(false);
    expect(isAnnounced({ scope: 254, flags: 0 })).toBe(false);
  });

  it('one frame per address with the MAC of its device; RARP where there is none', () => {
    const devices = [device(2), device(4, { kind: 'vlan', link: 2 })];
    const addresses = [
      address(2, '10.0.0.1'),
      address(2, '10.0.0.2', 0x01),
      address(2, 'fd00::1', 0x40),
      address(3, '10.9.9.9'),
    ];
    const asked: number[] = [];
    const plan = planAnnouncements(2, {
      devices,
      addresses,
      isRouter: (d) => {
        asked.push(d.ifindex);
        return true;
      },
    });
    const vlanMac = Uint8Array.of(2, 0, 0, 0, 0, 4);
    expect(plan).toEqual({
      announcements: [
        {
          ifindex: 2,
          frames: [
            gratuitousArp({ mac: mac2, ip: ip('10.0.0.1') }),
            gratuitousArp({ mac: mac2, ip: ip('10.0.0.2') }),
          ],
          moves: [moveFrame({ mac: mac2 })],
          reports: [],
        },
        {
          ifindex: 4,
          frames: [rarpAnnouncement({ mac: vlanMac })],
          moves: [moveFrame({ mac: vlanMac })],
          reports: [],
        },
      ],
      left: 0,
      bridged: false,
    });
    expect(asked).toEqual([]); // nothing to say about routers
    const v6 = planAnnouncements(2, {
      devices: [device(2)],
      addresses: [address(2, 'fd00::1')],
      isRouter: () => true,
    });
    expect(v6.announcements[0]?.frames).toEqual([
      unsolicitedNeighbourAdvert({ mac: mac2, ip: ip('fd00::1'), router: true }),
    ]);
  });

  /** Who is named by RARP, by which device, with which VLAN. */
  const named = (
    devices: Device[],
    entries: ForwardingEntry[],
    untagged = new Map<number, Set<number>>(),
  ) => {
    const plan = planAnnouncements(2, {
      devices,
      addresses: devices.map((d) => address(d.ifindex, `10.0.0.${d.ifindex}`)),
      isRouter: () => false,
      forwarding: { entries, untagged },
    });
    const text = (f: Uint8Array): string => Buffer.from(f).toString('hex');
    const rarps = plan.announcements.flatMap((a) =>
      a.frames
        .filter((f) => /^.{24}(8100....)?8035/.test(text(f)))
        .map((f) => `${a.ifindex} ${text(f).slice(12, 32)}`),
    );
    return { rarps, plan };
  };
  const entry = (mac: string, ifindex: number, more: Partial<ForwardingEntry> = {}): ForwardingEntry => ({
    mac,
    ifindex,
    permanent: false,
    ageS: 0,
    ...more,
  });

  it('stations behind the bridge, but for those that were learned at the master, and the bridge itself', () => {
    const devices = [device(2, { master: 5 }), device(5, { kind: 'bridge' }), device(6, { master: 5 })];
    const learned = [
      entry('02:00:00:00:0a:01', 6, { bridge: 5 }),
      entry('02:00:00:00:0a:02', 2, { bridge: 5 }),
      entry('02:00:00:00:0a:03', 6, { bridge: 5, permanent: true }),
      entry('02:00:00:00:0a:04', 6, { bridge: 9 }),
      entry('02:00:00:00:00:05', 6, { bridge: 5 }), // the bridge's own
    ];
    const { rarps, plan } = named(devices, learned);
    expect(rarps).toEqual(['2 020000000a0180350001']);
    expect(plan.bridged).toBe(true);
    expect(plan.announcements.map((a) => [a.ifindex, a.moves.length])).toEqual([
      [2, 2],
      [5, 1],
    ]);
  });

  it('with the tag that the bridge would send, where it filters by VLAN', () => {
    const devices = [device(2, { master: 5 }), device(5, { kind: 'bridge' }), device(6, { master: 5 })];
    const learned = [
      entry('02:00:00:00:0a:01', 6, { bridge: 5, vlan: 1 }),
      entry('02:00:00:00:0a:01', 6, { bridge: 5, vlan: 7 }),
    ];
    expect(named(devices, learned, new Map([[2, new Set([1])]])).rarps).toEqual([
      '2 020000000a0180350001',
      '2 020000000a0181000007',
    ]);
  });

  it('MACs in the lists of devices, each for the uppermost that has it', () => {
    const devices = [
      device(2),
      device(4, { kind: 'vlan', link: 2 }),
      device(7, { kind: 'macvlan', link: 2 }),
    ];
    const listed = [
      entry('02:00:00:00:0b:01', 2, { permanent: true }),
      entry('02:00:00:00:0b:02', 2, { permanent: true }),
      entry('02:00:00:00:0b:02', 4, { permanent: true }),
      entry('02:00:00:00:00:07', 2, { permanent: true }), // has an address, and so says that
      entry('33:33:00:00:00:01', 2, { permanent: true }),
      entry('02:00:00:00:0b:03', 3, { permanent: true }),
    ];
    expect(named(devices, listed).rarps).toEqual(['2 020000000b0180350001', '4 020000000b0280350001']);
  });

  it('not more than there is room for: those heard of last', () => {
    const devices = [device(2, { master: 5 }), device(5, { kind: 'bridge' }), device(6, { master: 5 })];
    const mac = (i: number): string =>
      `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`;
    const learned = Array.from({ length: STATIONS_MAX + 40 }, (_, i) =>
      entry(mac(0x100 + i), 6, { bridge: 5, ageS: 1000 - i }),
    );
    const { rarps, plan } = named(devices, learned);
    expect([rarps.length, plan.left]).toEqual([STATIONS_MAX, 40]);
    expect(rarps[0]).toContain(mac(0x100 + STATIONS_MAX + 39).replaceAll(':', ''));
  });
});
