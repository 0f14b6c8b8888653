import { describe, expect, test } from 'vitest';
import { groupMac, ipBytes, udp } from '../../lab/netns/frames.js';
import { STREAM_KINDS, streamEnds, streamHead, tagOf } from '../../lab/netns/stream-kinds.js';
import { read, solicitation, solicitedNode } from '../../lab/vm/frames.js';
import { checksum } from '../../src/frames/checksum.js';
import { MAGIC, STREAM_BYTES } from '../../workers/traffic.js';

const GUEST = '02:76:66:00:00:01';
const STATION = '02:76:66:00:00:fe';

/** The datagram of that number. */
function datagram(stream: number, number: number): Buffer {
  const bytes = Buffer.alloc(STREAM_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(stream, 4);
  bytes.writeUInt32LE(number, 8);
  bytes.writeUInt32LE(~number >>> 0, 12);
  return bytes;
}

describe.each(STREAM_KINDS)('a frame of the kind %s', (kind) => {
  test.each(['out', 'in'] as const)('%s: one head holds for every number, checksum included', (way) => {
    const ends = streamEnds(kind, GUEST, STATION)[way];
    const head = streamHead(ends, 7);
    for (const number of [0, 1, 0xffff, 0x12345]) {
      const data = datagram(7, number);
      const whole = udp(ends, 7412, data);
      expect(Buffer.concat([head, data]).toString('hex')).toBe(whole.toString('hex'));
      // Over IPv4 or IPv6 what is received sums up to nothing (RFC 1071).
      const ip = ends.toIp.includes(':') ? 40 : 20;
      const transport = whole.subarray((tagOf(kind) ? 18 : 14) + ip);
      const rest = Buffer.from([0, 0, 0, transport.length, 0, 0, 0, 17]);
      expect(checksum(Buffer.concat([ipBytes(ends.ip), ipBytes(ends.toIp), rest, transport]))).toBe(0);
    }
  });

  test('differs from plain IPv4 in what a NIC filters by', () => {
    const { out, in: inn } = streamEnds(kind, GUEST, STATION);
    expect(inn.vlan).toBe(kind.startsWith('vlan') ? 77 : undefined);
    expect(inn.toMac === GUEST).toBe(!/group|foreign/.test(kind));
    expect(Number.parseInt(inn.toMac.slice(0, 2), 16) & 1).toBe(kind.startsWith('group') ? 1 : 0);
    expect(out.mac === GUEST).toBe(!kind.startsWith('foreign'));
    expect(inn.toIp.includes(':')).toBe(kind.endsWith('6'));
  });
});

test('addresses, groups and solicitations are those of the RFCs', () => {
  expect(ipBytes('fd00:99::2').toString('hex')).toBe('fd000099000000000000000000000002');
  expect(ipBytes('::').toString('hex')).toBe('0'.repeat(32));
  expect(groupMac('239.129.7.7')).toBe('01:00:5e:01:07:07');
  expect(groupMac('ff02::1:ff00:2')).toBe('33:33:ff:00:00:02');
  expect(ipBytes(solicitedNode('fd00::1234:5678')).toString('hex')).toBe('ff0200000000000000000001ff345678');
  const asked = solicitation({ mac: STATION, ip: 'fd00:99::1' }, 'fd00:99::2');
  expect(read(asked)).toMatchObject({ from: STATION, to: '33:33:ff:00:00:02', kind: 'other' });
});
