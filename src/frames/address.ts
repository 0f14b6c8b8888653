/** IP addresses between text and bytes. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import { VfError } from '../errors.js';

/** Numbers of address families (linux/socket.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;

export interface IpAddress {
  family: typeof AF_INET | typeof AF_INET6;
  /** 4 or 16 bytes, network order. */
  bytes: Uint8Array;
}

export interface IpPrefix extends IpAddress {
  prefix: number;
}

const v4 = (text: string): number[] => text.split('.').map(Number);

function v6(text: string): number[] {
  // The last 32 bits may be written as IPv4.
  const hex = text.replace(/[0-9.]+\.[0-9]+$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = v4(dotted);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::');
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((w) => Number.parseInt(w, 16));
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const middle = Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...middle, ...right].flatMap((w) => [w >> 8, w & 0xff]);
}

/** Throws VfError for anything but a plain IPv4 or IPv6 address. */
export function parseIp(text: string, field = 'ip'): IpAddress {
  if (isIPv4(text)) return { family: AF_INET, bytes: Uint8Array.from(v4(text)) };
  // a zone (%eth0) belongs to the socket, not the address
  if (isIPv6(text) && !text.includes('%')) return { family: AF_INET6, bytes: Uint8Array.from(v6(text)) };
  throw new VfError('NETLINK', `not an IP address: ${text}`, {
    field,
    value: text,
    fix: 'write 10.0.0.1 or fd00::1',
  });
}

/** `10.0.0.1/24`; without a slash the whole address is the prefix. */
export function parsePrefix(text: string, field = 'address'): IpPrefix {
  const [ip = '', bits, more] = text.split('/');
  const parsed = parseIp(ip, field);
  const max = parsed.bytes.length * 8;
  if (bits === undefined) return { ...parsed, prefix: max };
  if (more !== undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > max) {
    const fix = `write a length from 0 to ${max} after the slash`;
    throw new VfError('NETLINK', `not a prefix: ${text}`, { field, value: text, fix });
  }
  return { ...parsed, prefix: Number(bits) };
}

/** Text of 4 or 16 bytes; IPv6 as RFC 5952 wants it. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let [best, length] = [-1, 1]; // a single zero word is not shortened
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && words[end] === 0) end++;
    if (end - i > length) [best, length] = [i, end - i];
  }
  const hex = words.map((w) => w.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + length).join(':')}`;
}

/** Whether the bytes are an IPv6 address of one link (fe80::/10). */
export const isLinkLocal6 = (bytes: Uint8Array): boolean =>
  bytes.length === 16 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
