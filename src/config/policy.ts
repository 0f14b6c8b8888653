import { z } from 'zod';
import { boolean, choice, HOUR_MS, integer, mapping } from '../fields.js';

/** When to switch: `policy` of an instance. */

/** What a flap costs, in the penalties below: src/policy/damping.ts. */
const FLAP = 1000;
const PENALTY_MAX = 32_767;

interface Damping {
  half_life_ms: number;
  suppress: number;
  reuse: number;
  max_suppress_ms: number;
}

/** In how many ms a penalty of `suppress` decays to `reuse`: a path could never be suppressed for less. */
const decayMs = ({ suppress, reuse, half_life_ms }: Damping): number =>
  Math.ceil(half_life_ms * Math.log2(suppress / reuse));

export const dampingSchema = z
  .strictObject(
    {
      half_life_ms: integer(100, HOUR_MS, 'ms').default(5000).describe('ms in which a penalty halves'),
      suppress: integer(1, PENALTY_MAX)
        .default(2000)
        .describe(`penalty at which a slave is suppressed; a flap costs ${FLAP}`),
      reuse: integer(1, PENALTY_MAX)
        .default(1000)
        .describe('penalty at which a suppressed slave may be chosen again; below suppress'),
      max_suppress_ms: integer(100, 24 * HOUR_MS, 'ms')
        .default(20_000)
        .describe('ms that a slave can be suppressed at most, however often it flapped'),
    },
    { error: mapping },
  )
  .superRefine((d, problems) => {
    const problem = (key: keyof Damping, message: string) =>
      problems.addIssue({ code: 'custom', path: [key], input: d[key], message });
    if (d.reuse >= d.suppress) problem('reuse', `an integer from 1 to ${d.suppress - 1}, below suppress`);
    else if (d.max_suppress_ms < decayMs(d))
      problem(
        'max_suppress_ms',
        `an integer from ${decayMs(d)} to ${24 * HOUR_MS} ms: so long does a penalty of suppress take to decay to reuse`,
      );
  });

export const latencySchema = z.strictObject(
  {
    margin_us: integer(0, 1_000_000, 'µs')
      .default(50)
      .describe('µs by which the round trip over a slave must be shorter to prefer it'),
    margin_percent: integer(0, 1000, 'percent')
      .default(20)
      .describe('percent of its own round trip by which it must be shorter, as well'),
  },
  { error: mapping },
);

export const policySchema = z.strictObject(
  {
    prefer: choice(['primary', 'standby', 'latency', 'none'])
      .default('primary')
      .describe(
        'the slave to return to when it is healthy again; latency: the one with the shorter round trip, where probes measure both; none: stay where it is',
      ),
    reselect: choice(['always', 'better', 'failure'])
      .default('always')
      .describe(
        'when to return to a preferred primary or standby (bonding’s primary_reselect): as soon as it is ready; if its link is faster than the active one’s, too; only when the active one fails',
      ),
    hold_down_ms: integer(0, HOUR_MS, 'ms')
      .default(500)
      .describe('ms that the preferred slave must stay healthy (latency: be faster) before failback'),
    healthy_probes: integer(0, 1000)
      .default(0)
      .describe(
        'probes that the preferred slave must answer in a row before failback; without probes: times it is found healthy',
      ),
    up_delay_ms: integer(0, HOUR_MS, 'ms')
      .default(0)
      .describe('ms that a slave must be healthy before it counts as up; ignored when no other slave is'),
    down_delay_ms: integer(0, HOUR_MS, 'ms')
      .default(0)
      .describe('ms that a fault must last before failover; 0 fails over at once'),
    latency: latencySchema.prefault({}).describe('by how much a slave must be faster, with prefer: latency'),
    damping: dampingSchema
      .describe(
        'suppress a slave that flaps until its penalty has decayed; absent: off; {}: on, as given here',
      )
      .exactOptional(),
    tier0: boolean()
      .default(true)
      .describe('arm the fallback inside the BPF programs, which works while the daemon does not'),
  },
  { error: mapping },
);

export type PolicyConfig = z.output<typeof policySchema>;
