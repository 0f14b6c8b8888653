/**
 * Authentication of BFD control packets (RFC 5880 §6.7): simple password, keyed and meticulous keyed MD5 and SHA1. Pure: the session
 * keeps the time. Hashing allocates, so authenticated sessions are the exception to what is said of the hot path.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { VfError } from '../../errors.js';
import {
  ACCEPTED,
  BFD_HEADER,
  DISCARD_AUTH_DIGEST,
  DISCARD_AUTH_KEY,
  DISCARD_AUTH_LENGTH,
  DISCARD_AUTH_SEQUENCE,
  DISCARD_AUTH_TYPE,
} from './packet.js';

/** Types by the number on the wire. */
export const AUTH_TYPES = {
  simple: 1,
  'keyed-md5': 2,
  'meticulous-md5': 3,
  'keyed-sha1': 4,
  'meticulous-sha1': 5,
} as const;

export type BfdAuthType = keyof typeof AUTH_TYPES;

/** How a session authenticates: the same on both ends. */
export interface BfdAuthConfig {
  type: BfdAuthType;
  /** 0 to 255. */
  keyId: number;
  /** 1 to 16 bytes, for SHA1 to 20; shorter keys are padded with zeros. */
  key: Uint8Array;
}

const SIMPLE_MAX = 16;
const SHA1_MAX = 20;
/** Where the digest begins in a section: after type, length, key id, reserved and the sequence number. */
const DIGEST = 8;

/** Throws VfError for a type that is none, a key or key id out of range. Returns the most bytes that a key of the type has. */
export function checkAuth({ type, keyId, key }: BfdAuthConfig): number {
  if (AUTH_TYPES[type] === undefined)
    throw invalid(
      'type',
      'is not an authentication type',
      type,
      `one of ${Object.keys(AUTH_TYPES).join(', ')}`,
    );
  if (!Number.isInteger(keyId) || keyId < 0 || keyId > 255)
    throw invalid('key_id', 'is out of range', keyId, 'an integer from 0 to 255');
  const size = type.endsWith('sha1') ? SHA1_MAX : SIMPLE_MAX;
  // The value is a secret, so its length stands for it.
  if (key.length < 1 || key.length > size)
    throw invalid('key', 'has the wrong length', `${key.length} bytes`, `a key of 1 to ${size} bytes`);
  return size;
}

/** One session's authentication: key, own sequence number, and what is known of the peer's. */
export class BfdAuth {
  /** Bytes of the section that each packet ends with. */
  readonly length: number;
  /** Sequence number of the next packet; unsigned. */
  #xmit: number;
  #received = 0;
  #known = false;
  readonly #type: number;
  readonly #keyId: number;
  readonly #key: Uint8Array;
  readonly #hash: 'md5' | 'sha1' | undefined;
  readonly #work = new Uint8Array(256);

  /** `sequence` is where the own numbers begin: random, unsigned 32 bits. Throws VfError for a key or key id out of range. */
  constructor({ type, keyId, key }: BfdAuthConfig, sequence: number) {
    const size = checkAuth({ type, keyId, key });
    this.#type = AUTH_TYPES[type];
    this.#hash = this.#type === 1 ? undefined : this.#type <= 3 ? 'md5' : 'sha1';
    this.#keyId = keyId;
    this.#key = new Uint8Array(this.#hash === undefined ? key.length : size);
    this.#key.set(key);
    this.length = this.#hash === undefined ? 3 + key.length : DIGEST + size;
    this.#xmit = sequence >>> 0;
  }

  /** Whether each packet has a number of its own, and a copy is refused. */
  get meticulous(): boolean {
    return this.#type === AUTH_TYPES['meticulous-md5'] || this.#type === AUTH_TYPES['meticulous-sha1'];
  }

  /** Nothing valid came for twice the detection time: the peer may begin anew (bfd.AuthSeqKnown, §6.8.1). */
  forget(): void {
    this.#known = false;
  }

  /** Appends the section to the header at `at`. `fresh`: the packet says something else than the one before. */
  sign(bytes: Uint8Array, at: number, fresh: boolean): void {
    const section = at + BFD_HEADER;
    bytes[section] = this.#type;
    bytes[section + 1] = this.length;
    bytes[section + 2] = this.#keyId;
    if (this.#hash === undefined) {
      bytes.set(this.#key, section + 3);
      return;
    }
    if (fresh || this.meticulous) this.#xmit = (this.#xmit + 1) >>> 0;
    bytes[section + 3] = 0;
    bytes[section + 4] = this.#xmit >>> 24;
    bytes[section + 5] = this.#xmit >>> 16;
    bytes[section + 6] = this.#xmit >>> 8;
    bytes[section + 7] = this.#xmit;
    bytes.set(this.#key, section + DIGEST);
    const whole = bytes.subarray(at, section + this.length);
    bytes.set(createHash(this.#hash).update(whole).digest(), section + DIGEST);
  }

  /**
   * Checks the section of the packet of `length` bytes (its own length field) at `at`. Returns ACCEPTED, after which its sequence number
   * is the one known, or a DISCARD_AUTH_*, after which nothing has changed.
   */
  verify(bytes: Uint8Array, at: number, length: number): number {
    const section = at + BFD_HEADER;
    const size = bytes[section + 1]!;
    if (bytes[section] !== this.#type) return DISCARD_AUTH_TYPE;
    if (size !== this.length || BFD_HEADER + size > length) return DISCARD_AUTH_LENGTH;
    if (bytes[section + 2] !== this.#keyId) return DISCARD_AUTH_KEY;
    if (this.#hash === undefined)
      return timingSafeEqual(bytes.subarray(section + 3, section + size), this.#key)
        ? ACCEPTED
        : DISCARD_AUTH_DIGEST;
    const sequence =
      ((bytes[section + 4]! << 24) |
        (bytes[section + 5]! << 16) |
        (bytes[section + 6]! << 8) |
        bytes[section + 7]!) >>>
      0;
    if (this.#known && !this.#expected(sequence, bytes[at + 2]!)) return DISCARD_AUTH_SEQUENCE;
    const work = this.#work.subarray(0, length);
    work.set(bytes.subarray(at, at + length));
    work.set(this.#key, BFD_HEADER + DIGEST);
    const digest = createHash(this.#hash).update(work).digest();
    if (!timingSafeEqual(digest, bytes.subarray(section + DIGEST, section + size)))
      return DISCARD_AUTH_DIGEST;
    // Only now: the RFC's text takes the number before the digest is compared, and a forged packet could set it.
    this.#known = true;
    this.#received = sequence;
    return ACCEPTED;
  }

  /** Within three detection multipliers after the last one known; the last one itself unless meticulous (§6.7.3, §6.7.4). */
  #expected(sequence: number, detectMult: number): boolean {
    const ahead = (sequence - this.#received) >>> 0;
    return ahead >= (this.meticulous ? 1 : 0) && ahead <= 3 * detectMult;
  }
}

function invalid(key: string, problem: string, value: unknown, want: string): VfError {
  return new VfError('CONFIG_INVALID', `detect.bfd.auth.${key} ${problem}`, {
    field: `detect.bfd.auth.${key}`,
    value,
    fix: `set it to ${want}`,
  });
}
