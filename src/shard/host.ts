import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { EventFd } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import type { Look } from '../../bpf/look.bpf.js';
import type { WorkerConfig } from '../config/index.js';
import { loadLook } from '../datapath/look.js';
import type { PinStore } from '../datapath/store.js';
import { DETECT_SLOT_WORDS } from '../detect/record.js';
import type { Supply } from '../detect/supply.js';
import { VfError } from '../errors.js';
import { workerFile } from '../paths.js';
import {
  initPolicy,
  P_MAINTENANCE,
  P_OVERRIDE,
  P_SPEED_PRIMARY,
  POLICY_WORDS,
  policyBase,
} from '../policy/evaluate.js';
import { LINK_FAILURE_WORDS } from '../policy/link-failures.js';
import { keepOff } from './apart.js';
import {
  type AnnouncementFrame,
  CONTROL,
  CONTROL_WORDS,
  type DecisionTask,
  type FromWorker,
  type ToWorker,
} from './protocol.js';

/** Time after which a worker that ended is started again, ms. */
const RESTART_MS = 100;

interface Shard {
  readonly id: number;
  readonly control: Int32Array;
  readonly wake: EventFd;
  port: MessagePort;
  state: 'running' | 'restarting' | 'stopped';
  /** Attach messages that the worker got, kept to repeat them after a restart. */
  readonly attached: Map<number, ToWorker & { type: 'attach' }>;
  readonly announcing: Map<number, ToWorker & { type: 'announce' }>;
  readonly supplied: Map<number, ToWorker & { type: 'supply' }>;
  task: Promise<void>;
}

interface ShardEvents {
  message: [m: FromWorker];
  failed: [shard: number, error: VfError];
}

/**
 * The decision workers, one long-running piscina task per shard. An instance belongs to the shard of its slot number modulo their count. Words
 * are shared memory. Only attach, detach and the like are messages.
 */
export class Shards extends EventEmitter<ShardEvents> {
  /** Policy records of all slots, shared with the workers. */
  readonly policy: Int32Array;
  /** State of the detectors of all slots (src/detect/record.ts), written by the workers. */
  readonly detect: Int32Array;
  /** Number of lost links (src/policy/link-failures.ts), counted by the workers. */
  readonly linkFailures: Int32Array;
  readonly #store: PinStore;
  readonly #config: WorkerConfig;
  readonly #pool: Piscina;
  readonly #shards: Shard[] = [];
  readonly #look: Look | undefined = loadLook();
  readonly #lookFd = this.#look?.programs.vf_look.fd ?? -1;
  /** Lets the process's other threads back to the CPUs of spinning workers. undefined: they were not kept off. */
  readonly #backTogether: (() => void) | undefined;
  #closing = false;

