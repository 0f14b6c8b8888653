import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../../lab/vm/shell.js';
import type { Testbed } from '../../lab/vm/testbed.js';
import { STATION_ADDRESS } from '../../lab/vm/wire.js';
import type { Contender } from './contenders.js';
import { FAULTS, mend, type Trial, untilOnPrimary } from './faults.js';

/**
 * TCP from the guest to the station under a fault: how long the stream stands still. Frames of numbered streams do not show it. TCP
 * sends nothing again that its host still holds, so a queue of the dead path can hold up a stream on the new one.
 */

export interface TcpFault {
  readonly name: string;
  /** The fault of `FAULTS` that is injected and mended. */
  readonly of: string;
}
export const TCP_FAULTS: readonly TcpFault[] = [
  { name: 'TCP, carrier', of: 'carrier' },
  { name: 'TCP, black hole', of: 'black hole' },
];

const PORT = 7413;
const BEFORE_MS = 1500;
/** How long a stream is watched after the fault, ms. */
export const TCP_WATCH_MS = 8000;

/** Prints a line of CLOCK_MONOTONIC ms for each piece of the stream that arrives. */
const SERVER = `
  const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
  require('net').createServer((s) => s.on('data', () => console.log(now())).on('error', () => {}))
    .listen(${PORT}, '${STATION_ADDRESS}', () => console.log('listens'));`;

const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

/** A stream that a guest sends as fast as it can. The wire is one of taps: its station is a stack of the kernel's. */
class TcpStream {
  readonly #server: ChildProcess;
  readonly #sender: Running;
  readonly #times: number[] = [];

  private constructor(server: ChildProcess, sender: Running) {
    this.#server = server;
    this.#sender = sender;
    let rest = '';
    server.stdout!.on('data', (text: Buffer) => {
      const lines = (rest + text.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#times.push(Number(line));
    });
  }

  static async start(bed: Testbed): Promise<TcpStream> {
    const [command, ...argv] = [...bed.wire.spawnPrefix, process.execPath, '-e', SERVER];
    const server = spawn(command!, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(server.stdout!, 'data');
    const sender = await bed.guest.spawn(`exec nc ${STATION_ADDRESS} ${PORT} </dev/zero`);
    const stream = new TcpStream(server, sender);
    await bed.until('the TCP stream arrives', async () => {
      await sleep(50);
      return stream.#times.length > 20;
    });
    return stream;
  }

  /** The longest time from `fromMs` on without anything new, ms; null: it stands still at the end. */
  longestGap(fromMs: number): number | null {
    const end = nowMs();
    let [last, longest] = [fromMs, 0];
    for (const t of this.#times) {
      if (t <= fromMs) continue;
      longest = Math.max(longest, t - last);
      last = t;
    }
    return end - last > TCP_WATCH_MS / 2 ? null : Math.round(longest);
  }

  async stop(): Promise<void> {
    await this.#sender.kill('KILL');
    await this.#sender.done;
    this.#server.kill('SIGKILL');
  }
}

/** Streams, breaks, watches, mends. */
export async function tcpTrial(bed: Testbed, contender: Contender, tcp: TcpFault): Promise<Trial> {
  const fault = FAULTS.find((f) => f.name === tcp.of)!;
  const stream = await TcpStream.start(bed);
  let stall_ms: number | null;
  try {
    await sleep(BEFORE_MS);
    await untilOnPrimary(bed, false);
    const at = nowMs();
    await fault.inject(bed, contender);
    await sleep(TCP_WATCH_MS);
    stall_ms = stream.longestGap(at);
  } finally {
    await stream.stop();
  }
  await mend(bed, contender, fault);
  return { out: null, in: null, stall_ms };
}
