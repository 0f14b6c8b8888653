import {
  Epoll,
  monotonicNs,
  PacedSender,
  PacketSocket,
  setNice,
  UdpSocket,
  withNetns,
} from 'bpf-loader-ts/sys';
import { prepareHole } from '../../lab/netns/hole.js';
import { GUEST_ADDRESS, GUEST_MAC, HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import { Frr } from '../../lab/vm/frr.js';
import type { Decision } from '../../src/api/index.js';
import { FRAME_WORDS, parseFrame, R_LENGTH, R_PAYLOAD } from '../../src/detect/bfd/frame.js';
import {
  ACCEPTED,
  DIAG_EXPIRED,
  decodeControl,
  F_DIAG,
  F_STATE,
  PACKET_WORDS,
  STATE_DOWN,
} from '../../src/detect/bfd/packet.js';
import { parseMac } from '../../src/frames/mac.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread, pinProcess } from '../context.js';
import { type Instance, SINK_PORT, until, withInstance } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const INTERVAL_MS = 10;
const MULTIPLIER = 3;
/** Shortest that the configuration takes: a cycle must not last forever. */
const RETRY_MS = 100;
const CALM_MS = 100;
const PATIENCE_NS = 2e9;
/** Between two datagrams of the guest: how exact the outage can be. */
const TRAFFIC_NS = 1e6;
const US = 1e3;

interface Detected {
  /** From the fault, µs. */
  ours: number;
  outage: number;
  bfdd: number;
}

interface Found {
  cuts: Detected[];
  /** The session had fallen before the fault was made: bfdd, too, has to be let in by a busy machine. */
  early: number;
}

/**
 * BFD beside FRR's bfdd: one session, 3 × 10 ms on both ends. Method: the far end of the VF's wire drops everything both ways while its link
 * stays up, from one store on, at a moment without relation to the packets: both ends lose each other at once. Ours: from the fault to the
 * flip of the steering word, as the programs stamped it, and to the first frame of the guest (which sends 1,000 datagrams a second) at the
 * port of the standby's wire. bfdd: from the fault to the packet in which it says down, taken as it leaves bfdd's device. What is detected is
 * silence since the last packet, and packets are 7.5 to 10 ms apart: 20 to 30 ms after the fault is what is right.
 */
export async function sessions(ctx: BenchContext): Promise<Row[]> {
  const unpin = pinMainThread(CPU_B);
  // What this thread sees, it should see when it happens.
  setNice(-20);
  const us = INTERVAL_MS * 1000;
  const bfd = {
    peer: HOST_ADDRESS,
    local: GUEST_ADDRESS,
    tx_interval_us: us,
    rx_interval_us: us,
    multiplier: MULTIPLIER,
    retry_ms: RETRY_MS,
    retry_max_ms: RETRY_MS,
  };
  try {
    return await withInstance(ctx, { kind: 'veth', cpu: CPU_A, detect: { bfd } }, async (instance) => {
      const frr = await Frr.start(instance.world.host);
      try {
        for (const pid of frr.pids) pinProcess(pid, CPU_B);
        await frr.peer(
          `${GUEST_ADDRESS} local-address ${HOST_ADDRESS} interface br0`,
          ...[`receive-interval ${INTERVAL_MS}`, `transmit-interval ${INTERVAL_MS}`],
          ...[`detect-multiplier ${MULTIPLIER}`, 'no shutdown'],
        );
        return rows(await faults(ctx, instance, ctx.scale(100, 3)));
      } finally {
        await frr.close();
      }
    });
  } finally {
    setNice(0);
    unpin();
  }
}

function rows({ cuts, early }: Found): Row[] {
  const row = (name: string, of: (d: Detected) => number): Row => ({
    name: `BFD ${MULTIPLIER} × ${INTERVAL_MS} ms: ${name}`,
    unit: 'µs',
    ...summarize(cuts.map(of)),
    parameters: {
      interval_ms: INTERVAL_MS,
      multiplier: MULTIPLIER,
      devices: 'veth',
      peer: 'bfdd',
      switched_before_the_fault: early,
    },
  });
  return [
    withTargets(
      row('detection + switch', (d) => d.ours),
      { of: 'p99', atMost: 31_000 },
    ),
    row('outage', (d) => d.outage),
    row('detection by bfdd, of the same faults', (d) => d.bfdd),
  ];
}

async function faults(ctx: BenchContext, instance: Instance, n: number): Promise<Found> {
  const { world, client, onPrimary, status } = instance;
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const found: Found = { cuts: [], early: 0 };
  using _traffic = traffic(world);
  using wires = new Wires(world);
  const hole = prepareHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'both' });
  try {
    while (found.cuts.length < n) {
      await until(ctx, 'a session on the primary', async () => {
        const bfd = (await status()).primary.detectors.find((d) => d.name === 'bfd');
        return onPrimary() && bfd?.state === 'ok';
      });
      await ctx.sleep(CALM_MS);
      const since = (await client.request('events', { limit: 1 })).at(-1)?.seq ?? 0;
      epoll.wait(none, 1 + Math.floor(INTERVAL_MS * 1000 * Math.random()));
      if (!onPrimary()) continue;
      wires.drain();
      const faultNs = hole.open();
      const seen = wires.watch(faultNs + PATIENCE_NS);
      hole.mend();
      let decision: Decision | undefined;
      await until(ctx, 'a failover', async () => {
        [decision] = await client.request('events', { since });
        return decision !== undefined;
      });
      const { cause, flipped_ns } = decision!;
      if (flipped_ns < faultNs) {
        found.early++;
        continue;
      }
      found.cuts.push({
        ours: cause === 'bfd' ? (flipped_ns - faultNs) / US : Number.POSITIVE_INFINITY,
        outage: (seen.newPathNs - faultNs) / US,
        bfdd: (seen.downNs - faultNs) / US,
      });
    }
  } finally {
    hole.close();
  }
  return found;
}

