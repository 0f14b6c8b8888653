/**
 * BFD control packets (RFC 5880 §4.1): codec and the checks of §6.8.6 that need no session. Pure, and nothing here allocates: packets
 * are written into buffers that are there, and read into a record of words.
 */

/** UDP destination ports of control and echo packets (RFC 5881 §4), and of S-BFD (RFC 7881 §3). */
export const BFD_PORT = 3784;
export const BFD_ECHO_PORT = 3785;
export const SBFD_PORT = 7784;
/** A control packet's source port lies in this range (RFC 5881 §4). */
export const BFD_SOURCE_PORT_MIN = 49152;
export const BFD_SOURCE_PORT_MAX = 65535;
/** TTL or hop limit of what is sent, and the only one that is accepted (RFC 5881 §5). */
export const BFD_TTL = 255;

export const BFD_VERSION = 1;
/** Bytes of a packet without authentication, and of the longest one with it (keyed SHA1). */
export const BFD_HEADER = 24;
export const BFD_MAX = 52;

export const STATE_ADMIN_DOWN = 0;
export const STATE_DOWN = 1;
export const STATE_INIT = 2;
export const STATE_UP = 3;
/** Names of the states, by number. */
export const STATE_NAMES = ['admin-down', 'down', 'init', 'up'] as const;

export const DIAG_NONE = 0;
export const DIAG_EXPIRED = 1;
export const DIAG_ECHO_FAILED = 2;
export const DIAG_NEIGHBOUR_DOWN = 3;
export const DIAG_FORWARDING_RESET = 4;
export const DIAG_PATH_DOWN = 5;
export const DIAG_CONCATENATED_DOWN = 6;
export const DIAG_ADMIN_DOWN = 7;
export const DIAG_REVERSE_CONCATENATED_DOWN = 8;
/** Names of the diagnostic codes, by number; 9 to 31 are reserved. */
export const DIAG_NAMES = [
  'none',
  'detection time expired',
  'echo failed',
  'neighbour signalled down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
] as const;

/** Bits of the second byte, below the two of the state. */
export const FLAG_POLL = 0x20;
export const FLAG_FINAL = 0x10;
export const FLAG_INDEPENDENT = 0x08;
export const FLAG_AUTH = 0x04;
export const FLAG_DEMAND = 0x02;
export const FLAG_MULTIPOINT = 0x01;

/** Words of a decoded packet. Intervals are in microseconds. */
export const F_STATE = 0;
export const F_DIAG = 1;
/** FLAG_* bits. */
export const F_FLAGS = 2;
export const F_DETECT_MULT = 3;
export const F_LENGTH = 4;
export const F_MY_DISCR = 5;
export const F_YOUR_DISCR = 6;
export const F_DESIRED_MIN_TX = 7;
export const F_REQUIRED_MIN_RX = 8;
export const F_REQUIRED_MIN_ECHO_RX = 9;
/** Words of a record: unsigned, since discriminators and intervals use all 32 bits. */
export const PACKET_WORDS = 10;

/** Why a packet was refused; 0: it was not. Numbers count into arrays of DISCARDS entries. */
export const ACCEPTED = 0;
export const DISCARD_TRUNCATED = 1;
export const DISCARD_VERSION = 2;
export const DISCARD_LENGTH = 3;
export const DISCARD_DETECT_MULT = 4;
export const DISCARD_MULTIPOINT = 5;
export const DISCARD_MY_DISCR = 6;
export const DISCARD_YOUR_DISCR = 7;
export const DISCARD_STATE = 8;
export const DISCARD_INTERVAL = 9;
export const DISCARD_AUTH_ABSENT = 10;
export const DISCARD_AUTH_UNWANTED = 11;
export const DISCARD_AUTH_TYPE = 12;
export const DISCARD_AUTH_LENGTH = 13;
export const DISCARD_AUTH_KEY = 14;
export const DISCARD_AUTH_SEQUENCE = 15;
export const DISCARD_AUTH_DIGEST = 16;
export const DISCARD_ADMIN_DOWN = 17;
export const DISCARD_FRAME = 18;
export const DISCARD_TTL = 19;
export const DISCARD_ADDRESS = 20;
export const DISCARD_DEMAND = 21;
/** Names of the reasons, by number, as `status` shows them. */
export const DISCARD_NAMES = [
  'accepted',
  'truncated',
  'version',
  'length',
  'detect-mult',
  'multipoint',
  'my-discriminator',
  'your-discriminator',
  'state',
  'interval',
  'auth-absent',
  'auth-unwanted',
  'auth-type',
  'auth-length',
  'auth-key',
  'auth-sequence',
  'auth-digest',
  'admin-down',
  'frame',
  'ttl',
  'address',
  'demand',
] as const;
export const DISCARDS = DISCARD_NAMES.length;

