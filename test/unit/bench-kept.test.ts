import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { JsonLines } from '../../bench/json-lines.js';
import { KeptRows, type RunKey } from '../../bench/kept-rows.js';
import { parseOptions, UsageError } from '../../bench/options.js';
import { ratios, ratioTable } from '../../bench/ratios.js';
import type { Row } from '../../bench/report.js';
import { Interrupted, Steps } from '../../bench/steps.js';
import { treeState } from '../../bench/tree.js';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vfailover-kept-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const KEY: RunKey = { tree: 'a1', machine: 'm', quick: false, long: false };
const row = (name: string, value = 1): Row => ({ name, unit: 'µs', value });
const keptIn = (file: string, key: Partial<RunKey> = {}): KeptRows => new KeptRows(file, { ...KEY, ...key });

describe('records on disk', () => {
  test('are there as soon as they are added', () => {
    const file = join(folder(), 'deep', 'x.jsonl');
    const lines = new JsonLines<{ n: number }>(file);
    lines.add({ n: 1 });
    expect(readFileSync(file, 'utf8')).toBe('{"n":1}\n');
    lines.add({ n: 2 });
    expect(new JsonLines(file).records).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('half a line at the end is dropped, and does not spoil the next one', () => {
    const file = join(folder(), 'x.jsonl');
    writeFileSync(file, '{"n":1}\n{"n":');
    const lines = new JsonLines<{ n: number }>(file);
    expect(lines.records).toEqual([{ n: 1 }]);
    lines.add({ n: 3 });
    expect(new JsonLines(file).records).toEqual([{ n: 1 }, { n: 3 }]);
  });

  test('can be sorted out', () => {
    const file = join(folder(), 'x.jsonl');
    const lines = new JsonLines<{ n: number }>(file);
    for (const n of [1, 2, 3]) lines.add({ n });
    lines.keep(({ n }) => n !== 2);
    lines.add({ n: 4 });
    expect(new JsonLines(file).records).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }]);
  });
});

describe('kept rows', () => {
  test('belong to a step of a group', () => {
    const file = join(folder(), 'rows.jsonl');
    keptIn(file).add('c', 'veth', [row('x', 7)]);
    expect(keptIn(file).of('c', 'veth')).toEqual([row('x', 7)]);
    expect(keptIn(file).of('c', 'tap')).toBeUndefined();
    expect(keptIn(file).of('d', 'veth')).toBeUndefined();
  });

  test.each<[string, Partial<RunKey>]>([
    ['another tree', { tree: 'a1+ff' }],
    ['another machine', { machine: 'n' }],
    ['fewer samples', { quick: true }],
    ['longer watches', { long: true }],
  ])('are not mixed with those of %s', (_, other) => {
    const file = join(folder(), 'rows.jsonl');
    keptIn(file, other).add('c', 'veth', [row('x')]);
    expect(keptIn(file).of('c', 'veth')).toBeUndefined();
    expect(keptIn(file).count(['c'])).toEqual({ ours: 0, others: 1 });
    keptIn(file).forget(['c']);
    expect(keptIn(file, other).count(['c'])).toEqual({ ours: 1, others: 0 });
  });

  test('are forgotten by group', () => {
    const file = join(folder(), 'rows.jsonl');
    for (const group of ['c', 'd']) keptIn(file).add(group, 's', [row(group)]);
    keptIn(file).forget(['c']);
    expect(keptIn(file).of('c', 's')).toBeUndefined();
    expect(keptIn(file).of('d', 's')).toEqual([row('d')]);
  });

  test('keep what never happened', () => {
    const file = join(folder(), 'rows.jsonl');
    const never: Row = { name: 'x', unit: 'µs', n: 2, min: 1, p50: 2, p99: Infinity, max: Infinity };
    keptIn(file).add('c', 's', [never, row('y', Infinity)]);
    expect(keptIn(file).of('c', 's')).toEqual([never, row('y', Infinity)]);
  });
});

