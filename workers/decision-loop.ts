import { BpfMap, forgetNetns, type Mapping, possibleCpus, RingBuffer, runOnDevices } from 'bpf-loader-ts';
import {
  ChangeSender,
  ControlSocket,
  clockMonotonic,
  closeFd,
  Epoll,
  eventfdClear,
  linkStates,
  NetlinkSocket,
  netnsCurrent,
  netnsEnter,
  PacedSender,
} from 'bpf-loader-ts/sys';
import { VfBfdPacket, VfEvent } from '../bpf/vfailover.bpf.js';
import { wrappedMs } from '../src/clock.js';
import { arm, epochOf, flip, lineBase, nextWord, pathOf, readWord } from '../src/datapath/line.js';
import { COUNT_WORDS, COUNTERS_WORDS, LINE } from '../src/datapath/offsets.js';
import { readNs } from '../src/datapath/u64.js';
import { Detectors } from '../src/detect/detectors.js';
import { type Path, PRIMARY, STANDBY } from '../src/device.js';
import {
  accept,
  armedFallbacks,
  CAUSE_ADMIN_DOWN,
  CAUSE_CARRIER,
  CAUSE_UNPLUG,
  evaluate,
  initPolicy,
  P_CAUSE,
  P_LINK_PRIMARY,
  P_LINK_STANDBY,
  policyBase,
  withVerdict,
} from '../src/policy/evaluate.js';
import { forgetLinks, lostLink, sawLink } from '../src/policy/link-failures.js';
import { keepPenalties, recallPenalties } from '../src/shard/penalties.js';
import {
  type AnnouncementFrame,
  CONTROL,
  type DecisionTask,
  type FromWorker,
  type ToWorker,
} from '../src/shard/protocol.js';

const EVENT = VfEvent.offsets;

const EPOCHS = 0x7ffffff;
const NETLINK_ROUTE = 0;
const RTNLGRP_LINK = 1;
const WAKE = 0;
const EVENTS = 1;
const HINT = 2;
/** How long the first frames after a flip are waited for: 10 s. */
const FIRST_FRAME_NS = 10e9;

/** An instance is idle when no frame passed for so long; then its links are looked at every so many microseconds at most. */
const IDLE_NS = 200e6;
const IDLE_INTERVAL_US = 20_000;
/**
 * In epoll mode, the time between two looks is at least so many times what a turn takes: with hundreds of instances a turn takes milliseconds,
 * and the thread would do nothing else.
 */
const BUSY_SHARE = 4;
const IDLE_SHARE = 32;

/** What one instance holds open in this thread. */
interface Held {
  slot: number;
  netnsFd: number;
  control: ControlSocket;
  hint: NetlinkSocket;
  /** What its announcement leaves by: duplicates, by the supervisor's numbers. */
  sockets: ReadonlyMap<number, number>;
}

/**
 * The hot loop of one shard: looks at the links and the steering lines of its instances, decides, flips. A turn allocates nothing and
 * makes one native call for all links; everything it reads lies in typed arrays or in the maps' own memory.
 */
export class DecisionLoop {
  readonly #task: DecisionTask;
  readonly #control: Int32Array;
  readonly #policy: Int32Array;
  readonly #linkFailures: Int32Array;
  readonly #linesMapping: Mapping;
  readonly #lines: Int32Array;
  readonly #countersMapping: Mapping;
  readonly #counters: Int32Array;
  readonly #cpus = possibleCpus();
  readonly #ring: RingBuffer;
  readonly #maps: BpfMap[];
  /** Announces a switch, before anything else is done about it: until the network knows the new path it delivers to the old one. */
  readonly #announcer: ChangeSender;
  /** Periodic frames of detectors: not to be held up by this thread. */
  readonly #pacer = new PacedSender();
  readonly #epoll = new Epoll();
  readonly #ready = new Int32Array(16);
  readonly #clock = new Float64Array(1);
  readonly #drain = new Uint8Array(16384);
  readonly #report: (m: FromWorker) => void;
  readonly #dup: (fd: number) => number;
  readonly #onEvent: (view: DataView, at: number, length: number) => void;
  #held: Held[] = [];
  /** The namespace that this thread began in. */
  readonly #home = netnsCurrent();

  // By position in #held; two entries per instance where paths are concerned.
  readonly #detectors: Detectors;
  readonly #watchesMapping: Mapping;
  readonly #watches: Int32Array;
  readonly #probesMapping: Mapping;
  readonly #bfdMapping: Mapping;

