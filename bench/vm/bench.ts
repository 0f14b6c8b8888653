import { type PrimaryKind, Testbed } from '../../lab/vm/testbed.js';
import { type Contender, contenders } from './contenders.js';
import { type Fault, mend, trial, untilOnPrimary } from './faults.js';
import { MIGRATION, migrationTrial } from './migration.js';
import type { Options } from './options.js';
import type { TrialStore } from './store.js';
import { type TcpFault, tcpTrial } from './tcp.js';
import { Turn } from './turn.js';

/** Blocks that a contender's trials are spread over, so that a slow quarter of an hour does not fall on one alone. */
const ROUNDS = 2;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Bonds and teams are left out: who plugs them together again after a migration is up to the hypervisor's tools. */
const migrates = ({ name }: Contender): boolean => name === 'net_failover' || name.startsWith('vfailover');

/** Makes the trials that the store lacks. */
export class Bench {
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
