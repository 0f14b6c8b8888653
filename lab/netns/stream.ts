import { setTimeout as sleep } from 'node:timers/promises';
import { TO_GUEST, TRAFFIC } from '../../workers/traffic.js';
import { type Arrivals, Recorder } from './recorder.js';
import { isGroup, type StreamKind, tagOf } from './stream-kinds.js';
import { STREAM_MAX, type World } from './world.js';

/** What became of a numbered stream in one direction. */
export interface DirectionResult {
  lost: number;
  duplicated: number;
  reordered: number;
  /** Frames that belong elsewhere: of another stream, or with another tag. */
  foreign: number;
  /** The receiver's own frames that came back to it. */
  returned: number;
  /** From the fault to the first frame delivered on the path that works after it, ns; null: none came. */
  outageNs: number | null;
}

export interface StreamResult {
  /** Frames each way. */
  sent: number;
  /** Sends that the kernel refused. */
  refused: number;
  /** When the fault began; null if there was none. */
  faultNs: number | null;
  out: DirectionResult;
  in: DirectionResult;
}

/** A stream that has ended, by sequence number: what benchmarks judge for themselves. */
export interface StreamRecord {
  /** Frames each way. */
  sent: number;
  /** Sends that the kernel refused. */
  refused: number;
  /** CLOCK_MONOTONIC ns. */
  sentAt: Float64Array;
  /** Empty in a direction in which nothing was sent. */
  out: Arrivals;
  in: Arrivals;
}

/** The sending thread may only be starting, which takes seconds on a loaded machine. */
const START_MS = 30_000;

let streams = 0;

/** A numbered stream both ways through the guest's master, received by BPF programs at both ends. */
export class Stream {
  readonly #world: World;
  readonly #atHost: Recorder;
  readonly #atGuest: Recorder;
  #requests = false;

  /** To be made after the instance is attached: its recorder goes behind the programs on the master. */
  constructor(world: World, capacity = STREAM_MAX) {
    this.#world = world;
    this.#atHost = new Recorder({ netns: world.host, ifindex: world.bridge, capacity });
    this.#atGuest = new Recorder({ netns: world.guest, ifindex: world.virtio.guestIfindex, capacity });
  }

  /** Starts sending `pps` frames each way; resolves when the first have arrived at both ends. */
  async start(pps: number, directions: 1 | 2 | 3 = 3, kind: StreamKind = 'ipv4'): Promise<void> {
    // A few from the guest first: until the bridge knows where the guest is it floods, and the guest gets two copies of a frame.
    await this.#begin(1000, 1, !isGroup(kind), kind);
    await this.#begin(pps, directions, false, kind);
  }

  /** Starts sending `pps` requests from the guest, which the host's BPF program answers; what comes back counts as the other direction. */
  async startRequests(pps: number, kind: StreamKind = 'ipv4'): Promise<void> {
    await this.#begin(1000, 1, true, kind);
    await this.#begin(pps, 3, true, kind);
  }

  async #begin(pps: number, directions: 1 | 2 | 3, requests: boolean, kind: StreamKind): Promise<void> {
    const { control } = this.#world;
    const id = ++streams;
    // Silence while both ends turn to the new stream: the last one's requests would find nobody who answers them.
    await this.#silence();
    this.#requests = requests;
    const vlan = tagOf(kind);
    this.#atHost.begin(id, { answer: requests, vlan });
    this.#atGuest.begin(requests ? id : id + TO_GUEST, { vlan });
    this.#world.sendAs(kind, id);
    control[TRAFFIC.interval_ns] = Math.round(1e9 / pps);
    control[TRAFFIC.limit] = this.#atHost.capacity;
    control[TRAFFIC.directions] = requests ? 1 : directions;
    Atomics.store(control, TRAFFIC.stream, id);
    this.#world.wakeTraffic();
    const until = performance.now() + START_MS;
    while ((directions & 1 && this.#atHost.received < 5) || (directions & 2 && this.#atGuest.received < 5)) {
      if (performance.now() > until)
        throw new Error(
          `the stream does not flow: ${this.#atHost.received} frames reached the host, ${this.#atGuest.received} the guest`,
        );
      await sleep(1);
    }
  }

