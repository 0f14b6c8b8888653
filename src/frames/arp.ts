/** ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903). Pure: bytes in, bytes out. */
import { frame } from './ethernet.js';
import { BROADCAST, MAC_BYTES } from './mac.js';
import { ETHERTYPE } from './numbers.js';
import { checkLength } from './problems.js';
import type { VlanTag } from './vlan.js';

const REQUEST = 1;
export const ARP_REPLY = 2;
const REVERSE_REQUEST = 3;
const ANY = new Uint8Array(4);
const UNKNOWN = new Uint8Array(MAC_BYTES);

export interface ArpSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  /** 4 bytes. */
  ip: Uint8Array;
  vlan?: VlanTag | undefined;
}

export interface RarpSpec {
  /** 6 bytes. */
  mac: Uint8Array;
  vlan?: VlanTag | undefined;
}

export interface ArpQuestion {
  mac: Uint8Array;
  /** Own address. */
  source: Uint8Array;
  target: Uint8Array;
}

interface ArpBody {
  opcode: number;
  senderMac: Uint8Array;
  senderIp: Uint8Array;
  targetMac: Uint8Array;
  targetIp: Uint8Array;
}

/**
 * ARP announcement, also known as gratuitous ARP: a broadcast request whose sender and target both are the address (RFC 5227 §2.3). A
 * request, since every implementation updates an existing entry from one; the target hardware address is zero. 60 bytes, 64 with a tag.
 * Throws VfError for a MAC, address or tag of the wrong size.
 */
export function gratuitousArp({ mac, ip, vlan }: ArpSpec): Uint8Array {
  checkLength('mac', mac, 6);
  checkLength('ip', ip, 4);
  return frame({ to: BROADCAST, from: mac, ethertype: ETHERTYPE.arp, vlan }, question(mac, ip, ip));
}

/**
 * ARP request, broadcast. With the sender's address 0.0.0.0 it is an ARP probe (RFC 5227 §2.1.1): it is answered and changes nobody's
 * cache. 60 bytes.
 */
export function arpRequest({ mac, source, target }: ArpQuestion): Uint8Array {
  return frame({ to: BROADCAST, from: mac, ethertype: ETHERTYPE.arp }, question(mac, source, target));
}

/** Payload of an ARP request. */
export function question(mac: Uint8Array, source: Uint8Array, target: Uint8Array): Uint8Array {
  return body({ opcode: REQUEST, senderMac: mac, senderIp: source, targetMac: UNKNOWN, targetIp: target });
}

/**
 * Reverse ARP request for the own MAC (RFC 903), byte for byte what QEMU's announce-self broadcasts: it names no IP address, yet every
 * switch on its way learns the port. 60 bytes, 64 with a tag. Throws VfError for a MAC or tag of the wrong size.
 */
export const rarpAnnouncement = (spec: RarpSpec): Uint8Array => rarp(BROADCAST, spec);

/** First half of the destination of `moveFrame`: locally administered, unicast. The programs know it (bpf/receive.bpf.h). */
const NOBODY = Uint8Array.of(0x06, 0x76, 0x66, 0, 0, 0);
/** The half that is random in each frame that is sent. */
export const MOVE_FRESH = { at: 3, bytes: 3 } as const;

/**
 * A frame to nobody whose source is the MAC: whatever switch floods it has to look at it, and learns where the MAC is now. Open vSwitch
 * (NORMAL) handles a frame that repeats an earlier one in its cache, for 10 s, and does not learn from it: so each frame that is sent
 * needs a destination of its own (`MOVE_FRESH`). It is a RARP request like the announcement: what lets that through lets this through.
 * 60 bytes, 64 with a tag. Throws VfError for a MAC or tag of the wrong size.
 */
export const moveFrame = (spec: RarpSpec): Uint8Array => rarp(NOBODY, spec);

function rarp(to: Uint8Array, { mac, vlan }: RarpSpec): Uint8Array {
  checkLength('mac', mac, 6);
  const own = { opcode: REVERSE_REQUEST, senderMac: mac, senderIp: ANY, targetMac: mac, targetIp: ANY };
  return frame({ to, from: mac, ethertype: ETHERTYPE.rarp, vlan }, body(own));
}

function body(o: ArpBody): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 1); // Ethernet
  view.setUint16(2, ETHERTYPE.ipv4);
  bytes[4] = 6;
  bytes[5] = 4;
  view.setUint16(6, o.opcode);
  bytes.set(o.senderMac, 8);
  bytes.set(o.senderIp, 14);
  bytes.set(o.targetMac, 18);
  bytes.set(o.targetIp, 24);
  return bytes;
}
