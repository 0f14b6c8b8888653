import { Program } from 'bpf-loader-ts';
import type { Path } from '../../device.js';
import type { Detector, DetectorSupply, Finding } from '../detector.js';
import { type Watched, watched } from '../watched.js';
import { BfdEcho } from './echo-detector.js';
import { type BfdEngine, NEVER } from './engine.js';
import { findingOf } from './finding.js';
import type { BfdEndpoint } from './frame.js';
import { HandedPacket } from './handed.js';
import { BfdMap } from './map.js';
import { type Context, endpointOf, keyOf, openEngine, senderOf } from './open.js';
import { ACCEPTED, DIAG_ADMIN_DOWN, DIAG_ECHO_FAILED, STATE_ADMIN_DOWN, STATE_UP } from './packet.js';
import type { BfdConfig } from './section.js';
import type { BfdSender } from './sender.js';
import type { BfdSession } from './session.js';
import {
  B_ECHO_US,
  B_REASON,
  B_REFUSED,
  type BfdPatience,
  judge,
  note,
  SEEN_ACTIVE,
  SEEN_FALLEN,
  SEEN_UP,
} from './verdict.js';

const ANY_FRAME = { data: new Uint8Array(14) };
/**
 * How much longer than the programs this half waits before it calls the session down, ns: while nothing changes the deadline is theirs, and
 * they tell when it is over. Long enough that sessions by the hundred ask for no turns of their own.
 */
const GRACE_NS = 100e6;

/**
 * One BFD session of an instance, on the path that carries traffic. The programs take in what repeats itself and keep the deadline, the
 * paced sender repeats what we say; here is what changes.
 */
export class BfdDetector implements Detector<Uint8Array | null> {
  readonly #c: Context;
  readonly #patience: BfdPatience;
  /** On the others the session runs as well, for the peer's sake: what it does there says nothing. */
  readonly #watched: Watched;
  readonly #engine: BfdEngine;
  /** undefined: the engine asks an S-BFD reflector. */
  readonly #session: BfdSession | undefined;
  readonly #echo: BfdEcho | undefined;
  readonly #map: BfdMap;
  readonly #end: BfdEndpoint;
  /** True if `peer_mac` is configured; otherwise we learn it. */
  readonly #configured: boolean;
  readonly #sender: BfdSender;
  readonly #watch: Program | undefined;
  readonly #handed: HandedPacket;
  #path: Path | -1 = -1;
  /** The session has been up on #path. */
  #wasUp = false;
  #fallen = false;
  #refused = 0;
  /** Why, the latest time: DISCARD_*. */
  #reason = ACCEPTED;
  /** The paced sender repeats our packets. Not questions, which are counted, nor what has a number of its own. */
  readonly #paces: boolean;

