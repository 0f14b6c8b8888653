import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import { writeEthernet } from '../../src/frames/ethernet.js';
import { writeIpv4 } from '../../src/frames/ip.js';
import { groupMac, parseMac } from '../../src/frames/mac.js';
import { ETHERTYPE, PROTOCOL } from '../../src/frames/numbers.js';
import { writeUdp } from '../../src/frames/udp.js';
import { workerFile } from '../../src/paths.js';
import type { FloodResult, FloodTask } from '../../workers/group-flood.js';
import { STREAM_PORT } from '../../workers/traffic.js';
import { Recorder } from './recorder.js';
import { GUEST_MAC, type World } from './world.js';

const STATION_MAC = '02:76:66:00:00:99';
/** Ethernet, IPv4, UDP, then magic, stream and number (bpf/lab.bpf.c). */
const MAGIC_AT = 42;
const NUMBER_AT = MAGIC_AT + 8;
const MAGIC = 0x56464c52;
const IN = 1;
const OUT = 2;

export interface GroupFloodOptions {
  /** Each way. */
  frames: number;
  pps: number;
  /** ifindex of the master, where the guest sends and receives. */
  master: number;
  /** Bytes of a frame, 60 or more. */
  length?: number;
}

export interface GroupFloodResult {
  in: { lost: number; duplicated: number };
  out: { lost: number; duplicated: number };
  /** Frames of the guest's own that came back to it. */
  returned: number;
  /** Frames that the kernel threw away before any program of ours: a full backlog, or a socket that took none. */
  dropped: number;
  /** By how much the copies of one frame lay apart, at most, ns. */
  apartNs: number;
  /** Frames a second, of the slowest sender. */
  pps: number;
}

/**
 * Both slaves bring every group frame, each from a thread on a CPU of its own, so that both copies of a frame are in the programs at the same
 * moment. The guest sends others, of which the bridge returns a copy by the slave that did not send it.
 */
export class GroupFlood {
  readonly #o: GroupFloodOptions;
  readonly #recorders: readonly [Recorder, Recorder];
  readonly #sockets: PacketSocket[];
  readonly #pool: Piscina;

  constructor(world: World, options: GroupFloodOptions) {
    const { frames: capacity, master } = options;
    this.#o = options;
    this.#recorders = [
      new Recorder({ netns: world.guest, ifindex: master, capacity }),
      new Recorder({ netns: world.host, ifindex: world.bridge, capacity }),
    ];
    this.#sockets = [
      new PacketSocket({ netns: world.host, ifindex: world.vf.hostIfindex, protocol: 0 }),
      new PacketSocket({ netns: world.host, ifindex: world.virtio.hostIfindex, protocol: 0 }),
      new PacketSocket({ netns: world.guest, ifindex: master, protocol: 0 }),
    ];
    const threads = this.#sockets.length;
    this.#pool = new Piscina({
      filename: workerFile('group-flood'),
      minThreads: threads,
      maxThreads: threads,
      atomics: 'disabled',
    });
  }

  /** Sends all frames once and waits until they have arrived. */
  async round(): Promise<GroupFloodResult> {
    const { frames, pps, length = 60 } = this.#o;
    const [atGuest, atHost] = this.#recorders;
    atGuest.begin(IN);
    atHost.begin(OUT);
    const sent = new Int32Array(new SharedArrayBuffer(4 * this.#sockets.length)).fill(-1);
    const before = backlogDrops();
    const results = await Promise.all(
      this.#sockets.map(
        (socket, thread) =>
          this.#pool.run({
            socket: socket.fd,
            frame: streamFrame(thread < 2 ? IN : OUT, thread < 2 ? STATION_MAC : GUEST_MAC, length),
            numberAt: NUMBER_AT,
            frames,
            intervalNs: Math.round(1e9 / pps),
            cpu: thread % cpus().length,
            sent: sent.buffer as SharedArrayBuffer,
            thread,
            beside: thread < 2 ? 1 - thread : thread,
          } satisfies FloodTask) as Promise<FloodResult>,
      ),
    );
    await sleep(100);
    const [inn, out] = [atGuest.read(frames), atHost.read(frames)];
    return {
      in: { lost: frames - inn.received, duplicated: inn.duplicated },
      out: { lost: frames - out.received, duplicated: out.duplicated },
      returned: inn.foreign,
      dropped: results.reduce((sum, r) => sum + r.refused, 0) + backlogDrops() - before,
      apartNs: Math.max(...results.map((r) => r.waitedNs)),
      pps: Math.min(...results.map((r) => (frames / r.ns) * 1e9)),
    };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
    for (const s of this.#sockets) s.close();
    for (const r of this.#recorders) r.close();
  }
}

/** A numbered datagram to a group, without UDP checksum. */
export function streamFrame(stream: number, src: string, length: number): Uint8Array {
  const f = new Uint8Array(length);
  const v = new DataView(f.buffer);
  const [source, target] = [Uint8Array.of(10, 99, 0, 9), Uint8Array.of(239, 1, 2, 3)];
  const ends = { source, target, sourcePort: STREAM_PORT, port: STREAM_PORT };
  const header = { to: groupMac(target), from: parseMac(src), ethertype: ETHERTYPE.ipv4 };
  const ip = { source, target, protocol: PROTOCOL.udp, length: length - 34, hops: 1 };
  writeUdp(f, writeIpv4(f, writeEthernet(f, header), ip), ends, length - 42);
  v.setUint32(MAGIC_AT, MAGIC, true);
  v.setUint32(MAGIC_AT + 4, stream, true);
  return f;
}

/** Frames that the CPUs' backlogs had no room for: second column of softnet_stat, all namespaces together. */
function backlogDrops(): number {
  return readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);
}
