import type { PacedSender } from 'bpf-loader-ts/sys';
import {
  CAUSE_BFD,
  CAUSE_PROBE,
  CAUSE_UNANSWERED,
  CAUSE_WITNESS,
  P_PROBES_PRIMARY,
  P_RTT_PRIMARY,
  withVerdict,
} from '../policy/evaluate.js';
import type { BfdAuthConfig } from './bfd/auth.js';
import { BfdDetector } from './bfd/detector.js';
import { CombinedCarrier } from './carrier.js';
import { allowedArms, COMBINE_ALL, COMBINE_ANY, combine } from './combine.js';
import type { Evidence } from './evidence.js';
import { ProbeDetector } from './probe/detector.js';
import { probeRttUs, probesInARow } from './probe/record.js';
import { DETECT_SLOT_WORDS, DETECTORS, type DetectorName } from './record.js';
import type { DetectConfig } from './section.js';
import type { DetectorSupply } from './supply.js';
import { UnansweredWatch } from './unanswered/detector.js';
import { silentArms } from './watched.js';
import { WitnessDetector } from './witness/detector.js';

/** What a detector works with. Typed arrays: what changes from turn to turn is read there, so that a turn needs no allocation. */
export interface DetectorContext {
  readonly slot: number;
  readonly config: DetectConfig;
  /** Where it writes its verdicts (src/detect/record.ts): base `detectBase(slot, path, detector)`. */
  readonly records: Int32Array;
  /** Steering lines and watches of all slots (src/datapath/{line,offsets}.ts). */
  readonly lines: Int32Array;
  readonly watches: Int32Array;
  /** Probes and witness, and frame counters (per possible CPU), of all slots. */
  readonly probes: Int32Array;
  readonly counters: Int32Array;
  readonly cpus: number;
  /** BFD sessions of all slots (src/detect/bfd/map.ts). */
  readonly bfd: Int32Array;
  /** Sends periodic frames, by a thread of its own; keys are slots. */
  readonly pacer: PacedSender;
  /** [0]: CLOCK_MONOTONIC of this turn, ns. */
  readonly clock: Float64Array;
  /** [0]: when the next turn is wanted at the latest, ns. A detector that wants it sooner lowers it, every turn. */
  readonly due: Float64Array;
  /** What was read of the links this turn: LINK_* bits of [primary, standby], of a spared one with carrier; negative: no device. */
  readonly links: Int32Array;
  /** Of the master, 6 bytes. */
  readonly mac: Uint8Array;
  /** The program that starts the timer of the BFD session; -1: there is none. Another thread's. */
  readonly deadlineFd: number;
  /** How its BFD session authenticates; undefined: it does not. */
  readonly bfdAuth: BfdAuthConfig | undefined;
  /** COMBINE_*: how the verdicts of the instance's detectors are combined. */
  readonly mode: number;
  /** Duplicates a descriptor of the process for this thread. */
  readonly dup: (fd: number) => number;
}

/** A detector of one instance: watches both of its paths, or those that the configuration names. Its judgement is a state machine in src/detect, its I/O is here (workers/detect). */
export interface Detector {
  readonly kind: number;
  /**
   * Once per turn of the decision loop, before the policy decides: writes what it has to say into its records. Allocates nothing.
   * @param nowMs the policy's clock @param active the path that carries traffic, 0 or 1
   */
  turn(nowMs: number, active: number): void;
  /** Takes in a packet that the programs handed over (struct vf_bfd_packet at `at`). */
  packet?(view: DataView, at: number): void;
  /**
   * Why it has its verdict on `path`, or, at a flip by the programs, why they made it; `atNs` is when that fell, which may be a while ago
   * when this thread gets to telling. Not part of the hot path.
   */
  evidence(path: number, atNs: number): Evidence | null;
  /** Takes in what probes need of the outside. Not part of the hot path. */
  supply?(supply: DetectorSupply): void;
  close(): void;
}

/** Makes a detector, if the instance's configuration asks for it. */
export type DetectorFactory = (context: DetectorContext) => Detector | undefined;

/** A new detector: its section of `detect` in src/detect/section.ts, and a line here. */
const FACTORIES: Readonly<Partial<Record<DetectorName, DetectorFactory>>> = {
  unanswered: (c) => c.config.unanswered && new UnansweredWatch(c, c.config.unanswered),
  witness: (c) => c.config.witness && new WitnessDetector(c, c.config.witness),
  probe: (c) => c.config.probes && new ProbeDetector(c, c.config.probes),
  bfd: (c) => c.config.bfd && new BfdDetector(c, c.config.bfd),
};

