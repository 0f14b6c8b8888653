import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { choice, HOUR_MS, integer, mapping, pattern } from '../../fields.js';
import { slavesSchema } from '../slaves.js';

/** BFD: `detect.bfd` of an instance, and its `reflector`. */

/** Neither unspecified, multicast, broadcast nor loopback. */
function isUnicast(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  if (isIPv4(text)) return !/^(0|127|22[4-9]|2[3-5]\d)\./.test(text);
  return isIPv6(text) && !text.includes('%') && !/^(ff|[0:]*1?$)/i.test(text);
}

const unicast = () => {
  const error = 'a unicast IPv4 or IPv6 address';
  return z.string({ error }).refine(isUnicast, { error });
};
const interval = (min = 1000) => integer(min, 60_000_000, 'µs');
const vlan = () => integer(1, 4094).describe('802.1Q id of the session’s packets').exactOptional();
const ttl = () =>
  integer(1, 255)
    .default(255)
    .describe(
      's-bfd: hops that packets must have left; 255: from this link only, less for each router between',
    );

const discriminatorError = 'a number from 1 to 4294967295, or one written as an IPv4 address';
const discriminator = () =>
  z.union(
    [
      integer(1, 0xffffffff, '', 'a number'),
      z.string().refine((text) => isIPv4(text) && text !== '0.0.0.0', { error: discriminatorError }),
    ],
    { error: discriminatorError },
  );

/** A discriminator as a number. */
export function discriminatorOf(value: number | string): number {
  if (typeof value === 'number') return value;
  return value.split('.').reduce((n, byte) => n * 256 + Number(byte), 0);
}

/** Bytes of a key (RFC 5880 §4.2 to §4.4). */
const keyMax = (type: string): number => (type.endsWith('sha1') ? 20 : 16);

export const bfdAuthSchema = z
  .strictObject(
    {
      type: choice(['simple', 'keyed-md5', 'meticulous-md5', 'keyed-sha1', 'meticulous-sha1']).describe(
        'how packets are authenticated, the same on both ends; meticulous: each has a number of its own, and a copy is refused',
      ),
      key_id: integer(0, 255).default(1).describe('number of the key, the same on both ends'),
      key: pattern(/^[^\0]{1,20}$/, 'a key of 1 to 16 bytes, with SHA1 to 20')
        .describe('the key itself; better: key_file')
        .exactOptional(),
      key_file: pattern(/^\/[^\0]{1,4094}$/, 'an absolute path')
        .describe(
          'file that holds the key, and that only its owner and group can read; one newline at its end is none of it',
        )
        .exactOptional(),
    },
    { error: mapping },
  )
  .refine((v) => (v.key === undefined) !== (v.key_file === undefined), {
    error: 'a mapping with either key or key_file',
  })
  .refine((v) => v.key === undefined || Buffer.byteLength(v.key) <= keyMax(v.type), {
    path: ['key'],
    error: 'a key of 1 to 16 bytes, with SHA1 to 20',
  });

