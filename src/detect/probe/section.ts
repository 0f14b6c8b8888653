import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { boolean, choice, integer, mapping } from '../../fields.js';
import { slavesSchema } from '../slaves.js';

/** `detect.probes` of an instance. */

export const TARGETS_MAX = 32;

/** The first byte says whether an IPv4 address can be one neighbour's. */
function unicast4(text: string): boolean {
  if (!isIPv4(text)) return false;
  const first = Number.parseInt(text, 10);
  return first !== 0 && first !== 127 && first < 224;
}

/** Neither `::`, `::1` nor a group. */
function unicast6(text: string): boolean {
  return isIPv6(text) && !text.includes('%') && !/^(?:[0:]*:0*[01]?$|ff)/i.test(text);
}

const what4 =
  'the IPv4 address of one neighbour: not 0.x.x.x, 127.x.x.x, a multicast or the broadcast address';
const ip4 = (what = what4) => z.string({ error: what }).refine(unicast4, { error: what });
const what6 = 'the IPv6 address of one neighbour: not ::, ::1 or a multicast address, and without a zone';
const ip6 = z.string({ error: what6 }).refine(unicast6, { error: what6 });

const target = z
  .strictObject(
    {
      arp: ip4().describe('a neighbour, asked by ARP').exactOptional(),
      nd: ip6.describe('an IPv6 neighbour, asked by neighbour solicitation').exactOptional(),
      icmp: ip4(`${what4}, or of a host behind a gateway`)
        .describe('a host, near or far, asked by ICMP echo')
        .exactOptional(),
      source: ip4()
        .describe(
          'arp: sender address for neighbours that do not answer 0.0.0.0; icmp: instead of the address that the route gives',
        )
        .exactOptional(),
    },
    { error: mapping },
  )
  .refine((t) => [t.arp, t.nd, t.icmp].filter((x) => x !== undefined).length === 1, {
    error: 'a mapping with one of the keys arp, nd, icmp',
  })
  .refine((t) => t.nd === undefined || t.source === undefined, {
    path: ['source'],
    error: 'left out, for nd has a source of its own',
  });

export const probesSchema = z
  .strictObject(
    {
      slaves: slavesSchema(),
      interval_ms: integer(4, 600_000, 'ms').default(100).describe('ms between two rounds of probes'),
      timeout_ms: integer(1, 450_000, 'ms')
        .describe(
          'ms that an answer may take, three quarters of interval_ms at most; absent: half of interval_ms',
        )
        .exactOptional(),
      missed_max: integer(1, 255)
        .default(2)
        .describe('rounds without an answer in a row until a slave counts as dead'),
      init_wait_ms: integer(0, 600_000, 'ms')
        .describe(
          'ms that a slave which has just got its link is left alone, before it is asked, and judged, for the first time; absent: it is asked at once and not judged for two rounds',
        )
        .exactOptional(),
      targets_of: choice(['any', 'all'])
        .default('any')
        .describe('a slave lives if any target answers, or only if all do'),
      validate: choice(['all', 'active', 'inactive', 'none'])
        .default('all')
        .describe(
          'which slaves live by answers to their probes alone; the other lives by anything that it receives between a question and its timeout, and does not show when only its sending fails',
        ),
      inactive: boolean()
        .default(true)
        .describe(
          'probe the inactive slave too; false: only while there is something against it. Its probes make switches look for the master there until the active one’s follow',
        ),
      targets: z
        .array(target, { error: 'a list of targets' })
        .min(1, { error: `a list of 1 to ${TARGETS_MAX} targets` })
        .max(TARGETS_MAX, { error: `a list of 1 to ${TARGETS_MAX} targets` })
        .describe('who is asked'),
    },
    { error: mapping },
  )
  .refine((v) => v.timeout_ms === undefined || v.timeout_ms <= (v.interval_ms * 3) / 4, {
    path: ['timeout_ms'],
    error: 'at most three quarters of interval_ms',
  })
  .refine((v) => new Set(v.targets.map((t) => JSON.stringify(t))).size === v.targets.length, {
    path: ['targets'],
    error: 'a list without repetitions',
  });

export type ProbesConfig = z.output<typeof probesSchema>;
export type ProbeTarget = ProbesConfig['targets'][number];
