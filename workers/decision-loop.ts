import { possibleCpus, runOnDevices } from 'bpf-loader-ts';
import {
  ChangeSender,
  clockMonotonic,
  closeFd,
  Epoll,
  eventfdClear,
  linkStates,
  PacedSender,
} from 'bpf-loader-ts/sys';
import { VfEvent, VfRecord } from '../bpf/vfailover.bpf.js';
import { wrappedMs } from '../src/clock.js';
import { arm, lineBase, pathOf, readWord } from '../src/datapath/line.js';
import { LINE } from '../src/datapath/offsets.js';
import { Detectors } from '../src/detect/detectors.js';
import { type Path, PRIMARY, STANDBY } from '../src/device.js';
import {
  armedFallbacks,
  evaluate,
  initPolicy,
  P_LINK_PRIMARY,
  P_LINK_STANDBY,
  policyBase,
} from '../src/policy/evaluate.js';
import { forgetLinks, sawLink } from '../src/policy/link-failures.js';
import { keepPenalties, recallPenalties } from '../src/shard/penalties.js';
import {
  type AnnouncementFrame,
  CONTROL,
  type DecisionTask,
  type FromWorker,
  type ToWorker,
} from '../src/shard/protocol.js';
import { Flips } from './decision/flips.js';
import { Instances } from './decision/instances.js';
import { ShardMaps } from './decision/maps.js';
import { Pace } from './decision/pace.js';

/** Events of the thread's epoll. */
const WAKE = 0;
const EVENTS = 1;
const HINT = 2;

/** Offsets at the start of each record of the ring buffer, the same for every kind. */
const RECORD = VfEvent.offsets;

/**
 * The hot loop of one shard. It looks at the links and steering lines of its instances, decides and flips. A turn allocates nothing and makes
 * one native call for all links. Everything that it reads lies in typed arrays or in the maps' own memory.
 */
export class DecisionLoop {
  readonly #task: DecisionTask;
  readonly #control: Int32Array;
  readonly #policy: Int32Array;
  readonly #linkFailures: Int32Array;
  readonly #maps: ShardMaps;
  readonly #lines: Int32Array;
  readonly #instances = new Instances();
  readonly #detectors: Detectors;
  readonly #flips: Flips;
  readonly #pace: Pace;
  /** Announces a switch before anything else is done about it, since the network delivers to the old slave until it learns of the new one. */
  readonly #announcer: ChangeSender;
  /** Sends periodic frames of detectors, which this thread must not hold up. */
  readonly #pacer = new PacedSender();
  readonly #epoll = new Epoll();
  readonly #ready = new Int32Array(16);
  /** [0]: time of this turn (CLOCK_MONOTONIC, ns). */
  readonly #clock = new Float64Array(1);
  readonly #dup: (fd: number) => number;
  readonly #onEvent: (view: DataView, at: number) => void;

