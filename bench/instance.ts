import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BpfMap, type Mapping, possibleCpus } from 'bpf-loader-ts';
import { UdpSocket, withNetns } from 'bpf-loader-ts/sys';
import { type Bench, bench } from '../bpf/bench.bpf.js';
import { attachLast } from '../lab/netns/attach-last.js';
import { DaemonProcess } from '../lab/netns/daemon-process.js';
import type { WireKind } from '../lab/netns/wire.js';
import { HOST_ADDRESS, World } from '../lab/netns/world.js';
import type { ApiClient, InstanceStatus } from '../src/api/index.js';
import { lineBase, pathOf, readWord } from '../src/datapath/line.js';
import { PRIMARY } from '../src/device.js';
import { bpfObject } from '../src/paths.js';
import { type BenchContext, pinProcess } from './context.js';

const NAME = 'bench';
/** How long anything may take that should take milliseconds. */
const PATIENCE_MS = 10_000;

export interface InstanceOptions {
  kind: WireKind;
  wait?: 'epoll' | 'poll' | 'spin';
  tier0?: boolean;
  /** `detect` of the configuration; absent: no detectors. */
  detect?: object;
  /** CPU of the whole daemon; null: where the scheduler likes. */
  cpu: number | null;
  /** What the host switches with; the kernel's bridge by default. */
  behind?: ConstructorParameters<typeof World>[2];
}

/** A World with a daemon that steers it, and the steering word within reach. */
export interface Instance {
  world: World;
  daemon: DaemonProcess;
  client: ApiClient;
  status(): Promise<InstanceStatus>;
  /** True while the primary is active: a load from the map's memory, no question to the daemon. */
  onPrimary(): boolean;
}

/** Polls until `done()`; an error that says `what` after ten seconds. */
export async function until(
  ctx: BenchContext,
  what: string,
  done: () => boolean | Promise<boolean>,
  everyMs = 1,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await ctx.sleep(everyMs);
  }
}

/** Builds an instance with the default policy but for a hold-down of 0, runs `fn` once the primary is active, takes all of it down. */
export async function withInstance<T>(
  ctx: BenchContext,
  options: InstanceOptions,
  fn: (i: Instance) => Promise<T>,
): Promise<T> {
  const pins = ctx.newPins();
  const world = new World(options.kind, undefined, options.behind);
  const daemon = new DaemonProcess({
    pin_root: pins,
    worker: { cpu: options.cpu, wait: options.wait ?? 'epoll', history: 8192 },
    instances: [
      {
        name: NAME,
        netns: world.guestPath,
        master: 'virtio0',
        policy: { hold_down_ms: 0, tier0: options.tier0 ?? true },
        ...(options.detect && { detect: options.detect }),
      },
    ],
  });
  let client: ApiClient | undefined;
  let lines: Mapping | undefined;
  try {
    await daemon.start();
    // A worker that spins is pinned by itself: beside it the daemon's other threads would get a hundredth of that CPU.
    if (options.cpu !== null && options.wait !== 'spin') pinProcess(daemon.pid!, options.cpu);
    client = await daemon.client();
    const api = client;
    const status = async (): Promise<InstanceStatus> =>
      (await api.request('status', { name: NAME })).instances[0]!;
    await until(ctx, 'an instance on its primary', async () => {
      const s = await status();
      return s.state === 'ok' && s.active === 'primary';
    });
    using map = BpfMap.fromPin(join(pins, 'maps', 'lines'));
    lines = map.mmap();
    const words = lines.int32();
    const onPrimary = (): boolean => pathOf(readWord(words, lineBase(0))) === PRIMARY;
    return await fn({ world, daemon, client, status, onPrimary });
  } finally {
    // A daemon that a benchmark stopped does not hear of its end.
    wake(daemon);
    await client?.request('detach', { name: NAME }, { timeout_ms: 2000 }).catch(() => {});
    client?.close();
    lines?.close();
    await daemon.close();
    await world.close();
    ctx.dropPins(pins);
    rmSync(daemon.folder, { recursive: true, force: true });
  }
}

function wake({ pid }: DaemonProcess): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGCONT');
  } catch {} // it is gone already
}

/** A World without daemon or programs: the same wires, the traffic on one of them. */
export async function withPlainWorld<T>(kind: WireKind, fn: (world: World) => Promise<T>): Promise<T> {
  const world = new World(kind);
  try {
    return await fn(world);
  } finally {
    await world.close();
  }
}

/** A few datagrams from the guest: the bridge learns where it is and floods no more. */
export async function teachBridge(world: World): Promise<void> {
  using socket = withNetns(
    world.guest,
    () => new UdpSocket({ connectAddr: HOST_ADDRESS, connectPort: SINK_PORT }),
  );
  for (let i = 0; i < 10; i++) socket.send(new Uint8Array(18));
  await delay(20);
}

type BenchProgram = keyof typeof bench.description.programs;
/** All of bpf/bench.bpf.c but one: what is not to be loaded. */
export const benchProgramsBut = (one: BenchProgram): BenchProgram[] =>
  (Object.keys(bench.description.programs) as BenchProgram[]).filter((p) => p !== one);

export const SINK_PORT = 7413;

/** Counts what arrives of a flood on a device's ingress, per CPU, and takes it out of the way (vf_sink of bpf/bench.bpf.c). */
export class Sink implements Disposable {
  readonly #object: Bench;
  readonly #detach: () => void;
  readonly #map: BpfMap;

  constructor(netns: number, ifindex: number) {
    const cpus = possibleCpus();
    this.#object = bench.load(bpfObject('bench'), {
      maxEntries: { lines: 1, counters: cpus },
      variables: { vf_slot: 0, vf_cpus: cpus },
      skip: benchProgramsBut('vf_sink'),
    });
    this.#map = this.#object.maps.counters.bytes;
    const program = this.#object.programs.vf_sink;
    this.#detach = attachLast(program, netns, ifindex);
  }

  /** The counters' map, for a worker thread to map. */
  get fd(): number {
    return this.#map.fd;
  }

  [Symbol.dispose](): void {
    this.#detach();
    this.#object.close();
  }
}
