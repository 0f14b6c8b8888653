import type { ChildProcess } from 'node:child_process';
import { iperf } from '../lab/netns/iperf.js';
import type { Stream } from '../lab/netns/stream.js';
import { HOST_ADDRESS, type World } from '../lab/netns/world.js';
import { type BenchContext, CPU_A, CPU_B } from './context.js';
import { until } from './instance.js';

const BULK_PORT = 5201;
const ONE_WAY_PORT = 5202;
const ONE_WAY = ['-u', '-b', '16M', '-l', '200'];

/** What is sent at a time, and for how long. `requests`: a second. */
interface Phase {
  ms: number;
  requests: number;
  bulk: boolean;
  oneWay: boolean;
}

/** Every source alone and with others, after pauses that are short, long, and of the order of the timeouts. */
const PHASES: readonly Phase[] = [
  { ms: 800, requests: 20_000, bulk: false, oneWay: false },
  { ms: 2, requests: 0, bulk: false, oneWay: false },
  { ms: 800, requests: 20_000, bulk: true, oneWay: true },
  { ms: 30, requests: 0, bulk: false, oneWay: false },
  { ms: 600, requests: 1000, bulk: false, oneWay: true },
  { ms: 600, requests: 0, bulk: true, oneWay: false },
  { ms: 200, requests: 0, bulk: false, oneWay: true },
  { ms: 800, requests: 50_000, bulk: true, oneWay: false },
  { ms: 200, requests: 0, bulk: false, oneWay: false },
];

/**
 * Mixed traffic of the guest: requests that a BPF program at the far end answers, a TCP connection at full speed (iperf3, whose receiver is
 * a thread on the other CPU), datagrams that expect no answer, and pauses of each. Phases follow each other in one order.
 */
export class Mix {
  readonly #ctx: BenchContext;
  readonly #stream: Stream;
  readonly #servers: ChildProcess[] = [];
  readonly #clients: ChildProcess[] = [];
  #at = 0;
  /** Requests so far. */
  requests = 0;
  /** Answers that did not come. */
  unanswered = 0;

  private constructor(ctx: BenchContext, stream: Stream) {
    this.#ctx = ctx;
    this.#stream = stream;
  }

  /** All sources ready and silent. */
  static async start(ctx: BenchContext, world: World, stream: Stream): Promise<Mix> {
    const mix = new Mix(ctx, stream);
    try {
      await mix.#source(world, BULK_PORT, []);
      await mix.#source(world, ONE_WAY_PORT, ONE_WAY);
      return mix;
    } catch (e) {
      await mix.close();
      throw e;
    }
  }

  async #source(world: World, port: number, args: string[]): Promise<void> {
    const { signal } = this.#ctx;
    const listen = ['-s', '-1', '--forceflush', '-p', String(port)];
    const server = iperf(world.host, listen, { cpu: CPU_B, signal });
    this.#servers.push(server);
    let said = '';
    for (const s of [server.stdout!, server.stderr!]) s.on('data', (b: Buffer) => (said += b.toString()));
    await until(this.#ctx, 'an iperf3 server', () => {
      if (server.exitCode !== null) throw new Error(`iperf3 ended: ${said}`);
      return said.includes('listening');
    });
    const to = ['-c', HOST_ADDRESS, '-p', String(port), '-t', '86400', '-i', '0'];
    const client = iperf(world.guest, [...to, ...args], { cpu: CPU_A, signal });
    this.#clients.push(client);
    await until(this.#ctx, 'a connection of iperf3', () => said.includes('connected to'));
    await this.#ctx.sleep(200);
    client.kill('SIGSTOP');
  }

  /** The next phase. */
  async phase(): Promise<void> {
    const phase = PHASES[this.#at++ % PHASES.length]!;
    this.#let(0, phase.bulk);
    this.#let(1, phase.oneWay);
    if (phase.requests > 0) await this.#stream.startRequests(phase.requests);
    await this.#ctx.sleep(phase.ms);
    if (phase.requests === 0) return;
    const { sent, in: answers } = await this.#stream.collect();
    this.requests += sent;
    this.unanswered += sent - answers.received;
  }

  #let(source: number, send: boolean): void {
    const client = this.#clients[source]!;
    if (client.exitCode !== null || client.signalCode !== null)
      throw new Error('iperf3 ended before its time');
    client.kill(send ? 'SIGCONT' : 'SIGSTOP');
  }

  /** Resolves when all have ended: whoever comes next needs their ports. */
  async close(): Promise<void> {
    const running = [...this.#clients, ...this.#servers].filter(
      (p) => p.exitCode === null && p.signalCode === null,
    );
    await Promise.all(
      running.map((p) => {
        const ended = new Promise((done) => p.once('close', done));
        p.kill('SIGKILL');
        return ended;
      }),
    );
  }
}
