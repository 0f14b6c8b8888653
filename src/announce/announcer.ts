import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errnoName, PacketSocket, withNetns } from 'bpf-loader-ts/sys';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { MOVE_FRESH } from '../frames/arp.js';
import { AddressReader } from './address-reader.js';
import { type Announcement, type Plan, planAnnouncements } from './plan.js';

/** Number of rounds, and the milliseconds between two of them. */
export interface Repeat {
  count: number;
  delayMs: number;
}

export interface AnnouncerOptions {
  /** fd of the master's namespace. It stays the caller's and must outlive the announcer. */
  netns: number;
  masterIfindex: number;
  /** Rounds per announce(). With 0 no address is announced. */
  count: number;
  /** Milliseconds between two rounds. */
  delayMs: number;
  /** Rounds for reports of the same devices' multicast groups. None by default. */
  rejoin?: Repeat;
  /** Router flag of neighbour advertisements. Default: the device's IPv6 forwarding setting. */
  router?: boolean;
  /** Devices of the namespace, where somebody watches them already (`LinkMonitor.links`). By default the kernel is asked. */
  devices?: () => Iterable<Device>;
  /** Reader of the namespace, which several announcers may share. It stays the caller's. */
  reader?: AddressReader;
  /** Resolves when the user of `prepare` uses no earlier list. Sockets that no list names are then closed. Default: at once. */
  settled?: () => Promise<void>;
}

/** A frame of a prepared announcement, and the socket that sends it. */
export interface PreparedFrame {
  fd: number;
  frame: Uint8Array;
  /** The part that gets random bytes whenever the frame is sent. */
  fresh?: { at: number; bytes: number };
}

export interface AnnouncerStats {
  /** Calls of announce(). */
  announcements: number;
  /** Rounds of addresses, and of reports. */
  rounds: number;
  rejoins: number;
  /** Frames of addresses, MACs and groups that the kernel took. */
  frames: number;
  /** Frames to nobody that the kernel took. By them switches move a MAC. */
  moves: number;
  /** MACs of stations for which the latest plan had no room. */
  left: number;
  /** Number of failures by errno name or VfError code: ENETDOWN, ENOBUFS, ENODEV (the master is gone) … */
  errors: Record<string, number>;
}

/** Kinds of frames, each sent at its own pace. */
const KINDS = ['frames', 'reports'] as const;
type Kind = (typeof KINDS)[number];
const STAT = { frames: 'rounds', reports: 'rejoins' } as const;

/**
 * Announces a master's addresses after a switch. It sends gratuitous ARP for IPv4, unsolicited neighbour advertisements for IPv6, RARP for a
 * device without addresses, and IGMP and MLD reports for its groups. It does so for devices on the master in its namespace too
 * (`speakersOf`). It sends RARP for MACs of others that are reached by the master (`stations`). Addresses and MACs are read at the call.
 *
 * Frames are sent on the master and pass its steering program like any others. So they leave by the slave that is active at that moment, not
 * by the one that was active at the call.
 */
export class Announcer implements Disposable {
  readonly stats: AnnouncerStats = {
    announcements: 0,
    rounds: 0,
    rejoins: 0,
    frames: 0,
    moves: 0,
    left: 0,
    errors: {},
  };
  readonly #options: AnnouncerOptions;
  /** Kept open, since closing a packet socket waits for an RCU grace period, about 10 ms that a switch must not pay. */
  readonly #sockets = new Map<number, PacketSocket>();
  readonly #reader: AddressReader;
  readonly #repeat: Readonly<Record<Kind, Repeat>>;
  readonly #timers: Partial<Record<Kind, NodeJS.Timeout>> = {};
  #closed = false;
  /** Fingerprint of the last list from `prepare`. */
  #prepared = '';
  #bridged = false;