/**
 * Reads the packet at `at` of a UDP payload of `length` bytes into `out` (PACKET_WORDS). Returns ACCEPTED or the DISCARD_* of the first
 * rule of §6.8.6 that it breaks; `out` is whole only when accepted. That a desired interval of 0 is refused follows from §4.1, which
 * reserves the value. Rules about sessions (discriminators, authentication) are not looked at.
 */
export function decodeControl(view: DataView, at: number, length: number, out: Uint32Array): number {
  if (length < BFD_HEADER || at < 0 || at + length > view.byteLength) return DISCARD_TRUNCATED;
  const first = view.getUint8(at);
  const second = view.getUint8(at + 1);
  const bytes = view.getUint8(at + 3);
  if (first >> 5 !== BFD_VERSION) return DISCARD_VERSION;
  if (bytes < ((second & FLAG_AUTH) === 0 ? BFD_HEADER : BFD_HEADER + 2)) return DISCARD_LENGTH;
  if (bytes > length) return DISCARD_LENGTH;
  out[F_DETECT_MULT] = view.getUint8(at + 2);
  if (out[F_DETECT_MULT] === 0) return DISCARD_DETECT_MULT;
  if ((second & FLAG_MULTIPOINT) !== 0) return DISCARD_MULTIPOINT;
  out[F_MY_DISCR] = view.getUint32(at + 4);
  if (out[F_MY_DISCR] === 0) return DISCARD_MY_DISCR;
  out[F_STATE] = second >> 6;
  out[F_YOUR_DISCR] = view.getUint32(at + 8);
  if (out[F_YOUR_DISCR] === 0 && second >> 6 > STATE_DOWN) return DISCARD_STATE;
  out[F_DESIRED_MIN_TX] = view.getUint32(at + 12);
  if (out[F_DESIRED_MIN_TX] === 0) return DISCARD_INTERVAL;
  out[F_DIAG] = first & 0x1f;
  out[F_FLAGS] = second & 0x3f;
  out[F_LENGTH] = bytes;
  out[F_REQUIRED_MIN_RX] = view.getUint32(at + 16);
  out[F_REQUIRED_MIN_ECHO_RX] = view.getUint32(at + 20);
  return ACCEPTED;
}

/**
 * Writes the header of the packet that the record holds: BFD_HEADER bytes from `at`. F_LENGTH is what goes into the length field, the
 * authentication section included. Throws RangeError when the buffer ends before that.
 */
export function encodeControl(view: DataView, at: number, packet: Uint32Array): void {
  view.setUint8(at, (BFD_VERSION << 5) | packet[F_DIAG]!);
  view.setUint8(at + 1, (packet[F_STATE]! << 6) | packet[F_FLAGS]!);
  view.setUint8(at + 2, packet[F_DETECT_MULT]!);
  view.setUint8(at + 3, packet[F_LENGTH]!);
  view.setUint32(at + 4, packet[F_MY_DISCR]!);
  view.setUint32(at + 8, packet[F_YOUR_DISCR]!);
  view.setUint32(at + 12, packet[F_DESIRED_MIN_TX]!);
  view.setUint32(at + 16, packet[F_REQUIRED_MIN_RX]!);
  view.setUint32(at + 20, packet[F_REQUIRED_MIN_ECHO_RX]!);
}
