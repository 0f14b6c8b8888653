import { monotonicNs } from 'bpf-loader-ts/sys';
import type { Decision, DecisionCause } from '../api/index.js';
import { epochOf, pathOf } from '../datapath/line.js';
import { roleOf } from '../device.js';
import { CAUSE_NAMES } from '../policy/evaluate.js';
import { healthOf } from '../policy/health.js';
import type { FromWorker } from '../shard/protocol.js';

function signalOf(cause: Decision['cause'], from: string): string {
  const what: Record<Decision['cause'], string> = {
    carrier: `no carrier on the ${from}`,
    'admin-down': `the ${from} was set down`,
    unplug: `the ${from}'s device is gone`,
    manual: 'ordered by hand',
    failback: 'the preferred slave has been healthy for the hold-down time',
    join: 'the slave joined with carrier',
    leave: `the ${from} left`,
    'no-path': 'no slave is healthy: the less bad one',
    unanswered: `frames sent on the ${from} are not answered`,
    probe: `probes on the ${from} are not answered`,
    bfd: `the BFD session on the ${from} is down`,
    witness: `the ${from} misses multicast that the other slave receives`,
    latency: `the ${from} is slower than the other slave`,
    maintenance: `the ${from} is in maintenance`,
    hooks: `programs of the ${from} were not in place`,
  };
  return what[cause];
}

/** The last decisions of all instances, each recorded once; the first frames on the new path are filled in when they are known. */
export class History {
  readonly #decisions: Decision[] = [];
  readonly #limit: number;
  #seq = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `instead`: the cause, where the worker does not know it. `remark`: what else is to be said of the slave that was left. */
  add(
    instance: string,
    m: FromWorker & { type: 'decision' },
    instead?: DecisionCause,
    remark?: string,
  ): Decision {
    const from = roleOf(pathOf(m.from));
    const named = CAUSE_NAMES[m.cause] ?? 'none';
    const cause = instead ?? ((named === 'none' ? 'manual' : named) as DecisionCause);
    const decision: Decision = {
      seq: ++this.#seq,
      instance,
      cause,
      tier: m.tier,
      signal: [signalOf(cause, from), m.evidence?.text, remark].filter((s) => s !== undefined).join(': '),
      evidence: m.evidence,
      from,
      to: roleOf(pathOf(m.to)),
      epoch: epochOf(m.to),
      detected_ns: m.detectedNs,
      flipped_ns: m.flippedNs,
      first_frame_out_ns: null,
      first_frame_in_ns: null,
      at: new Date(Date.now() - (monotonicNs() - m.flippedNs) / 1e6).toISOString(),
      health: { primary: healthOf(m.links[0]), standby: healthOf(m.links[1]) },
    };
    this.#decisions.push(decision);
    if (this.#decisions.length > this.#limit) this.#decisions.shift();
    return decision;
  }

  /** Fills in the first frames of a decision. A flip that was followed by another at once keeps its nulls. */
  first(instance: string, m: FromWorker & { type: 'first' }): Decision | undefined {
    const d = this.#decisions.findLast((x) => x.instance === instance && x.epoch === epochOf(m.to));
    if (!d) return undefined;
    d.first_frame_out_ns = m.outNs;
    d.first_frame_in_ns = m.inNs;
    return d;
  }

  list(filter: { name?: string; since?: number; limit?: number }): Decision[] {
    const { name, since = 0, limit = this.#limit } = filter;
    return this.#decisions
      .filter((d) => (name === undefined || d.instance === name) && d.seq > since)
      .slice(-limit);
  }

  last(instance: string): Decision | null {
    return this.#decisions.findLast((d) => d.instance === instance) ?? null;
  }
}
