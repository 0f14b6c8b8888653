import type { StreamReport } from '../../lab/vm/stream.js';
import type { Testbed } from '../../lab/vm/testbed.js';
import type { Moment, Timeline } from '../../lab/vm/timeline.js';

/** What is told of the time before the first moment, ms. */
const BEFORE_MS = 1_000;

/** What happened, and between it every loss: so that each lost frame has a cause. Times in ms from the first moment. */
export function account(
  bed: Testbed,
  timeline: Timeline,
  report: StreamReport,
  inGuest: readonly Moment[],
): string {
  const { moments } = timeline;
  const zero = moments[0]!.atNs;
  const heard = bed.wire.announcements.map((a) => ({ atNs: a.atNs, what: `${a.kind} by ${a.port}` }));
  const lines: Moment[] = [...moments, ...heard, ...inGuest];
  for (const direction of ['out', 'in'] as const) {
    const d = report[direction];
    for (const g of d.gaps)
      lines.push({
        atNs: g.afterNs,
        what: `** ${direction}: ${g.frames} lost from ${g.from}, ${g.ms.toFixed(1)} ms`,
      });
    for (const m of d.moves) lines.push({ atNs: m.ns, what: `   ${direction}: ${m.from} → ${m.to}` });
  }
  return lines
    .filter((l) => l.atNs > zero - BEFORE_MS * 1e6)
    .sort((a, b) => a.atNs - b.atNs)
    .map((l) => `${((l.atNs - zero) / 1e6).toFixed(1).padStart(9)}  ${l.what}`)
    .join('\n');
}
