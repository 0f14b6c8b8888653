import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { BpfMap, MapBatch } from 'bpf-loader-ts';
import { vfailover } from '../../bpf/vfailover.bpf.js';
import { bpfObject, ROOT } from '../../src/paths.js';
import { type BenchContext, CPU_B, pinMainThread } from '../context.js';
import { type Row, withTargets } from '../report.js';
import { summarize } from '../stats.js';

const ENTRIES = 10_000;

/**
 * bpf-loader-ts. Loading: the datapath's object is read from its file, checked and parsed, then its four programs are loaded as an instance
 * loads them (libbpf, CO-RE, verifier, JIT), again and again. Reading: a hash of 10,000 entries of 4 and 8 bytes, in one call into memory
 * that is used again, and one by one: by keys() and lookup(), and by lookup() alone of keys that are known; the three in turn, round
 * after round, every entry checked. Its package: what `npm pack` makes.
 */
export async function loader(ctx: BenchContext): Promise<Row[]> {
  const unpin = pinMainThread(CPU_B);
  try {
    return [
      ...(await ctx.steps.one('loading', () => loading(ctx))),
      ...(await ctx.steps.one('reading', () => reading(ctx))),
      ...(await ctx.steps.one('packed', async () => [packed()])),
    ];
  } finally {
    unpin();
  }
}

async function loading(ctx: BenchContext): Promise<Row[]> {
  const rounds = ctx.scale(50, 5);
  const parse: number[] = [];
  const load: number[] = [];
  for (let i = -2; i < rounds; i++) {
    const t0 = performance.now();
    const spec = vfailover.parse(bpfObject('vfailover'));
    const t1 = performance.now();
    const object = vfailover.load(spec);
    const t2 = performance.now();
    object.close();
    if (i >= 0) {
      parse.push(t1 - t0);
      load.push(t2 - t0);
    }
    await ctx.breathe();
  }
  const parameters = { object: 'vfailover.bpf.o', programs: 4, rounds };
  return [
    { name: 'parse of the datapath object', unit: 'ms', ...summarize(parse), parameters },
    withTargets(
      { name: 'parse and load of the datapath object', unit: 'ms', ...summarize(load), parameters },
      { of: 'p50', atMost: 50 },
    ),
  ];
}

/** Ways of reading all values: each returns their sum. */
function waysOf(map: BpfMap): Record<string, () => number> {
  const keys = Uint32Array.from({ length: ENTRIES }, (_, i) => i);
  const values = BigUint64Array.from({ length: ENTRIES }, (_, i) => BigInt(i));
  map.updateBatch(new Uint8Array(keys.buffer), new Uint8Array(values.buffer));
  const batch = new MapBatch(map);
  const value = new Uint8Array(8);
  const low = new Uint32Array(value.buffer);
  const known = Array.from({ length: ENTRIES }, (_, i) => new Uint8Array(keys.buffer, 4 * i, 4));
  return {
    batch() {
      map.readAll(batch);
      const words = new Uint32Array(batch.values.buffer);
      let total = 0;
      for (let i = 0; i < batch.count; i++) total += words[2 * i]!;
      return total;
    },
    iterated() {
      let total = 0;
      for (const key of map.keys()) {
        map.lookup(key, value);
        total += low[0]!;
      }
      return total;
    },
    known() {
      let total = 0;
      for (const key of known) {
        map.lookup(key, value);
        total += low[0]!;
      }
      return total;
    },
  };
}

async function reading(ctx: BenchContext): Promise<Row[]> {
  using map = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: ENTRIES });
  const ways = waysOf(map);
  const sum = (ENTRIES * (ENTRIES - 1)) / 2;
  const ns: Record<string, number[]> = { batch: [], iterated: [], known: [] };
  const rounds = ctx.scale(40, 5);
  for (let i = -3; i < rounds; i++)
    for (const [name, way] of Object.entries(ways)) {
      await ctx.breathe();
      const from = performance.now();
      const total = way();
      const took = ((performance.now() - from) * 1e6) / ENTRIES;
      if (total !== sum) throw new Error(`${name}: the sum is ${total}, not ${sum}`);
      if (i >= 0) ns[name]!.push(took);
    }
  const ratio = (a: number[], b: number[]): number[] => a.map((x, i) => x / b[i]!);
  const parameters = { entries: ENTRIES, key_bytes: 4, value_bytes: 8, rounds };
  const row = (name: string, unit: string, figures: number[]): Row => ({
    name,
    unit,
    ...summarize(figures),
    parameters,
  });
  return [
    row('hash entry read in a batch', 'ns', ns.batch!),
    row('hash entry read by keys() and lookup()', 'ns', ns.iterated!),
    row('hash entry read by lookup() of a known key', 'ns', ns.known!),
    withTargets(row('keys() and lookup() over batch', '×', ratio(ns.iterated!, ns.batch!)), {
      of: 'p50',
      atLeast: 10,
    }),
    row('lookup() of known keys over batch', '×', ratio(ns.known!, ns.batch!)),
  ];
}

function packed(): Row {
  const cwd = join(ROOT, 'packages/bpf-loader-ts');
  const json = execFileSync('npm', ['pack', '--dry-run', '--json'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ size }] = JSON.parse(json) as [{ size: number }];
  const row: Row = { name: 'bpf-loader-ts, packed', unit: 'KiB', value: size / 1024 };
  return withTargets(row, { of: 'value', atMost: 1024 });
}