export const bfdSchema = z
  .strictObject(
    {
      mode: choice(['single-hop', 's-bfd'])
        .default('single-hop')
        .describe(
          'single-hop: a session of RFC 5881 with a peer that has one, too; s-bfd: questions to a reflector of RFC 7880, which keeps no state',
        ),
      slaves: slavesSchema(),
      peer: unicast().describe('address of the BFD peer; single-hop: on the link'),
      local: unicast().describe('our address for it: one that the master has'),
      vlan: vlan(),
      peer_mac: pattern(
        /^(?!(?:00:){5}00$)[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}$/,
        'a unicast MAC address such as 52:54:00:12:34:56',
      )
        .toLowerCase()
        .describe(
          'MAC address of the peer, s-bfd: or of the router to it; absent: as the kernel finds it (ARP, neighbour discovery), and where the peer speaks from',
        )
        .exactOptional(),
      tx_interval_us: interval().default(50_000).describe('µs between packets that we want to send'),
      rx_interval_us: interval().default(50_000).describe('µs between packets that we can receive'),
      multiplier: integer(1, 255)
        .default(3)
        .describe(
          'packets in a row that may be missing before the peer gives the session up; s-bfd: before we do',
        ),
      discriminator: discriminator()
        .describe('our discriminator, for a peer that has it configured; absent: a random one at each start')
        .exactOptional(),
      remote_discriminator: discriminator().describe('s-bfd: the reflector’s discriminator').exactOptional(),
      ttl_min: ttl(),
      echo_tx_interval_us: interval()
        .describe('single-hop: µs between echo packets to a peer that returns them; absent: none are sent')
        .exactOptional(),
      echo_rx_interval_us: interval()
        .describe('single-hop: µs between echo packets of the peer that we return; absent: we return none')
        .exactOptional(),
      auth: bfdAuthSchema.describe('single-hop: authentication (RFC 5880 §6.7)').exactOptional(),
      retry_ms: integer(100, HOUR_MS, 'ms')
        .default(5_000)
        .describe('ms that a slave on which the session fell is avoided; doubled by every relapse'),
      retry_max_ms: integer(100, 24 * HOUR_MS, 'ms')
        .default(300_000)
        .describe('ms that relapses can make of retry_ms'),
    },
    { error: mapping },
  )
  .refine((v) => v.retry_max_ms >= v.retry_ms, { path: ['retry_max_ms'], error: 'retry_ms or more' })
  .refine((v) => isIPv4(v.peer) === isIPv4(v.local), {
    path: ['local'],
    error: 'an address of the family of peer',
  })
  .refine((v) => v.peer.toLowerCase() !== v.local.toLowerCase(), {
    path: ['peer'],
    error: 'an address other than our own',
  })
  .refine((v) => v.mode !== 's-bfd' || v.remote_discriminator !== undefined, {
    path: ['remote_discriminator'],
    error: discriminatorError,
  })
  .refine((v) => v.mode === 's-bfd' || v.remote_discriminator === undefined, {
    path: ['remote_discriminator'],
    error: 'left out, for it belongs to mode s-bfd',
  })
  .refine((v) => v.mode === 's-bfd' || v.ttl_min === 255, {
    path: ['ttl_min'],
    error: '255, for packets of a single hop have all hops left',
  })
  .refine((v) => v.mode !== 's-bfd' || v.auth === undefined, {
    path: ['auth'],
    error: 'left out, for it belongs to mode single-hop',
  })
  .refine((v) => v.mode !== 's-bfd' || v.echo_tx_interval_us === undefined, {
    path: ['echo_tx_interval_us'],
    error: 'left out, for it belongs to mode single-hop',
  })
  .refine((v) => v.mode !== 's-bfd' || v.echo_rx_interval_us === undefined, {
    path: ['echo_rx_interval_us'],
    error: 'left out, for it belongs to mode single-hop',
  });

/** Of each; bpf/vfailover.h has as many. */
export const REFLECTOR_MAX = 4;
const upTo = `1 to ${REFLECTOR_MAX}`;

export const reflectorSchema = z.strictObject(
  {
    discriminators: z
      .array(discriminator(), { error: `a list of ${upTo} discriminators` })
      .min(1, { error: `a list of ${upTo} discriminators` })
      .max(REFLECTOR_MAX, { error: `a list of ${upTo} discriminators` })
      .describe('S-BFD discriminators that are answered for'),
    addresses: z
      .array(unicast(), { error: `a list of ${upTo} addresses` })
      .min(1, { error: `a list of ${upTo} addresses` })
      .max(REFLECTOR_MAX, { error: `a list of ${upTo} addresses` })
      .describe('our addresses at which they are: those that the master has'),
    vlan: vlan(),
    ttl_min: ttl(),
    rx_interval_us: interval().default(1000).describe('µs between packets of one initiator: what it is told'),
    state: choice(['up', 'admin-down'])
      .default('up')
      .describe('what answers say; admin-down: who asks is to look elsewhere, and it is no fault'),
  },
  { error: mapping },
);

export type BfdAuthSection = z.output<typeof bfdAuthSchema>;
export type BfdConfig = z.output<typeof bfdSchema>;
export type ReflectorConfig = z.output<typeof reflectorSchema>;
