import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { closest, distance } from 'fastest-levenshtein';
import { ROOT } from '../src/paths.js';

export const GROUPS = {
  a: 'cost of the BPF programs per packet, over an empty one',
  b: 'TCP and UDP throughput through an instance, against the same wires without',
  c: 'carrier faults: outage, detection, frames lost, per tier and waiting mode',
  d: 'planned flips under traffic, a flood of group frames: lost, duplicated, reordered',
  e: 'what an idle daemon costs, and looking after the programs of many instances',
  f: 'event to worker latency; primitives that the decision loop is made of',
  g: 'the loader: loading programs, reading maps in batches, the size of its package',
  h: 'black holes: detection and outage per T of the unanswered-TX watchdog, false alarms',
  i: 'BFD: detection, false alarms and CPU time, by sessions of ours and by FRR’s bfdd',
} as const;
export type GroupName = keyof typeof GROUPS;
export const GROUP_NAMES = Object.keys(GROUPS) as GroupName[];

export interface BenchOptions {
  only: GroupName[];
  quick: boolean;
  /** Ten minutes of false alarms where a target asks for them. */
  long: boolean;
  /** A further copy of the results. */
  json: string | undefined;
  /** Folder of the results, of finished and of unfinished runs. */
  results: string;
  /** Measure what an unfinished run has measured again. */
  fresh: boolean;
  /** Another tree, built, to compare this one with. */
  against: string | undefined;
  /** How often each tree is measured then. */
  rounds: number;
  help: boolean;
}

export const USAGE = `usage: vfailover bench [--only GROUPS] [--quick | --long] [--json FILE] [--fresh]
       vfailover bench --against TREE [--only GROUPS] [--rounds N] [--quick | --long] [--json FILE] [--fresh]

Measures and prints a table; the figures go to bench/results/latest.json as well. As root: it makes network
namespaces of its own, which end with it. About ten minutes, and h as long again; --quick two minutes.
What is measured is kept at once, in bench/results/unfinished.jsonl. The next run of the same tree goes on from there.

  --only GROUPS  some groups only, with commas between: a,c
  --quick        few samples: whether everything works, not what it costs
  --long         h and i watch for false alarms for ten minutes, as their targets have it
  --json FILE    write the results there too
  --results DIR  keep results there (default bench/results)
  --fresh        begin anew instead of going on where an unfinished run stopped
  --against TREE measure this tree and that one (built) in turns, group by group; prints ratios
  --rounds N     how often each tree is measured then (default 3)
  --help         this text

groups:
${GROUP_NAMES.map((g) => `  ${g}  ${GROUPS[g]}`).join('\n')}
`;

const OPTIONS = {
  only: { type: 'string' },
  quick: { type: 'boolean', default: false },
  long: { type: 'boolean', default: false },
  json: { type: 'string' },
  results: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  against: { type: 'string' },
  rounds: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** A command line that is wrong, in words. */
export class UsageError extends Error {}

/** Reads the arguments. Throws UsageError. */
export function parseOptions(args: readonly string[]): BenchOptions {
  for (const a of args) {
    const name = /^--([^=]+)/.exec(a)?.[1];
    if (name === undefined || Object.hasOwn(OPTIONS, name)) continue;
    const guess = closest(name, Object.keys(OPTIONS));
    throw new UsageError(
      `unknown option --${name}${distance(name, guess) > 2 ? '' : `: did you mean --${guess}?`}`,
    );
  }
  try {
    const { values } = parseArgs({
      args: [...args],
      options: OPTIONS,
      strict: true,
      allowPositionals: false,
    });
    const { quick, long, json, fresh, against, help } = values;
    if (quick && long) throw new UsageError('--quick and --long exclude each other');
    const rounds = roundsOf(values.rounds, against);
    const results = resolve(values.results ?? join(ROOT, 'bench', 'results'));
    return { only: groupsOf(values.only), results, quick, long, json, fresh, against, rounds, help };
  } catch (e) {
    if (e instanceof UsageError) throw e;
    throw new UsageError((e as Error).message);
  }
}

function roundsOf(text: string | undefined, against: string | undefined): number {
  if (text === undefined) return 3;
  if (against === undefined) throw new UsageError('--rounds goes with --against');
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new UsageError(`--rounds ${text}: a whole number from 1`);
  return n;
}

function groupsOf(list: string | undefined): GroupName[] {
  if (list === undefined) return GROUP_NAMES;
  const wanted = list.split(',').map((g) => g.trim());
  for (const g of wanted)
    if (!Object.hasOwn(GROUPS, g))
      throw new UsageError(`--only: there is no group '${g}'; groups are ${GROUP_NAMES.join(', ')}`);
  return GROUP_NAMES.filter((g) => wanted.includes(g));
}
