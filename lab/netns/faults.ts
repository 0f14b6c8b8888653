import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from 'bpf-loader-ts/sys';
import type { ApiClient, Decision, InstanceStatus } from '../../src/api/index.js';
import { VfError } from '../../src/errors.js';
import type { DaemonProcess } from './daemon-process.js';
import type { Fault, Stream, StreamResult } from './stream.js';
import type { StreamKind } from './stream-kinds.js';
import type { World } from './world.js';

export const FAULTS = [
  'planned',
  'carrier',
  'unplug',
  'flap',
  'black-hole',
  'one-way',
  'lossy',
  'kill-controller',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** One fault and what it cost: the row that `demo --json` writes. Times in microseconds, frames of both directions together. */
export interface FaultRow {
  /** Name of the fault, with a variant where it has several: `one-way tx`. */
  fault: string;
  devices: 'veth' | 'tap';
  sent: number;
  lost: number;
  /** Frames that arrived again, or came back to their sender. */
  duplicated: number;
  reordered: number;
  /** From the fault until it was noticed; for `planned` from the order. null: nobody switched. */
  detection_us: number | null;
  /** From then until the steering word was flipped. */
  switch_us: number | null;
  /** From the fault to the first frame delivered on the new path, the worse direction; for `planned` 0 if nothing was lost. */
  outage_us: number | null;
  tier: number | null;
  /** Of the first switch; null: there was none. */
  cause: string | null;
  /** All switches, with those back. */
  switches: number;
}

/** What a fault scenario works with. */
export interface Scene {
  world: World;
  stream: Stream;
  daemon: DaemonProcess;
  client: ApiClient;
  instance: string;
  pps: number;
  /** Of the stream; plain IPv4 by default. */
  kind?: StreamKind;
}

/** How long a scene waits for what must happen, ms. */
const PATIENCE_MS = 30_000;
/** Traffic before and after a fault, ms. */
export const SETTLE_MS = 150;

export async function statusOf({ client, instance }: Scene): Promise<InstanceStatus> {
  return (await client.request('status', { name: instance })).instances[0]!;
}

/** Waits until the instance is steered to `active` and both slaves are ready. */
export async function untilActive(scene: Scene, active: 'primary' | 'standby'): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const s = await statusOf(scene);
    if (s.active === active && (active === 'standby' || s.state === 'ok')) return;
    if (performance.now() > until)
      throw new VfError(
        'PATH_NOT_READY',
        `${scene.instance} is still on the ${s.active} (${s.state}), not on the ${active}`,
        {
          fix: s.primary.reason ?? s.would_switch,
        },
      );
    await sleep(5);
  }
}

/** A scenario with the switches that it made, by the count that the steering word keeps over the daemon's end. */
export function counting(play: (scene: Scene) => Promise<FaultRow>): (scene: Scene) => Promise<FaultRow> {
  return async (scene) => {
    const { epoch } = await statusOf(scene);
    const row = await play(scene);
    return { ...row, switches: (await statusOf(scene)).epoch - epoch };
  };
}

/** A scenario with another kind of stream, which its row names. */
export function streaming(
  kind: StreamKind,
  play: (scene: Scene) => Promise<FaultRow>,
): (scene: Scene) => Promise<FaultRow> {
  return async (scene) => {
    scene.kind = kind;
    try {
      return await play(scene);
    } finally {
      delete scene.kind;
    }
  };
}

export async function lastSeq({ client, instance }: Scene): Promise<number> {
  return (await client.request('events', { name: instance, limit: 1 })).at(-1)?.seq ?? 0;
}

/** The decisions after `seq`. */
export const decisionsAfter = ({ client, instance }: Scene, seq: number): Promise<Decision[]> =>
  client.request('events', { name: instance, since: seq });

/** The first decision after `seq` that leaves the primary. */
export async function failoverAfter(scene: Scene, seq: number): Promise<Decision> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = (await decisionsAfter(scene, seq)).find((d) => d.from === 'primary');
    if (found) return found;
    if (performance.now() > until)
      throw new VfError('WORKER_FAILED', `no failover was recorded within ${PATIENCE_MS} ms`);
    await sleep(5);
  }
}

