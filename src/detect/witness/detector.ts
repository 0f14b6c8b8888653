import { wrappedMs } from '../../clock.js';
import { PROBE_PATH, PROBING, probePathBase, probingBase } from '../../datapath/offsets.js';
import { CAUSE_WITNESS, LINK_HEALTHY } from '../../policy/evaluate.js';
import type { Detector, DetectorContext, DetectorSupply, Finding } from '../detector.js';
import { STATE_DOWN, STATE_OFF, STATE_OK, STATE_SUSPECT, setState } from '../record.js';
import { type Watched, watched } from '../watched.js';
import { W_MISSING, W_MISSING_MS, W_SEEN } from './record.js';
import type { WitnessConfig } from './section.js';
import { Witness } from './state.js';

export class WitnessDetector implements Detector {
  readonly #c: DetectorContext;
  readonly #witness: Witness;
  readonly #watched: Watched;

  constructor(context: DetectorContext, config: WitnessConfig) {
    const { timeout_ms, min_frames } = config;
    this.#c = context;
    this.#watched = watched(config);
    this.#witness = new Witness({ timeoutNs: timeout_ms * 1e6, minFrames: min_frames });
  }

  /** Sets the MAC by which the programs tell the master's own frames from others. */
  supply({ mac }: DetectorSupply): void {
    const { probes, slot } = this.#c;
    new Uint8Array(probes.buffer, probes.byteOffset + 4 * (probingBase(slot) + PROBING.mac), 6).set(mac);
  }

  turn(nowMs: number): void {
    const { probes, slot, links, clock, records, bases } = this.#c;
    const witness = this.#witness;
    for (let p = 0; p < 2; p++)
      witness.link(p, links[p]! >= 0 && (links[p]! & LINK_HEALTHY) === LINK_HEALTHY);
    witness.step(
      clock[0]!,
      probes[probePathBase(slot, 0) + PROBE_PATH.groups]!,
      probes[probePathBase(slot, 1) + PROBE_PATH.groups]!,
    );
    for (let p = 0; p < 2; p++) {
      if (!this.#watched[p]) continue;
      const base = bases[p]!;
      const missing = witness.missing[p]!;
      records[base + W_MISSING] = missing;
      records[base + W_MISSING_MS] = missing === 0 ? 0 : wrappedMs(clock[0]! - witness.sinceNs[p]!);
      records[base + W_SEEN] = witness.seen[p]!;
      const dead = witness.dead[p] === 1;
      const state =
        witness.up[p] === 0 ? STATE_OFF : dead ? STATE_DOWN : missing > 0 ? STATE_SUSPECT : STATE_OK;
      setState(records, base, state, dead ? CAUSE_WITNESS : 0, nowMs);
    }
  }

  evidence(path: number, atNs: number): Finding | null {
    const missing = this.#witness.missing[path]!;
    if (missing === 0) return null;
    const forMs = Math.round((atNs - this.#witness.sinceNs[path]!) / 1e6);
    const seen = this.#witness.seenNs[path]!;
    const agoMs = Math.round((atNs - seen) / 1e6);
    return {
      text: `${missing} broadcasts of the last ${forMs} ms came in on the other slave only, the last one here ${agoMs} ms ago`,
      facts: { missing, for_ms: forMs, last_received_ms_ago: agoMs },
    };
  }

  close(): void {}
}

export const create = (context: DetectorContext, config: WitnessConfig): Detector =>
  new WitnessDetector(context, config);