  constructor(task: DecisionTask, report: (m: FromWorker) => void, dup: (fd: number) => number) {
    this.#task = task;
    this.#dup = dup;
    this.#control = new Int32Array(task.control);
    this.#policy = new Int32Array(task.policy);
    this.#linkFailures = new Int32Array(task.linkFailures);
    this.#maps = new ShardMaps(task, dup);
    this.#lines = this.#maps.lines;
    this.#announcer = new ChangeSender(this.#lines);
    this.#detectors = this.#newDetectors();
    this.#pace = new Pace(this.#instances, this.#maps.counters, this.#clock, task);
    this.#flips = new Flips({
      instances: this.#instances,
      control: this.#control,
      policy: this.#policy,
      linkFailures: this.#linkFailures,
      lines: this.#lines,
      announcer: this.#announcer,
      detectors: this.#detectors,
      clock: this.#clock,
      report,
    });
    this.#epoll.add(task.wakeFd, WAKE);
    if (task.wait === 'epoll') this.#epoll.add(this.#maps.events.fd, EVENTS);
    this.#onEvent = (view, at) => {
      const kind = view.getInt32(at + RECORD.kind, true);
      if (kind === VfRecord.VF_RECORD_FLIP) this.#flips.event(view, at);
      else if (kind === VfRecord.VF_RECORD_BFD)
        this.#detectors.packet(view.getInt32(at + RECORD.slot, true), view, at);
      // Other records only wake the worker, since detectors read the maps. The same holds for a flip by a program of an earlier layout.
    };
  }

  #newDetectors(): Detectors {
    const { lines, watches, probes, counters, bfd } = this.#maps;
    const records = new Int32Array(this.#task.detect);
    const cpus = possibleCpus();
    const [pacer, clock, dup] = [this.#pacer, this.#clock, this.#dup];
    return new Detectors({ records, lines, watches, probes, counters, cpus, bfd, pacer, clock, dup });
  }

  /** Takes in a message. Not part of the hot path. */
  handle(m: ToWorker): void {
    if (m.type === 'attach') this.#attach(m);
    else if (m.type === 'announce') this.#prepare(m.slot, m.sends);
    else if (m.type === 'supply') this.#detectors.supply(m.slot, m.supply);
    else this.#detach(m.slot);
  }

  /** Duplicates the sockets. The supervisor may close its own at any time, and their numbers may then mean other files. */
  #prepare(slot: number, sends: readonly AnnouncementFrame[]): void {
    const held = this.#instances.bySlot(slot);
    if (!held) return;
    const before = held.sockets;
    held.sockets = new Map([...new Set(sends.map((s) => s.fd))].map((fd) => [fd, this.#dup(fd)]));
    this.#announcer.prepare(
      slot,
      sends.map((s) => ({ ...s, fd: held.sockets.get(s.fd)! })),
    );
    for (const fd of before.values()) closeFd(fd);
  }

  #attach(m: ToWorker & { type: 'attach' }): void {
    this.#detach(m.slot);
    initPolicy(this.#policy, policyBase(m.slot), { ...m.policy, active: pathOf(m.knownWord) });
    const { hint } = this.#instances.add(m);
    if (this.#task.wait === 'epoll') this.#epoll.add(hint.fd, HINT);
    clockMonotonic(this.#clock, 0);
    recallPenalties(this.#maps.watches, this.#policy, m.slot, wrappedMs(this.#clock[0]!));
    this.#detectors.attach(m.slot, m.detect, m);
    this.#announcer.watch(m.slot, lineBase(m.slot) + LINE.word, m.knownWord);
  }

  #detach(slot: number): void {
    const gone = this.#instances.bySlot(slot);
    if (!gone) return;
    if (this.#task.wait === 'epoll') this.#epoll.delete(gone.hint.fd);
    this.#announcer.forget(slot);
    this.#detectors.detach(slot);
    forgetLinks(this.#linkFailures, slot);
    this.#instances.remove(gone);
  }

  /** Waits as configured, and announces what tier 0 did meanwhile. */
  wait(): void {
    const { wait, pollIntervalUs, wakeFd } = this.#task;
    const instances = this.#instances;
    if (wait === 'spin' && instances.n > 0) return;
    const interval = wait === 'epoll' ? this.#pace.interval() : pollIntervalUs;
    // Without instances only mail can bring work.
    const n = this.#epoll.wait(this.#ready, instances.n === 0 ? -1 : this.#until(interval));
    this.#announcer.run();
    this.#control[CONTROL.wakeups]!++;
    for (let i = 0; i < n; i++) {
      const what = this.#ready[i]!;
      if (what === WAKE) eventfdClear(wakeFd);
      else if (what === HINT) instances.drainHints();
    }
  }

  /** Returns the microseconds to wait: at most `interval`, less if a detector wants its turn sooner. */
  #until(interval: number): number {
    const left = (this.#detectors.due[0]! - this.#clock[0]!) / 1e3;
    return left >= interval ? interval : left <= 0 ? 0 : Math.ceil(left);
  }

  /**
   * Takes one turn over all instances. `mail` is the number of messages before it. False if more have come, and nothing was decided. A message
   * that the supervisor posts before it ends a join (another announcement) is thus taken in before the switch that follows from the join.
   */
  tick(mail: number): boolean {
    const instances = this.#instances;
    const { n } = instances;
    this.#control[CONTROL.ticks]!++;
    this.#pace.begin();
    if (this.#maps.events.pending) this.#maps.events.consume(this.#onEvent);
    this.#readLinks();
    // Tier 0 may have flipped during the reads.
    this.#announcer.run();
    if (Atomics.load(this.#control, CONTROL.mail) !== mail) return false;
    // The clock is read after the links, since an ioctl can wait for a lock. A fault that is detected now gets the time of now.
    clockMonotonic(this.#clock, 0);
    const nowMs = wrappedMs(this.#clock[0]!);
    this.#flips.nowMs = nowMs;
    this.#detectors.begin();
    for (let i = 0; i < n; i++) this.#decide(i, nowMs);
    return true;
  }

  /** Reads the links of all instances, for the devices that the lines name. */
  #readLinks(): void {
    const { n, slots, netns, sockets, ifindexes, links } = this.#instances;
    const lines = this.#lines;
    for (let i = 0; i < n; i++) {
      const line = lineBase(slots[i]!);
      ifindexes[2 * i] = lines[line + LINE.primary_ifindex]!;
      ifindexes[2 * i + 1] = lines[line + LINE.standby_ifindex]!;
    }
    if (this.#task.lookFd >= 0) runOnDevices(this.#task.lookFd, netns, ifindexes, links, 2 * n);
    else linkStates(sockets, ifindexes, links, 2 * n);
  }

  /** Takes one instance's part of a turn: link words with verdicts, the policy's decision, the fallbacks that the programs may make. */
  #decide(i: number, nowMs: number): void {
    const { slots, ifindexes, links, known, armed, tier0, awaiting } = this.#instances;
    const lines = this.#lines;
    const policy = this.#policy;
    const slot = slots[i]!;
    const line = lineBase(slot);
    const record = policyBase(slot);
    for (let p = 0; p < 2; p++)
      if (sawLink(this.#linkFailures, slot, p, ifindexes[2 * i + p]!, links[2 * i + p]!))
        this.#flips.lost(i, p);
    const word = readWord(lines, line);
    if (word !== known[i]) this.#flips.found(i, line, word);
    const active = pathOf(word);
    this.#detectors.turn(slot, nowMs, active, links[2 * i]!, links[2 * i + 1]!);
    links[2 * i] = this.#detectors.judged(slot, PRIMARY, links[2 * i]!);
    links[2 * i + 1] = this.#detectors.judged(slot, STANDBY, links[2 * i + 1]!);
    policy[record + P_LINK_PRIMARY] = links[2 * i]!;
    policy[record + P_LINK_STANDBY] = links[2 * i + 1]!;
    this.#detectors.measured(slot, policy, record);
    const path = evaluate(policy, record, nowMs);
    if (path !== active) this.#flips.make(i, line, word, path as Path);
    keepPenalties(this.#maps.watches, policy, slot);
    const bits = tier0[i] === 1 ? this.#detectors.allowed(slot, armedFallbacks(policy, record)) : 0;
    if (bits !== armed[i]) {
      arm(lines, line, bits);
      armed[i] = bits;
    }
    if (awaiting[i] !== 0) this.#flips.firstFrames(i, line);
  }

  close(): void {
    for (const h of [...this.#instances.held]) this.#detach(h.slot);
    this.#detectors.close();
    this.#pacer.close();
    this.#maps.close();
    this.#epoll.close();
    this.#instances.close();
  }
}