  /** Opens no socket yet. */
  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#repeat = { frames: options, reports: options.rejoin ?? { count: 0, delayMs: 0 } };
    this.#reader = options.reader ?? new AddressReader(options.netns);
  }

  /**
   * Returns the frames of a round now, and their sockets, for a thread that can send them sooner. Returns undefined if they are the same as at the
   * last call, or if the addresses cannot be read.
   */
  prepare(): PreparedFrame[] | undefined {
    if (this.#closed || !this.#anything()) return undefined;
    try {
      const plan = this.#plan();
      const known = fingerprint(plan);
      if (known === this.#prepared) return undefined;
      const sends = plan.flatMap(({ ifindex, moves, frames, reports }) => {
        const { fd } = this.#socket(ifindex);
        return [
          ...moves.map((frame) => ({ fd, frame, fresh: MOVE_FRESH })),
          ...[...frames, ...reports].map((frame) => ({ fd, frame })),
        ];
      });
      this.#prepared = known;
      return sends;
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /**
   * Sends the first rounds before it returns, and the others `delayMs` apart. Addresses and reports each have their own pace. Rounds left of an
   * earlier call are dropped. With `sent` somebody has sent the first round as prepared, which stands if the plan is still the same.
   *
   * It reads the addresses once, which blocks. That takes about 20 µs with few devices and `devices` given, and 150 µs without. With 500 devices
   * it takes 1 and 14 ms, which a shared `reader` pays once for all that switch together. It never throws, and counts failures in `stats`.
   * After close() it does nothing. The timer does not keep the process alive.
   */
  announce(sent = false): void {
    this.#stop();
    if (this.#closed || !this.#anything()) return;
    this.stats.announcements++;
    try {
      const plan = this.#plan();
      if (plan.length === 0) this.#count('ENODEV');
      else {
        const done = sent && fingerprint(plan) === this.#prepared;
        for (const kind of KINDS) {
          const { count } = this.#repeat[kind];
          if (count < 1) continue;
          if (done) this.#again(plan, kind, count);
          else this.#round(plan, kind, count);
        }
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#count(codeOf(error));
    this.#reader.close();
  }

  /** Ends the rounds and closes the sockets. May be called twice. */
  close(): void {
    this.#closed = true;
    this.#stop();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    if (this.#options.reader === undefined) this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** True if the latest plan met a bridge. The announcement then changes with every station that the bridge learns. */
  get bridged(): boolean {
    return this.#bridged;
  }

  #anything(): boolean {
    return KINDS.some((kind) => this.#repeat[kind].count > 0);
  }

  #stop(): void {
    for (const kind of KINDS) clearTimeout(this.#timers[kind]);
  }

  /** Returns the plan without the kinds that are never sent. */
  #plan(): Announcement[] {
    const { devices, reader: shared } = this.#options;
    const reader = this.#reader;
    if (shared === undefined) reader.forget();
    const { announcements, left, bridged }: Plan = planAnnouncements(this.#options.masterIfindex, {
      devices: devices === undefined ? reader.devices() : [...devices()],
      addresses: reader.addresses(),
      forwarding: reader.forwarding(),
      isRouter: (device) => this.#options.router ?? this.#forwards(device),
      groups: this.#repeat.reports.count > 0 ? reader.groups() : undefined,
    });
    this.stats.left = left;
    this.#bridged = bridged;
    if (this.#repeat.frames.count < 1)
      for (const a of announcements) Object.assign(a, { frames: [], moves: [] });
    this.#retire(new Set(announcements.map((a) => a.ifindex)));
    return announcements;
  }

  /** Closes the sockets of other devices, once nobody sends by them any more. */
  #retire(used: ReadonlySet<number>): void {
    const old = [...this.#sockets].filter(([ifindex]) => !used.has(ifindex));
    if (old.length === 0) return;
    for (const [ifindex] of old) this.#sockets.delete(ifindex);
    const close = (): void => {
      for (const [, socket] of old) socket.close();
    };
    const { settled } = this.#options;
    // A list that names them may be on its way. The list that replaces it is posted before the next turn of the event loop.
    if (settled === undefined) close();
    else setImmediate(() => settled().then(close, close));
  }

  #round(plan: readonly Announcement[], kind: Kind, left: number): void {
    this.stats[STAT[kind]]++;
    for (const announcement of plan) {
      if (kind === 'frames') this.#move(announcement);
      this.stats.frames += this.#send(announcement.ifindex, announcement[kind]);
    }
    this.#again(plan, kind, left);
  }

  /** Schedules the rounds after one that was sent. */
  #again(plan: readonly Announcement[], kind: Kind, left: number): void {
    if (left <= 1) return;
    const { delayMs } = this.#repeat[kind];
    this.#timers[kind] = setTimeout(() => this.#round(plan, kind, left - 1), delayMs).unref();
  }

  #socket(ifindex: number): PacketSocket {
    let socket = this.#sockets.get(ifindex);
    if (socket === undefined) {
      socket = new PacketSocket({ netns: this.#options.netns, ifindex, protocol: 0 });
      this.#sockets.set(ifindex, socket);
    }
    return socket;
  }

  #move({ ifindex, moves }: Announcement): void {
    for (const frame of moves) randomFillSync(frame, MOVE_FRESH.at, MOVE_FRESH.bytes);
    this.stats.moves += this.#send(ifindex, moves);
  }

  /** Returns the number of frames that the kernel took. */
  #send(ifindex: number, frames: readonly Uint8Array[]): number {
    let taken = 0;
    try {
      const socket = this.#socket(ifindex);
      for (const frame of frames) {
        const rc = socket.send(frame);
        if (rc >= 0) taken++;
        else this.#count(errnoName(rc));
      }
    } catch (error) {
      this.#count(codeOf(error));
    }
    return taken;
  }

  /**
   * True if the device forwards IPv6. The kernel's own advertisements take the router flag from this setting (ndisc_send_na). /proc/sys/net
   * shows the reader's namespace.
   */
  #forwards({ name }: Device): boolean {
    const read = (): boolean =>
      readFileSync(`/proc/sys/net/ipv6/conf/${name}/forwarding`, 'latin1').trim() !== '0';
    try {
      return withNetns(this.#options.netns, read);
    } catch (error) {
      // The device was renamed or removed since it was listed.
      this.#count(codeOf(error));
      return false;
    }
  }

  #count(code: string): void {
    this.stats.errors[code] = (this.stats.errors[code] ?? 0) + 1;
  }
}

/** Returns the same text for two plans that would send the same. Taken before a round renews the destinations of `moves`. */
const fingerprint = (plan: readonly Announcement[]): string =>
  plan
    .map(({ ifindex, moves, frames, reports }) => {
      const text = [...moves, ...frames, ...reports].map((f) => Buffer.from(f).toString('base64'));
      return `${ifindex}:${text.join()}`;
    })
    .join(';');

/** Returns ENODEV and the like: for a VfError the errno that the kernel answered, if there is one. */
function codeOf(error: unknown): string {
  if (error instanceof VfError) return typeof error.value === 'string' ? error.value : error.code;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : 'INTERNAL';
}
