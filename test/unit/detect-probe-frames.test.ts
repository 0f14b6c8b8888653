import { describe, expect, it } from 'vitest';
import { parseIp } from '../../src/frames/address.js';
import { arpRequest } from '../../src/frames/arp.js';
import { checksum } from '../../src/frames/checksum.js';
import { aimEcho, echoRequest, icmpv6Checksum } from '../../src/frames/icmp.js';
import { neighbourSolicitation } from '../../src/frames/nd.js';
import { tagged } from '../../src/frames/vlan.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/[\s|]/g, ''), 'hex'));
const ip = (text: string): Uint8Array => parseIp(text).bytes;
const mac = hex('02 76 66 00 00 01');

describe('ARP request', () => {
  it('from 0.0.0.0 is the probe of RFC 5227, in the format of RFC 826', () => {
    const expected = hex(`
      ff ff ff ff ff ff | 02 76 66 00 00 01 | 08 06
      00 01 | 08 00 | 06 | 04 | 00 01
      02 76 66 00 00 01 | 00 00 00 00
      00 00 00 00 00 00 | 0a 63 00 01
      000000000000000000000000000000000000`);
    expect(arpRequest({ mac, source: ip('0.0.0.0'), target: ip('10.99.0.1') })).toEqual(expected);
  });
  it('from an address of our own is an ordinary request', () => {
    const bytes = arpRequest({ mac, source: ip('10.99.0.2'), target: ip('10.99.0.1') });
    expect([...bytes.subarray(28, 32)]).toEqual([10, 99, 0, 2]);
  });
});

describe('neighbour solicitation', () => {
  const source = ip('fe80::0012:3456:789a:bc11');
  const target = ip('fd00:99::1:2');
  const bytes = neighbourSolicitation({ mac, source, target });
  it('is that of RFC 4861 §4.3, to the solicited-node group', () => {
    const expected = hex(`
      33 33 ff 01 00 02 | 02 76 66 00 00 01 | 86 dd
      60 00 00 00 | 00 20 | 3a | ff
      fe80 0000 0000 0000 0012 3456 789a bc11
      ff02 0000 0000 0000 0000 0001 ff01 0002
      87 00 | 00 00 | 00 00 00 00
      fd00 0099 0000 0000 0000 0000 0001 0002
      01 01 02 76 66 00 00 01`);
    const zeroed = Uint8Array.from(bytes);
    zeroed.fill(0, 56, 58);
    expect(zeroed).toEqual(expected);
  });
  it('carries the right checksum: an independent sum over it is zero', () => {
    expect(icmpv6Checksum(bytes.subarray(22, 38), bytes.subarray(38, 54), bytes.subarray(54))).toBe(0);
    expect(bytes[56]! | bytes[57]!).not.toBe(0);
  });
});

describe('echo request', () => {
  const cookie = hex('01 23 45 67 89 ab cd ef');
  const make = () =>
    echoRequest({
      mac,
      source: ip('10.99.0.2'),
      target: ip('192.0.2.7'),
      id: 0xbeef,
      cookie,
      path: 1,
      index: 5,
    });
  it('is that of RFC 792 in the IPv4 of RFC 791, not to be fragmented', () => {
    const bytes = make();
    aimEcho(bytes, 0x12345678, hex('ee ee 02 aa bb cc dd ee'), 2);
    const expected = hex(`
      02 aa bb cc dd ee | 02 76 66 00 00 01 | 08 00
      45 00 00 2c | 00 00 40 00 | 40 01 00 00 | 0a 63 00 02 | c0 00 02 07
      08 00 | 00 00 | be ef | 56 78
      01 23 45 67 89 ab cd ef | 78 56 34 12 | 01 05 00 00
      00 00`);
    const zeroed = Uint8Array.from(bytes);
    zeroed.fill(0, 24, 26);
    zeroed.fill(0, 36, 38);
    expect(zeroed).toEqual(expected);
  });
  it('with a tag is aimed as without', () => {
    const [plain, bytes] = [make(), tagged(make(), 100)];
    for (const b of [plain, bytes]) aimEcho(b, 77, mac, 0);
    expect([...bytes.subarray(12, 16)]).toEqual([0x81, 0, 0, 100]);
    expect([...bytes.subarray(0, 12), ...bytes.subarray(16)]).toEqual([...plain]);
  });
  it('has right checksums whatever sequence number is put in', () => {
    const bytes = make();
    for (const seq of [1, 0x7fffffff, -1, 0xffff]) {
      aimEcho(bytes, seq, mac, 0);
      expect(checksum(bytes, 14, 20)).toBe(0);
      expect(checksum(bytes, 34, 24)).toBe(0);
    }
  });
});
