#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { KERNELS, type KernelName } from '../../lab/vm/kernel.js';
import { type PrimaryKind, Testbed } from '../../lab/vm/testbed.js';
import { ROOT } from '../../src/paths.js';
import { cpuTimes, environment, stolenSince } from '../environment.js';
import { table, writeResults } from '../report.js';
import { type Contender, contenders } from './contenders.js';
import { FAULTS, type Fault, mend, trial, untilOnPrimary } from './faults.js';
import { MIGRATION, migrationTrial } from './migration.js';
import { peersDocument, rowsOf } from './peers.js';
import { TrialStore } from './store.js';
import { TCP_FAULTS, type TcpFault, tcpTrial } from './tcp.js';
import { Turn } from './turn.js';

const USAGE = `make bench-vm [ARGS='…']
  --n N              trials of each fault (default 10)
  --kernel NAME      ${Object.keys(KERNELS).join(', ')} (default 6.12)
  --primary LIST     vmxnet3,e1000e (default both)
  --contender TEXT   only those whose name contains it; may be repeated
  --fault TEXT       only those whose name contains it; may be repeated
  --fresh            forget the trials of earlier runs; without it a run goes on where the last one stopped
  --account          tells of each migration what happened when, and what was lost between
  --table            measure nothing: results and docs/peers.md from the trials there are
`;

const TRIALS = join(ROOT, 'bench/results/vm-trials.jsonl');
const RESULTS = join(ROOT, 'bench/results/vm.json');
const DOCUMENT = join(ROOT, 'docs/peers.md');
/** Blocks that a contender's trials are spread over, so that a slow quarter of an hour does not fall on one alone. */
const ROUNDS = 2;

interface Options {
  n: number;
  kernel: KernelName;
  primaries: PrimaryKind[];
  /** Names. */
  contenders: readonly string[];
  faults: readonly Fault[];
  tcp: readonly TcpFault[];
  migration: boolean;
  fresh: boolean;
  tableOnly: boolean;
  account: boolean;
}

class UsageError extends Error {}

function parseOptions(argv: string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      n: { type: 'string', default: '10' },
      kernel: { type: 'string', default: '6.12' },
      primary: { type: 'string', default: 'vmxnet3,e1000e' },
      contender: { type: 'string', multiple: true, default: [] },
      fault: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      account: { type: 'boolean', default: false },
    },
  });
  const n = Number(values.n);
  if (!Number.isInteger(n) || n < 1) throw new UsageError(`--n ${values.n}: a whole number from 1`);
  if (!Object.hasOwn(KERNELS, values.kernel))
    throw new UsageError(`--kernel ${values.kernel}: one of ${Object.keys(KERNELS).join(', ')}`);
  const primaries = values.primary.split(',') as PrimaryKind[];
  for (const p of primaries)
    if (p !== 'vmxnet3' && p !== 'e1000e') throw new UsageError(`--primary ${p}: vmxnet3 or e1000e`);
  const chosen = <T extends { name: string }>(what: string, all: readonly T[], words: string[]): T[] => {
    const found = all.filter((x) => words.length === 0 || words.some((w) => x.name.includes(w)));
    if (found.length === 0)
      throw new UsageError(`--${what} ${words.join(' ')}: none of ${all.map((x) => x.name).join(', ')}`);
    return found;
  };
  const faults = chosen('fault', [...FAULTS, ...TCP_FAULTS, MIGRATION], values.fault);
  return {
    n,
    kernel: values.kernel as KernelName,
    primaries,
    contenders: chosen('contender', contenders(), values.contender).map(({ name }) => name),
    faults: FAULTS.filter((f) => faults.includes(f)),
    tcp: TCP_FAULTS.filter((f) => faults.includes(f)),
    migration: faults.includes(MIGRATION),
    fresh: values.fresh,
    tableOnly: values.table,
    account: values.account,
  };
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Bonds and teams are left out: who plugs them together again after a migration is up to the hypervisor's tools. */
const migrates = ({ name }: Contender): boolean => name === 'net_failover' || name.startsWith('vfailover');

class Bench {
  readonly #o: Options;
  readonly #store: TrialStore;
  readonly #git: string | null;
  readonly errors: { group: string; message: string }[] = [];
  readonly #turn = new Turn();
  readonly #beds = new Map<PrimaryKind, Testbed>();
  #stopped = false;