function row(
  fault: string,
  scene: Scene,
  r: StreamResult,
  d: Decision | undefined,
  orderedNs: number,
): FaultRow {
  const worse = Math.max(
    r.out.outageNs ?? Number.POSITIVE_INFINITY,
    r.in.outageNs ?? Number.POSITIVE_INFINITY,
  );
  const lost = r.out.lost + r.in.lost;
  const us = (ns: number): number => Math.round(ns / 100) / 10;
  const outage = fault === 'planned' && lost === 0 ? 0 : worse;
  return {
    fault: scene.kind ? `${fault} ${scene.kind}` : fault,
    devices: scene.world.kind,
    sent: 2 * r.sent,
    lost,
    duplicated: r.out.duplicated + r.in.duplicated + r.out.returned + r.in.returned,
    reordered: r.out.reordered + r.in.reordered,
    detection_us: d ? us(Math.max(0, d.detected_ns - (r.faultNs ?? orderedNs))) : null,
    switch_us: d ? us(d.flipped_ns - d.detected_ns) : null,
    outage_us: d && Number.isFinite(outage) ? us(outage) : null,
    tier: d?.tier ?? null,
    cause: d?.cause ?? null,
    switches: 0,
  };
}

export interface Break {
  /** As in the row. */
  fault: string;
  /** True if the fault takes effect when it is ordered; false if the kernel takes its time. */
  immediate: boolean;
  /** A stream of requests that the host answers, and not one each way. */
  requests?: boolean;
  /** May do anything that ends with the fault made; returns when that was ordered, ns. */
  breakIt: () => Promise<number> | number;
  /** Waits for the decision that the fault leads to; undefined: it must lead to none. */
  judge: () => Promise<Decision | undefined>;
}

/** Frames that a scene is judged by at least, before the fault and after it. */
const ENOUGH = 300;

/** Lets traffic flow: for SETTLE_MS, and on a machine that has no time for it until there is enough to judge by. */
async function flow({ stream, pps }: Scene): Promise<void> {
  const enough = stream.sent + Math.min(ENOUGH, (pps * SETTLE_MS) / 2000);
  const until = performance.now() + PATIENCE_MS;
  await sleep(SETTLE_MS);
  while (stream.sent < enough && performance.now() < until) await sleep(5);
}

/** Streams, breaks, waits for the failover, and judges. */
export async function broken(scene: Scene, b: Break): Promise<FaultRow> {
  const { stream, pps, kind } = scene;
  await (b.requests ? stream.startRequests(pps, kind) : stream.start(pps, 3, kind));
  await flow(scene);
  const orderedNs = await b.breakIt();
  await flow(scene);
  // Traffic goes on until the decision is known; then it is judged against the fault.
  const decision = await b.judge();
  const f: Fault = { orderedNs, detectedNs: decision?.detected_ns ?? null, immediate: b.immediate };
  return row(b.fault, scene, await stream.stop(f), decision, orderedNs);
}

export const now = (act: () => void): number => {
  const at = monotonicNs();
  act();
  return at;
};

/** A switchover by hand, there and back. */
export async function planned(scene: Scene): Promise<FaultRow> {
  const { client, instance } = scene;
  const seq = await lastSeq(scene);
  return broken(scene, {
    fault: 'planned',
    immediate: true,
    breakIt: async () => {
      const at = monotonicNs();
      await client.request('switch', { name: instance, to: 'standby' });
      await sleep(SETTLE_MS);
      await client.request('switch', { name: instance, to: 'primary' });
      await client.request('switch', { name: instance, to: 'auto' });
      return at;
    },
    judge: () => failoverAfter(scene, seq),
  });
}

/** The VF's cable is cut: carrier falls. */
export async function carrier(scene: Scene): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  const { world } = scene;
  const r = await broken(scene, {
    fault: 'carrier',
    immediate: world.kind === 'tap',
    breakIt: () => now(() => world.cutVf()),
    judge: () => failoverAfter(scene, seq),
  });
  world.mendVf();
  await untilActive(scene, 'primary');
  return r;
}

/** The VF is pulled out, as for live migration, and a new one plugged in. */
export async function unplug(scene: Scene): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  const { world } = scene;
  const r = await broken(scene, {
    fault: 'unplug',
    immediate: false,
    breakIt: () => now(() => world.unplugVf()),
    judge: () => failoverAfter(scene, seq),
  });
  world.replugVf();
  await untilActive(scene, 'primary');
  return r;
}

/** The daemon is killed with SIGKILL; while it is dead the cable is cut; then a new daemon adopts what is pinned. */
export async function killController(scene: Scene): Promise<FaultRow> {
  const { world, daemon } = scene;
  const r = await broken(scene, {
    fault: 'kill-controller',
    immediate: world.kind === 'tap',
    breakIt: async () => {
      scene.client.close();
      await daemon.kill('SIGKILL');
      await sleep(SETTLE_MS);
      return now(() => world.cutVf());
    },
    judge: async () => {
      await daemon.start();
      scene.client = await daemon.client();
      return failoverAfter(scene, 0);
    },
  });
  world.mendVf();
  await untilActive(scene, 'primary');
  return r;
}