/** Datagrams from the guest until it is disposed of, by a thread that nothing holds up. */
function traffic(world: World): Disposable {
  const sink = withNetns(world.host, () => new UdpSocket({ bindAddr: HOST_ADDRESS, bindPort: SINK_PORT }));
  const source = withNetns(
    world.guest,
    () => new UdpSocket({ connectAddr: HOST_ADDRESS, connectPort: SINK_PORT }),
  );
  const sender = new PacedSender();
  sender.set(0, { fd: source.fd, frames: new Uint8Array(18), leastNs: TRAFFIC_NS, mostNs: TRAFFIC_NS });
  return {
    [Symbol.dispose]() {
      sender.close();
      source.close();
      sink.close();
    },
  };
}

const DEVICE = 0;
const PORT = 1;

/** What passes at bfdd's device, and at the port of the standby's wire. */
class Wires implements Disposable {
  readonly #device: PacketSocket;
  readonly #port: PacketSocket;
  readonly #epoll = new Epoll();
  readonly #ready = new Int32Array(2);
  readonly #bytes = new Uint8Array(2048);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #frame = new Int32Array(FRAME_WORDS);
  readonly #packet = new Uint32Array(PACKET_WORDS);
  readonly #guest = parseMac(GUEST_MAC);

  constructor({ host, bridge, virtio }: World) {
    this.#device = new PacketSocket({ netns: host, ifindex: bridge });
    this.#port = new PacketSocket({ netns: host, ifindex: virtio.hostIfindex });
    this.#epoll.add(this.#device.fd, DEVICE);
    this.#epoll.add(this.#port.fd, PORT);
  }

  drain(): void {
    this.#device.drain();
    this.#port.drain();
  }

  /**
   * When bfdd's first packet passes that says down since the detection time expired, and when the guest's first frame comes by the
   * standby's wire; Infinity for what does not happen until `endNs`.
   */
  watch(endNs: number): { downNs: number; newPathNs: number } {
    let downNs = Number.POSITIVE_INFINITY;
    let newPathNs = Number.POSITIVE_INFINITY;
    while (Math.max(downNs, newPathNs) === Number.POSITIVE_INFINITY && monotonicNs() < endNs) {
      this.#epoll.wait(this.#ready, 10_000);
      const now = monotonicNs();
      for (let n = this.#port.recv(this.#bytes); n > 0; n = this.#port.recv(this.#bytes))
        if (this.#guest.every((b, i) => this.#bytes[6 + i] === b)) newPathNs = Math.min(newPathNs, now);
      for (let n = this.#device.recv(this.#bytes); n > 0; n = this.#device.recv(this.#bytes))
        if (this.#saysDown(n)) downNs = Math.min(downNs, now);
    }
    return { downNs, newPathNs };
  }

  #saysDown(length: number): boolean {
    const frame = this.#frame;
    const packet = this.#packet;
    if (parseFrame(this.#view, length, frame) !== ACCEPTED) return false;
    if (decodeControl(this.#view, frame[R_PAYLOAD]!, frame[R_LENGTH]!, packet) !== ACCEPTED) return false;
    return packet[F_STATE] === STATE_DOWN && packet[F_DIAG] === DIAG_EXPIRED;
  }

  [Symbol.dispose](): void {
    this.#device.close();
    this.#port.close();
    this.#epoll.close();
  }
}
