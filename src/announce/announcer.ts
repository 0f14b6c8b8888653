import { readFileSync } from 'node:fs';
import { errnoName, PacketSocket, withNetns } from 'bpf-loader-ts/sys';
import { VfError } from '../errors.js';
import type { Device } from '../failover/device.js';
import { parseMac } from '../netlink/codec.js';
import { AddressReader } from './address-reader.js';
import { type Announcement, planAnnouncements } from './plan.js';

/** So many rounds, with so many milliseconds between two. */
export interface Repeat {
  count: number;
  delayMs: number;
}

export interface AnnouncerOptions {
  /** fd of the master's namespace; stays the caller's and must outlive the announcer. */
  netns: number;
  masterIfindex: number;
  /** The master's MAC. */
  mac: string;
  /** Rounds per announce(); 0 announces no address. */
  count: number;
  /** Milliseconds between two rounds. */
  delayMs: number;
  /** Likewise for reports of the multicast groups of the same devices; none by default. */
  rejoin?: Repeat;
  /** The router flag of neighbour advertisements; by default what the device is: its IPv6 forwarding setting. */
  router?: boolean;
  /** The namespace's devices, where somebody watches them already (`LinkMonitor.links`); asked of the kernel otherwise. */
  devices?: () => Iterable<Device>;
  /** Of the namespace, where several announcers share one; stays the caller's. */
  reader?: AddressReader;
}

export interface AnnouncerStats {
  /** Calls of announce(). */
  announcements: number;
  /** Of addresses, and of reports. */
  rounds: number;
  rejoins: number;
  /** Frames that the kernel took. */
  frames: number;
  /** What went wrong, by errno name or VfError code: ENETDOWN, ENOBUFS, ENODEV (the master is gone) … */
  errors: Record<string, number>;
}

/** What is sent, each at its own pace, and what counts the rounds. */
const KINDS = ['frames', 'reports'] as const;
type Kind = (typeof KINDS)[number];
const STAT = { frames: 'rounds', reports: 'rejoins' } as const;

/**
 * Announces a master's addresses after a switch: gratuitous ARP for IPv4, unsolicited neighbour advertisements for IPv6, RARP for a
 * device without addresses, IGMP and MLD reports for its groups, each also for the VLAN devices on the master in its namespace.
 *
 * Frames are sent on the master and pass its steering program as any others do, so they leave through the slave that is active at
 * that moment, not through the one that was active when the call was made.
 */
export class Announcer implements Disposable {
  readonly stats: AnnouncerStats = { announcements: 0, rounds: 0, rejoins: 0, frames: 0, errors: {} };
  readonly #options: AnnouncerOptions;
  readonly #mac: Uint8Array;
  /** Kept open: closing a packet socket waits for an RCU grace period, about 10 ms that a switch must not pay. */
  readonly #sockets = new Map<number, PacketSocket>();
  readonly #reader: AddressReader;
  readonly #repeat: Readonly<Record<Kind, Repeat>>;
  readonly #timers: Partial<Record<Kind, NodeJS.Timeout>> = {};
  #closed = false;
  /** Fingerprint of what `prepare` gave last. */
  #prepared = '';

  /** Opens nothing yet. Throws VfError for a MAC that is none. */
  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#repeat = { frames: options, reports: options.rejoin ?? { count: 0, delayMs: 0 } };
    this.#mac = parseMac(options.mac, 'mac');
    this.#reader = options.reader ?? new AddressReader(options.netns);
  }

  /**
   * What a round would send now, and by which sockets, for a thread that can send it sooner than this one. Undefined: the same as at the
   * last call, or the addresses cannot be read.
   */
  prepare(): { fd: number; frame: Uint8Array }[] | undefined {
    if (this.#closed || !this.#anything()) return undefined;
    try {
      const plan = this.#plan();
      const known = fingerprint(plan);
      if (known === this.#prepared) return undefined;
      this.#prepared = known;
      return plan.flatMap(({ ifindex, frames, reports }) => {
        const { fd } = this.#socket(ifindex);
        return [...frames, ...reports].map((frame) => ({ fd, frame }));
      });
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /**
   * `sent`: somebody has sent the first round as it was prepared, which stands if it still is what is to be said.
   * Sends the first rounds before it returns and the others `delayMs` apart, addresses and reports each at their own pace; what is left of an earlier
   * call's rounds is dropped. Reads the addresses once, which blocks: about 20 µs with few devices and `devices` given, 150 µs without; with
   * 500 devices 1 and 14 ms, which a shared `reader` pays once for all that switch together. Never throws: what goes wrong is counted in
   * `stats`. After close() it does nothing. The timer does not keep the process alive.
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

  /** Ends the rounds and closes the sockets. Again is harmless. */
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

  #anything(): boolean {
    return KINDS.some((kind) => this.#repeat[kind].count > 0);
  }

  #stop(): void {
    for (const kind of KINDS) clearTimeout(this.#timers[kind]);
  }

  /** Without what is never to be sent. */
  #plan(): Announcement[] {
    const { devices, reader: shared } = this.#options;
    const reader = this.#reader;
    if (shared === undefined) reader.forget();
    const plan = planAnnouncements(
      this.#options.masterIfindex,
      this.#mac,
      devices === undefined ? reader.devices() : [...devices()],
      reader.addresses(),
      (device) => this.#options.router ?? this.#forwards(device),
      this.#repeat.reports.count > 0 ? reader.groups() : undefined,
    );
    if (this.#repeat.frames.count < 1) for (const a of plan) a.frames = [];
    for (const [ifindex, socket] of this.#sockets) {
      if (plan.some((a) => a.ifindex === ifindex)) continue;
      socket.close();
      this.#sockets.delete(ifindex);
    }
    return plan;
  }

  #round(plan: readonly Announcement[], kind: Kind, left: number): void {
    this.stats[STAT[kind]]++;
    for (const announcement of plan) this.#send(announcement.ifindex, announcement[kind]);
    this.#again(plan, kind, left);
  }

  /** The rounds after one that was sent. */
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

  #send(ifindex: number, frames: readonly Uint8Array[]): void {
    try {
      const socket = this.#socket(ifindex);
      for (const frame of frames) {
        const rc = socket.send(frame);
        if (rc >= 0) this.stats.frames++;
        else this.#count(errnoName(rc));
      }
    } catch (error) {
      this.#count(codeOf(error));
    }
  }

  /** The kernel's own advertisements take the router flag from here (ndisc_send_na). /proc/sys/net shows the reader's namespace. */
  #forwards({ name }: Device): boolean {
    const read = (): boolean =>
      readFileSync(`/proc/sys/net/ipv6/conf/${name}/forwarding`, 'latin1').trim() !== '0';
    try {
      return withNetns(this.#options.netns, read);
    } catch (error) {
      // renamed or removed since it was listed
      this.#count(codeOf(error));
      return false;
    }
  }

  #count(code: string): void {
    this.stats.errors[code] = (this.stats.errors[code] ?? 0) + 1;
  }
}

/** Says whether two plans would send the same. */
const fingerprint = (plan: readonly Announcement[]): string =>
  plan
    .map(({ ifindex, frames, reports }) => {
      const text = [...frames, ...reports].map((f) => Buffer.from(f).toString('base64'));
      return `${ifindex}:${text.join()}`;
    })
    .join(';');

/** ENODEV and the like; of a VfError the errno that the kernel answered, where there is one. */
function codeOf(error: unknown): string {
  if (error instanceof VfError) return typeof error.value === 'string' ? error.value : error.code;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : 'INTERNAL';
}