  constructor(options: Options, store: TrialStore, git: string | null) {
    this.#o = options;
    this.#store = store;
    this.#git = git;
  }

  /** Ends after the step that is under way; guests end with this process whatever happens. */
  interrupt(): void {
    this.#stopped = true;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** The primaries side by side, in turns: while one guest waits for a link to come back, the other one is measured. */
  async run(): Promise<void> {
    await Promise.all(this.#o.primaries.map((primary) => this.#lane(primary)));
    for (const primary of this.#o.primaries) await this.#tcp(primary);
    if (this.#o.migration) for (const primary of this.#o.primaries) await this.#migrations(primary);
  }

  #contenders(): readonly Contender[] {
    return contenders().filter(({ name }) => this.#o.contenders.includes(name));
  }

  async #lane(primary: PrimaryKind): Promise<void> {
    const all = this.#contenders();
    for (let round = 1; round <= ROUNDS; round++)
      for (const standbyFeature of [true, false])
        for (const contender of all.filter((c) => c.standbyFeature === standbyFeature)) {
          if (this.#stopped) break;
          await this.#block(primary, contender, Math.ceil((this.#o.n * round) / ROUNDS));
        }
    await this.#drop(primary);
  }

  #have(primary: string, contender: Contender, fault: { name: string }): number {
    const { kernel } = this.#o;
    return this.#store.of({ kernel, primary, contender: contender.name, fault: fault.name }).length;
  }

  /** The guest as it is, if it has what is wanted; else another. */
  async #guest(primary: PrimaryKind, standbyFeature: boolean): Promise<Testbed> {
    const have = this.#beds.get(primary);
    if (have?.options.standbyFeature === standbyFeature) return have;
    await this.#drop(primary);
    const bed = await Testbed.boot({ kernel: this.#o.kernel, primary, standbyFeature });
    this.#beds.set(primary, bed);
    return bed;
  }

  async #drop(primary: PrimaryKind): Promise<void> {
    await this.#beds.get(primary)?.close();
    this.#beds.delete(primary);
  }

  /** Trials of one contender until there are `goal` of each fault. What fails is told, and the guest is given up; two in a row that brought nothing are enough. */
  async #block(primary: PrimaryKind, contender: Contender, goal: number): Promise<void> {
    const faults = this.#o.faults.filter((f) => f.applies?.(contender) ?? true);
    const missing = (): number =>
      faults.reduce((sum, f) => sum + Math.max(0, goal - this.#have(primary, contender, f)), 0);
    for (let fruitless = 0; missing() > 0 && fruitless < 2 && !this.#stopped; ) {
      const before = missing();
      try {
        const bed = await this.#turn.take(async () => {
          const guest = await this.#guest(primary, contender.standbyFeature);
          await contender.start(guest);
          return guest;
        });
        await untilOnPrimary(bed);
        while (missing() > 0 && !this.#stopped) await this.#cycle(bed, primary, contender, faults, goal);
        await this.#turn.take(() => contender.stop(bed));
      } catch (e) {
        this.#failed(`${primary}, ${contender.name}`, e);
        await this.#drop(primary);
      }
      fruitless = missing() < before ? 0 : fruitless + 1;
    }
  }

  /** Each fault once. The faults stand in the order in which they follow each other: a failback needs an unplug before it. */
  async #cycle(
    bed: Testbed,
    primary: PrimaryKind,
    contender: Contender,
    faults: readonly Fault[],
    goal: number,
  ): Promise<void> {
    for (const fault of faults) {
      if (this.#stopped && fault.name !== 'failback') continue;
      const needed = this.#have(primary, contender, fault) < goal;
      const pair = fault.name === 'unplug' || fault.name === 'failback';
      const either = faults
        .filter((f) => f.name === 'unplug' || f.name === 'failback')
        .some((f) => this.#have(primary, contender, f) < goal);
      if (!needed && !(pair && either)) continue;
      const result = await this.#turn.take(() => trial(bed, contender, fault));
      await mend(bed, contender, fault);
      this.#keep(primary, contender.name, fault.name, result);
    }
  }

  #keep(primary: string, contender: string, fault: string, result: Awaited<ReturnType<typeof trial>>): void {
    const { kernel } = this.#o;
    this.#store.add({
      kernel,
      primary,
      contender,
      fault,
      ...result,
      at: new Date().toISOString(),
      git: this.#git,
    });
    const lost = (['out', 'in'] as const)
      .flatMap((d) => (result[d] ? [`${d} ${result[d].lost} of ${result[d].sent}`] : []))
      .join(', ');
    const pause = result.pause_ms === undefined ? '' : `, paused ${result.pause_ms} ms`;
    const time = new Date().toISOString().slice(11, 19);
    const cost =
      result.stall_ms === undefined ? `lost ${lost}` : `stood still for ${result.stall_ms ?? 'ever'} ms`;
    say(`${time} ${this.#progress()} ${primary}, ${contender}, ${fault}: ${cost}${pause}`);
  }

  /** Trials made of those wanted. */
  #progress(): string {
    const { n, primaries, faults } = this.#o;
    let wanted = 0;
    let made = 0;
    for (const primary of primaries)
      for (const contender of this.#contenders()) {
        const own: { name: string }[] = faults.filter((f) => f.applies?.(contender) ?? true);
        own.push(...this.#o.tcp);
        if (this.#o.migration && migrates(contender)) own.push(MIGRATION);
        wanted += own.length * n;
        for (const fault of own) made += Math.min(n, this.#have(primary, contender, fault));
      }
    return `[${made}/${wanted}]`;
  }

  /** Streams of TCP. They end in the kernel's own stack behind taps. */
  async #tcp(primary: PrimaryKind): Promise<void> {
    const { kernel, n, tcp } = this.#o;
    for (const contender of this.#contenders()) {
      const missing = (): TcpFault[] => tcp.filter((f) => this.#have(primary, contender, f) < n);
      for (let tries = 0; missing().length > 0 && tries < 3 && !this.#stopped; tries++)
        try {
          const { standbyFeature } = contender;
          await using bed = await Testbed.boot({ kernel, primary, standbyFeature, wire: 'taps' });
          await contender.start(bed);
          await untilOnPrimary(bed);
          while (missing().length > 0 && !this.#stopped)
            for (const fault of missing())
              this.#keep(primary, contender.name, fault.name, await tcpTrial(bed, contender, fault));
        } catch (e) {
          this.#failed(`${primary}, ${contender.name}, TCP`, e);
        }
    }
  }

  async #migrations(primary: PrimaryKind): Promise<void> {
    const { kernel, n } = this.#o;
    for (const contender of this.#contenders().filter(migrates)) {
      const missing = (): boolean => this.#have(primary, contender, MIGRATION) < n && !this.#stopped;
      for (let tries = 0; missing() && tries < 3; tries++)
        try {
          const { standbyFeature } = contender;
          await using bed = await Testbed.boot({ kernel, primary, standbyFeature, migratable: true });
          await contender.start(bed);
          while (missing()) {
            const result = await migrationTrial(bed, contender, this.#o.account ? say : undefined);
            this.#keep(primary, contender.name, MIGRATION.name, result);
          }
        } catch (e) {
          this.#failed(`${primary}, ${contender.name}, migration`, e);
        }
    }
  }

  #failed(group: string, e: unknown): void {
    const message = e instanceof Error ? e.message : String(e);
    this.errors.push({ group, message });
    say(`FAILED ${group}: ${message}`);
  }
}

async function main(argv: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (e) {
    process.stderr.write(`USAGE: ${(e as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const store = new TrialStore(TRIALS, options.fresh);
  const env = await environment(false);
  const before = cpuTimes();
  const bench = new Bench(options, store, env.git);
  const interrupted = (signal: NodeJS.Signals): void => {
    if (bench.stopped) process.exit(signal === 'SIGINT' ? 130 : 143);
    say('interrupted: ends after this trial; the next run goes on from here');
    bench.interrupt();
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  if (!options.tableOnly) await bench.run();
  env.stolen_during = stolenSince(before);
  const rows = rowsOf(store.records);
  if (rows.length === 0) return 1;
  say(`\n${table(rows)}\n`);
  writeResults(RESULTS, { environment: env, errors: bench.errors, rows });
  peersDocument(DOCUMENT, store.records, env);
  return bench.errors.length === 0 && !bench.stopped ? 0 : 1;
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
