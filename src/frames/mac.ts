/** MAC addresses between text and bytes. Pure. */
import { VfError } from '../errors.js';

export const MAC_BYTES = 6;
export const BROADCAST = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** Returns the six bytes of `aa:bb:cc:dd:ee:ff`. */
export function parseMac(text: string, field = 'address'): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new VfError('NETLINK', `not a MAC address: ${text}`, {
      field,
      value: text,
      fix: 'write aa:bb:cc:dd:ee:ff',
    });
  }
  return Uint8Array.from(text.split(':'), (s) => Number.parseInt(s, 16));
}

/** Returns lower case, two digits a byte, of any length. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':');
}

/** Returns the text of the six bytes at `at`. */
export const macAt = (bytes: Uint8Array, at = 0): string => formatMac(bytes.subarray(at, at + MAC_BYTES));

/** Returns the MAC of an IPv4 or IPv6 group (RFC 1112 §6.4, RFC 2464 §7). */
export function groupMac(ip: Uint8Array): Uint8Array {
  if (ip.length === 16) return Uint8Array.of(0x33, 0x33, ip[12]!, ip[13]!, ip[14]!, ip[15]!);
  return Uint8Array.of(0x01, 0x00, 0x5e, ip[1]! & 0x7f, ip[2]!, ip[3]!);
}
