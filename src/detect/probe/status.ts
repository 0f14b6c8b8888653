import { PROBE, PROBE_PATH, probeBase, probePathBase } from '../../datapath/offsets.js';
import type { StatusView, Words } from '../detector.js';
import { D_STATE, STATE_DOWN, STATE_OFF } from '../record.js';
import { plural } from '../words.js';
import type { ProbePlan } from './plan.js';
import {
  PR_CREDITED,
  PR_DEAF,
  PR_EXCUSED,
  PR_GOOD,
  PR_MISSED,
  PR_UNSENT,
  PR_VOIDED,
  PR_WAIT_MS,
} from './record.js';
import type { ProbesConfig } from './section.js';
import { TARGETS_MAX } from './state.js';

const NOBODY: ProbePlan = { asks: [], names: [], refused: [] };

/** `arp 10.0.0.1 0.21 ms, icmp 10.0.0.9 missed 3`, and who cannot be asked. */
export function describe(v: StatusView<ProbesConfig, ProbePlan>): Words {
  const { config, path, records, base } = v;
  const { slot, probes: words } = v.datapath;
  const { names, refused } = v.plan ?? NOBODY;
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
}

function toSwitch(config: ProbesConfig, targets: number, records: Int32Array, base: number): string {
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
