import { type ChangeSender, clockMonotonic } from 'bpf-loader-ts/sys';
import { VfEvent } from '../../bpf/vfailover.bpf.js';
import { epochOf, flip, nextWord, pathOf } from '../../src/datapath/line.js';
import { LINE } from '../../src/datapath/offsets.js';
import { readNs } from '../../src/datapath/u64.js';
import type { Detectors } from '../../src/detect/detectors.js';
import type { Path } from '../../src/device.js';
import {
  accept,
  CAUSE_ADMIN_DOWN,
  CAUSE_CARRIER,
  CAUSE_UNPLUG,
  P_CAUSE,
  policyBase,
  withVerdict,
} from '../../src/policy/evaluate.js';
import { lostLink } from '../../src/policy/link-failures.js';
import { CONTROL, type FromWorker } from '../../src/shard/protocol.js';
import type { Instances } from './instances.js';

const EVENT = VfEvent.offsets;
const EPOCHS = 0x7ffffff;
/** How long the first frames after a flip are waited for (10 s), ns. */
const FIRST_FRAME_NS = 10e9;

/** Tiers that flip: the programs, this thread, the supervisor. */
const TIER_PROGRAMS = 0;
const TIER_WORKER = 1;
const TIER_SUPERVISOR = 2;

/** A flip as reported. Times are CLOCK_MONOTONIC, ns. */
type Flip = Pick<
  FromWorker & { type: 'decision' },
  'tier' | 'cause' | 'from' | 'to' | 'detectedNs' | 'flippedNs'
>;

/** Parts of the loop that its flips use. */
export interface FlipMeans {
  readonly instances: Instances;
  readonly control: Int32Array;
  readonly policy: Int32Array;
  readonly linkFailures: Int32Array;
  readonly lines: Int32Array;
  /** Announces a switch before anything else is done about it, since the network delivers to the old slave until it learns of the new one. */
  readonly announcer: ChangeSender;
  readonly detectors: Detectors;
  /** [0]: time of this turn (CLOCK_MONOTONIC, ns). */
  readonly clock: Float64Array;
  readonly report: (m: FromWorker) => void;
}

/** The flips of a shard's instances, made by this thread, the programs or the supervisor. Each is accounted for once and reported. */
export class Flips {
  /** The policy's clock in this turn. */
  nowMs = 0;
  readonly #instances: Instances;
  readonly #control: Int32Array;
  readonly #policy: Int32Array;
  readonly #linkFailures: Int32Array;
  readonly #lines: Int32Array;
  readonly #announcer: ChangeSender;
  readonly #detectors: Detectors;
  readonly #clock: Float64Array;
  readonly #report: (m: FromWorker) => void;

  constructor(means: FlipMeans) {
    this.#instances = means.instances;
    this.#control = means.control;
    this.#policy = means.policy;
    this.#linkFailures = means.linkFailures;
    this.#lines = means.lines;
    this.#announcer = means.announcer;
    this.#detectors = means.detectors;
    this.#clock = means.clock;
    this.#report = means.report;
  }

