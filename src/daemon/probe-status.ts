import { PROBE, PROBE_PATH, probeBase, probePathBase } from '../datapath/offsets.js';
import {
  PR_CREDITED,
  PR_DEAF,
  PR_EXCUSED,
  PR_GOOD,
  PR_MISSED,
  PR_UNSENT,
  PR_VOIDED,
  PR_WAIT_MS,
  W_MISSING,
  W_MISSING_MS,
  W_SEEN,
} from '../detect/probe/record.js';
import { TARGETS_MAX } from '../detect/probe/state.js';
import {
  D_STATE,
  detectBase,
  PROBE as PROBE_DETECTOR,
  STATE_DOWN,
  STATE_OFF,
  WITNESS,
} from '../detect/record.js';
import type { Describe } from './detector-status.js';

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** `arp 10.0.0.1 0.21 ms, icmp 10.0.0.9 missed 3`, and who cannot be asked. */
export const describeProbes: Describe = (m, path, records) => {
  const config = m.config.detect.probes;
  if (config === undefined) return undefined;
  const { slot } = m.datapath;
  const words = m.datapath.probes;
  const base = detectBase(slot, path, PROBE_DETECTOR);
  const { names, refused } = m.supplier.plan;
  const targets = names.map((name, t) => {
    const at = probeBase(slot, path * TARGETS_MAX + t);
    const [missed, rtt] = [words[at + PROBE.missed]!, words[at + PROBE.rtt_us]!];
    const answer = rtt === 0 ? 'never answered' : `${(rtt / 1000).toFixed(2)} ms`;
    return missed > 0 ? `${name} missed ${missed} (${answer} before)` : `${name} ${answer}`;
  });
  const notes = [
    [records[base + PR_DEAF]!, 'deaf for'],
    [records[base + PR_EXCUSED]!, 'excused from'],
    [records[base + PR_CREDITED]!, 'other frames were taken for answers in'],
    [records[base + PR_VOIDED]!, 'pauses of ours spoiled'],
  ] as const;
  const detail = [
    ...targets,
    ...refused.map((r) => `${r.target} is not asked: ${r.reason}`),
    ...notes.filter(([n]) => n > 0).map(([n, what]) => `${what} ${plural(n, 'round')}`),
  ];
  const wrong = words[probePathBase(slot, path) + PROBE_PATH.refused]!;
  if (wrong > 0) detail.push(`${plural(wrong, 'wrong answer')} refused`);
  if (records[base + PR_UNSENT]! > 0) detail.push(`${plural(records[base + PR_UNSENT]!, 'probe')} not sent`);
  return { detail: detail.join('; '), to_switch: toSwitch(config, names.length, records, base) };
};

function toSwitch(
  config: { missed_max: number; interval_ms: number; targets_of: 'any' | 'all' },
  targets: number,
  records: Int32Array,
  base: number,
): string {
  const state = records[base + D_STATE]!;
  if (targets === 0) return 'a target must be there that can be asked';
  if (state === STATE_OFF) return 'the slave must have a link';
  const wait = records[base + PR_WAIT_MS]!;
  if (wait > 0) return `it is asked in ${wait} ms for the first time since it got its link`;
  if (state === STATE_DOWN)
    return `alive again after 2 good rounds in a row (${Math.min(2, records[base + PR_GOOD]!)} so far)`;
  const left = Math.max(1, config.missed_max - records[base + PR_MISSED]!);
  const who =
    targets === 1 ? 'the target' : config.targets_of === 'any' ? 'every target' : 'any one of the targets';
  return `down when ${who} misses ${plural(left, 'more round')} of ${config.interval_ms} ms`;
}

export const describeWitness: Describe = (m, path, records) => {
  const config = m.config.detect.witness;
  if (config === undefined) return undefined;
  const base = detectBase(m.datapath.slot, path, WITNESS);
  const [missing, forMs, seen] = [
    records[base + W_MISSING]!,
    records[base + W_MISSING_MS]!,
    records[base + W_SEEN]!,
  ];
  const { min_frames, timeout_ms } = config;
  const down = records[base + D_STATE] === STATE_DOWN;
  return {
    detail:
      missing > 0
        ? `${plural(missing, 'broadcast')} of ${forMs} ms came in on the other slave only`
        : seen < min_frames
          ? `has received ${seen} of the ${min_frames} broadcasts that it takes to expect more`
          : 'receives broadcasts',
    to_switch: down
      ? 'alive again with the next broadcast'
      : `down when it misses ${min_frames} broadcasts of ${timeout_ms} ms that the other slave receives`,
  };
};
