import { Epoll, monotonicNs, PacketSocket } from 'bpf-loader-ts/sys';
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
import { openHole } from '../../src/lab/hole.js';
import { GUEST_ADDRESS, HOST_ADDRESS } from '../../src/lab/world.js';
import { Frr } from '../../test/vm/lab/frr.js';
import { type BenchContext, CPU_A, CPU_B, pinMainThread, pinProcess } from '../context.js';
import { type Instance, until, withInstance } from '../instance.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const INTERVAL_MS = 10;
const MULTIPLIER = 3;
/** Shortest that the configuration takes: a cycle must not last forever. */
const RETRY_MS = 100;
const CALM_MS = 100;
const PATIENCE_NS = 2e9;
const US = 1e3;

interface Detected {
  ours: number;
  bfdd: number;
}

/**
 * BFD beside FRR's bfdd: one session, 3 × 10 ms on both ends. Method: the far end of the VF's wire drops everything both ways while its link
 * stays up, at a moment without relation to the packets; both ends lose each other at once. Ours: from the fault to the flip of the
 * steering word, as the programs stamped it. bfdd: from the fault to the packet in which it says down, taken as it leaves bfdd's device.
 * What is detected is silence since the last packet, so a detection that is sooner than 30 ms after the fault is right: down to 20 ms.
 */
export async function sessions(ctx: BenchContext): Promise<Row[]> {
  const unpin = pinMainThread(CPU_B);
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
    unpin();
  }
}

function rows(found: Detected[]): Row[] {
  const row = (name: string, of: (d: Detected) => number): Row => ({
    name: `BFD ${MULTIPLIER} × ${INTERVAL_MS} ms: ${name}`,
    unit: 'µs',
    ...summarize(found.map(of)),
    parameters: { interval_ms: INTERVAL_MS, multiplier: MULTIPLIER, devices: 'veth', peer: 'bfdd' },
  });
  return [
    withTargets(
      row('detection + switch', (d) => d.ours),
      { of: 'p99', atMost: 31_000 },
    ),
    row('detection by bfdd, of the same faults', (d) => d.bfdd),
  ];
}

async function faults(ctx: BenchContext, instance: Instance, n: number): Promise<Detected[]> {
  const { world, client, onPrimary, status } = instance;
  using epoll = new Epoll();
  const none = new Int32Array(1);
  const found: Detected[] = [];
  while (found.length < n) {
    await until(ctx, 'a session on the primary', async () => {
      const bfd = (await status()).primary.detectors.find((d) => d.name === 'bfd');
      return onPrimary() && bfd?.state === 'ok';
    });
    await ctx.sleep(CALM_MS);
    epoll.wait(none, 1 + Math.floor(INTERVAL_MS * 1000 * Math.random()));
    if (!onPrimary()) continue;
    const since = (await client.request('events', { limit: 1 })).at(-1)?.seq ?? 0;
    using wire = new PacketSocket({ netns: world.host, ifindex: world.bridge });
    wire.drain();
    const faultNs = monotonicNs();
    const hole = openHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'both' });
    const downNs = saysDown(wire, faultNs + PATIENCE_NS);
    while (onPrimary() && monotonicNs() < faultNs + PATIENCE_NS) epoll.wait(none, 1000);
    hole.close();
    await until(ctx, 'a failover', async () => (await client.request('events', { since })).length > 0);
    const [decision] = await client.request('events', { since });
    found.push({
      ours: decision!.cause === 'bfd' ? (decision!.flipped_ns - faultNs) / US : Number.POSITIVE_INFINITY,
      bfdd: (downNs - faultNs) / US,
    });
  }
  return found;
}

/** When bfdd's first packet passes that says down since the detection time expired; Infinity if none does until `endNs`. */
function saysDown(wire: PacketSocket, endNs: number): number {
  using epoll = new Epoll();
  epoll.add(wire.fd, 0);
  const ready = new Int32Array(1);
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  const frame = new Int32Array(FRAME_WORDS);
  const packet = new Uint32Array(PACKET_WORDS);
  while (monotonicNs() < endNs) {
    epoll.wait(ready, 10_000);
    const now = monotonicNs();
    for (let n = wire.recv(bytes); n > 0; n = wire.recv(bytes)) {
      if (parseFrame(view, n, frame) !== ACCEPTED) continue;
      if (decodeControl(view, frame[R_PAYLOAD]!, frame[R_LENGTH]!, packet) !== ACCEPTED) continue;
      if (packet[F_STATE] === STATE_DOWN && packet[F_DIAG] === DIAG_EXPIRED) return now;
    }
  }
  return Number.POSITIVE_INFINITY;
}