  /** Flips instance `i` from `word` to `path`, as the policy wants. */
  make(i: number, line: number, word: number, path: Path): void {
    const detectedNs = this.#clock[0]!;
    // If the flip is lost, tier 0 or the supervisor was faster. The next turn sees the new word.
    if (!flip(this.#lines, line, word, path)) return;
    clockMonotonic(this.#clock, 0);
    const flippedNs = this.#clock[0]!;
    const to = nextWord(word, path);
    this.#accepted(i, to, path);
    const cause = this.#policy[policyBase(this.#instances.slots[i]!) + P_CAUSE]!;
    this.#tell(i, { tier: TIER_WORKER, cause, from: word, to, detectedNs, flippedNs });
  }

  #accepted(i: number, word: number, path: Path): void {
    // The flip may be this thread's, or one that came since the wait.
    this.#announcer.run();
    const { slots, known, armed, awaiting } = this.#instances;
    accept(this.#policy, policyBase(slots[i]!), path, this.nowMs);
    known[i] = word;
    // The programs may have disarmed a fallback with their flip.
    armed[i] = -1;
    awaiting[i] = this.#clock[0]! + FIRST_FRAME_NS;
  }

  /** Accounts for a flip that no event has told of yet. The line says whether tier 0 made it. */
  found(i: number, line: number, word: number): void {
    const from = this.#instances.known[i]!;
    const lines = this.#lines;
    const tier0 = lines[line + LINE.flip_word] === word;
    if (tier0) this.#control[CONTROL.lost_events]!++;
    const ns = tier0 ? readNs(lines, line + LINE.flip_ns) : this.#clock[0]!;
    const cause = tier0 ? lines[line + LINE.flip_cause]! : CAUSE_UNPLUG;
    const tier = tier0 ? TIER_PROGRAMS : TIER_SUPERVISOR;
    this.#accepted(i, word, pathOf(word));
    this.#tell(i, { tier, cause, from, to: word, detectedNs: ns, flippedNs: ns });
  }

  /** Takes in a flip by the programs, from a record of the ring buffer (struct vf_event at `at`). */
  event(view: DataView, at: number): void {
    const i = this.#instances.indexOf(view.getInt32(at + EVENT.slot, true));
    if (i < 0) return;
    const word = view.getInt32(at + EVENT.new_word, true);
    const known = this.#instances.known[i]!;
    // The flip may be known already, from the line, or be older than the one that is known.
    const ahead = (epochOf(word) - epochOf(known)) & EPOCHS;
    if (ahead === 0 || ahead > EPOCHS >>> 1) return;
    const ns = view.getInt32(at + EVENT.ns + 4, true) * 4294967296 + view.getUint32(at + EVENT.ns, true);
    this.#accepted(i, word, pathOf(word));
    const cause = view.getInt32(at + EVENT.cause, true);
    const from = view.getInt32(at + EVENT.old_word, true);
    this.#tell(i, { tier: TIER_PROGRAMS, cause, from, to: word, detectedNs: ns, flippedNs: ns });
  }

  /** Reports the first frames out and in after a flip, once both have been seen or the wait is over. */
  firstFrames(i: number, line: number): void {
    const { slots, known, awaiting } = this.#instances;
    const word = known[i]!;
    const lines = this.#lines;
    const out = lines[line + LINE.seen_tx] === word;
    const inn = lines[line + LINE.seen_rx] === word;
    if (!(out && inn) && this.#clock[0]! < awaiting[i]!) return;
    awaiting[i] = 0;
    this.#report({
      type: 'first',
      slot: slots[i]!,
      to: word,
      outNs: out ? readNs(lines, line + LINE.first_tx_ns) : null,
      inNs: inn ? readNs(lines, line + LINE.first_rx_ns) : null,
    });
  }

  /** Lets the supervisor ask the kernel for the link, since asking here could wait for the RTNL lock. */
  lost(i: number, path: number): void {
    const { slots, ifindexes } = this.#instances;
    this.#report({ type: 'lost', slot: slots[i]!, ifindex: ifindexes[2 * i + path]! });
  }

  #tell(i: number, made: Flip): void {
    const { slots, links } = this.#instances;
    const slot = slots[i]!;
    const { tier, cause, detectedNs } = made;
    const left = pathOf(made.from);
    const evidence = this.#detectors.evidence(slot, left, cause, detectedNs);
    if (tier === TIER_PROGRAMS && (cause === CAUSE_CARRIER || cause === CAUSE_ADMIN_DOWN))
      if (lostLink(this.#linkFailures, slot, left)) this.lost(i, left);
    // The programs may have been faster than this thread's own verdict.
    if (evidence !== null) links[2 * i + left] = withVerdict(links[2 * i + left]!, cause);
    this.#report({
      type: 'decision',
      slot,
      ...made,
      links: [links[2 * i]!, links[2 * i + 1]!],
      evidence,
      announced: this.#announcer.sent(slot),
    });
  }
}
