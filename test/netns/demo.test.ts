import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { COLUMNS } from '../../lab/netns/demo.js';
import { FAULTS, type FaultRow } from '../../lab/netns/faults.js';
import { outage } from '../../lab/netns/stream.js';
import { ROOT } from '../../src/paths.js';
import { cli } from '../helpers/daemon.js';
import { until } from '../helpers/wait.js';

/** Rows of faults that have several. */
const VARIANTS: Partial<Record<(typeof FAULTS)[number], string[]>> = {
  planned: ['planned', 'planned ipv6', 'planned group'],
  carrier: ['carrier', 'carrier ipv6', 'carrier group'],
  'black-hole': ['black-hole', 'black-hole ipv6'],
  'one-way': ['one-way tx', 'one-way rx'],
  lossy: ['lossy', 'lossy strict'],
};

describe.each(['veth', 'tap'] as const)('demo on %s', (devices) => {
  test('every fault fails over; JSON has a row for each', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vf-demo-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const json = join(folder, 'rows.json');
    const r = cli('demo', '--devices', devices, '--rate', '5000', '--json', json);
    expect(r).toMatchObject({ code: 0, err: '' });
    const rows = JSON.parse(readFileSync(json, 'utf8')) as FaultRow[];
    expect(rows.map((x) => x.fault)).toEqual(FAULTS.flatMap((f) => VARIANTS[f] ?? [f]));
    for (const row of rows) {
      expect(Object.keys(row)).toEqual([...COLUMNS]);
      expect(row.devices).toBe(devices);
      expect(row.sent).toBeGreaterThan(1000);
      if (row.fault === 'lossy') {
        // Requests or their answers: one of two is lost, and that is no reason to leave.
        expect(row).toMatchObject({ switches: 0, cause: null, tier: null, outage_us: null });
        expect(row.lost).toBeGreaterThan(row.sent / 10);
        continue;
      }
      expect(row.outage_us).not.toBeNull();
      if (row.fault === 'lossy strict') {
        // There, and back when the loss is over. The longer it takes to be sure, the more is lost.
        expect(row).toMatchObject({ cause: 'probe', switches: 2 });
        expect(row.lost).toBeGreaterThan(0);
        continue;
      }
      // It failed over: what a fault without failover would lose is everything after it.
      expect(row.lost).toBeLessThan(row.sent / 10);
    }
    for (const row of rows.slice(0, 3))
      expect(row).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, cause: 'manual', tier: 1 });
    expect(rows.find((x) => x.fault === 'kill-controller')).toMatchObject({ tier: 0 });
    for (const fault of ['black-hole', 'black-hole ipv6', 'one-way tx', 'one-way rx'])
      expect(rows.find((x) => x.fault === fault)).toMatchObject({ cause: 'unanswered' });
    // There and back, however often carrier came and went.
    expect(rows.find((x) => x.fault === 'flap')!.switches).toBeLessThanOrEqual(4);
    expect(r.out.split('\n').filter((line) => new RegExp(`^(${FAULTS.join('|')}) `).test(line))).toHaveLength(
      rows.length,
    );
  }, 240_000);
});

test('a fault that does not exist is a usage error with the right ones', () => {
  expect(cli('demo', '--faults', 'carier')).toMatchObject({ code: 2, err: expect.stringMatching(/carrier/) });
});

describe('interrupted, it leaves nothing behind', () => {
  const run = async (): Promise<{ child: ChildProcess; pins: string; ended: Promise<number | null> }> => {
    const child = spawn(process.execPath, [join(ROOT, 'dist/src/cli/main.js'), 'demo'], { stdio: 'ignore' });
    const pins = `/sys/fs/bpf/vfailover-demo-${child.pid}`;
    const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    await until(() => existsSync(`${pins}/instances/demo/guard`), Boolean, 20_000);
    return { child, pins, ended };
  };
  const daemons = (pid: number): string[] =>
    readdirSync('/proc').filter((p) => {
      try {
        return /^\d+$/.test(p) && readFileSync(`/proc/${p}/status`, 'utf8').includes(`\nPPid:\t${pid}\n`);
      } catch {
        return false;
      }
    });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const)('%s', async (signal, code) => {
    const { child, pins, ended } = await run();
    const children = daemons(child.pid!);
    expect(children.length).toBeGreaterThan(0);
    child.kill(signal);
    expect(await ended).toBe(code);
    await until(
      () => existsSync(pins),
      (there) => !there,
      20_000,
    );
    await until(
      () => children.filter((p) => existsSync(`/proc/${p}/fd/0`)),
      (alive) => alive.length === 0,
      20_000,
    );
  });
});

test('the outage is the time to the first frame after the last loss', () => {
  const at = (...times: number[]) => outage(Float64Array.from(times), 100);
  expect(at(80, 90, 0, 0, 150, 160)).toBe(50);
  expect(at(80, 90, 0, 0, 150, 0, 170)).toBe(70);
  expect(at(80, 90, 110, 120)).toBe(10);
  expect(at(80, 0, 90, 110)).toBe(10);
  expect(at(80, 90, 0, 0)).toBeNull();
  expect(at()).toBe(0);
});
