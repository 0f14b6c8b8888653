import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AUTH_TYPES, BfdAuth, type BfdAuthConfig, type BfdAuthType } from '../../src/detect/bfd/auth.js';
import * as P from '../../src/detect/bfd/packet.js';
import { VfError } from '../../src/errors.js';

const TYPES = Object.keys(AUTH_TYPES) as BfdAuthType[];
const HASHED = TYPES.filter((t) => t !== 'simple');
const METICULOUS = TYPES.filter((t) => t.startsWith('meticulous'));
const secret = (text: string) => new Uint8Array(Buffer.from(text));
const config = (type: BfdAuthType, change: Partial<BfdAuthConfig> = {}): BfdAuthConfig => ({
  type,
  keyId: 7,
  key: secret('correct horse'),
  ...change,
});

/** A packet in the midst of others' bytes. */
const AT = 5;
function signed(auth: BfdAuth, fresh = true) {
  const bytes = new Uint8Array(AT + P.BFD_MAX + 3).fill(0xee);
  const length = P.BFD_HEADER + auth.length;
  P.encodeControl(
    new DataView(bytes.buffer),
    AT,
    Uint32Array.of(3, 0, P.FLAG_AUTH, 3, length, 0x01020304, 0x05060708, 10_000, 10_000, 0),
  );
  auth.sign(bytes, AT, fresh);
  return { bytes, length, sequence: new DataView(bytes.buffer).getUint32(AT + 28) };
}
const verify = (auth: BfdAuth, { bytes, length }: { bytes: Uint8Array; length: number }) =>
  P.DISCARD_NAMES[auth.verify(bytes, AT, length)];

describe.each(TYPES)('%s', (type) => {
  it('accepts what the same key signed, for any packet', () => {
    const [here, there] = [new BfdAuth(config(type), 1), new BfdAuth(config(type), 99)];
    for (let i = 0; i < 50; i++) expect(verify(there, signed(here, i % 2 === 0))).toBe('accepted');
  });

  it('has a section of its length, and touches nothing beside it', () => {
    const auth = new BfdAuth(config(type), 1);
    const { bytes, length } = signed(auth);
    expect(length).toBe(P.BFD_HEADER + (type === 'simple' ? 16 : type.endsWith('md5') ? 24 : 28));
    expect({ type: bytes[AT + 24], length: bytes[AT + 25], keyId: bytes[AT + 26] }).toEqual({
      type: AUTH_TYPES[type],
      length: auth.length,
      keyId: 7,
    });
    expect([...bytes.subarray(0, AT), ...bytes.subarray(AT + length)].every((b) => b === 0xee)).toBe(true);
  });

  it('refuses another key, key id or type, and a section of another length', () => {
    const good = signed(new BfdAuth(config(type), 1));
    expect(verify(new BfdAuth(config(type, { key: secret('correct horsf') }), 1), good)).toBe('auth-digest');
    expect(verify(new BfdAuth(config(type, { keyId: 8 }), 1), good)).toBe('auth-key');
    for (const other of TYPES.filter((t) => t !== type))
      expect(verify(new BfdAuth(config(other), 1), good)).toBe('auth-type');
    for (const length of [good.bytes[AT + 25]! - 1, good.bytes[AT + 25]! + 1, 0, 255]) {
      const bent = { ...good, bytes: good.bytes.slice() };
      bent.bytes[AT + 25] = length;
      expect(verify(new BfdAuth(config(type), 1), bent)).toBe('auth-length');
    }
    expect(verify(new BfdAuth(config(type), 1), { ...good, length: good.length - 1 })).toBe('auth-length');
  });
});

