import { P_PROBES_PRIMARY, P_RTT_PRIMARY, withVerdict } from '../policy/evaluate.js';
import { Arms } from './arms.js';
import { CombinedCarrier } from './carrier.js';
import { Verdicts } from './combine.js';
import type { Detector, DetectorContext, Meter } from './detector.js';
import type { Evidence } from './evidence.js';
import { DETECT_SLOT_WORDS, detectBase } from './record.js';
import { type Configured, configured, type DetectConfig } from './section.js';
import type { Prepared, Supply } from './supply.js';
import { type DetectorRow, ROWS } from './table.js';

/** The workers' halves of all detectors, in the table's order. */
const HALVES = await Promise.all(ROWS.map((d) => d.worker()));

/** What an instance's detectors get from the supervisor. */
interface InstanceMeans extends Pick<DetectorContext, 'mac' | 'deadlineFd'> {
  /** What host halves have prepared. */
  readonly prepared: Prepared;
}

/** What all instances of a shard have in common. */
type Shared = Omit<
  DetectorContext,
  'slot' | 'bases' | 'cause' | 'verdicts' | 'due' | 'links' | 'mac' | 'deadlineFd' | 'prepared'
>;

interface Held {
  detectors: Detector[];
  /** Their rows, in the same order. */
  rows: DetectorRow[];
  meter: Meter | undefined;
  links: Int32Array;
  verdicts: Verdicts;
  arms: Arms;
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
    const list = configured(config);
    const numbers = list.map((d) => d.number);
    const verdicts = new Verdicts(this.#records, slot, config.combine === 'all', numbers);
    const links = new Int32Array(2);
    const held: Held = {
      detectors: [],
      rows: [],
      meter: undefined,
      links,
      verdicts,
      arms: new Arms(verdicts, slot, list),
      carrier: config.carrier === 'combined' ? new CombinedCarrier(verdicts) : undefined,
    };
    this.#held[slot] = held;
    for (const d of list) this.#create(held, slot, d, means);
  }

  #create(held: Held, slot: number, { row, number, config }: Configured, means: InstanceMeans): void {
    const detector = HALVES[number]!.create(
      {
        ...this.#shared,
        slot,
        bases: [detectBase(slot, 0, number), detectBase(slot, 1, number)],
        cause: row.cause,
        verdicts: held.verdicts,
        due: this.due,
        links: held.links,
        mac: means.mac,
        deadlineFd: means.deadlineFd,
        prepared: means.prepared[row.name],
      },
      // Of this row's section.
      config as never,
    );
    held.detectors.push(detector);
    held.rows.push(row);
    held.meter ??= detector.meter;
  }

  detach(slot: number): void {
    for (const d of this.#held[slot]?.detectors ?? []) d.close();
    this.#held[slot] = undefined;
    this.#records.fill(0, slot * DETECT_SLOT_WORDS, (slot + 1) * DETECT_SLOT_WORDS);
  }

  supply(slot: number, { mac, fds, found }: Supply): void {
    const held = this.#held[slot];
    held?.detectors.forEach((d, i) => {
      const { name, supplied } = held.rows[i]!;
      if (supplied !== undefined) d.supply?.({ mac, fds, found: found[name] });
    });
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
    if (held.carrier !== undefined) return held.carrier.judge(path);
    return withVerdict(link, held.verdicts.combine(path));
  }

  /** Gives the policy what was measured of both paths; `base` is its record. */
  measured(slot: number, policy: Int32Array, base: number): void {
    const meter = this.#held[slot]?.meter;
    for (let path = 0; path < 2; path++) {
      policy[base + P_PROBES_PRIMARY + path] = meter === undefined ? -1 : meter.answered(path);
      policy[base + P_RTT_PRIMARY + path] = meter === undefined ? 0 : meter.rttUs(path);
    }
  }

  /** Of the fallbacks that the policy allows (VfArm), those that the programs may make. */
  allowed(slot: number, arms: number): number {
    const held = this.#held[slot];
    if (held === undefined) return arms;
    const bits = held.arms.allowed(arms);
    return held.carrier === undefined ? bits : held.carrier.allowed(bits);
  }

  /** Why `path` was left for `cause` at `atNs`; null if that was not a detector's doing. */
  evidence(slot: number, path: number, cause: number, atNs: number): Evidence | null {
    const held = this.#held[slot];
    const i = held?.rows.findIndex((r) => r.cause === cause) ?? -1;
    const finding = held?.detectors[i]?.evidence(path, atNs);
    return finding ? { detector: held!.rows[i]!.name, ...finding } : null;
  }

  close(): void {
    for (let slot = 0; slot < this.#held.length; slot++) if (this.#held[slot]) this.detach(slot);
  }
}
