import { randomBytes } from 'node:crypto';
import { clockMonotonic, sockSend } from 'bpf-loader-ts/sys';
import { VfProbeFlag, VfProbeKind } from '../../../bpf/vfailover.bpf.js';
import { wrappedMs } from '../../clock.js';
import {
  COUNT,
  COUNTERS_WORDS,
  PROBE,
  PROBE_PATH,
  PROBING,
  PROBING_WORDS,
  probeBase,
  probePathBase,
  probingBase,
  RX,
} from '../../datapath/offsets.js';
import { readNs, u64View, writeNs } from '../../datapath/u64.js';
import { arpRequest } from '../../frames/arp.js';
import { aimEcho, echoRequest } from '../../frames/icmp.js';
import { neighbourSolicitation } from '../../frames/nd.js';
import { tagged } from '../../frames/vlan.js';
import { CAUSE_PROBE, isSpared, LINK_HEALTHY } from '../../policy/evaluate.js';
import type { Detector, DetectorContext } from '../detectors.js';
import type { Evidence } from '../evidence.js';
import {
  D_PROOF_MS,
  detectBase,
  PROBE as PROBE_DETECTOR,
  STATE_DOWN,
  STATE_OFF,
  STATE_OK,
  STATE_SUSPECT,
  setState,
} from '../record.js';
import type { DetectorSupply, ProbeAsk } from '../supply.js';
import { watched } from '../watched.js';
import {
  PR_CREDITED,
  PR_DEAF,
  PR_EXCUSED,
  PR_GOOD,
  PR_MISSED,
  PR_RTT_US,
  PR_UNSENT,
  PR_VOIDED,
  PR_WAIT_MS,
} from './record.js';
import type { ProbesConfig } from './section.js';
import { type ProbeOptions, ProbeRounds, TARGETS_MAX } from './state.js';

/** Rounds in which a path must answer until it is taken for alive again. */
const HEALTHY = 2;
const KIND = { arp: VfProbeKind.VF_PROBE_ARP, nd: VfProbeKind.VF_PROBE_ND, icmp: VfProbeKind.VF_PROBE_ICMP };
const NO_ADDRESS = new Uint8Array(4);

export class ProbeDetector implements Detector {
  readonly kind = PROBE_DETECTOR;
  readonly #c: DetectorContext;
  readonly #config: ProbesConfig;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #clock = new Float64Array(1);
  readonly #fds = new Int32Array([-1, -1]);
  readonly #unsent = new Int32Array(2);
  /** When the paths got their links: rounds begin anew with other targets, and that is no reason to wait again. 0: no link. */
  readonly #sinceNs = new Float64Array(2);
  #rounds: ProbeRounds;
  #asks: readonly ProbeAsk[] = [];
  /** By path * TARGETS_MAX + target. Of an echo also what asks for its next hop. */
  #frames: Uint8Array[] = [];
  #hops: Uint8Array[] = [];
  #seq = 0;
  #judged = 0;

  constructor(context: DetectorContext, config: ProbesConfig) {
    this.#c = context;
    this.#config = config;
    this.#words = context.probes;
    this.#times = u64View(context.probes);
    this.#bytes = new Uint8Array(context.probes.buffer, context.probes.byteOffset, context.probes.byteLength);
    this.#rounds = new ProbeRounds(this.#options([]));
    this.#disarm();
  }

  #options(asks: readonly ProbeAsk[]): ProbeOptions {
    const { interval_ms, timeout_ms, missed_max, init_wait_ms, targets_of, validate, inactive } =
      this.#config;
    return {
      targets: asks.length,
      watched: watched(this.#config),
      intervalNs: interval_ms * 1e6,
      timeoutNs: (timeout_ms ?? interval_ms / 2) * 1e6,
      missedMax: missed_max,
      initWaitNs: init_wait_ms === undefined ? undefined : init_wait_ms * 1e6,
      all: targets_of === 'all',
      validateActive: validate === 'all' || validate === 'active',
      validateInactive: validate === 'all' || validate === 'inactive',
      inactive,
      healthy: HEALTHY,
      broadcasts: asks.some((a) => a.kind === 'arp'),
    };
  }