  /** Frames sent each way so far. */
  get sent(): number {
    return this.#world.control[TRAFFIC.sent]!;
  }

  async #silence(): Promise<void> {
    const { control } = this.#world;
    Atomics.store(control, TRAFFIC.stream, 0);
    this.#world.wakeTraffic();
    while (Atomics.load(control, TRAFFIC.running) !== 0) await sleep(1);
  }

  /** Stops and waits for what is under way. */
  async collect(): Promise<StreamRecord> {
    const { control, sentAt } = this.#world;
    const directions = control[TRAFFIC.directions]!;
    await this.#silence();
    const sent = control[TRAFFIC.sent]!;
    await sleep(20);
    return {
      sent,
      refused: control[TRAFFIC.refused]!,
      sentAt: sentAt.slice(0, sent),
      out: this.#atHost.read(directions & 1 ? sent : 0),
      in: this.#atGuest.read(this.#requests || directions & 2 ? sent : 0),
    };
  }

  /**
   * Stops, waits for what is under way, and judges the fault. Without one only losses are counted.
   */
  async stop(fault?: Fault): Promise<StreamResult> {
    const { sent, refused, sentAt, out, in: inn } = await this.collect();
    const at = fault && faultTime(fault, sentAt, [out.times, inn.times]);
    return { sent, refused, faultNs: at ?? null, out: judge(out, at), in: judge(inn, at) };
  }

  close(): void {
    this.#atHost.close();
    this.#atGuest.close();
  }
}

/** A fault that was ordered at `orderedNs`. */
export interface Fault {
  orderedNs: number;
  /** When the failover saw it, if it did. */
  detectedNs: number | null;
  /** True if it takes effect at `orderedNs`. False if the kernel takes its time (a veth end set down, a device deleted). */
  immediate: boolean;
}

/**
 * When the fault began. One that the kernel carries out at leisure began with the first frame that the old path did not deliver: the
 * first one lost, or the one whose sending showed the fault to the failover, whichever was earlier.
 */
export function faultTime(fault: Fault, sentAt: Float64Array, arrivals: Float64Array[]): number {
  if (fault.immediate) return fault.orderedNs;
  let at = fault.detectedNs ?? Number.POSITIVE_INFINITY;
  for (const times of arrivals)
    for (let i = 0; i < times.length; i++)
      if (times[i] === 0 && sentAt[i]! >= fault.orderedNs) {
        at = Math.min(at, sentAt[i]!);
        break;
      }
  return Number.isFinite(at) ? Math.max(at, fault.orderedNs) : fault.orderedNs;
}

function judge(
  { received, duplicated, reordered, foreign, returned, times }: Arrivals,
  faultNs: number | undefined,
): DirectionResult {
  const lost = times.length - received;
  return {
    lost,
    duplicated,
    reordered,
    foreign,
    returned,
    outageNs: faultNs === undefined ? null : outage(times, faultNs),
  };
}

/**
 * The frame that ends the outage is the first to arrive after the last loss that follows the fault; if none was lost, the first to
 * arrive after the fault. 0 for an empty stream.
 */
export function outage(times: Float64Array, faultNs: number): number | null {
  if (times.length === 0) return 0;
  let first = 0;
  while (first < times.length && (times[first] === 0 || times[first]! < faultNs)) first++;
  // Frames sent before the fault and lost by it stand just before `first`; later ones after it.
  let last = -1;
  for (let i = times.length - 1; i >= first; i--)
    if (times[i] === 0) {
      last = i;
      break;
    }
  for (let i = Math.max(first, last + 1); i < times.length; i++)
    if (times[i] !== 0) return times[i]! - faultNs;
  return null;
}