describe.each(HASHED)('%s', (type) => {
  it('is the digest of the whole packet with the padded key in its place', () => {
    const { bytes, length } = signed(new BfdAuth(config(type), 0xfffffffe));
    const size = type.endsWith('md5') ? 16 : 20;
    const packet = bytes.slice(AT, AT + length);
    const digest = Buffer.from(packet.subarray(32));
    packet.fill(0, 32);
    packet.set(secret('correct horse'), 32);
    expect(packet.length).toBe(32 + size);
    expect(digest).toEqual(
      createHash(type.endsWith('md5') ? 'md5' : 'sha1')
        .update(packet)
        .digest(),
    );
  });

  it('refuses a packet with any byte changed, and knows afterwards what it knew before', () => {
    const there = new BfdAuth(config(type), 1);
    const here = new BfdAuth(config(type), 100);
    expect(verify(there, signed(here))).toBe('accepted');
    const good = signed(here);
    for (let i = 0; i < good.length; i++) {
      if (i === 27) continue; // reserved: ignored in itself, yet covered by the digest, below
      const bent = { ...good, bytes: good.bytes.slice() };
      bent.bytes[AT + i]! ^= 0x40;
      expect(verify(there, bent), `byte ${i}`).not.toBe('accepted');
    }
    const reserved = { ...good, bytes: good.bytes.slice() };
    reserved.bytes[AT + 27] = 1;
    expect(verify(there, reserved)).toBe('auth-digest');
    expect(verify(there, good)).toBe('accepted');
  });

  it('takes the first number whatever it is, then only the next three multipliers, around the end of the range', () => {
    const start = 0xfffffff8;
    const at = (ahead: number) => signed(new BfdAuth(config(type), (start + ahead - 1) >>> 0));
    const first = METICULOUS.includes(type) ? 'auth-sequence' : 'accepted';
    for (const [ahead, answer] of [
      [0, first],
      [1, 'accepted'],
      [9, 'accepted'],
      [10, 'auth-sequence'],
      [-1, 'auth-sequence'],
      [0x80000000, 'auth-sequence'],
    ] as const) {
      const auth = new BfdAuth(config(type), 5);
      expect(verify(auth, at(0))).toBe('accepted');
      expect(at(ahead).sequence).toBe((start + ahead) >>> 0);
      expect(verify(auth, at(ahead)), `${ahead} ahead`).toBe(answer);
    }
  });

  it('forgets the number when told, and only then', () => {
    const auth = new BfdAuth(config(type), 5);
    const late = signed(new BfdAuth(config(type), 5000));
    expect(verify(auth, signed(new BfdAuth(config(type), 100)))).toBe('accepted');
    expect(verify(auth, late)).toBe('auth-sequence');
    auth.forget();
    expect(verify(auth, late)).toBe('accepted');
  });

  it('counts each packet if meticulous, else only what says something new', () => {
    const auth = new BfdAuth(config(type), 0xffffffff);
    const numbers = [signed(auth, true), signed(auth, false), signed(auth, true)].map((s) => s.sequence);
    expect(numbers).toEqual(auth.meticulous ? [0, 1, 2] : [0, 0, 1]);
  });
});

it.each(METICULOUS)('%s refuses a copy', (type) => {
  const auth = new BfdAuth(config(type), 1);
  const packet = signed(new BfdAuth(config(type), 1));
  expect([verify(auth, packet), verify(auth, packet)]).toEqual(['accepted', 'auth-sequence']);
});

it.each([
  ['type', { type: 'sha256' as BfdAuthType }],
  ['key_id', { keyId: 256 }],
  ['key_id', { keyId: 1.5 }],
  ['key', { key: secret('') }],
  ['key', { key: secret('seventeen bytes..') }],
])('a wrong %s is refused, and a key is not shown', (field, change) => {
  const make = () => new BfdAuth(config('keyed-md5', change), 1);
  expect(make).toThrow(VfError);
  expect(make).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', field: `detect.bfd.auth.${field}` }),
  );
  try {
    make();
  } catch (e) {
    expect(JSON.stringify(e)).not.toContain('seventeen');
  }
});

it('SHA1 takes keys of 20 bytes', () => {
  expect(new BfdAuth(config('keyed-sha1', { key: new Uint8Array(20).fill(9) }), 1).length).toBe(28);
  expect(() => new BfdAuth(config('keyed-sha1', { key: new Uint8Array(21).fill(9) }), 1)).toThrow(VfError);
});
