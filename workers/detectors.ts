import type { DetectConfig } from '../src/config/index.js';
import { COMBINE_ALL, COMBINE_ANY, combine, decides } from '../src/detect/combine.js';
import type { Evidence } from '../src/detect/evidence.js';
import { DETECT_SLOT_WORDS, DETECTORS, type DetectorName, UNANSWERED } from '../src/detect/record.js';
import {
  ARM_SILENT_TO_PRIMARY,
  ARM_SILENT_TO_STANDBY,
  CAUSE_BFD,
  CAUSE_PROBE,
  CAUSE_UNANSWERED,
  CAUSE_WITNESS,
} from '../src/failover/policy.js';
import { BfdDetector } from './detect/bfd.js';
import { UnansweredWatch } from './detect/unanswered.js';

/** What a detector works with. Typed arrays: what changes from turn to turn is read there, so that a turn needs no allocation. */
export interface DetectorContext {
  readonly slot: number;
  readonly config: DetectConfig;
  /** Where it writes its verdicts (src/detect/record.ts): base `detectBase(slot, path, detector)`. */
  readonly records: Int32Array;
  /** Steering lines and watches of all slots (src/datapath/{line,offsets}.ts). */
  readonly lines: Int32Array;
  readonly watches: Int32Array;
  /** BFD sessions of all slots (src/datapath/bfd-map.ts). */
  readonly bfd: Int32Array;
  /** [0]: CLOCK_MONOTONIC of this turn, ns. */
  readonly clock: Float64Array;
  /** [0]: when the next turn is wanted at the latest, ns. A detector that wants it sooner lowers it, every turn. */
  readonly due: Float64Array;
  /** What was read of the links this turn: LINK_* bits of [primary, standby]; negative: no device. */
  readonly links: Int32Array;
  /** The instance's namespace; -1: the thread's own. */
  readonly netnsFd: number;
  /** Of the master, 6 bytes. */
  readonly mac: Uint8Array;
  /** The program that starts the timer of the BFD session; -1: there is none. Another thread's. */
  readonly deadlineFd: number;
  /** COMBINE_*: how the verdicts of the instance's detectors are combined. */
  readonly mode: number;
  /** Duplicates a descriptor of the process for this thread. */
  readonly dup: (fd: number) => number;
}

/** A detector of one instance: watches both of its paths. Its judgement is a state machine in src/detect, its I/O is here (workers/detect). */
export interface Detector {
  readonly kind: number;
  /**
   * Once per turn of the decision loop, before the policy decides: writes what it has to say into its records. Allocates nothing.
   * @param nowMs the policy's clock @param active the path that carries traffic, 0 or 1
   */
  turn(nowMs: number, active: number): void;
  /** Takes in a packet that the programs handed over (struct vf_bfd_packet at `at`). */
  packet?(view: DataView, at: number): void;
  /** Why it has its verdict on `path`, or, at a flip by the programs, why they made it. Not part of the hot path. */
  evidence(path: number): Evidence | null;
  close(): void;
}

/** Makes a detector, if the instance's configuration asks for it. */
export type DetectorFactory = (context: DetectorContext) => Detector | undefined;

/** A new detector: its section of `detect` in src/config/detect.ts, and a line here. */
const FACTORIES: Readonly<Partial<Record<DetectorName, DetectorFactory>>> = {
  unanswered: (c) => c.config.unanswered && new UnansweredWatch(c, c.config.unanswered),
  bfd: (c) => c.config.bfd && new BfdDetector(c, c.config.bfd),
};

const CAUSE_OF: Readonly<Record<DetectorName, number>> = {
  unanswered: CAUSE_UNANSWERED,
  witness: CAUSE_WITNESS,
  probe: CAUSE_PROBE,
  bfd: CAUSE_BFD,
};

interface Held {
  detectors: Detector[];
  links: Int32Array;
  mode: number;
}

