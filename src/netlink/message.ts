/** Netlink messages as bytes: building, splitting, reading. Pure. Whatever the bytes are, nothing but VfError comes out. */
import { endianness } from 'node:os';
import { VfError } from '../errors.js';
import * as c from './constants.js';

/** Netlink speaks the byte order of its machine. */
export const LE = endianness() === 'LE';
const NLMSG_HDRLEN = 16;
const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;
const MAX_ERRNO = 4095;

export interface NlMessage {
  type: number;
  flags: number;
  seq: number;
  /** Netlink port of whoever asked for what a notification tells: as a rule its process id. 0: the kernel itself. */
  port: number;
  /** What follows the header; a view, not a copy. */
  data: Uint8Array;
}

/** Attributes by type; of a repeated one the last, as in the kernel. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

const align4 = (n: number): number => (n + 3) & ~3;
export const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function malformed(what: string): VfError {
  return new VfError('NETLINK', `malformed netlink message: ${what}`);
}

// ---- building ----

/** Builds one message; grows as needed. */
export class MessageBuilder {
  #bytes = new Uint8Array(256);
  #view = viewOf(this.#bytes);
  #len = NLMSG_HDRLEN;

  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, LE);
    this.#view.setUint16(6, flags, LE);
  }

  #take(size: number): number {
    const at = this.#len;
    this.#len += align4(size);
    if (this.#len > this.#bytes.length) {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(this.#len)));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return at;
  }

  /** Plain bytes, padded to 4. */
  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** struct ifinfomsg. */
  ifinfo(ifindex: number, flags = 0, change = 0): this {
    const at = this.#take(16);
    this.#view.setInt32(at + 4, ifindex, LE);
    this.#view.setUint32(at + 8, flags, LE);
    this.#view.setUint32(at + 12, change, LE);
    return this;
  }

  attr(type: number, bytes: Uint8Array): this {
    const size = NLA_HDRLEN + bytes.length;
    if (size > 0xffff) throw new VfError('NETLINK', `attribute ${type} is too long`, { value: bytes.length });
    const at = this.#take(size);
    this.#view.setUint16(at, size, LE);
    this.#view.setUint16(at + 2, type, LE);
    this.#bytes.set(bytes, at + NLA_HDRLEN);
    return this;
  }

  u8(type: number, value: number): this {
    return this.attr(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, LE);
    return this.attr(type, bytes);
  }

  /** NUL-terminated. */
  string(type: number, value: string): this {
    return this.attr(type, encoder.encode(`${value}\0`));
  }

  nest(type: number, fill: (message: this) => void): this {
    const at = this.#take(NLA_HDRLEN);
    fill(this);
    const size = this.#len - at;
    if (size > 0xffff) throw new VfError('NETLINK', `attribute ${type} is too long`, { value: size });
    this.#view.setUint16(at, size, LE);
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, LE);
    return this;
  }

  /** The message, ready to send; a view that the next call of a method may invalidate. */
  finish(seq: number): Uint8Array {
    this.#view.setUint32(0, this.#len, LE);
    this.#view.setUint32(8, seq, LE);
    return this.#bytes.subarray(0, this.#len);
  }
}

// ---- reading ----

/** The messages of one datagram. Those before a malformed one are yielded before it throws. */
export function* splitMessages(bytes: Uint8Array): Generator<NlMessage, void, undefined> {
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < NLMSG_HDRLEN) throw malformed(`${left} bytes where a header should be`);
    const len = view.getUint32(at, LE);
    if (len < NLMSG_HDRLEN || len > left) throw malformed(`length ${len} with ${left} bytes left`);
    yield {
      type: view.getUint16(at + 4, LE),
      flags: view.getUint16(at + 6, LE),
      seq: view.getUint32(at + 8, LE),
      port: view.getUint32(at + 12, LE),
      data: bytes.subarray(at + NLMSG_HDRLEN, at + len),
    };
    at += align4(len);
  }
}

export function parseAttributes(bytes: Uint8Array): Attributes {
  return new Map(listAttributes(bytes));
}

/** All attributes in their order, the repeated ones too. */
export function* listAttributes(
  bytes: Uint8Array,
): Generator<[type: number, value: Uint8Array], void, undefined> {
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < NLA_HDRLEN) throw malformed(`${left} bytes where an attribute should be`);
    const len = view.getUint16(at, LE);
    if (len < NLA_HDRLEN || len > left) throw malformed(`attribute length ${len} with ${left} bytes left`);
    yield [view.getUint16(at + 2, LE) & NLA_TYPE_MASK, bytes.subarray(at + NLA_HDRLEN, at + len)];
    at += align4(len);
  }
}

/** The attributes after a fixed header of `size` bytes. */
export function attributesAfter(data: Uint8Array, size: number): Attributes {
  if (data.length < size) throw malformed(`${data.length} bytes, the header alone has ${size}`);
  return parseAttributes(data.subarray(size));
}

/** A view of a value that has at least `size` bytes. */
export function need(bytes: Uint8Array, size: number): DataView {
  if (bytes.length < size) throw malformed(`a value of ${bytes.length} bytes, ${size} expected`);
  return viewOf(bytes);
}

export const readU16 = (bytes: Uint8Array): number => need(bytes, 2).getUint16(0, LE);
/** In network order. */
export const readBe16 = (bytes: Uint8Array): number => need(bytes, 2).getUint16(0);
export const readU8 = (bytes: Uint8Array): number => need(bytes, 1).getUint8(0);
export const readU32 = (bytes: Uint8Array): number => need(bytes, 4).getUint32(0, LE);
export const readI32 = (bytes: Uint8Array): number => need(bytes, 4).getInt32(0, LE);

/** Up to the first NUL; bytes that are not UTF-8 become U+FFFD. */
export function readString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** The outcome in an NLMSG_ERROR or NLMSG_DONE message: 0 or a positive errno, and the kernel's own words. */
export interface Ack {
  errno: number;
  message?: string;
}

export function parseAck(message: NlMessage): Ack {
  const { type, flags, data } = message;
  // a dump that ended well may come without any payload
  if (type === c.NLMSG_DONE && data.length < 4) return { errno: 0 };
  const errno = Math.abs(readI32(data));
  if (errno > MAX_ERRNO) throw malformed(`an error number of ${errno}`);
  if ((flags & c.NLM_F_ACK_TLVS) === 0) return { errno };
  let at = 4;
  if (type === c.NLMSG_ERROR) {
    // the request's header follows, and unless capped the whole request
    const request = need(data, 4 + NLMSG_HDRLEN).getUint32(4, LE);
    at += (flags & c.NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : align4(request);
  }
  const text = attributesAfter(data, at).get(c.NLMSGERR_ATTR_MSG);
  return text === undefined ? { errno } : { errno, message: readString(text) };
}
