import { setTimeout as sleep } from 'node:timers/promises';
import { TRAFFIC } from '../../workers/traffic.js';
import { Recorder } from './recorder.js';
import type { World } from './world.js';

/** What became of a numbered stream in one direction. */
export interface DirectionResult {
  lost: number;
  duplicated: number;
  reordered: number;
  /** From the fault to the first frame delivered on the path that works after it, ns; null: none came. */
  outageNs: number | null;
}

export interface StreamResult {
  /** Frames each way. */
  sent: number;
  /** Sends that the kernel refused. */
  refused: number;
  out: DirectionResult;
  in: DirectionResult;
}

let streams = 0;

/** A numbered stream both ways through the guest's master, received by BPF programs at both ends. */
export class Stream {
  readonly #world: World;
  readonly #atHost: Recorder;
  readonly #atGuest: Recorder;

  /** To be made after the instance is attached: its recorder goes behind the programs on the master. */
  constructor(world: World, capacity: number) {
    this.#world = world;
    this.#atHost = new Recorder({ netns: world.host, ifindex: world.bridge, capacity });
    this.#atGuest = new Recorder({ netns: world.guest, ifindex: world.virtio.guestIfindex, capacity });
  }

  /** Starts sending `pps` frames each way; resolves when the first have arrived at both ends. */
  async start(pps: number, directions: 1 | 2 | 3 = 3): Promise<void> {
    const { control } = this.#world;
    const id = ++streams;
    this.#atHost.begin(id);
    this.#atGuest.begin(id);
    control[TRAFFIC.interval_ns] = Math.round(1e9 / pps);
    control[TRAFFIC.limit] = this.#atHost.capacity;
    control[TRAFFIC.directions] = directions;
    Atomics.store(control, TRAFFIC.stream, id);
    this.#world.wakeTraffic();
    const until = performance.now() + 5000;
    while ((directions & 1 && this.#atHost.received < 10) || (directions & 2 && this.#atGuest.received < 10)) {
      if (performance.now() > until)
        throw new Error(`the stream does not flow: ${this.#atHost.received} frames reached the host, ${this.#atGuest.received} the guest`);
      await sleep(2);
    }
  }

  /** Frames sent each way so far. */
  get sent(): number {
    return this.#world.control[TRAFFIC.sent]!;
  }

  /** Stops, waits for what is under way, and judges. `faultNs`: when the fault was made (CLOCK_MONOTONIC). */
  async stop(faultNs: number | null): Promise<StreamResult> {
    const { control } = this.#world;
    const directions = control[TRAFFIC.directions]!;
    Atomics.store(control, TRAFFIC.stream, 0);
    while (Atomics.load(control, TRAFFIC.running) !== 0) await sleep(1);
    const sent = control[TRAFFIC.sent]!;
    await sleep(20);
    return {
      sent,
      refused: control[TRAFFIC.refused]!,
      out: judge(this.#atHost, directions & 1 ? sent : 0, faultNs),
      in: judge(this.#atGuest, directions & 2 ? sent : 0, faultNs),
    };
  }

  close(): void {
    this.#atHost.close();
    this.#atGuest.close();
  }
}

function judge(recorder: Recorder, sent: number, faultNs: number | null): DirectionResult {
  const { received, duplicated, reordered, times } = recorder.read(sent);
  return { lost: sent - received, duplicated, reordered, outageNs: faultNs === null ? null : outage(times, faultNs) };
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
  for (let i = Math.max(first, last + 1); i < times.length; i++) if (times[i] !== 0) return times[i]! - faultNs;
  return null;
}