  constructor(context: Context, config: BfdConfig) {
    this.#c = context;
    const { slot } = context;
    this.#patience = { retryMs: config.retry_ms, retryMaxMs: config.retry_max_ms };
    this.#watched = watched(config);
    const meticulous = config.auth?.type.startsWith('meticulous') === true;
    this.#handed = new HandedPacket(meticulous);
    const opened = openEngine(context, config);
    this.#engine = opened.engine;
    this.#session = opened.session;
    this.#paces = opened.session !== undefined && !meticulous;
    this.#end = endpointOf(context, config);
    this.#sender = senderOf(context, opened, this.#end, config);
    this.#configured = config.peer_mac !== undefined;
    if (this.#configured) this.#sender.aim(this.#end.peerMac);
    this.#watch = context.deadlineFd < 0 ? undefined : Program.fromFd(context.dup(context.deadlineFd));
    this.#map = new BfdMap(context.bfd);
    if (config.echo_tx_interval_us !== undefined)
      this.#echo = new BfdEcho(this.#map, slot, this.#end, {
        discriminator: opened.discriminator,
        intervalUs: config.echo_tx_interval_us,
        multiplier: config.multiplier,
      });
    this.#map.open(slot, keyOf(opened, this.#end, config, this.#echo?.key));
    this.#echo?.begin();
  }

  /** Without `peer_mac` the kernel is asked; a peer that speaks tells better itself where it is. */
  supply({ mac, fds, found }: DetectorSupply<Uint8Array | null>): void {
    if (mac.some((b, i) => b !== this.#end.localMac[i])) this.#leaveAs(mac);
    this.#sender.use(fds);
    if (found === null || this.#configured || this.#session?.state === STATE_UP) return;
    if (!this.#sender.aimed || found.some((b, i) => b !== this.#end.peerMac[i])) this.#aim(found);
  }

  /** The master has another MAC: ours come from there, and the peer's echo packets are sent back from there. */
  #leaveAs(mac: Uint8Array): void {
    this.#sender.leaveAs(mac);
    this.#echo?.learn();
    this.#map.setMac(this.#c.slot, mac);
  }

  #aim(mac: Uint8Array): void {
    this.#sender.aim(mac);
    this.#echo?.learn();
  }

  packet(view: DataView, at: number): void {
    const engine = this.#engine;
    const packet = this.#handed;
    packet.read(view, at);
    engine.heard(this.#map.heardNs(this.#c.slot));
    // It may have come before, and been read after, the time was over.
    this.#expire(packet.ns);
    const before = engine.state;
    let reason = packet.decode();
    if (reason === ACCEPTED) reason = engine.receive(packet.words, packet.ns, packet.bytes, 0);
    if (reason !== ACCEPTED) {
      this.#refused = (this.#refused + 1) | 0;
      this.#reason = reason;
      return;
    }
    packet.accept();
    // What is told of a peer that was taken out of service says nothing of the path (RFC 5882 §3.2).
    if (before === STATE_UP && engine.state !== STATE_UP && engine.remoteState !== STATE_ADMIN_DOWN)
      this.#fallen = this.#wasUp;
    if (before === STATE_UP && engine.state !== STATE_UP) this.#wasUp = false;
    this.#learn(view, at);
  }

  /** The peer is where its packets come from; a reflector behind a router is not. */
  #learn(view: DataView, at: number): void {
    if (this.#session === undefined) return;
    // Zeros while it is not known.
    if (!HandedPacket.isFrom(view, at, this.#end.peerMac)) this.#aim(HandedPacket.mac(view, at));
  }

  /** How much later than the programs this half calls it over. */
  #grace(): number {
    return this.#watch !== undefined && this.#map.isQuiet(this.#c.slot) ? GRACE_NS : 0;
  }

  #expire(nowNs: number): void {
    const by = nowNs - this.#grace();
    if (!this.#echoFailed(nowNs, by)) {
      if (by < this.#engine.expiresNs || !this.#engine.expire(nowNs)) return;
    }
    this.#fallen = this.#wasUp;
    this.#wasUp = false;
  }

  /** True if the session went down since its echo packets stay away. */
  #echoFailed(nowNs: number, by: number): boolean {
    const session = this.#session;
    if (session?.state !== STATE_UP || this.#echo?.expired(by) !== true) return false;
    return session.fail(DIAG_ECHO_FAILED, nowNs);
  }

  turn(nowMs: number, active: number): void {
    const engine = this.#engine;
    const now = this.#c.clock[0]!;
    engine.heard(this.#map.heardNs(this.#c.slot));
    this.#expire(now);
    const path = this.#path;
    if (this.#fallen && path !== -1) {
      this.#fallen = false;
      this.#judge(path, nowMs, SEEN_FALLEN);
    }
    if (path !== active) this.#move(active as Path, now);
    if (engine.state === STATE_UP) this.#wasUp = true;
    if (this.#sender.ready) {
      this.#transmit(now);
      if (this.#paces) this.#sender.pace(this.#session!);
    } else this.#sender.unpace();
    this.#settle();
    this.#sendEcho(now);
    this.#wantTurn();
    const up = engine.state === STATE_UP ? SEEN_UP : 0;
    this.#judge(0, nowMs, active === 0 ? SEEN_ACTIVE | up : 0);
    this.#judge(1, nowMs, active === 1 ? SEEN_ACTIVE | up : 0);
  }

  #wantTurn(): void {
    const { due } = this.#c;
    const engine = this.#engine;
    const echo = this.#echo?.timer;
    const ends = Math.min(engine.expiresNs, echo?.expiresNs ?? NEVER) + this.#grace();
    if (ends < due[0]!) due[0] = ends;
    // Without a socket there is nothing to be in time for; with the paced sender it is.
    if (!this.#sender.ready) return;
    const next = Math.min(this.#paces ? NEVER : engine.dueNs, echo?.dueNs ?? NEVER);
    if (next < due[0]!) due[0] = next;
  }

  /** Traffic has another path. The peer's next packet may still come by the old one: it gets a whole detection time. */
  #move(path: Path, nowNs: number): void {
    this.#sender.move(path);
    this.#path = path;
    this.#wasUp = false;
    this.#engine.heard(nowNs);
    this.#map.move(this.#c.slot, path);
    this.#echo?.move(nowNs);
  }

  /** What is due at once: a change, an answer, and where nobody paces it the next packet. */
  #transmit(nowNs: number): void {
    const engine = this.#engine;
    const { slot } = this.#c;
    while (engine.dueNs === 0 || (!this.#paces && engine.dueNs <= nowNs)) {
      this.#sender.write(engine, nowNs);
      // Before it is sent: the answer may be here before we are.
      const last = this.#session === undefined && engine.expiresNs !== NEVER && this.#map.dueNs(slot) === 0;
      if (last) this.#map.setDue(slot, engine.expiresNs);
      this.#sender.send(nowNs);
      if (last) this.#watch?.testRun(ANY_FRAME);
    }
  }

  #sendEcho(nowNs: number): void {
    const session = this.#session;
    if (this.#echo === undefined || session === undefined || !this.#sender.aimed || this.#path < 0) return;
    const offered =
      session.state === STATE_UP && session.remoteState === STATE_UP ? session.remoteMinEchoRxUs : 0;
    this.#echo.timer.offer(offered, nowNs);
    const { fd } = this.#sender;
    if (this.#echo.timer.dueNs > nowNs || fd < 0) return;
    if (this.#echo.transmit(fd, nowNs)) this.#watch?.testRun(ANY_FRAME);
  }

  /** Once both ends are up and have nothing to tell, the programs take over. */
  #settle(): void {
    const { slot, bases, verdicts } = this.#c;
    const engine = this.#engine;
    const path = this.#path;
    if (path === -1) return;
    const flips = this.#watched[path] && verdicts.decides(path, bases[path]);
    if (this.#map.isQuiet(slot)) {
      this.#map.setFlips(slot, flips);
      return;
    }
    if (engine.state !== STATE_UP && this.#map.dueNs(slot) !== 0) this.#map.setDue(slot, 0);
    if (engine.state !== STATE_UP || engine.remoteState !== STATE_UP || this.#session?.polling === true)
      return;
    const { expect, expectLength } = this.#handed;
    if (expectLength === 0) return;
    this.#map.quiet(slot, {
      packet: expect,
      length: expectLength,
      path,
      detectNs: engine.detectNs,
      heardNs: engine.lastHeardNs,
      flips,
    });
    this.#watch?.testRun(ANY_FRAME);
  }

  #judge(path: Path, nowMs: number, seen: number): void {
    if (!this.#watched[path]) return;
    const { records, slot, bases } = this.#c;
    const engine = this.#engine;
    const base = bases[path];
    judge(records, base, nowMs, seen, this.#patience);
    note(records, base, engine);
    records[base + B_REFUSED] = (this.#refused + this.#map.refused(slot)) | 0;
    records[base + B_REASON] = this.#reason;
    const echo = this.#echo?.timer;
    records[base + B_ECHO_US] = echo === undefined ? 0 : echo.proven ? echo.intervalUs : -echo.intervalUs;
  }

  evidence(path: number, atNs: number): Finding | null {
    if (path !== this.#path) return null;
    return findingOf(this.#engine, this.#session === undefined, this.#map, this.#c.slot, atNs);
  }

  /** Says goodbye: the peer need not take our end for a fault. */
  close(): void {
    const engine = this.#engine;
    const now = this.#c.clock[0]!;
    this.#map.busy(this.#c.slot);
    // First: what it repeats would take the goodbye back.
    this.#sender.unpace();
    if (engine.state !== STATE_ADMIN_DOWN && engine.diag !== DIAG_ADMIN_DOWN) {
      engine.setAdminDown(true, now);
      if (this.#sender.ready) this.#transmit(now);
    }
    this.#watch?.close();
  }
}

export const create = (context: Context, config: BfdConfig): Detector<Uint8Array | null> =>
  new BfdDetector(context, config);