  constructor(store: PinStore, config: WorkerConfig) {
    super();
    this.#store = store;
    this.#config = config;
    this.policy = new Int32Array(new SharedArrayBuffer(4 * POLICY_WORDS * store.capacity));
    this.detect = new Int32Array(new SharedArrayBuffer(4 * DETECT_SLOT_WORDS * store.capacity));
    this.linkFailures = new Int32Array(new SharedArrayBuffer(4 * LINK_FAILURE_WORDS * store.capacity));
    const filename = workerFile('decision');
    if (!existsSync(filename))
      throw new VfError('WORKER_FAILED', `${filename} is missing`, { fix: 'run `make build`' });
    const { cpu, count, wait } = config;
    // This precedes the pool, since its threads begin where the main thread may run.
    if (wait === 'spin' && cpu !== null)
      this.#backTogether = keepOff(Array.from({ length: count }, (_, i) => cpu + i));
    this.#pool = new Piscina({
      filename,
      minThreads: config.count,
      maxThreads: config.count,
      idleTimeout: Number.POSITIVE_INFINITY,
      // The default mode parks an idle worker in Atomics.wait, where it gets no messages.
      atomics: 'disabled',
    });
    // One listener per shard is meant, and Node would report them as a leak.
    this.#pool.setMaxListeners(0);
    for (let id = 0; id < config.count; id++) this.#shards.push(this.#start(id));
  }

  #start(id: number): Shard {
    const shard: Shard = {
      id,
      control: new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS)),
      wake: new EventFd(),
      port: undefined as unknown as MessagePort,
      state: 'running',
      attached: new Map(),
      announcing: new Map(),
      supplied: new Map(),
      task: Promise.resolve(),
    };
    this.#run(shard);
    return shard;
  }

  #run(shard: Shard): void {
    const { port1, port2 } = new MessageChannel();
    shard.port = port1;
    shard.state = 'running';
    port1.on('message', (m: FromWorker) => this.emit('message', m));
    port1.unref();
    shard.control.fill(0);
    const { cpu, wait, poll_interval_us } = this.#config;
    const fds = this.#store.fds(shard.id);
    const task: DecisionTask = {
      shard: shard.id,
      port: port2,
      control: shard.control.buffer as SharedArrayBuffer,
      policy: this.policy.buffer as SharedArrayBuffer,
      detect: this.detect.buffer as SharedArrayBuffer,
      linkFailures: this.linkFailures.buffer as SharedArrayBuffer,
      watchesFd: fds.watches,
      probesFd: fds.probes,
      bfdFd: fds.bfd,
      linesFd: fds.lines,
      countersFd: fds.counters,
      eventsFd: fds.events,
      lookFd: this.#lookFd,
      wakeFd: shard.wake.fd,
      wait,
      pollIntervalUs: poll_interval_us,
      cpu: cpu === null ? null : cpu + shard.id,
    };
    shard.task = this.#pool.run(task, { transferList: [port2] }).then(
      () => {
        shard.state = 'stopped';
      },
      (cause: unknown) => this.#failed(shard, cause),
    );
    for (const m of shard.attached.values()) this.#post(shard, m);
    for (const m of shard.announcing.values()) this.#post(shard, m);
    for (const m of shard.supplied.values()) this.#post(shard, m);
  }

  /** Restarts a worker. Until it is back tier 0 alone covers its instances, as after a kill. */
  #failed(shard: Shard, cause: unknown): void {
    shard.port.close();
    if (this.#closing) return;
    shard.state = 'restarting';
    const message = cause instanceof Error ? cause.message : String(cause);
    this.emit(
      'failed',
      shard.id,
      new VfError('WORKER_FAILED', `decision worker ${shard.id} ended: ${message}`, { cause }),
    );
    setTimeout(() => {
      if (!this.#closing) this.#run(shard);
    }, RESTART_MS);
  }

  #post(shard: Shard, m: ToWorker): void {
    shard.port.postMessage(m);
    Atomics.add(shard.control, CONTROL.mail, 1);
    shard.wake.signal();
  }

  /** True if workers spin on CPUs that other threads of the process need, because no CPU was named or there is no other. */
  get crowded(): boolean {
    return this.#config.wait === 'spin' && this.#backTogether === undefined;
  }

  shardOf(slot: number): number {
    return slot % this.#shards.length;
  }

  attach(m: Omit<ToWorker & { type: 'attach' }, 'type'>): void {
    const shard = this.#shards[this.shardOf(m.slot)]!;
    const message = { type: 'attach', ...m } as const;
    // Until the worker looks, the record must say that nothing is known. It must have nothing of an earlier instance of the slot.
    initPolicy(this.policy, policyBase(m.slot), m.policy);
    this.#post(shard, message);
    // A restarted worker finds slaves that have joined already.
    shard.attached.set(m.slot, { ...message, policy: { ...m.policy, known: true } });
  }

  /** Gives the worker the frames to send when the slot's active slave changes. The sockets stay the caller's. */
  announce(slot: number, sends: readonly AnnouncementFrame[]): void {
    const shard = this.#shards[this.shardOf(slot)]!;
    const message = { type: 'announce', slot, sends } as const;
    shard.announcing.set(slot, message);
    this.#post(shard, message);
  }

  /** Gives the worker what the slot's detectors need. The sockets stay the caller's; `settled` says when earlier ones are not used any more. */
  supply(slot: number, supply: Supply): void {
    const shard = this.#shards[this.shardOf(slot)]!;
    const message = { type: 'supply', slot, supply } as const;
    shard.supplied.set(slot, message);
    this.#post(shard, message);
  }

  detach(slot: number): void {
    const shard = this.#shards[this.shardOf(slot)]!;
    shard.supplied.delete(slot);
    shard.announcing.delete(slot);
    if (shard.attached.delete(slot)) this.#post(shard, { type: 'detach', slot });
  }

  /** Sets the override: 0 auto, 1 primary, 2 standby. The worker is woken and sees it in its next turn. */
  override(slot: number, choice: 0 | 1 | 2): void {
    this.#order(slot, P_OVERRIDE, { override: choice }, choice);
  }

  /** Sets the slave that is out of service: 0 none, 1 primary, 2 standby. The worker sees it as an override. */
  maintenance(slot: number, choice: 0 | 1 | 2): void {
    this.#order(slot, P_MAINTENANCE, { maintenance: choice }, choice);
  }

  #order(
    slot: number,
    word: number,
    change: { override?: number; maintenance?: number },
    choice: number,
  ): void {
    const shard = this.#shards[this.shardOf(slot)]!;
    const attached = shard.attached.get(slot);
    if (attached) attached.policy = { ...attached.policy, ...change };
    Atomics.store(this.policy, policyBase(slot) + word, choice);
    shard.wake.signal();
  }

  /** Sets the ranks of the links (`speedWord`). Repeated every few seconds, since a restarted worker forgets them. */
  speeds(slot: number, primary: number, standby: number): void {
    const at = policyBase(slot) + P_SPEED_PRIMARY;
    Atomics.store(this.policy, at, primary);
    Atomics.store(this.policy, at + 1, standby);
  }

  /** Resolves when every message posted so far has been taken in. A thread that only starts takes seconds on a loaded machine. */
  async settled(timeoutMs = 60_000): Promise<void> {
    const until = performance.now() + timeoutMs;
    for (const { id, control, state } of this.#shards) {
      if (state === 'stopped') continue;
      while (Atomics.load(control, CONTROL.read) !== Atomics.load(control, CONTROL.mail)) {
        if (performance.now() > until)
          throw new VfError('WORKER_FAILED', `decision worker ${id} does not answer`);
        await new Promise((done) => setTimeout(done, 1));
      }
    }
  }

  status(): { id: number; state: string; ticks: number; wakeups: number }[] {
    return this.#shards.map(({ id, state, control }) => ({
      id,
      state,
      ticks: control[CONTROL.ticks]! >>> 0,
      wakeups: control[CONTROL.wakeups]! >>> 0,
    }));
  }

  /** Ends the workers. Their flips stay in force. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { control, wake } of this.#shards) {
      Atomics.store(control, CONTROL.stop, 1);
      wake.signal();
    }
    await Promise.all(this.#shards.map((s) => s.task));
    for (const s of this.#shards) {
      s.port.close();
      s.wake.close();
    }
    await this.#pool.destroy();
    this.#backTogether?.();
    this.#look?.close();
  }
}
