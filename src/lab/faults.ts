import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNs } from 'bpf-loader-ts/sys';
import type { ApiClient, Decision, InstanceStatus } from '../daemon/api/index.js';
import { VfError } from '../errors.js';
import type { DaemonProcess } from './daemon-process.js';
import type { Fault, Stream, StreamResult } from './stream.js';
import type { World } from './world.js';

export const FAULTS = ['planned', 'carrier', 'unplug', 'kill-controller'] as const;
export type FaultName = (typeof FAULTS)[number];

/** One fault and what it cost: the row that `demo --json` writes. Times in microseconds, frames of both directions together. */
export interface FaultRow {
  fault: FaultName;
  devices: 'veth' | 'tap';
  sent: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** From the fault until it was noticed; for `planned` from the order. */
  detection_us: number | null;
  /** From then until the steering word was flipped. */
  switch_us: number | null;
  /** From the fault to the first frame delivered on the new path, the worse direction; for `planned` 0 if nothing was lost. */
  outage_us: number | null;
  tier: number | null;
}

/** What a fault scenario works with. */
export interface Scene {
  world: World;
  stream: Stream;
  daemon: DaemonProcess;
  client: ApiClient;
  instance: string;
  pps: number;
}

/** How long a scene waits for what must happen, ms. */
const PATIENCE_MS = 10_000;
/** Traffic before and after a fault, ms. */
const SETTLE_MS = 150;

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

async function lastSeq({ client, instance }: Scene): Promise<number> {
  return (await client.request('events', { name: instance, limit: 1 })).at(-1)?.seq ?? 0;
}

/** The first decision after `seq` that leaves the primary. */
async function failoverAfter({ client, instance }: Scene, seq: number): Promise<Decision> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = (await client.request('events', { name: instance, since: seq })).find(
      (d) => d.from === 'primary',
    );
    if (found) return found;
    if (performance.now() > until)
      throw new VfError('WORKER_FAILED', `no failover was recorded within ${PATIENCE_MS} ms`);
    await sleep(5);
  }
}

function row(fault: FaultName, scene: Scene, r: StreamResult, d: Decision, orderedNs: number): FaultRow {
  const worse = Math.max(
    r.out.outageNs ?? Number.POSITIVE_INFINITY,
    r.in.outageNs ?? Number.POSITIVE_INFINITY,
  );
  const lost = r.out.lost + r.in.lost;
  const us = (ns: number): number => Math.round(ns / 100) / 10;
  const outage = fault === 'planned' && lost === 0 ? 0 : worse;
  return {
    fault,
    devices: scene.world.kind,
    sent: 2 * r.sent,
    lost,
    duplicated: r.out.duplicated + r.in.duplicated,
    reordered: r.out.reordered + r.in.reordered,
    detection_us: us(Math.max(0, d.detected_ns - (r.faultNs ?? orderedNs))),
    switch_us: us(d.flipped_ns - d.detected_ns),
    outage_us: Number.isFinite(outage) ? us(outage) : null,
    tier: d.tier,
  };
}

/** Streams, breaks, waits for the failover, and judges. `breakIt` may do anything that ends with the fault made. */
async function broken(
  fault: FaultName,
  scene: Scene,
  immediate: boolean,
  breakIt: () => Promise<number> | number,
  judge: () => Promise<Decision>,
): Promise<FaultRow> {
  const { stream, pps } = scene;
  await stream.start(pps);
  await sleep(SETTLE_MS);
  const orderedNs = await breakIt();
  await sleep(SETTLE_MS);
  // Traffic goes on until the decision is known; then it is judged against the fault.
  const decision = await judge();
  const f: Fault = { orderedNs, detectedNs: decision.detected_ns, immediate };
  return row(fault, scene, await stream.stop(f), decision, orderedNs);
}

const now = (act: () => void): number => {
  const at = monotonicNs();
  act();
  return at;
};

/** A switchover by hand, there and back. */
async function planned(scene: Scene): Promise<FaultRow> {
  const { client, instance } = scene;
  const seq = await lastSeq(scene);
  return broken(
    'planned',
    scene,
    true,
    async () => {
      const at = monotonicNs();
      await client.request('switch', { name: instance, to: 'standby' });
      await sleep(SETTLE_MS);
      await client.request('switch', { name: instance, to: 'primary' });
      await client.request('switch', { name: instance, to: 'auto' });
      return at;
    },
    () => failoverAfter(scene, seq),
  );
}

/** The VF's cable is cut: carrier falls. */
async function carrier(scene: Scene): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  const { world } = scene;
  const r = await broken(
    'carrier',
    scene,
    world.kind === 'tap',
    () => now(() => world.cutVf()),
    () => failoverAfter(scene, seq),
  );
  world.mendVf();
  await untilActive(scene, 'primary');
  return r;
}

/** The VF is pulled out, as for live migration, and a new one plugged in. */
async function unplug(scene: Scene): Promise<FaultRow> {
  const seq = await lastSeq(scene);
  const { world } = scene;
  const r = await broken(
    'unplug',
    scene,
    false,
    () => now(() => world.unplugVf()),
    () => failoverAfter(scene, seq),
  );
  world.replugVf();
  await untilActive(scene, 'primary');
  return r;
}

/** The daemon is killed with SIGKILL; while it is dead the cable is cut; then a new daemon adopts what is pinned. */
async function killController(scene: Scene): Promise<FaultRow> {
  const { world, daemon } = scene;
  const r = await broken(
    'kill-controller',
    scene,
    world.kind === 'tap',
    async () => {
      scene.client.close();
      await daemon.kill('SIGKILL');
      await sleep(SETTLE_MS);
      return now(() => world.cutVf());
    },
    async () => {
      await daemon.start();
      scene.client = await daemon.client();
      return failoverAfter(scene, 0);
    },
  );
  world.mendVf();
  await untilActive(scene, 'primary');
  return r;
}

export const SCENARIOS: Record<FaultName, (scene: Scene) => Promise<FaultRow>> = {
  planned,
  carrier,
  unplug,
  'kill-controller': killController,
};
