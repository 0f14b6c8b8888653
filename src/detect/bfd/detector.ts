import { randomInt } from 'node:crypto';
import { Program } from 'bpf-loader-ts';
import { sockSend } from 'bpf-loader-ts/sys';
import { VfBfdPacket } from '../../../bpf/vfailover.bpf.js';
import type { Path } from '../../device.js';
import { parseIp } from '../../frames/address.js';
import { parseMac } from '../../frames/mac.js';
import { decides } from '../combine.js';
import type { Detector, DetectorContext } from '../detectors.js';
import type { Evidence } from '../evidence.js';
import { BFD, detectBase } from '../record.js';
import type { DetectorSupply } from '../supply.js';
import { type Watched, watched } from '../watched.js';
import { BfdEcho } from './echo-detector.js';
import { type BfdEndpoint, BfdFrame } from './frame.js';
import { SbfdInitiator } from './initiator.js';
import { BfdMap } from './map.js';
import {
  ACCEPTED,
  BFD_MAX,
  BFD_PORT,
  DIAG_ADMIN_DOWN,
  DIAG_ECHO_FAILED,
  DIAG_NAMES,
  decodeControl,
  PACKET_WORDS,
  SBFD_PORT,
  STATE_ADMIN_DOWN,
  STATE_NAMES,
  STATE_UP,
} from './packet.js';
import { repeatOf } from './repeat.js';
import { type BfdConfig, discriminatorOf } from './section.js';
import { BfdSession, NEVER } from './session.js';
import { heardBefore, leastSpanNs, mostSpanNs } from './timing.js';
import {
  B_DETECT_US,
  B_ECHO_US,
  B_INTERVAL_US,
  B_REASON,
  B_REFUSED,
  B_SESSION,
  type BfdPatience,
  judge,
  SEEN_ACTIVE,
  SEEN_FALLEN,
  SEEN_UP,
} from './verdict.js';

const PACKET = VfBfdPacket.offsets;
/** Ports of RFC 5881 §4, by slot: the store has fewer slots. */
const SOURCE_PORT = 49152;
const ANY_FRAME = { data: new Uint8Array(14) };
/**
 * How much longer than the programs this half waits before it calls the session down, ns: while nothing changes the deadline is theirs, and
 * they tell when it is over. Long enough that sessions by the hundred ask for no turns of their own.
 */
const GRACE_NS = 100e6;

/**
 * One BFD session of an instance, on the path that carries traffic: sent from that slave itself, past our own programs. The programs take
 * in what repeats itself and keep the deadline, the paced sender repeats what we say; here is what changes.
 */
export class BfdDetector implements Detector {
  readonly kind = BFD;
  readonly #c: DetectorContext;
  readonly #patience: BfdPatience;
  /** On the others the session runs as well, for the peer's sake: what it does there says nothing. */
  readonly #watched: Watched;
  /** Or, with mode s-bfd, what asks a reflector. */
  readonly #session: BfdSession | SbfdInitiator;
  readonly #asks: boolean;
  readonly #meticulous: boolean;
  readonly #echo: BfdEcho | undefined;
  readonly #map: BfdMap;
  readonly #end: BfdEndpoint;
  /** The peer's MAC is. */
  readonly #configured: boolean;
  readonly #watch: Program | undefined;
  readonly #packet = new Uint32Array(PACKET_WORDS);
  readonly #bytes = new Uint8Array(BFD_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  /** What a quiet peer repeats after its latest packet, and how long that is; 0: each of its packets is another. */
  readonly #expect = new Uint8Array(BFD_MAX);
  #expectLength = 0;
  #frame: BfdFrame | undefined;
  #path: Path | -1 = -1;
  /** The session has been up on #path. */
  #wasUp = false;
  #fallen = false;
  /** Packet sockets on both slaves: opened before they are needed, for closing one takes 10 ms and more, in which nothing would be sent. */
  readonly #fds = new Int32Array([-1, -1]);
  #refused = 0;
  /** Why, the latest time: DISCARD_*. */
  #reason = ACCEPTED;
  readonly #multiplier: number;
  /** The paced sender repeats our packets. Not questions, which are counted, nor what has a number of its own. */
  readonly #paces: boolean;
  /** What the paced sender repeats at present; interval 0: nothing. */
  readonly #paced = { interval: 0, packet: 0, discr: 0 };
  /** It does not know of the last packet, or not where it goes. */
  #stale = false;
  #sentNs = 0;

