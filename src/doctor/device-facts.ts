/** What /proc and /sys tell of a device in this namespace. Never throws: what cannot be read is absent. */
import { readFileSync } from 'node:fs';
import { formatIp } from '../frames/address.js';

/** linux/if.h and linux/ipv6_route.h. */
const IFF_PROMISC = 0x100;
const RTF_REJECT = 0x0200;
const RTF_ANYCAST = 0x00100000;
const RTF_LOCAL = 0x80000000;

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

export function isPromiscuous(name: string): boolean {
  return (Number(lines(`/sys/class/net/${name}/flags`)[0]) & IFF_PROMISC) !== 0;
}

/** VLAN devices of the namespace. */
export interface Vlan {
  name: string;
  id: number;
  /** Name of the device below. */
  below: string;
}

/** As 8021q lists them: `NAME | ID | DEVICE`. */
export function vlans(): Vlan[] {
  return lines('/proc/net/vlan/config').flatMap((line) => {
    const m = /^(\S+)\s*\|\s*(\d+)\s*\|\s*(\S+)\s*$/.exec(line);
    return m ? [{ name: m[1]!, id: Number(m[2]), below: m[3]! }] : [];
  });
}

/** Destinations of the routes that leave by a device. */
export function routesBy(name: string): string[] {
  return [...routes4(lines('/proc/net/route'), name), ...routes6(lines('/proc/net/ipv6_route'), name)];
}

/** IPv4: addresses are hexadecimal, in the machine's byte order. */
export function routes4(table: readonly string[], name: string): string[] {
  return table.flatMap((line) => {
    const [device, destination, , , , , , mask] = line.split('\t');
    if (device !== name || destination === undefined || mask === undefined) return [];
    const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
    const bytes = Uint8Array.from(Buffer.from(destination, 'hex').reverse());
    return [bits === 0 ? 'default' : `${formatIp(bytes)}/${bits}`];
  });
}

/** IPv6, without what every link has: link-local, multicast, and the kernel's own entries. */
export function routes6(table: readonly string[], name: string): string[] {
  return table.flatMap((line) => {
    const [destination, length, , , , , , , flags, device] = line.trim().split(/\s+/);
    if (device !== name || destination === undefined || length === undefined || flags === undefined)
      return [];
    if ((Number.parseInt(flags, 16) & (RTF_REJECT | RTF_ANYCAST | RTF_LOCAL)) !== 0) return [];
    if (/^(fe[89ab]|ff)/.test(destination)) return [];
    const bits = Number.parseInt(length, 16);
    return [bits === 0 ? 'default' : `${formatIp(Uint8Array.from(Buffer.from(destination, 'hex')))}/${bits}`];
  });
}
