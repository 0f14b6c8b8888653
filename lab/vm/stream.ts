import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from 'bpf-loader-ts/sys';
import { isGroup, PLAIN, type StreamKind, streamEnds } from '../netns/stream-kinds.js';
import { STREAM_PORT, WIRE } from './far-end.js';
import type { Guest } from './guest.js';
import { GUEST_MAC, STATION_MAC, type Wire } from './wire.js';

/** Frames in a row that did not arrive. */
export interface Gap {
  /** Number of the first one lost. */
  from: number;
  frames: number;
  /** When, by this host's clock, the last frame before was sent or arrived, ns of CLOCK_MONOTONIC; 0: there was none. */
  afterNs: number;
  /** Between the sending of the last frame before and the first one after that arrived, ms. Infinity: none arrived any more. */
  ms: number;
}

/** The frames change from one path to another. */
export interface Move {
  /** Number of the first frame on the new path. */
  at: number;
  from: string;
  to: string;
  /** When it was sent or arrived, by this host's clock, ns. */
  ns: number;
}

/** What became of one direction of a stream. */
export interface DirectionReport {
  sent: number;
  lost: number;
  duplicated: number;
  /** Frames that came after one with a higher number. */
  reordered: number;
  gaps: Gap[];
  /** The longest gap, ms; 0 if none was lost. */
  outageMs: number;
  moves: Move[];
  /** Frames whose sender's kernel refused them: also lost. */
  refused: number;
  /** The receiver's own frames that came back to it. */
  returned: number;
}

export interface StreamReport {
  /** Guest to network. */
  out: DirectionReport;
  /** Network to guest. */
  in: DirectionReport;
  /** A time of the guest's CLOCK_MONOTONIC by this host's, ns, near enough to order events: by the frame that arrived nearest to it. */
  hostNs(guestNs: number): number;
}

export interface StreamOptions {
  /** Frames per second each way. Default 1,000. */
  pps?: number;
  /** `in`: the guest only receives; `out`: it only sends. */
  directions?: 'both' | 'in' | 'out';
  /** What is not plain IPv4 needs its scene (lab/vm/questions/questions.ts): addresses, the VLAN, the macvlan. */
  kind?: StreamKind;
}

/** Frames that are under way when a stream ends have so long to arrive, ms. */
const TAIL_MS = 300;
const START_MS = 10_000;
const FILE = '/run/stream';
/** As /proc/net/udp has it. */
const hexPort = STREAM_PORT.toString(16).toUpperCase();
let streams = Math.floor(Math.random() * 0x7fff) << 8;

/** Numbered frames between the guest and the station of its wire, both ways at an intended rate. */
export class Stream {
  readonly #wire: Wire;

  private constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Starts and waits until frames arrive. */
  static async start(guest: Guest, wire: Wire, options: StreamOptions = {}): Promise<Stream> {
    const { pps = 1000, directions = 'both', kind = 'ipv4' } = options;
    const id = ++streams;
    // The station listens before the guest sends, and sends when the guest listens.
    wire.control[WIRE.interval_ns] = 0;
    await wire.begin(id, kind);
    const sends = directions === 'in' ? 0 : pps;
    await guest.run(`rm -f ${FILE}`);
    const { enter, device, to } = await placeOf(guest, kind);
    const sender = await guest.spawn(
      `echo $$ >${FILE}.pid; exec ${enter} stream ${to} ${STREAM_PORT} ${id} ${sends} ${FILE} ${device}`,
    );
    await guest.run(
      `for i in $(seq 100); do ${enter} cat /proc/net/udp /proc/net/udp6 | grep -q ':${hexPort} ' && exit; sleep 0.05; done; exit 1`,
    );
    wire.control[WIRE.interval_ns] = directions === 'out' ? 0 : Math.round(1e9 / pps);
    wire.wake();
    const stream = new Stream(wire);
    const until = performance.now() + START_MS;
    while (sends > 0 && wire.control[WIRE.received]! < 5) {
      if (performance.now() > until) {
        await sender.kill('KILL');
        throw guest.failure('no frame of the stream reaches the network');
      }
      await sleep(5);
    }
    return stream;
  }