  #n = 0;
  #sockets = new Int32Array(0);
  #netns = new Int32Array(0);
  #ifindexes = new Int32Array(0);
  #links = new Int32Array(0);
  #known = new Int32Array(0);
  #armed = new Int32Array(0);
  #tier0 = new Int32Array(0);
  /** When the first frames after the last flip stop being waited for; 0: not waiting. */
  #awaiting = new Float64Array(0);
  #nowMs = 0;
  /** Sum of the frames counted, when it was last formed, and when it was last another. */
  #frames = 0;
  #lookedAt = 0;
  #movedAt = 0;
  /** When the turn began and ended; what one takes, the shortest of late (one may have been interrupted), ns. */
  readonly #turn = new Float64Array(2);
  #turnNs = 0;

  constructor(task: DecisionTask, report: (m: FromWorker) => void, dup: (fd: number) => number) {
    this.#task = task;
    this.#report = report;
    this.#dup = dup;
    this.#control = new Int32Array(task.control);
    this.#policy = new Int32Array(task.policy);
    this.#linkFailures = new Int32Array(task.linkFailures);
    const lines = BpfMap.fromFd(dup(task.linesFd));
    const events = BpfMap.fromFd(dup(task.eventsFd));
    const counters = BpfMap.fromFd(dup(task.countersFd));
    const watches = BpfMap.fromFd(dup(task.watchesFd));
    const probes = BpfMap.fromFd(dup(task.probesFd));
    const bfd = BpfMap.fromFd(dup(task.bfdFd));
    this.#maps = [lines, events, counters, watches, probes, bfd];
    this.#watchesMapping = watches.mmap();
    this.#watches = this.#watchesMapping.int32();
    this.#probesMapping = probes.mmap();
    this.#bfdMapping = bfd.mmap();
    this.#countersMapping = counters.mmap();
    this.#counters = this.#countersMapping.int32();
    this.#linesMapping = lines.mmap();
    this.#lines = this.#linesMapping.int32();
    this.#announcer = new ChangeSender(this.#lines);
    this.#detectors = new Detectors({
      records: new Int32Array(task.detect),
      lines: this.#lines,
      watches: this.#watches,
      probes: this.#probesMapping.int32(),
      counters: this.#counters,
      cpus: this.#cpus,
      bfd: this.#bfdMapping.int32(),
      pacer: this.#pacer,
      clock: this.#clock,
      dup,
    });
    this.#ring = new RingBuffer(events);
    this.#epoll.add(task.wakeFd, WAKE);
    if (task.wait === 'epoll') this.#epoll.add(this.#ring.fd, EVENTS);
    this.#onEvent = (view, at, length) => {
      if (length < VfBfdPacket.size) this.#tier0Event(view, at);
      else this.#detectors.packet(view.getInt32(at + VfBfdPacket.offsets.slot, true), view, at);
    };
  }

  /** Takes in a message; not part of the hot path. */
  handle(m: ToWorker): void {
    if (m.type === 'attach') this.#attach(m);
    else if (m.type === 'announce') this.#prepare(m.slot, m.sends);
    else if (m.type === 'supply') this.#detectors.supply(m.slot, m.supply);
    else this.#detach(m.slot);
  }

  /** Duplicates: the supervisor may close its sockets at any time, and their numbers may become somebody else's. */
  #prepare(slot: number, sends: readonly AnnouncementFrame[]): void {
    const held = this.#held.find((h) => h.slot === slot);
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
    const hint = new NetlinkSocket({ protocol: NETLINK_ROUTE, ...(m.netnsFd >= 0 && { netns: m.netnsFd }) });
    hint.join(RTNLGRP_LINK);
    if (this.#task.wait === 'epoll') this.#epoll.add(hint.fd, HINT);
    const held: Held = {
      slot: m.slot,
      netnsFd: m.netnsFd,
      control: new ControlSocket(m.netnsFd),
      hint,
      sockets: new Map(),
    };
    initPolicy(this.#policy, policyBase(m.slot), { ...m.policy, active: pathOf(m.knownWord) });
    this.#resize([...this.#held, held]);
    clockMonotonic(this.#clock, 0);
    recallPenalties(this.#watches, this.#policy, m.slot, wrappedMs(this.#clock[0]!));
    this.#detectors.attach(m.slot, m.detect, m);
    this.#tier0[this.#n - 1] = m.tier0 ? 1 : 0;
    this.#armed[this.#n - 1] = -1;
    this.#known[this.#n - 1] = m.knownWord;
    this.#announcer.watch(m.slot, lineBase(m.slot) + LINE.word, m.knownWord);
  }

  #detach(slot: number): void {
    const at = this.#held.findIndex((h) => h.slot === slot);
    if (at < 0) return;
    const gone = this.#held[at]!;
    if (this.#task.wait === 'epoll') this.#epoll.delete(gone.hint.fd);
    gone.hint.close();
    gone.control.close();
    this.#announcer.forget(slot);
    for (const fd of gone.sockets.values()) closeFd(fd);
    this.#detectors.detach(slot);
    forgetLinks(this.#linkFailures, slot);
    this.#resize(this.#held.filter((h) => h.slot !== slot));
  }

  /** Lays the arrays out anew for these instances; what is known of those that stay is kept. */
  #resize(held: Held[]): void {
    const before = new Map(this.#held.map((h, i) => [h.slot, i]));
    const n = held.length;
    const keep = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      held.forEach((h, i) => {
        const was = before.get(h.slot);
        if (was !== undefined) fresh[i] = old[was]!;
      });
      return fresh;
    };
    this.#known = keep(this.#known, new Int32Array(n));
    this.#armed = keep(this.#armed, new Int32Array(n));
    this.#tier0 = keep(this.#tier0, new Int32Array(n));
    this.#awaiting = keep(this.#awaiting, new Float64Array(n));
    this.#netns = Int32Array.from(held.flatMap((h) => [h.netnsFd, h.netnsFd]));
    // The look at the links moves this thread; a namespace that it stood in would not end.
    netnsEnter(this.#home);
    forgetNetns();
    this.#sockets = Int32Array.from(held.flatMap((h) => [h.control.fd, h.control.fd]));
    this.#ifindexes = new Int32Array(2 * n);
    this.#links = new Int32Array(2 * n);
    this.#held = held;
    this.#n = n;
  }

  /** Waits as configured, and announces what tier 0 did meanwhile. */
  wait(): void {
    const { wait, pollIntervalUs, wakeFd } = this.#task;
    if (wait === 'spin' && this.#n > 0) return;
    const interval = wait === 'epoll' ? this.#interval() : pollIntervalUs;
    // Without instances there is nothing to look at: only mail can bring work.
    const n = this.#epoll.wait(this.#ready, this.#n === 0 ? -1 : this.#until(interval));
    this.#announcer.run();
    this.#control[CONTROL.wakeups]!++;
    for (let i = 0; i < n; i++) {
      const what = this.#ready[i]!;
      if (what === WAKE) eventfdClear(wakeFd);
      else if (what === HINT) this.#drainHints();
    }
  }

  /** Microseconds between two looks. */
  #interval(): number {
    clockMonotonic(this.#turn, 1);
    const took = this.#turn[1]! - this.#turn[0]!;
    this.#turnNs = took < this.#turnNs ? took : this.#turnNs + (took - this.#turnNs) / 64;
    const idle = this.#idle();
    const least = ((idle ? IDLE_SHARE : BUSY_SHARE) * this.#turnNs) / 1e3;
    return Math.ceil(Math.max(this.#task.pollIntervalUs, idle ? IDLE_INTERVAL_US : 0, least));
  }

  /** Microseconds to wait, `interval` at most: less when a detector wants its turn sooner. */
  #until(interval: number): number {
    const left = (this.#detectors.due[0]! - this.#clock[0]!) / 1e3;
    return left >= interval ? interval : left <= 0 ? 0 : Math.ceil(left);
  }

  /**
   * Whether no frame has passed for IDLE_NS: then nothing is lost by looking less often. The first frame to be sent meets tier 0, and
   * the first one counted brings the configured interval back. The counters are summed a few times in that span, not every turn.
   */
  #idle(): boolean {
    const now = this.#clock[0]!;
    if (now - this.#lookedAt < IDLE_NS / 8) return now - this.#movedAt >= IDLE_NS;
    this.#lookedAt = now;
    let sum = 0;
    for (let i = 0; i < this.#n; i++) {
      const from = this.#held[i]!.slot * this.#cpus * COUNTERS_WORDS;
      // `packets` is the first field of every count, and its low word moves with every frame.
      for (let at = 0; at < this.#cpus * COUNTERS_WORDS; at += COUNT_WORDS)
        sum = (sum + this.#counters[from + at]!) | 0;
    }
    if (sum !== this.#frames) {
      this.#frames = sum;
      this.#movedAt = now;
    }
    return now - this.#movedAt >= IDLE_NS;
  }

  /** Link messages only tell that it is time to look: what they say may be old. */
  #drainHints(): void {
    for (let i = 0; i < this.#held.length; i++) {
      const { hint } = this.#held[i]!;
      for (let k = 0; k < 64 && hint.recv(this.#drain) !== -11; k++);
    }
  }

  /**
   * One turn over all instances. `mail` is how many messages had come before it. False: more have come, and nothing was decided. What the
   * supervisor posts before it ends a join (another announcement) is thus taken in before the switch that follows from it.
   */
  tick(mail: number): boolean {
    const lines = this.#lines;
    const policy = this.#policy;
    const n = this.#n;
    this.#control[CONTROL.ticks]!++;
    clockMonotonic(this.#turn, 0);
    if (this.#ring.pending) this.#ring.consume(this.#onEvent);
    for (let i = 0; i < n; i++) {
      const line = lineBase(this.#held[i]!.slot);
      this.#ifindexes[2 * i] = lines[line + LINE.primary_ifindex]!;
      this.#ifindexes[2 * i + 1] = lines[line + LINE.standby_ifindex]!;
    }
    if (this.#task.lookFd >= 0)
      runOnDevices(this.#task.lookFd, this.#netns, this.#ifindexes, this.#links, 2 * n);
    else linkStates(this.#sockets, this.#ifindexes, this.#links, 2 * n);
    // Reading takes long enough for tier 0 to have flipped meanwhile.
    this.#announcer.run();
    if (Atomics.load(this.#control, CONTROL.mail) !== mail) return false;
    // After the reads, which by ioctl can wait for a lock: what is detected is detected now.
    clockMonotonic(this.#clock, 0);
    this.#nowMs = wrappedMs(this.#clock[0]!);
    this.#detectors.begin();
    for (let i = 0; i < n; i++) {
      const slot = this.#held[i]!.slot;
      const line = lineBase(slot);
      const record = policyBase(slot);
      for (let p = 0; p < 2; p++)
        if (sawLink(this.#linkFailures, slot, p, this.#ifindexes[2 * i + p]!, this.#links[2 * i + p]!))
          this.#lost(i, p);
      const word = readWord(lines, line);
      if (word !== this.#known[i]) this.#flippedByOthers(i, line, word);
      this.#detect(i, slot, pathOf(word));
      policy[record + P_LINK_PRIMARY] = this.#links[2 * i]!;
      policy[record + P_LINK_STANDBY] = this.#links[2 * i + 1]!;
      this.#detectors.measured(slot, policy, record);
      const path = evaluate(policy, record, this.#nowMs);
      if (path !== pathOf(word)) this.#switch(i, line, record, word, path as Path);
      keepPenalties(this.#watches, policy, slot);
      const bits = this.#tier0[i] === 1 ? this.#detectors.allowed(slot, armedFallbacks(policy, record)) : 0;
      if (bits !== this.#armed[i]) {
        arm(lines, line, bits);
        this.#armed[i] = bits;
      }
      if (this.#awaiting[i] !== 0) this.#firstFrames(i, line);
    }
    return true;
  }

  /** Lets the instance's detectors have their turn, and adds what they say to the link words. */
  #detect(i: number, slot: number, active: number): void {
    const links = this.#links;
    const detectors = this.#detectors;
    detectors.turn(slot, this.#nowMs, active, links[2 * i]!, links[2 * i + 1]!);
    links[2 * i] = detectors.judged(slot, PRIMARY, links[2 * i]!);
    links[2 * i + 1] = detectors.judged(slot, STANDBY, links[2 * i + 1]!);
  }

  #switch(i: number, line: number, record: number, word: number, path: Path): void {
    const detectedNs = this.#clock[0]!;
    // Lost means that tier 0 or the supervisor was faster: the next turn sees what they made.
    if (!flip(this.#lines, line, word, path)) return;
    clockMonotonic(this.#clock, 0);
    this.#accepted(i, nextWord(word, path), path);
    this.#tell(i, 1, this.#policy[record + P_CAUSE]!, word, this.#known[i]!, detectedNs, this.#clock[0]!);
  }

  #accepted(i: number, word: number, path: Path): void {
    // After a flip of our own, or one that came since the wait.
    this.#announcer.run();
    accept(this.#policy, policyBase(this.#held[i]!.slot), path, this.#nowMs);
    this.#known[i] = word;
    // The programs may have taken a fallback back with their flip.
    this.#armed[i] = -1;
    this.#awaiting[i] = this.#clock[0]! + FIRST_FRAME_NS;
  }

  /** Somebody else flipped, and no event said so (yet): the line tells whether it was tier 0. */
  #flippedByOthers(i: number, line: number, word: number): void {
    const from = this.#known[i]!;
    const tier0 = this.#lines[line + LINE.flip_word] === word;
    if (tier0) this.#control[CONTROL.lost_events]!++;
    const ns = tier0 ? readNs(this.#lines, line + LINE.flip_ns) : this.#clock[0]!;
    this.#accepted(i, word, pathOf(word));
    this.#tell(
      i,
      tier0 ? 0 : 2,
      tier0 ? this.#lines[line + LINE.flip_cause]! : CAUSE_UNPLUG,
      from,
      word,
      ns,
      ns,
    );
  }

  /** The supervisor asks the kernel for the link: here that could wait for the RTNL lock. */
  #lost(i: number, path: number): void {
    this.#report({ type: 'lost', slot: this.#held[i]!.slot, ifindex: this.#ifindexes[2 * i + path]! });
  }

  #tier0Event(view: DataView, at: number): void {
    const slot = view.getInt32(at + EVENT.slot, true);
    const i = this.#indexOf(slot);
    if (i < 0) return;
    const word = view.getInt32(at + EVENT.new_word, true);
    const from = this.#known[i]!;
    // An event about a flip that is known already (the line was read first), or older than what is known.
    const ahead = (epochOf(word) - epochOf(from)) & EPOCHS;
    if (ahead === 0 || ahead > EPOCHS >>> 1) return;
    const ns = view.getInt32(at + EVENT.ns + 4, true) * 4294967296 + view.getUint32(at + EVENT.ns, true);
    this.#accepted(i, word, pathOf(word));
    this.#tell(
      i,
      0,
      view.getInt32(at + EVENT.cause, true),
      view.getInt32(at + EVENT.old_word, true),
      word,
      ns,
      ns,
    );
  }

  #indexOf(slot: number): number {
    for (let i = 0; i < this.#n; i++) if (this.#held[i]!.slot === slot) return i;
    return -1;
  }

  /** Reports the first frames out and in after a flip, when both have been seen or the wait is over. */
  #firstFrames(i: number, line: number): void {
    const word = this.#known[i]!;
    const out = this.#lines[line + LINE.seen_tx] === word;
    const inn = this.#lines[line + LINE.seen_rx] === word;
    if (!(out && inn) && this.#clock[0]! < this.#awaiting[i]!) return;
    this.#awaiting[i] = 0;
    this.#report({
      type: 'first',
      slot: this.#held[i]!.slot,
      to: word,
      outNs: out ? readNs(this.#lines, line + LINE.first_tx_ns) : null,
      inNs: inn ? readNs(this.#lines, line + LINE.first_rx_ns) : null,
    });
  }

  #tell(
    i: number,
    tier: 0 | 1 | 2,
    cause: number,
    from: number,
    to: number,
    detectedNs: number,
    flippedNs: number,
  ): void {
    const evidence = this.#detectors.evidence(this.#held[i]!.slot, pathOf(from), cause, detectedNs);
    if (tier === 0 && (cause === CAUSE_CARRIER || cause === CAUSE_ADMIN_DOWN))
      if (lostLink(this.#linkFailures, this.#held[i]!.slot, pathOf(from))) this.#lost(i, pathOf(from));
    // The programs were faster than this thread's own verdict.
    if (evidence !== null)
      this.#links[2 * i + pathOf(from)] = withVerdict(this.#links[2 * i + pathOf(from)]!, cause);
    this.#report({
      type: 'decision',
      slot: this.#held[i]!.slot,
      cause,
      tier,
      from,
      to,
      detectedNs,
      flippedNs,
      links: [this.#links[2 * i]!, this.#links[2 * i + 1]!],
      evidence,
      announced: this.#announcer.sent(this.#held[i]!.slot),
    });
  }

  close(): void {
    for (const h of [...this.#held]) this.#detach(h.slot);
    this.#ring.close();
    this.#detectors.close();
    this.#pacer.close();
    this.#linesMapping.close();
    this.#watchesMapping.close();
    this.#probesMapping.close();
    this.#bfdMapping.close();
    this.#countersMapping.close();
    for (const m of this.#maps) m.close();
    this.#epoll.close();
    closeFd(this.#home);
  }
}
