import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../src/paths.js';
import { environment } from './environment.js';
import { JsonLines } from './json-lines.js';
import type { BenchOptions, GroupName } from './options.js';
import { ratios, ratioTable } from './ratios.js';
import { type Results, type Row, writeJson } from './report.js';
import { machineOf } from './run.js';
import { treeState } from './tree.js';

/** Which of the two trees. */
type Side = 'this' | 'that';

/** One group of one tree in one round. */
interface Turn {
  /** What both trees, the machine and the thoroughness are. */
  key: string;
  group: GroupName;
  round: number;
  side: Side;
  rows: Row[];
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/**
 * Measures this tree and another one in turns, group by group and round by round, each by its own bench in a process of its own. The tree that
 * goes first changes from round to round. Prints the ratios. Resolves to the exit status as `run` does.
 */
export async function compare(tree: string, options: BenchOptions): Promise<number> {
  const trees: Record<Side, string> = { this: ROOT, that: tree };
  if (!existsSync(join(tree, 'dist/bench/main.js'))) {
    process.stderr.write(
      `USAGE: --against ${tree}: there is no dist/bench/main.js\n  fix: run make build there\n`,
    );
    return 2;
  }
  trees.that = realpathSync(tree);
  const comparison = new Comparison(trees, options, await keyOf(trees, options));
  const stop = (signal: NodeJS.Signals): void => comparison.interrupt(signal);
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await comparison.run();
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

async function keyOf(trees: Record<Side, string>, { quick, long }: BenchOptions): Promise<string> {
  const env = await environment(quick);
  const states = [trees.this, trees.that].map((t) => treeState(t) ?? t).join(' against ');
  return `${states}, ${machineOf(env)}${quick ? ', quick' : ''}${long ? ', long' : ''}`;
}

class Comparison {
  readonly #trees: Record<Side, string>;
  readonly #options: BenchOptions;
  readonly #key: string;
  readonly #turns: JsonLines<Turn>;
  readonly #errors: string[] = [];
  #child: ChildProcess | undefined;
  #signal: NodeJS.Signals | undefined;

  constructor(trees: Record<Side, string>, options: BenchOptions, key: string) {
    this.#trees = trees;
    this.#options = options;
    this.#key = key;
    this.#turns = new JsonLines(join(options.results, 'against.jsonl'));
    if (options.fresh) this.#turns.keep((t) => !this.#ours(t));
    say(key);
    const have = this.#turns.records.filter((t) => this.#ours(t)).length;
    if (have > 0) say(`goes on after ${have} turns that were measured before; --fresh begins anew`);
  }

  #ours({ key, group }: Turn): boolean {
    return key === this.#key && this.#options.only.includes(group);
  }

  interrupt(signal: NodeJS.Signals): void {
    this.#signal = signal;
    this.#child?.kill(signal);
  }

  async run(): Promise<number> {
    const { only, rounds, json } = this.#options;
    for (let round = 1; round <= rounds; round++)
      for (const group of only)
        for (const side of round % 2 === 1 ? (['that', 'this'] as const) : (['this', 'that'] as const))
          if (this.#signal === undefined) await this.#turn(group, round, side);
    const rows = only.flatMap((group) => ratios(this.#rounds(group, 'this'), this.#rounds(group, 'that')));
    if (rows.length > 0) say(`\n${ratioTable(rows)}\n`);
    if (json !== undefined) writeJson(json, { key: this.#key, errors: this.#errors, rows });
    for (const e of this.#errors) say(`failed: ${e}`);
    if (this.#signal !== undefined) {
      say('interrupted: the turns that ended are kept, the next run goes on from there');
      return this.#signal === 'SIGINT' ? 130 : 143;
    }
    return this.#errors.length === 0 ? 0 : 1;
  }

  /** The rows of one tree's group, round by round. */
  #rounds(group: GroupName, side: Side): ReadonlyMap<number, readonly Row[]> {
    const turns = this.#turns.records.filter((t) => this.#ours(t) && t.group === group && t.side === side);
    return new Map(turns.map(({ round, rows }) => [round, rows]));
  }

  async #turn(group: GroupName, round: number, side: Side): Promise<void> {
    if (this.#rounds(group, side).has(round)) return;
    const what = `${group}, round ${round} of ${this.#options.rounds}, ${side} tree`;
    const folder = mkdtempSync(join(tmpdir(), 'vfailover-against-'));
    try {
      say(what);
      const file = join(folder, 'results.json');
      const output = await this.#bench(this.#trees[side], group, file);
      if (this.#signal !== undefined) return;
      if (!existsSync(file)) throw new Error(`its bench wrote no results: ${output.slice(-2000)}`);
      const { rows, errors } = JSON.parse(readFileSync(file, 'utf8')) as Results;
      if (errors.length > 0) throw new Error(errors.map((e) => `${e.group}: ${e.message}`).join('; '));
      this.#turns.add({ key: this.#key, group, round, side, rows });
    } catch (e) {
      this.#errors.push(`${what}: ${(e as Error).message}`);
      say(this.#errors.at(-1)!);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Runs a tree's own bench; resolves to what it said. */
  #bench(tree: string, group: GroupName, file: string): Promise<string> {
    const { quick, long } = this.#options;
    const args = [join(tree, 'dist/bench/main.js'), '--only', group, '--json', file];
    if (quick) args.push('--quick');
    if (long) args.push('--long');
    // A process group of its own: the terminal's SIGINT reaches it through us alone, once.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...args], {
      cwd: tree,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let output = '';
    for (const s of [child.stdout!, child.stderr!]) s.on('data', (b: Buffer) => (output += b.toString()));
    return new Promise((done, failed) => {
      child.once('error', failed);
      child.once('close', () => {
        this.#child = undefined;
        done(output);
      });
    });
  }
}
