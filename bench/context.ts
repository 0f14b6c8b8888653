import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { affinity, setAffinity } from 'bpf-loader-ts/sys';
import { Piscina } from 'piscina';
import { Reaper } from '../lab/netns/reaper.js';
import { workerFile } from '../src/paths.js';
import type { KeptRows } from './kept-rows.js';
import type { Row } from './report.js';
import { Interrupted, Steps } from './steps.js';
import { threadsOf } from './threads.js';

/** Where the far end, or what is measured, runs. On a machine with one CPU both are the same. */
export const CPU_A = 0;
export const CPU_B = Math.min(1, cpus().length - 1);

/** What a group works with. */
export class BenchContext {
  readonly quick: boolean;
  readonly long: boolean;
  readonly steps: Steps;
  /** A folder for pins, removed at the end however the process ends. */
  readonly pins = `/sys/fs/bpf/vfailover-bench-${process.pid}`;
  /** Where temporary files of daemons go; removed likewise. */
  readonly #scratch = mkdtempSync(join(tmpdir(), 'vfailover-bench-'));
  readonly #reaper = new Reaper(this.pins, this.#scratch);
  readonly #tmpdir = process.env.TMPDIR;
  readonly #abort = new AbortController();
  readonly #say: (text: string) => void;
  #folders = 0;

  constructor(
    { quick, long }: { quick: boolean; long: boolean },
    kept: KeptRows,
    say: (text: string) => void,
  ) {
    this.quick = quick;
    this.long = long;
    this.steps = new Steps(kept, this.#abort.signal);
    this.#say = say;
    process.env.TMPDIR = this.#scratch;
  }

  /** `full`, or `quick` in a smoke test. */
  scale(full: number, quick: number): number {
    return this.quick ? quick : full;
  }

  progress(text: string): void {
    this.#say(`  ${text}`);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  interrupt(): void {
    this.#abort.abort();
  }

  /** Throws Interrupted if the run is to end. To be called at least twice a second. */
  check(): void {
    if (this.#abort.signal.aborted) throw new Interrupted('interrupted');
  }

  async sleep(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#abort.signal });
    } catch {
      throw new Interrupted('interrupted');
    }
  }

  /** Lets signals and what other processes wrote come in. */
  async breathe(): Promise<void> {
    await new Promise((done) => setImmediate(done));
    this.check();
  }

  /** A pin folder of its own; `dropPins` removes it. */
  newPins(): string {
    return `${this.pins}/${++this.#folders}`;
  }

  dropPins(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
  }

  /** Runs a task of workers/NAME.ts in a thread of its own. */
  async inWorker<Task, Result>(name: string, task: Task): Promise<Result> {
    const pool = new Piscina({
      filename: workerFile(name),
      minThreads: 1,
      maxThreads: 1,
      atomics: 'disabled',
    });
    try {
      return (await pool.run(task)) as Result;
    } finally {
      await pool.destroy();
    }
  }

  async close(): Promise<void> {
    if (this.#tmpdir === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = this.#tmpdir;
    await this.#reaper.reap();
  }
}

/** A group, or a part of one: measures by `ctx.steps`, and returns its rows. */
export type Group = (ctx: BenchContext) => Promise<Row[]>;

/** Binds the calling thread, the main one, to one CPU. The returned function lifts that. */
export function pinMainThread(cpu: number): () => void {
  const before = affinity();
  setAffinity(cpu);
  return () => setAffinity(before);
}

/** Binds every thread of another process to one CPU. */
export function pinProcess(pid: number, cpu: number): void {
  for (const { tid } of threadsOf(pid)) setAffinity(cpu, tid);
}

/** An endless loop on a CPU, which ends with us. */
export function hog(cpu: number): ChildProcess {
  const loop = ['sh', '-c', 'while :; do :; done'];
  return spawn('taskset', ['-c', String(cpu), 'setpriv', '--pdeathsig', 'KILL', ...loop], {
    stdio: 'ignore',
  });
}
