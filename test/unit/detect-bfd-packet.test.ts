import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import {
  type BfdEndpoint,
  BfdFrame,
  FRAME_WORDS,
  NOT_BFD,
  parseFrame,
  R_LENGTH,
  R_PAYLOAD,
  R_VLAN,
} from '../../src/detect/bfd/frame.js';
import * as P from '../../src/detect/bfd/packet.js';
import { bfdSchema } from '../../src/detect/bfd/section.js';
import { VfError } from '../../src/errors.js';
import { parseIp } from '../../src/frames/address.js';

const NOISE = fc.uint8Array({ maxLength: 64, size: 'max' });

/** Version 1, diagnostic 3, up, poll, multiplier 3, 24 bytes, and five words. */
const UP_POLL = '23e00318 0a0b0c0d 80000001 00002710 0000c350 000186a0';

function packet(text = UP_POLL, change: Record<number, number> = {}, extra = 0) {
  const bytes = new Uint8Array([...Buffer.from(text.replace(/\s/g, ''), 'hex'), ...new Uint8Array(extra)]);
  for (const [at, value] of Object.entries(change)) bytes[Number(at)] = value;
  return new DataView(bytes.buffer);
}

const out = new Uint32Array(P.PACKET_WORDS);
const decode = (view: DataView, length = view.byteLength) => P.decodeControl(view, 0, length, out);

describe('control packet', () => {
  it('is read as RFC 5880 §4.1 lays it out', () => {
    expect(decode(packet())).toBe(P.ACCEPTED);
    expect([...out]).toEqual([3, 3, P.FLAG_POLL, 3, 24, 0x0a0b0c0d, 0x80000001, 10_000, 50_000, 100_000]);
  });

  it('is written as it was read, with the whole range of every field', () => {
    for (const text of [
      UP_POLL,
      '3f1aff18 ffffffff 00000000 ffffffff ffffffff ffffffff',
      '20400118 00000001 00000000 00000001 00000000 00000000',
      '20c80118 00000001 fffffffe 00000001 00000000 00000000',
    ]) {
      const view = packet(text);
      expect(decode(view), text).toBe(P.ACCEPTED);
      const again = new DataView(new ArrayBuffer(30));
      P.encodeControl(again, 6, out);
      expect(Buffer.from(again.buffer).subarray(6).toString('hex')).toBe(text.replace(/\s/g, ''));
    }
  });

  it.each([
    ['a byte short', packet(), 23, P.DISCARD_TRUNCATED],
    ['nothing', packet(), 0, P.DISCARD_TRUNCATED],
    ['longer than the buffer', packet(), 25, P.DISCARD_TRUNCATED],
    ['version 0', packet(UP_POLL, { 0: 0x03 }), 24, P.DISCARD_VERSION],
    ['version 2', packet(UP_POLL, { 0: 0x43 }), 24, P.DISCARD_VERSION],
    ['length 23', packet(UP_POLL, { 3: 23 }), 24, P.DISCARD_LENGTH],
    ['length 25 with authentication', packet(UP_POLL, { 1: 0xe4, 3: 25 }, 8), 32, P.DISCARD_LENGTH],
    ['a length beyond the payload', packet(UP_POLL, { 3: 25 }), 24, P.DISCARD_LENGTH],
    ['multiplier 0', packet(UP_POLL, { 2: 0 }), 24, P.DISCARD_DETECT_MULT],
    ['multipoint', packet(UP_POLL, { 1: 0xe1 }), 24, P.DISCARD_MULTIPOINT],
    ['my discriminator 0', packet(UP_POLL, { 4: 0, 5: 0, 6: 0, 7: 0 }), 24, P.DISCARD_MY_DISCR],
    ['up without our discriminator', packet(UP_POLL, { 8: 0, 11: 0 }), 24, P.DISCARD_STATE],
    ['init without our discriminator', packet(UP_POLL, { 1: 0x80, 8: 0, 11: 0 }), 24, P.DISCARD_STATE],
    ['desired interval 0', packet(UP_POLL, { 14: 0, 15: 0 }), 24, P.DISCARD_INTERVAL],
  ])('is refused: %s', (_, view, length, reason) => {
    expect(P.DISCARD_NAMES[decode(view, length)]).toBe(P.DISCARD_NAMES[reason]);
  });

  it('may be shorter than its payload, or come with authentication that is checked elsewhere', () => {
    expect(decode(packet(UP_POLL, {}, 10))).toBe(P.ACCEPTED);
    expect(decode(packet(UP_POLL, { 1: 0xe4, 3: 28 }, 4))).toBe(P.ACCEPTED);
    expect(out[P.F_LENGTH]).toBe(28);
  });

  it('of noise is refused or read, and never read beyond its end', () => {
    const property = fc.property(NOISE, fc.boolean(), (noise, version) => {
      const { length } = noise;
      if (version && length > 0) noise[0] = 0x20;
      const reason = decode(new DataView(noise.buffer, noise.byteOffset, length), length);
      expect(P.DISCARD_NAMES[reason]).toBeDefined();
      if (reason === P.ACCEPTED) expect(out[P.F_LENGTH]).toBeLessThanOrEqual(length);
    });
    fc.assert(property, walks(20_000));
  });

  it('has a name for every reason, state and diagnostic', () => {
    const of = (prefix: string) =>
      Object.entries(P)
        .filter(([name]) => name.startsWith(prefix) && name !== `${prefix}NAMES`)
        .map(([, n]) => n as number)
        .sort((a, b) => a - b);
    expect(of('STATE_')).toEqual(P.STATE_NAMES.map((_, n) => n));
    expect(of('DIAG_')).toEqual(P.DIAG_NAMES.map((_, n) => n));
    expect([0, ...of('DISCARD_')]).toEqual(P.DISCARD_NAMES.map((_, n) => n));
  });
});