  /** Frames so far: sent to the guest, and arrived from it. */
  get progress(): { sent: number; received: number } {
    return { sent: this.#wire.control[WIRE.sent]!, received: this.#wire.control[WIRE.received]! };
  }

  /** Number of the next frame to the guest. */
  get next(): number {
    return this.#wire.control[WIRE.sent]!;
  }

  /** CLOCK_MONOTONIC of this host, which the report's times are of. */
  static now(): number {
    return monotonicNs();
  }

  /** Ends it and judges. `guest`: where it runs now, after a migration. */
  async stop(guest: Guest): Promise<StreamReport> {
    const { control } = this.#wire;
    control[WIRE.interval_ns] = 0;
    const sent = Atomics.load(control, WIRE.sent);
    this.#wire.wake();
    await sleep(TAIL_MS);
    await guest.run(
      `kill $(cat ${FILE}.pid); for i in $(seq 200); do [ -e ${FILE} ] && exit; sleep 0.05; done; exit 1`,
    );
    const told = parse(await guest.readFile(FILE));
    await sleep(TAIL_MS);
    const cameAt = this.#wire.cameAt.slice(0, told.sentAt.length);
    const sentAt = this.#wire.sentAt.slice(0, sent);
    const result: StreamReport = {
      out: {
        ...this.#judge(told.sentAt, cameAt, cameAt, this.#wire.cameBy),
        duplicated: control[WIRE.duplicated]!,
        reordered: control[WIRE.reordered]!,
        refused: told.refused,
        returned: 0,
      },
      in: {
        ...this.#judge(sentAt, told.cameAt, sentAt, this.#wire.sentBy),
        duplicated: told.duplicated,
        reordered: told.reordered,
        refused: 0,
        returned: told.returned,
      },
      hostNs: (guestNs) => translate(guestNs, told.cameAt, sentAt),
    };
    await this.#wire.begin(0);
    return result;
  }

  #judge(
    sentAt: Float64Array,
    cameAt: Float64Array,
    hostAt: Float64Array,
    paths: Uint8Array,
  ): Pick<DirectionReport, 'sent' | 'lost' | 'gaps' | 'outageMs' | 'moves'> {
    const gaps = gapsOf(sentAt, cameAt, hostAt);
    const names = (bits: number): string => this.#wire.portsOf(bits).join('+');
    const moves: Move[] = [];
    let path = 0;
    for (let i = 0; i < sentAt.length; i++) {
      const bits = paths[i]!;
      if (bits === 0 || bits === path) continue;
      if (path !== 0) moves.push({ at: i, from: names(path), to: names(bits), ns: hostAt[i]! });
      path = bits;
    }
    return {
      sent: sentAt.length,
      lost: gaps.reduce((n, g) => n + g.frames, 0),
      gaps,
      outageMs: gaps.reduce((worst, g) => Math.max(worst, g.ms), 0),
      moves,
    };
  }
}

/** Runs of frames that never came. `hostAt`: those of the two times that are of this host's clock. */
export function gapsOf(
  sentAt: Float64Array,
  cameAt: ArrayLike<number>,
  hostAt: ArrayLike<number> = sentAt,
): Gap[] {
  const gaps: Gap[] = [];
  for (let i = 0; i < sentAt.length; i++) {
    if (cameAt[i]) continue;
    const from = i;
    while (i < sentAt.length && !cameAt[i]) i++;
    const before = sentAt[Math.max(0, from - 1)]!;
    const ms = i < sentAt.length ? (sentAt[i]! - before) / 1e6 : Number.POSITIVE_INFINITY;
    gaps.push({ from, frames: i - from, afterNs: hostAt[from - 1] ?? 0, ms });
  }
  return gaps;
}

/** A time of one clock by another that stamped the same frames. */
export function translate(ns: number, theirs: Float64Array, ours: Float64Array): number {
  let best = 0;
  for (let i = 0; i < theirs.length; i++)
    if (theirs[i] !== 0 && Math.abs(theirs[i]! - ns) < Math.abs(theirs[best]! - ns)) best = i;
  return ours[best]! + ns - theirs[best]!;
}

/** Words before the times in the file of lab/vm/guest/stream.c, in bytes. */
const HEAD_BYTES = 32;

/** Where in the guest a kind of stream ends, and whom it sends to; the network's station is known there. */
async function placeOf(
  guest: Guest,
  kind: StreamKind,
): Promise<{ enter: string; device: string; to: string }> {
  const { toIp: to } = streamEnds(kind, GUEST_MAC, STATION_MAC).out;
  if (kind === 'ipv4') return { enter: '', device: '', to };
  const enter = kind.startsWith('foreign') ? 'ip netns exec mv' : '';
  // The master is where the guest's address is.
  const master = `$(ip -o addr show to ${PLAIN.ip} | cut -d' ' -f2)`;
  const known = kind.startsWith('foreign') ? 'mv0' : kind.startsWith('vlan') ? 'v77' : master;
  const device = (await guest.run(`echo ${known}`)).trim();
  if (!isGroup(kind)) await guest.run(`${enter} ip neigh replace ${to} lladdr ${STATION_MAC} dev ${device}`);
  return { enter, device, to };
}

/** The file of lab/vm/guest/stream.c. */
function parse(file: Buffer): {
  duplicated: number;
  reordered: number;
  refused: number;
  returned: number;
  sentAt: Float64Array;
  cameAt: Float64Array;
} {
  const word = (i: number): number => file.readUInt32LE(4 * i);
  const times = (at: number, n: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => Number(file.readBigUInt64LE(at + 8 * i)));
  const sent = word(0);
  return {
    duplicated: word(2),
    reordered: word(3),
    refused: word(4),
    returned: word(6),
    sentAt: times(HEAD_BYTES, sent),
    cameAt: times(HEAD_BYTES + 8 * sent, word(5)),
  };
}
