import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Results } from '../../bench/report.js';
import { ROOT } from '../../src/paths.js';
import { until } from '../helpers/wait.js';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vfailover-bench-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Run {
  child: ChildProcess;
  /** What it wrote. */
  said(): string;
  ended: Promise<number | NodeJS.Signals | null>;
}

/** The loader's group: three steps, no traffic. */
function bench(results: string, ...args: string[]): Run {
  const main = join(ROOT, 'dist/bench/main.js');
  const command = [process.execPath, main, '--only', 'g', '--quick', '--results', results, ...args];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const s of [child.stdout!, child.stderr!]) s.on('data', (b: Buffer) => (text += b.toString()));
  const ended = new Promise<number | NodeJS.Signals | null>((done) =>
    child.once('close', (code, signal) => done(code ?? signal)),
  );
  return { child, said: () => text, ended };
}

const keptIn = (results: string): string[] => {
  const file = join(results, 'unfinished.jsonl');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return lines.filter((l) => l !== '').map((l) => (JSON.parse(l) as { step: string }).step);
};

const rowsIn = (results: string): string[] =>
  (JSON.parse(readFileSync(join(results, 'latest.json'), 'utf8')) as Results).rows.map((r) => r.name);

test.each([
  ['SIGINT', 130],
  ['SIGKILL', 'SIGKILL'],
] as const)(
  'a run that %s ends keeps what it measured; the next one goes on from there',
  async (signal, status) => {
    const results = folder();
    const first = bench(results);
    await until(
      () => keptIn(results),
      (steps) => steps.length > 0,
      60_000,
    );
    first.child.kill(signal);
    expect(await first.ended).toBe(status);
    const before = keptIn(results);
    expect(before[0]).toBe('loading');
    expect(before.length).toBeLessThan(3);
    expect(existsSync(join(results, 'latest.json'))).toBe(false);

    const second = bench(results);
    expect(await second.ended).toBe(0);
    expect(second.said()).toContain(`goes on after ${before.length} steps`);
    const rows = rowsIn(results);
    expect(rows[0]).toBe('parse of the datapath object');
    expect(rows.at(-1)).toBe('bpf-loader-ts, packed');
    expect(rows).toHaveLength(8);
    expect(keptIn(results), 'a finished run leaves nothing behind').toEqual([]);
  },
);

test('--fresh begins anew', async () => {
  const results = folder();
  const first = bench(results);
  await until(
    () => keptIn(results),
    (steps) => steps.length > 0,
    60_000,
  );
  first.child.kill('SIGKILL');
  await first.ended;
  const second = bench(results, '--fresh');
  expect(await second.ended).toBe(0);
  expect(second.said()).not.toContain('goes on');
  expect(rowsIn(results)).toHaveLength(8);
});

test('--against measures two trees in turns, and goes on after an interruption', async () => {
  const results = folder();
  const args = ['--against', ROOT, '--rounds', '1'];
  const first = bench(results, ...args);
  const measured = (): number => {
    const file = join(results, 'against.jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  };
  await until(measured, (n) => n === 1, 60_000);
  first.child.kill('SIGINT');
  expect(await first.ended).toBe(130);
  expect(measured()).toBe(1);
  const second = bench(results, ...args);
  expect(await second.ended).toBe(0);
  expect(second.said()).toContain('goes on after 1 turns');
  expect(second.said()).not.toContain('that tree');
  expect(measured()).toBe(2);
  expect(second.said()).toMatch(/^bpf-loader-ts, packed +KiB +1 .* 1\.000 +1\.000 +1\.000 +yes$/m);
});