const CAUSE_OF: Readonly<Record<DetectorName, number>> = {
  unanswered: CAUSE_UNANSWERED,
  witness: CAUSE_WITNESS,
  probe: CAUSE_PROBE,
  bfd: CAUSE_BFD,
};

/** What an instance's detectors get from the supervisor. */
type InstanceMeans = Pick<DetectorContext, 'mac' | 'deadlineFd' | 'bfdAuth'>;

/** What all instances of a shard have in common. */
type Shared = Omit<DetectorContext, 'slot' | 'config' | 'due' | 'links' | 'mode' | keyof InstanceMeans>;

interface Held {
  detectors: Detector[];
  links: Int32Array;
  mode: number;
  /** Fallbacks for a silent path that its configuration has a use for (VfArm). */
  silent: number;
  /** undefined: a lost carrier is enough. */
  carrier: CombinedCarrier | undefined;
}

/** The detectors of a shard's instances, by slot. */
export class Detectors {
  readonly due = new Float64Array(1);
  readonly #records: Int32Array;
  readonly #shared: Shared;
  readonly #held: (Held | undefined)[] = [];

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#records = shared.records;
  }

  attach(slot: number, config: DetectConfig, means: InstanceMeans): void {
    this.detach(slot);
    const mode = config.combine === 'all' ? COMBINE_ALL : COMBINE_ANY;
    const links = new Int32Array(2);
    const context: DetectorContext = {
      ...this.#shared,
      slot,
      config,
      due: this.due,
      links,
      ...means,
      mode,
    };
    const held: Held = {
      detectors: [],
      links,
      mode,
      silent: silentArms(config),
      carrier: config.carrier === 'combined' ? new CombinedCarrier() : undefined,
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

  supply(slot: number, supply: DetectorSupply): void {
    for (const d of this.#held[slot]?.detectors ?? []) d.supply?.(supply);
  }

  /** Before the turns of all slots. */
  begin(): void {
    this.due[0] = Number.POSITIVE_INFINITY;
  }

  /** One turn of a slot's detectors; `primary` and `standby` are what was read of the links. */
  turn(slot: number, nowMs: number, active: number, primary: number, standby: number): void {
    const held = this.#held[slot];
    if (held === undefined) return;
    const { detectors, carrier, links } = held;
    links[0] = carrier === undefined ? primary : carrier.look(0, primary, active);
    links[1] = carrier === undefined ? standby : carrier.look(1, standby, active);
    for (let i = 0; i < detectors.length; i++) detectors[i]!.turn(nowMs, active);
  }

  /** A packet for one of a slot's detectors. */
  packet(slot: number, view: DataView, at: number): void {
    for (const d of this.#held[slot]?.detectors ?? []) d.packet?.(view, at);
  }

  /** The link word of a path, as it was read, with what they have against it. */
  judged(slot: number, path: number, link: number): number {
    const held = this.#held[slot];
    if (held === undefined || held.detectors.length === 0) return link;
    if (held.carrier !== undefined) return held.carrier.judge(this.#records, slot, path);
    return withVerdict(link, combine(this.#records, slot, path, held.mode));
  }

  /** Gives the policy what the probes have measured of both paths; `base` is its record. */
  measured(slot: number, policy: Int32Array, base: number): void {
    for (let path = 0; path < 2; path++) {
      policy[base + P_PROBES_PRIMARY + path] = probesInARow(this.#records, slot, path);
      policy[base + P_RTT_PRIMARY + path] = probeRttUs(this.#records, slot, path);
    }
  }

  /** Which of the fallbacks (VfArm) the programs may make: not those for a silent path that other detectors would have to confirm. */
  allowed(slot: number, arms: number): number {
    const held = this.#held[slot];
    if (held === undefined) return arms;
    const bits = allowedArms(this.#records, slot, held.mode, arms, held.silent);
    return held.carrier === undefined ? bits : held.carrier.allowed(this.#records, slot, bits);
  }

  /** Why `path` was left for `cause` at `atNs`; null if that was not a detector's doing. */
  evidence(slot: number, path: number, cause: number, atNs: number): Evidence | null {
    for (const d of this.#held[slot]?.detectors ?? []) {
      const e = d.evidence(path, atNs);
      if (e !== null && CAUSE_OF[e.detector] === cause) return e;
    }
    return null;
  }

  close(): void {
    for (let slot = 0; slot < this.#held.length; slot++) if (this.#held[slot]) this.detach(slot);
  }
}