const mac = (n: number) => Uint8Array.of(2, 0, 0, 0, 0, n);
const v4: BfdEndpoint = {
  localMac: mac(1),
  peerMac: mac(2),
  local: parseIp('10.0.0.1').bytes,
  peer: parseIp('10.0.0.2').bytes,
  sourcePort: 49152,
};
const v6: BfdEndpoint = {
  ...v4,
  local: parseIp('fd00::1').bytes,
  peer: parseIp('fd00::2').bytes,
  sourcePort: 65535,
};
const ends: Record<string, BfdEndpoint> = {
  v4,
  v6,
  'v4 tagged': { ...v4, vlan: 100 },
  'v6 tagged': { ...v6, vlan: 4094 },
};

const found = new Int32Array(FRAME_WORDS);
const parse = (f: Uint8Array, length = f.length) => parseFrame(new DataView(f.buffer), length, found);

function built(end = v4, length = 24, port?: number) {
  const frame = new BfdFrame(end, length, port);
  for (let i = 0; i < length; i++) frame.bytes[frame.payload + i] = i * 7;
  frame.seal();
  return frame;
}

describe('frame', () => {
  it('is as RFC 5881 wants it, byte for byte', () => {
    const frame = new BfdFrame(v4, 24);
    P.encodeControl(frame.view, frame.payload, Uint32Array.of(1, 0, 0, 3, 24, 1, 0, 1e6, 1e4, 0));
    frame.seal();
    // IPv4: 45c0+0034+4000+ff11+0a00+0001+0a00+0002 = 0x19908; folded 0x9909; complement 0x66f6.
    // UDP: addresses 0x1403, 0x11 + 0x20, header 0xcee8, payload 0x8cb8: 0x16fd4; folded 0x6fd5; complement 0x902a.
    expect(Buffer.from(frame.bytes).toString('hex')).toBe(
      `020000000002 020000000001 0800
       45c00034 00004000 ff1166f6 0a000001 0a000002
       c000 0ec8 0020 902a
       20400318 00000001 00000000 000f4240 00002710 00000000`.replace(/\s/g, ''),
    );
  });

  it.each(Object.entries(ends))('%s is found again, and its checksum is right', (_, end) => {
    for (const length of [24, 27, 52]) {
      const frame = built(end, length);
      expect(parse(frame.bytes)).toBe(P.ACCEPTED);
      expect([found[R_PAYLOAD], found[R_LENGTH], found[R_VLAN]]).toEqual([
        frame.payload,
        length,
        end.vlan ?? -1,
      ]);
      let sum = 17 + 8 + length;
      const words = (b: Uint8Array) => {
        for (let i = 0; i < b.length; i += 2) sum += (b[i]! << 8) | (b[i + 1] ?? 0);
      };
      words(end.local);
      words(end.peer);
      words(frame.bytes.subarray(frame.payload - 8, frame.payload + length));
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      expect(sum).toBe(0xffff);
    }
  });

  it.each(Object.entries(ends))('%s cut anywhere is refused, or is none', (_, end) => {
    const whole = built(end).bytes;
    const last = found[R_PAYLOAD]! + found[R_LENGTH]!;
    for (let length = 0; length < Math.min(last, whole.length); length++)
      expect([NOT_BFD, P.DISCARD_FRAME]).toContain(parse(whole, length));
  });

  const v4At = (f: BfdFrame) => f.payload - 28;
  /** Changes IPv4 header bytes and mends the checksum, so that nothing else is wrong with it. */
  const altered = (change: (f: BfdFrame, ip: number) => void, end = v4, port?: number) => {
    const f = built(end, 24, port);
    change(f, v4At(f));
    f.view.setUint16(v4At(f) + 10, 0);
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += f.view.getUint16(v4At(f) + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    f.view.setUint16(v4At(f) + 10, ~sum & 0xffff);
    return f.bytes;
  };

  it.each([
    ['TTL 254', P.DISCARD_TTL, altered((f, ip) => f.view.setUint8(ip + 8, 254))],
    ['TTL 1', P.DISCARD_TTL, altered((f, ip) => f.view.setUint8(ip + 8, 1))],
    ['a first fragment', P.DISCARD_FRAME, altered((f, ip) => f.view.setUint16(ip + 6, 0x2000))],
    ['a later fragment', NOT_BFD, altered((f, ip) => f.view.setUint16(ip + 6, 3))],
    ['a total length beyond the frame', P.DISCARD_FRAME, altered((f, ip) => f.view.setUint16(ip + 2, 1400))],
    ['a total length within UDP', P.DISCARD_FRAME, altered((f, ip) => f.view.setUint16(ip + 2, 40))],
    ['a UDP length beyond the packet', P.DISCARD_FRAME, altered((f) => f.view.setUint16(f.payload - 4, 33))],
    ['a UDP length below its header', P.DISCARD_FRAME, altered((f) => f.view.setUint16(f.payload - 4, 7))],
    ['no other source port', P.ACCEPTED, altered((f) => f.view.setUint16(f.payload - 8, 32768))],
    ['another port', NOT_BFD, altered((f) => f.view.setUint16(f.payload - 6, 3783))],
    ['TCP', NOT_BFD, altered((f, ip) => f.view.setUint8(ip + 9, 6))],
    ['IP version 5', NOT_BFD, altered((f, ip) => f.view.setUint8(ip, 0x55))],
    ['a header of 16 bytes', NOT_BFD, altered((f, ip) => f.view.setUint8(ip, 0x44))],
  ])('with %s is told from a good one', (_, reason, frame) => {
    expect(parse(frame)).toBe(reason);
  });

  it('with a damaged IPv4 header, or a hop limit below 255, is refused', () => {
    const four = built();
    four.bytes[v4At(four) + 13]! ^= 1;
    expect(parse(four.bytes)).toBe(P.DISCARD_FRAME);
    const six = built(v6);
    six.bytes[14 + 7] = 254;
    expect(parse(six.bytes)).toBe(P.DISCARD_TTL);
  });

  it('with a priority tag counts as untagged, and an echo may come from any port', () => {
    const tagged = built({ ...v4, vlan: 5 });
    tagged.view.setUint16(14, 0xe000);
    expect([parse(tagged.bytes), found[R_VLAN]]).toEqual([P.ACCEPTED, -1]);
    const echo = altered((f) => f.view.setUint16(f.payload - 8, 3785), v4, P.BFD_ECHO_PORT);
    expect(parse(echo)).toBe(P.ACCEPTED);
  });

  it('of noise never is read beyond its end', () => {
    const good = built().bytes;
    const damage = fc.array(fc.tuple(fc.integer({ min: 12, max: 71 }), fc.nat(255)), { maxLength: 4 });
    const property = fc.property(damage, fc.nat(90), (bytes, length) => {
      const noise = new Uint8Array(90);
      noise.set(good);
      for (const [at, byte] of bytes) noise[at] = byte;
      const reason = parseFrame(new DataView(noise.buffer, 0, length), length, found);
      if (reason === P.ACCEPTED) expect(found[R_PAYLOAD]! + found[R_LENGTH]!).toBeLessThanOrEqual(length);
    });
    fc.assert(property, walks(20_000));
  });

  it.each([
    ['localMac', { localMac: mac(1).subarray(1) }],
    ['sourcePort', { sourcePort: 3784 }],
  ])('with an impossible %s of our own is not made', (field, change) => {
    const make = () => new BfdFrame({ ...v4, ...change }, 24);
    expect(make).toThrow(expect.objectContaining({ code: 'INTERNAL', field }));
  });

  it.each([
    ['peer_mac', { peerMac: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff) }],
    ['peer', { peer: parseIp('224.0.0.1').bytes }],
    ['peer', { peer: parseIp('0.0.0.0').bytes }],
    ['peer', { peer: parseIp('10.0.0.1').bytes }],
    ['peer', { peer: parseIp('fd00::2').bytes }],
    ['local', { local: parseIp('127.0.0.1').bytes }],
    ['local', { local: parseIp('ff02::1').bytes, peer: parseIp('fd00::2').bytes }],
    ['local', { local: parseIp('::1').bytes, peer: parseIp('fd00::2').bytes }],
    ['vlan', { vlan: 4095 }],
  ])('with an impossible %s is not made, and the configuration has such a key', (field, change) => {
    const make = () => new BfdFrame({ ...v4, ...change }, 24);
    expect(Object.keys(bfdSchema.shape)).toContain(field);
    expect(make).toThrow(VfError);
    expect(make).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', field: `detect.bfd.${field}` }));
  });
});