  /** Nothing of an earlier supply may be waited for. */
  #disarm(): void {
    const { slot } = this.#c;
    for (let p = 0; p < 2; p++) this.#disarmPath(p);
    for (let i = 0; i < 2 * TARGETS_MAX; i++) Atomics.store(this.#words, probeBase(slot, i) + PROBE.seq, 0);
  }

  #disarmPath(path: number): void {
    Atomics.store(this.#words, probePathBase(this.#c.slot, path) + PROBE_PATH.wait, 0);
  }

  supply({ mac, fds, asks }: DetectorSupply): void {
    this.#fds.set(fds);
    if (JSON.stringify(asks) === JSON.stringify(this.#asks) && this.#sameMac(mac)) return;
    this.#disarm();
    this.#asks = asks;
    this.#rounds = new ProbeRounds(this.#options(asks));
    this.#judged = 0;
    const { slot } = this.#c;
    const head = 4 * probingBase(slot);
    // Not what lies between: counts go on, and some are the witness's.
    this.#bytes.fill(0, head, head + 4 * PROBING.path);
    this.#bytes.fill(0, head + 4 * PROBING.probe, head + 4 * PROBING_WORDS);
    const cookie = randomBytes(8);
    const id = randomBytes(2).readUInt16BE();
    const local = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...randomBytes(7), 0);
    // Made up, so marked as no hardware's (RFC 4291 §2.5.1).
    local[8] = local[8]! & 0xfd;
    this.#bytes.set(cookie, head + 4 * PROBING.cookie);
    this.#bytes.set(local, head + 4 * PROBING.local);
    this.#bytes.set(mac, head + 4 * PROBING.mac);
    this.#bytes.set([id >>> 8, id & 0xff], head + 4 * PROBING.mac + 6);
    this.#words[probingBase(slot) + PROBING.flags] = this.#rounds.options.all ? VfProbeFlag.VF_PROBE_ALL : 0;
    this.#words[probingBase(slot) + PROBING.targets] = asks.length;
    this.#frames = [];
    this.#hops = [];
    for (let i = 0; i < 2 * TARGETS_MAX; i++) {
      const path = i < TARGETS_MAX ? 0 : 1;
      const index = i % TARGETS_MAX;
      const ask = asks[index];
      if (ask === undefined) continue;
      const { kind, address: target, source, nexthop, vlan } = ask;
      const at = probeBase(slot, i);
      this.#words[at + PROBE.kind] = KIND[kind];
      this.#words[at + PROBE.vlan] = vlan;
      this.#bytes.set(target, 4 * (at + PROBE.address));
      this.#bytes.set(source, 4 * (at + PROBE.source));
      this.#bytes.set(nexthop, 4 * (at + PROBE.nexthop));
      if (kind === 'arp') this.#frames[i] = tagged(arpRequest({ mac, source, target }), vlan);
      else if (kind === 'nd') {
        const from = Uint8Array.from(local);
        from[15] = i;
        this.#frames[i] = tagged(neighbourSolicitation({ mac, source: from, target }), vlan);
      } else {
        this.#frames[i] = tagged(echoRequest({ mac, source, target, id, cookie, path, index }), vlan);
        this.#hops[i] = tagged(arpRequest({ mac, source: NO_ADDRESS, target: nexthop }), vlan);
      }
    }
  }

  #sameMac(mac: Uint8Array): boolean {
    const at = 4 * (probingBase(this.#c.slot) + PROBING.mac);
    return mac.every((b, i) => b === this.#bytes[at + i]);
  }

  turn(nowMs: number, active: number): void {
    const { links, clock, due, slot } = this.#c;
    const rounds = this.#rounds;
    const words = this.#words;
    for (let p = 0; p < 2; p++) {
      const link = links[p]! >= 0 && (links[p]! & LINK_HEALTHY) === LINK_HEALTHY;
      if (!link) this.#sinceNs[p] = 0;
      else if (this.#sinceNs[p] === 0) this.#sinceNs[p] = clock[0]!;
      rounds.link(p, link && this.#fds[p]! >= 0 && this.#asks.length > 0, this.#sinceNs[p]!);
      rounds.frames[p] = this.#received(p);
      rounds.heard[p] = words[probePathBase(slot, p) + PROBE_PATH.heard]!;
    }
    if (this.#asks.length > 0) {
      this.#collect();
      const mask = rounds.step(clock[0]!, active);
      if (rounds.rounds !== this.#judged) this.#forget();
      if (mask & (1 << (active ^ 1))) this.#send(active ^ 1, active);
      if (mask & (1 << active)) this.#send(active, active);
      if (rounds.dueNs < due[0]!) due[0] = rounds.dueNs;
    }
    this.#record(0, nowMs);
    this.#record(1, nowMs);
  }

  /** Frames that the path has brought; only whether it changes counts. */
  #received(path: number): number {
    const { counters, cpus, slot } = this.#c;
    let n = 0;
    for (let at = slot * cpus * COUNTERS_WORDS + RX[path]!, i = 0; i < cpus; i++, at += COUNTERS_WORDS)
      n += (counters[at + COUNT.packets]! >>> 0) + (counters[at + COUNT.rerouted]! >>> 0);
    return n;
  }

  #collect(): void {
    const { slot } = this.#c;
    for (let p = 0; p < 2; p++)
      for (let t = 0; t < this.#asks.length; t++) {
        if (!this.#rounds.waiting(p, t)) continue;
        const at = probeBase(slot, p * TARGETS_MAX + t);
        const seq = this.#words[at + PROBE.seq]!;
        if (seq === 0 || Atomics.load(this.#words, at + PROBE.answered) !== seq) continue;
        this.#rounds.answered(
          p,
          t,
          readNs(this.#words, at + PROBE.arrived_ns),
          this.#words[at + PROBE.arrived_path]! & 1,
        );
      }
  }

  /** A round is judged: what comes now is too late, and what it has shown is the worker's own business. */
  #forget(): void {
    this.#judged = this.#rounds.rounds;
    this.#disarmPath(0);
    this.#disarmPath(1);
    for (let p = 0; p < 2; p++)
      for (let t = 0; t < this.#asks.length; t++) {
        const i = p * TARGETS_MAX + t;
        const at = probeBase(this.#c.slot, i);
        Atomics.store(this.#words, at + PROBE.seq, 0);
        this.#words[at + PROBE.missed] = this.#rounds.missed[i]!;
        this.#words[at + PROBE.rtt_us] = Math.ceil(this.#rounds.rttNs[i]! / 1e3);
      }
  }

  #send(path: number, active: number): void {
    clockMonotonic(this.#clock, 0);
    // Before the first frame leaves: its answer may be there before the next line runs.
    const wait = path === active ? this.#rounds.decisive(path) : 0;
    for (let t = 0; t < this.#asks.length; t++) {
      this.#seq = (this.#seq + 1) | 0 || 1;
      Atomics.store(this.#words, probeBase(this.#c.slot, path * TARGETS_MAX + t) + PROBE.seq, this.#seq);
    }
    if (wait !== 0) this.#arm(path, wait);
    let unsent = 0;
    for (let t = 0; t < this.#asks.length; t++) {
      const i = path * TARGETS_MAX + t;
      clockMonotonic(this.#clock, 0);
      // What the kernel refuses for want of carrier is a question without an answer.
      if (this.#sendOne(path, i) >= 0 || isSpared(this.#c.links[path]!))
        this.#rounds.sent(path, t, this.#clock[0]!);
      else {
        unsent++;
        Atomics.store(this.#words, probeBase(this.#c.slot, i) + PROBE.seq, 0);
      }
    }
    if (unsent > 0) {
      this.#unsent[path]! += unsent;
      this.#disarmPath(path);
    }
  }

  /** Tier 0: unless these answer in time, the programs leave the path, whether this thread lives or not. */
  #arm(path: number, wait: number): void {
    const at = probePathBase(this.#c.slot, path);
    const { timeoutNs } = this.#rounds.options;
    const words = this.#words;
    words[at + PROBE_PATH.extended] = 0;
    writeNs(this.#times, at + PROBE_PATH.slack_ns, Math.max(4e6, timeoutNs / 2));
    writeNs(this.#times, at + PROBE_PATH.look_ns, this.#clock[0]!);
    writeNs(this.#times, at + PROBE_PATH.due_ns, this.#clock[0]! + timeoutNs);
    // Last: the programs look at the times only while this is not zero.
    Atomics.store(words, at + PROBE_PATH.wait, wait);
  }

  #sendOne(path: number, i: number): number {
    const frame = this.#frames[i]!;
    const hop = this.#hops[i];
    const fd = this.#fds[path]!;
    if (hop === undefined) return sockSend(fd, frame, frame.length);
    const at = probeBase(this.#c.slot, i);
    const mac = 4 * (at + PROBE.mac);
    const known = (this.#words[at + PROBE.mac]! | (this.#bytes[mac + 4]! << 8) | this.#bytes[mac + 5]!) !== 0;
    let rc = 0;
    // The next hop may have moved to another MAC.
    if (!known || this.#rounds.missed[i]! > 0) {
      this.#bytes[mac + 6] = 1;
      rc = sockSend(fd, hop, hop.length);
    }
    if (!known) return rc;
    aimEcho(frame, this.#words[at + PROBE.seq]!, this.#bytes, mac);
    return sockSend(fd, frame, frame.length);
  }

  #record(path: number, nowMs: number): void {
    const { records, slot } = this.#c;
    const rounds = this.#rounds;
    const base = detectBase(slot, path, PROBE_DETECTOR);
    const missed = rounds.missedRounds(path);
    const dead = rounds.dead[path] === 1;
    let rtt = 0;
    for (let t = 0; t < this.#asks.length; t++) {
      const r = rounds.rttNs[path * TARGETS_MAX + t]!;
      if (r > 0 && (rtt === 0 || r < rtt)) rtt = r;
    }
    records[base + PR_MISSED] = missed;
    records[base + PR_GOOD] = rounds.good[path]!;
    records[base + PR_DEAF] = rounds.deaf[path]!;
    records[base + PR_RTT_US] = Math.ceil(rtt / 1e3);
    records[base + PR_EXCUSED] = rounds.excused[path]!;
    records[base + PR_CREDITED] = rounds.credited[path]!;
    records[base + PR_VOIDED] = rounds.voided;
    records[base + PR_UNSENT] = this.#unsent[path]!;
    records[base + PR_WAIT_MS] = Math.ceil(rounds.waitNs(path, this.#c.clock[0]!) / 1e6);
    const last = this.#lastAnswerNs(path);
    // What stands for an answer proves nothing. Never 0, which is "not yet".
    if (last > 0 && rounds.good[path]! > 0 && rounds.deaf[path] === 0)
      records[base + D_PROOF_MS] = wrappedMs(last) || 1;
    const doubt = missed > 0 || rounds.deaf[path]! > 0;
    const off = rounds.up[path] === 0 || !rounds.options.watched[path];
    const state = off ? STATE_OFF : dead ? STATE_DOWN : doubt ? STATE_SUSPECT : STATE_OK;
    setState(records, base, state, dead ? CAUSE_PROBE : 0, nowMs);
  }

  #lastAnswerNs(path: number): number {
    let last = 0;
    for (let t = 0; t < this.#asks.length; t++)
      last = Math.max(last, this.#rounds.answerNs[path * TARGETS_MAX + t]!);
    return last;
  }

  evidence(path: number, atNs: number): Evidence | null {
    const rounds = this.#rounds;
    let waiting = 0;
    for (let t = 0; t < this.#asks.length; t++) if (rounds.waiting(path, t)) waiting = 1;
    const missed = rounds.missedRounds(path) + waiting;
    const deaf = rounds.deaf[path]!;
    if (missed === 0 && deaf === 0) return null;
    const last = this.#lastAnswerNs(path);
    const agoMs = last === 0 ? -1 : Math.round((atNs - last) / 1e5) / 10;
    const base = detectBase(this.#c.slot, path, PROBE_DETECTOR);
    const rttUs = this.#c.records[base + PR_RTT_US]!;
    const before =
      last === 0 ? 'never answered' : `last answer ${agoMs} ms ago, round trip ${rttUs} µs before`;
    const what =
      missed >= deaf
        ? `${missed} probes in a row unanswered`
        : `nothing received for ${deaf} rounds, not even the other slave's broadcasts`;
    return {
      detector: 'probe',
      text: `${what}, ${before}`,
      facts: { missed, deaf, rtt_before_us: rttUs, ...(last > 0 && { last_answer_ms_ago: agoMs }) },
    };
  }

  close(): void {
    this.#disarm();
  }
}