/** The detectors of a shard's instances, by slot. */
export class Detectors {
  readonly due = new Float64Array(1);
  readonly #records: Int32Array;
  readonly #lines: Int32Array;
  readonly #watches: Int32Array;
  readonly #bfd: Int32Array;
  readonly #clock: Float64Array;
  readonly #dup: (fd: number) => number;
  readonly #held: (Held | undefined)[] = [];

  constructor(o: {
    records: Int32Array;
    lines: Int32Array;
    watches: Int32Array;
    bfd: Int32Array;
    clock: Float64Array;
    dup: (fd: number) => number;
  }) {
    this.#records = o.records;
    this.#lines = o.lines;
    this.#watches = o.watches;
    this.#bfd = o.bfd;
    this.#clock = o.clock;
    this.#dup = o.dup;
  }

  attach(
    slot: number,
    config: DetectConfig,
    with_: { netnsFd: number; mac: Uint8Array; deadlineFd: number },
  ): void {
    this.detach(slot);
    const mode = config.combine === 'all' ? COMBINE_ALL : COMBINE_ANY;
    const links = new Int32Array(2);
    const context: DetectorContext = {
      slot,
      config,
      records: this.#records,
      lines: this.#lines,
      watches: this.#watches,
      bfd: this.#bfd,
      clock: this.#clock,
      due: this.due,
      links,
      ...with_,
      mode,
      dup: this.#dup,
    };
    const held: Held = {
      detectors: [],
      links,
      mode,
    };
    this.#held[slot] = held;
    for (const name of DETECTORS) {
      const detector = FACTORIES[name]?.(context);
      if (detector) held.detectors.push(detector);
    }
  }

  detach(slot: number): void {
    for (const d of this.#held[slot]?.detectors ?? []) d.close();
    this.#held[slot] = undefined;
    this.#records.fill(0, slot * DETECT_SLOT_WORDS, (slot + 1) * DETECT_SLOT_WORDS);
  }

  /** Before the turns of all slots. */
  begin(): void {
    this.due[0] = Number.POSITIVE_INFINITY;
  }

  /** One turn of a slot's detectors; `primary` and `standby` are what was read of the links. */
  turn(slot: number, nowMs: number, active: number, primary: number, standby: number): void {
    const held = this.#held[slot];
    if (held === undefined) return;
    held.links[0] = primary;
    held.links[1] = standby;
    const { detectors } = held;
    for (let i = 0; i < detectors.length; i++) detectors[i]!.turn(nowMs, active);
  }

  /** A packet for one of a slot's detectors. */
  packet(slot: number, view: DataView, at: number): void {
    for (const d of this.#held[slot]?.detectors ?? []) d.packet?.(view, at);
  }

  /** What they have against a path: CAUSE_*, or 0. */
  verdict(slot: number, path: number): number {
    const held = this.#held[slot];
    if (held === undefined || held.detectors.length === 0) return 0;
    return combine(this.#records, slot, path, held.mode);
  }

  /** Which of the fallbacks (ARM_*) the programs may make: not those for a silent path that other detectors would have to confirm. */
  allowed(slot: number, arms: number): number {
    const held = this.#held[slot];
    if (held === undefined || held.mode !== COMBINE_ALL) return arms;
    let bits = arms;
    if (!decides(this.#records, slot, 0, held.mode, UNANSWERED)) bits &= ~ARM_SILENT_TO_STANDBY;
    if (!decides(this.#records, slot, 1, held.mode, UNANSWERED)) bits &= ~ARM_SILENT_TO_PRIMARY;
    return bits;
  }

  /** Why `path` was left for `cause`; null if that was not a detector's doing. */
  evidence(slot: number, path: number, cause: number): Evidence | null {
    for (const d of this.#held[slot]?.detectors ?? []) {
      const e = d.evidence(path);
      if (e !== null && CAUSE_OF[e.detector] === cause) return e;
    }
    return null;
  }

  close(): void {
    for (let slot = 0; slot < this.#held.length; slot++) if (this.#held[slot]) this.detach(slot);
  }
}