  constructor(context: DetectorContext, config: BfdConfig) {
    this.#c = context;
    const { slot, mac } = context;
    this.#multiplier = config.multiplier;
    this.#patience = { retryMs: config.retry_ms, retryMaxMs: config.retry_max_ms };
    this.#watched = watched(config);
    this.#asks = config.mode === 's-bfd';
    this.#meticulous = config.auth?.type.startsWith('meticulous') === true;
    this.#paces = !this.#asks && !this.#meticulous;
    const discriminator =
      config.discriminator === undefined
        ? randomInt(1, 0x10000) * 0x10000 + slot + 1
        : discriminatorOf(config.discriminator);
    const parameters = {
      discriminator,
      desiredMinTxUs: config.tx_interval_us,
      requiredMinRxUs: config.rx_interval_us,
      detectMult: config.multiplier,
    };
    this.#session = this.#asks
      ? new SbfdInitiator(
          { ...parameters, remoteDiscriminator: discriminatorOf(config.remote_discriminator ?? 0) },
          Math.random,
        )
      : new BfdSession(
          {
            ...parameters,
            requiredMinEchoRxUs: config.echo_rx_interval_us ?? 0,
            auth: context.bfdAuth,
          },
          Math.random,
        );
    this.#end = {
      localMac: mac.slice(),
      peerMac: config.peer_mac === undefined ? new Uint8Array(6) : parseMac(config.peer_mac, 'peer_mac'),
      local: parseIp(config.local).bytes,
      peer: parseIp(config.peer).bytes,
      vlan: config.vlan,
      sourcePort: SOURCE_PORT + slot,
    };
    this.#configured = config.peer_mac !== undefined;
    if (this.#configured) this.#build();
    this.#watch = context.deadlineFd < 0 ? undefined : Program.fromFd(context.dup(context.deadlineFd));
    this.#map = new BfdMap(context.bfd);
    if (config.echo_tx_interval_us !== undefined)
      this.#echo = new BfdEcho(this.#map, slot, this.#end, {
        discriminator,
        intervalUs: config.echo_tx_interval_us,
        multiplier: config.multiplier,
      });
    this.#map.open(slot, {
      ...{ discriminator, local: this.#end.local, peer: this.#end.peer, vlan: config.vlan, mac },
      ...(this.#asks && { asks: true, port: SOURCE_PORT + slot, from: SBFD_PORT, ttl: config.ttl_min }),
      echoLoop: config.echo_rx_interval_us !== undefined,
      ...(this.#echo && { echoKey: this.#echo.key }),
    });
    this.#echo?.begin();
  }

  /** Of the path in use; -1: there is none. */
  get #fd(): number {
    return this.#path === -1 ? -1 : this.#fds[this.#path]!;
  }

  /** Without `peer_mac` the kernel is asked; a peer that speaks tells better itself where it is. */
  supply({ mac, fds, peerMac }: DetectorSupply): void {
    if (mac.some((b, i) => b !== this.#end.localMac[i])) this.#leaveAs(mac);
    // Nothing may be sent by the old one from now on: its number may become somebody else's.
    const path = this.#path;
    if (path !== -1 && fds[path] !== this.#fds[path]) this.#unpace();
    this.#fds.set(fds);
    if (peerMac === null || this.#configured) return;
    if (!this.#asks && this.#session.state === STATE_UP) return;
    if (this.#frame === undefined || peerMac.some((b, i) => b !== this.#end.peerMac[i])) this.#aim(peerMac);
  }

  #build(): void {
    this.#frame = new BfdFrame(this.#end, this.#session.length, this.#asks ? SBFD_PORT : BFD_PORT);
  }

  /** The master has another MAC: ours come from there, and the peer's echo packets are sent back from there. */
  #leaveAs(mac: Uint8Array): void {
    this.#end.localMac.set(mac);
    this.#frame?.bytes.set(mac, 6);
    this.#echo?.learn();
    this.#map.setMac(this.#c.slot, mac);
    this.#stale = true;
  }

  /** A packet that the programs handed over. */
  packet(view: DataView, at: number): void {
    const length = Math.min(BFD_MAX, view.getUint32(at + PACKET.length, true));
    for (let i = 0; i < length; i++) this.#bytes[i] = view.getUint8(at + PACKET.bytes + i);
    const ns = view.getUint32(at + PACKET.ns + 4, true) * 4294967296 + view.getUint32(at + PACKET.ns, true);
    const session = this.#session;
    session.heard(this.#map.heardNs(this.#c.slot));
    // It may have come before, and been read after, the time was over.
    this.#expire(ns);
    const before = session.state;
    let reason = decodeControl(this.#view, 0, length, this.#packet);
    if (reason === ACCEPTED) reason = session.receive(this.#packet, this.#bytes, 0, ns);
    if (reason !== ACCEPTED) {
      this.#refused = (this.#refused + 1) | 0;
      this.#reason = reason;
      return;
    }
    this.#expectLength = repeatOf(this.#bytes, this.#packet, this.#meticulous, this.#expect);
    // What is told of a peer that was taken out of service says nothing of the path (RFC 5882 §3.2).
    if (before === STATE_UP && session.state !== STATE_UP && session.remoteState !== STATE_ADMIN_DOWN)
      this.#fallen = this.#wasUp;
    if (before === STATE_UP && session.state !== STATE_UP) this.#wasUp = false;
    this.#learn(view, at + PACKET.mac);
  }

  /** The peer is where its packets come from; a reflector behind a router is not. */
  #learn(view: DataView, at: number): void {
    if (this.#asks) return;
    let same = this.#frame !== undefined;
    for (let i = 0; i < 6; i++) same &&= this.#end.peerMac[i] === view.getUint8(at + i);
    if (same || (view.getUint8(at) & 1) !== 0) return;
    this.#aim(new Uint8Array(view.buffer, view.byteOffset + at, 6));
  }

  #aim(mac: Uint8Array): void {
    const { peerMac } = this.#end;
    peerMac.set(mac);
    if (this.#frame === undefined) this.#build();
    else this.#frame.bytes.set(peerMac, 0);
    this.#echo?.learn();
    this.#stale = true;
  }

  /** How much later than the programs this half calls it over. */
  #grace(): number {
    return this.#watch !== undefined && this.#map.isQuiet(this.#c.slot) ? GRACE_NS : 0;
  }

  #expire(nowNs: number): void {
    const session = this.#session;
    const by = nowNs - this.#grace();
    const echo = session.state === STATE_UP && this.#echo?.expired(by) === true;
    if (!echo && by < session.expiresNs) return;
    if (!(echo ? session.fail(DIAG_ECHO_FAILED, nowNs) : session.expire(nowNs))) return;
    this.#fallen = this.#wasUp;
    this.#wasUp = false;
  }

  turn(nowMs: number, active: number): void {
    const { slot, clock, due } = this.#c;
    const session = this.#session;
    const now = clock[0]!;
    session.heard(this.#map.heardNs(slot));
    this.#expire(now);
    if (this.#fallen && this.#path >= 0) {
      this.#fallen = false;
      this.#judge(this.#path, nowMs, SEEN_FALLEN);
    }
    if (this.#path !== active) this.#move(active as Path, now);
    if (session.state === STATE_UP) this.#wasUp = true;
    const fd = this.#fd;
    if (this.#frame === undefined || fd < 0) this.#unpace();
    else {
      this.#transmit(this.#frame, fd, now);
      this.#pace(this.#frame, fd);
    }
    this.#settle();
    this.#sendEcho(fd, now);
    const echo = this.#echo?.timer;
    const ends = Math.min(session.expiresNs, echo?.expiresNs ?? NEVER) + this.#grace();
    if (ends < due[0]!) due[0] = ends;
    // Without a socket there is nothing to be in time for; with the paced sender it is.
    if (fd >= 0 && this.#frame !== undefined) {
      const next = Math.min(this.#paces ? NEVER : session.dueNs, echo?.dueNs ?? NEVER);
      if (next < due[0]!) due[0] = next;
    }
    const up = session.state === STATE_UP ? SEEN_UP : 0;
    this.#judge(0, nowMs, active === 0 ? SEEN_ACTIVE | up : 0);
    this.#judge(1, nowMs, active === 1 ? SEEN_ACTIVE | up : 0);
  }

  /** Traffic has another path. The peer's next packet may still come by the old one: it gets a whole detection time. */
  #move(path: Path, nowNs: number): void {
    this.#unpace();
    this.#path = path;
    this.#wasUp = false;
    this.#session.heard(nowNs);
    this.#map.move(this.#c.slot, path);
    this.#echo?.move(nowNs);
  }

  /** What is due at once: a change, an answer, and where nobody paces it the next packet. One that is not sent is a lost one. */
  #transmit(frame: BfdFrame, fd: number, nowNs: number): void {
    const session = this.#session;
    while (session.dueNs === 0 || (!this.#paces && session.dueNs <= nowNs)) {
      session.transmit(frame.bytes, frame.view, frame.payload, nowNs);
      frame.seal();
      // Before it is sent: the answer may be here before we are.
      const straw = this.#asks && session.expiresNs !== NEVER && this.#map.dueNs(this.#c.slot) === 0;
      if (straw) this.#map.setDue(this.#c.slot, session.expiresNs);
      sockSend(fd, frame.bytes, frame.bytes.length);
      if (straw) this.#watch?.testRun(ANY_FRAME);
      this.#sentNs = nowNs;
      this.#stale = true;
    }
  }

  /** Lets the paced sender repeat what we have to say, if that is another thing than it repeats already. */
  #pace(frame: BfdFrame, fd: number): void {
    const session = this.#session;
    const paced = this.#paced;
    if (!this.#paces || !(session instanceof BfdSession)) return;
    if (session.dueNs === NEVER) {
      this.#unpace();
      return;
    }
    const interval = session.intervalUs;
    const packet = session.state | (session.diag << 8) | (session.polling ? 1 << 16 : 0);
    const discr = session.remoteDiscriminator;
    const same = interval === paced.interval && packet === paced.packet && discr === paced.discr;
    if (same && !this.#stale) return;
    session.compose(frame.bytes, frame.view, frame.payload);
    frame.seal();
    this.#c.pacer.set(this.#c.slot, {
      fd,
      frames: frame.bytes,
      leastNs: leastSpanNs(interval),
      mostNs: mostSpanNs(interval, this.#multiplier),
      sentNs: this.#sentNs,
    });
    paced.interval = interval;
    paced.packet = packet;
    paced.discr = discr;
    this.#stale = false;
  }

  #unpace(): void {
    if (this.#paced.interval === 0) return;
    this.#paced.interval = 0;
    this.#c.pacer.drop(this.#c.slot);
  }

  #sendEcho(fd: number, nowNs: number): void {
    if (this.#echo === undefined || this.#frame === undefined || this.#path < 0) return;
    const session = this.#session;
    const offered =
      session.state === STATE_UP && session.remoteState === STATE_UP ? session.remoteMinEchoRxUs : 0;
    this.#echo.timer.offer(offered, nowNs);
    if (this.#echo.timer.dueNs > nowNs || fd < 0) return;
    if (this.#echo.transmit(fd, nowNs)) this.#watch?.testRun(ANY_FRAME);
  }

  /** Once both ends are up and have nothing to tell, the programs take over. */
  #settle(): void {
    const { slot, records } = this.#c;
    const session = this.#session;
    const path = this.#path;
    if (path === -1) return;
    const flips = this.#watched[path] && decides(records, slot, path, this.#c.mode, BFD);
    if (this.#map.isQuiet(slot)) {
      this.#map.setFlips(slot, flips);
      return;
    }
    if (session.state !== STATE_UP && this.#map.dueNs(slot) !== 0) this.#map.setDue(slot, 0);
    if (session.state !== STATE_UP || session.remoteState !== STATE_UP || session.polling) return;
    if (this.#expectLength === 0) return;
    this.#map.quiet(
      slot,
      this.#expect,
      0,
      this.#expectLength,
      path,
      session.detectNs,
      session.lastHeardNs,
      flips,
    );
    this.#watch?.testRun(ANY_FRAME);
  }

  #judge(path: number, nowMs: number, seen: number): void {
    if (!this.#watched[path]) return;
    const { records, slot } = this.#c;
    const session = this.#session;
    const base = detectBase(slot, path, BFD);
    judge(records, base, nowMs, seen, this.#patience);
    records[base + B_SESSION] = session.state | (session.diag << 8) | (session.remoteState << 16);
    records[base + B_DETECT_US] = Math.min(0x7fffffff, session.detectNs / 1e3) | 0;
    records[base + B_INTERVAL_US] = Math.min(0x7fffffff, session.intervalUs) | 0;
    records[base + B_REFUSED] =
      (this.#refused +
        this.#map.count(slot, 'low_ttl') +
        this.#map.count(slot, 'refused') +
        this.#map.count(slot, 'echo_refused')) |
      0;
    records[base + B_REASON] = this.#reason;
    const echo = this.#echo?.timer;
    records[base + B_ECHO_US] = echo === undefined ? 0 : echo.proven ? echo.intervalUs : -echo.intervalUs;
  }

  evidence(path: number, atNs: number): Evidence | null {
    if (path !== this.#path) return null;
    const session = this.#session;
    const { slot } = this.#c;
    const due = this.#map.dueNs(slot);
    const echo = !this.#asks && (session.diag === DIAG_ECHO_FAILED || (due !== 0 && due <= atNs));
    const heard = echo
      ? this.#map.echoNs(slot)
      : heardBefore(atNs, session.lastHeardNs, this.#map.heardNs(slot), session.detectNs);
    if (heard === 0) return null;
    const agoUs = Math.round((atNs - heard) / 1e3);
    const detectUs = Math.round(session.detectNs / 1e3);
    const told = session.state !== STATE_UP && session.remoteState !== STATE_UP && session.diag === 3;
    const what = echo
      ? 'BFD echo packet came back'
      : this.#asks
        ? 'answer of the S-BFD reflector'
        : 'BFD packet';
    return {
      detector: 'bfd',
      text: told
        ? `the BFD peer says ${STATE_NAMES[session.remoteState]}: ${DIAG_NAMES[session.remoteDiag] ?? session.remoteDiag}`
        : `no ${what} for ${agoUs} µs${echo ? '' : `, detection time ${detectUs} µs`}`,
      facts: { last_heard_us_ago: agoUs, detection_time_us: detectUs, remote_diagnostic: session.remoteDiag },
    };
  }

  /** Says goodbye: the peer need not take our end for a fault. */
  close(): void {
    const session = this.#session;
    const now = this.#c.clock[0]!;
    this.#map.busy(this.#c.slot);
    // First: what it repeats would take the goodbye back.
    this.#unpace();
    if (session.state !== STATE_ADMIN_DOWN && session.diag !== DIAG_ADMIN_DOWN) {
      session.setAdminDown(true, now);
      const fd = this.#fd;
      if (this.#frame !== undefined && fd >= 0) this.#transmit(this.#frame, fd, now);
    }
    this.#watch?.close();
  }
}