describe('the state of a tree', () => {
  const git = (root: string, ...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@y', ...args], { cwd: root });

  function repository(): string {
    const root = folder();
    git(root, 'init', '-q');
    writeFileSync(join(root, 'a'), 'one');
    git(root, 'add', '.');
    git(root, 'commit', '-qm', 'x');
    return root;
  }

  test('is its commit, and changes with what differs from that', () => {
    const root = repository();
    const clean = treeState(root);
    expect(clean).toMatch(/^[0-9a-f]{12}$/);
    writeFileSync(join(root, 'a'), 'two');
    const changed = treeState(root);
    expect(changed).toMatch(/^[0-9a-f]{12}\+[0-9a-f]{8}$/);
    writeFileSync(join(root, 'b'), 'new');
    const added = treeState(root);
    writeFileSync(join(root, 'b'), 'newer');
    expect(new Set([clean, changed, added, treeState(root)]).size).toBe(4);
    rmSync(join(root, 'b'));
    writeFileSync(join(root, 'a'), 'one');
    expect(treeState(root)).toBe(clean);
  });

  test('does not change with results', () => {
    const root = repository();
    const clean = treeState(root);
    mkdirSync(join(root, 'bench', 'results'), { recursive: true });
    writeFileSync(join(root, 'bench', 'results', 'latest.json'), '{}');
    expect(treeState(root)).toBe(clean);
  });

  test('is null without git', () => {
    expect(treeState(folder())).toBeNull();
  });
});

describe('steps', () => {
  const abort = new AbortController();
  const steps = (file: string): Steps => new Steps(keptIn(file), abort.signal);
  const fails = async (): Promise<never> => {
    throw new Error('no answer');
  };

  test('one that fails is reported, loses no other, and is measured again by the next run', async () => {
    const file = join(folder(), 'rows.jsonl');
    const first = steps(file);
    const run = (s: Steps, second: () => Promise<Row[]>): Promise<Row[]> =>
      s.group('c', async () => [
        ...(await s.one('1', async () => [row('one')])),
        ...(await s.one('2', second)),
        ...(await s.one('3', async () => [row('three')])),
      ]);
    expect(await run(first, fails)).toEqual([row('one'), row('three')]);
    expect(first.errors).toEqual([{ group: 'c, 2', message: expect.stringContaining('no answer') }]);
    const again = steps(file);
    expect(await run(again, async () => [row('two')])).toEqual([row('one'), row('two'), row('three')]);
    expect(again.errors).toEqual([]);
    expect(again.reused).toBe(2);
  });

  test('a group that fails outside of its steps is reported', async () => {
    const s = steps(join(folder(), 'rows.jsonl'));
    expect(await s.group('c', fails)).toEqual([]);
    expect(s.errors).toEqual([{ group: 'c', message: expect.stringContaining('no answer') }]);
  });

  test('what they share is set up only if one is missing, and its failure loses no rows', async () => {
    const file = join(folder(), 'rows.jsonl');
    let setUps = 0;
    const run = (s: Steps, then: () => Promise<void>): Promise<Row[]> =>
      s.group('c', () =>
        s.shared(['1', '2'], async (one) => {
          setUps++;
          await one('1', async () => [row('one')]);
          await then();
          await one('2', async () => [row('two')]);
        }),
      );
    const broken = steps(file);
    expect(await run(broken, fails)).toEqual([row('one')]);
    expect(broken.errors).toEqual([{ group: 'c, 2', message: expect.stringContaining('no answer') }]);
    expect(await run(steps(file), async () => {})).toEqual([row('one'), row('two')]);
    expect(setUps).toBe(2);
    expect(await run(steps(file), async () => {})).toEqual([row('one'), row('two')]);
    expect(setUps).toBe(2);
  });

  test('an interruption is no failure, and keeps what was measured before it', async () => {
    const file = join(folder(), 'rows.jsonl');
    const own = new AbortController();
    const s = new Steps(keptIn(file), own.signal);
    const interrupted = s.group('c', async () => {
      await s.one('1', async () => [row('one')]);
      return s.one('2', async () => {
        own.abort();
        throw new Error('anything that an abort brings about');
      });
    });
    await expect(interrupted).rejects.toThrow(Interrupted);
    expect(s.errors).toEqual([]);
    expect(keptIn(file).of('c', '1')).toEqual([row('one')]);
  });
});

describe('two trees', () => {
  const rounds = (...values: number[]): Map<number, Row[]> =>
    new Map(values.map((v, i) => [i + 1, [row('x', v)]]));

  test('are compared round by round: the median ratio, and its spread', () => {
    const [r] = ratios(rounds(100, 210, 99), rounds(100, 200, 110));
    expect(r).toMatchObject({ name: 'x', n: 3, this: 100, that: 110, ratio: 1, least: 0.9, most: 1.05 });
    expect(r!.equal).toBe(true);
  });

  test.each([
    [0.969, false],
    [0.97, true],
    [1.03, true],
    [1.031, false],
  ])('%d is within 0.97 and 1.03: %s', (ratio, equal) => {
    expect(ratios(rounds(ratio), rounds(1))[0]!.equal).toBe(equal);
  });

  test('a figure of nothing, or without end, gives no ratio', () => {
    for (const [a, b] of [
      [1, 0],
      [0, 0],
      [0, 1],
      [Infinity, 1],
    ] as const)
      expect(ratios(rounds(a), rounds(b))[0]).toMatchObject({ ratio: null, equal: null });
  });

  test('a file says null for what never happened', () => {
    const never = new Map([[1, [{ ...row('x'), value: null } as unknown as Row]]]);
    expect(ratios(never, rounds(1))[0]).toMatchObject({ this: Infinity, ratio: null });
  });

  test('rounds and rows that only one of them has do not count', () => {
    expect(ratios(rounds(1, 2), rounds(1))[0]).toMatchObject({ n: 1 });
    expect(ratios(rounds(1), new Map([[1, [row('y')]]]))).toEqual([]);
  });

  test('the table names what differs', () => {
    const table = ratioTable([...ratios(rounds(2), rounds(1)), ...ratios(rounds(0), rounds(0))]);
    expect(table.split('\n').slice(1)).toEqual([
      'x  µs         1     2     1  2.000  2.000  2.000  NO',
      'x  µs         1     0     0      –      –      –',
      '',
      'within 0.97 … 1.03: 0 of 1',
    ]);
  });
});

describe('the options', () => {
  test('of a comparison', () => {
    expect(parseOptions(['--against', 'DIR', '--only', 'f'])).toMatchObject({ against: 'DIR', rounds: 3 });
    expect(parseOptions(['--against', 'DIR', '--rounds', '5'])).toMatchObject({ rounds: 5 });
    for (const wrong of [
      ['--rounds', '5'],
      ['--against', 'D', '--rounds', '0'],
      ['--against', 'D', '--rounds', '1.5'],
    ])
      expect(() => parseOptions(wrong)).toThrow(UsageError);
  });

  test('of where to go on', () => {
    expect(parseOptions([])).toMatchObject({ fresh: false, against: undefined });
    expect(parseOptions(['--fresh', '--results', '/x'])).toMatchObject({ fresh: true, results: '/x' });
  });
});
