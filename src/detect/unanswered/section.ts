import { z } from 'zod';
import { boolean, HOUR_MS, integer, mapping } from '../../fields.js';
import { slavesSchema } from '../slaves.js';

/** What a list of UDP ports holds at most; bpf/watch.bpf.h has as many. */
export const UDP_PORTS_MAX = 8;

export const unansweredSchema = z
  .strictObject(
    {
      slaves: slavesSchema(),
      timeout_us: integer(200, 10_000_000, 'µs')
        .default(10_000)
        .describe(
          'µs without a received frame, while frames that expect an answer are sent, until a slave counts as dead; longer than the slowest answer',
        ),
      ack_timeout_us: integer(200, 60_000_000, 'µs')
        .describe(
          'µs of silence after what is merely acknowledged (TCP payload and FIN, SCTP data), which receivers delay; default: 100 ms, or timeout_us if that is more',
        )
        .exactOptional(),
      min_frames: integer(1, 1000).default(10).describe('unanswered frames that it takes at least'),
      udp: z
        .union([boolean(), z.array(integer(1, 65_535, '', 'a port')).max(UDP_PORTS_MAX)], {
          error: `true, false, or a list of at most ${UDP_PORTS_MAX} ports from 1 to 65535`,
        })
        .default([53])
        .describe('which UDP expects an answer: all, none, or that to these destination ports'),
      retry_ms: integer(100, HOUR_MS, 'ms')
        .default(5_000)
        .describe(
          'ms that a silent slave is avoided, when nothing else can tell that it lives; doubled by every relapse',
        ),
      retry_max_ms: integer(100, 24 * HOUR_MS, 'ms')
        .default(300_000)
        .describe('ms that relapses can make of retry_ms'),
    },
    { error: mapping },
  )
  .refine((v) => v.retry_max_ms >= v.retry_ms, {
    path: ['retry_max_ms'],
    error: 'retry_ms or more',
  })
  .refine((v) => v.ack_timeout_us === undefined || v.ack_timeout_us >= v.timeout_us, {
    path: ['ack_timeout_us'],
    error: 'timeout_us or more',
  });

/** Linux delays an acknowledgement by 40 ms, others by up to 100; a loaded receiver's scheduler adds to that. */
const ACK_TIMEOUT_US = 100_000;
export const ackTimeoutUs = (o: UnansweredConfig): number =>
  o.ack_timeout_us ?? Math.max(o.timeout_us, ACK_TIMEOUT_US);

export type UnansweredConfig = z.output<typeof unansweredSchema>;
