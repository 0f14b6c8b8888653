import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BpfError, BpfMap, MapType, openHandles, parseSpec } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import {
  basic,
  bpfError,
  compile,
  compileBigEndian,
  FRAME,
  INDEX_URL,
  node,
  own,
  VFAILOVER_O,
} from './helpers.js';

/** The error that `fn` throws. */
function thrown(fn: () => unknown): BpfError {
  try {
    fn();
  } catch (e) {
    expect(e).toBeInstanceOf(BpfError);
    return e as BpfError;
  }
  throw new Error('nothing was thrown');
}

describe('opening', () => {
  it('lists maps and programs without a kernel', () => {
    const object = parseSpec(compile('basic'));
    const maps = object.maps.filter((m) => !m.internal);
    expect(Object.fromEntries(maps.map((m) => [m.name, [m.type, m.valueSize, m.maxEntries]]))).toEqual({
      cells: [MapType.array, 16, 4],
      percpu: [MapType.percpu_array, 4, 2],
      events: [MapType.ringbuf, 0, 65536],
    });
    expect(object.programs.map((p) => p.name)).toContain('count');
    expect(object.programs.find((p) => p.name === 'pass')).toMatchObject({ section: 'xdp', type: 6 });
    expect(object.maps.find((m) => m.name === 'cells')!.typeName).toBe('array');
    expect(object.variables.find((v) => v.name === 'c32')).toMatchObject({
      section: '.rodata',
      size: 4,
      constant: true,
    });
    expect(object.variables.find((v) => v.name === 'runs')).toMatchObject({
      section: '.bss',
      constant: false,
    });
    expect(object).toMatchObject({
      name: 'basic',
      license: 'GPL',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(openHandles()).toEqual([]);
  });

  it('refuses what is no object, and says why', () => {
    expect(thrown(() => parseSpec('/nowhere/x.o')).message).toMatch(/ENOENT/);
    for (const bytes of [new Uint8Array(0), new Uint8Array(10), new Uint8Array(4096), Buffer.from('\x7fELF')])
      expect(thrown(() => parseSpec(bytes)).code).toBe('BPF_OPEN');
    expect(thrown(() => parseSpec(process.execPath)).message).toMatch(/relocatable|for BPF/);
  });

  it('refuses an object of the other byte order, and says so', () => {
    expect(thrown(() => parseSpec(compileBigEndian()))).toMatchObject({
      code: 'BPF_OPEN',
      message: expect.stringMatching(/big-endian/),
    });
  });

  it('mutated and truncated files give an error and never a crash', () => {
    const run = node(`
      import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
      const { codecOf, generate, parseSpec } = await import(${JSON.stringify(INDEX_URL)});
      const seeded = (a) => () => { a = (a + 0x6d2b79f5) | 0; let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return (t ^ (t >>> 14)) >>> 0; };
      // The verifier needs long for the big one: it takes a turn of twenty.
      const sources = ${JSON.stringify([VFAILOVER_O, ...Array<string>(19).fill(join(dirname(VFAILOVER_O), 'bfd.bpf.o'))])}.map((path) => readFileSync(path));
      const seen = { none: 0 };
      for (let seed = 0; seed < 600; seed++) {
        const next = seeded(seed);
        let bytes = Buffer.from(sources[seed % sources.length]);
        const headers = Number(bytes.readBigUInt64LE(40));
        for (let i = next() % 12; i >= 0; i--) {
          const where = next() % 5;
          const at = where === 0 ? next() % 64 : where === 1 ? headers + next() % (bytes.length - headers) : next() % headers;
          bytes[at] = [next() & 255, 0, 255, 127, 128, 1][next() % 6];
        }
        if (seed % 6 === 0) bytes = bytes.subarray(0, next() % bytes.length);
        let object;
        try {
          const spec = parseSpec(bytes);
          for (const v of spec.variables) try { codecOf(spec.btf, v.type, v.name); } catch (e) { if (!e.code) throw e; }
          try { generate(spec); } catch (e) { if (e.code !== 'BPF_UNSUPPORTED') throw e; }
          object = spec.load();
          seen.none++;
        } catch (e) {
          if (e.name !== 'BpfError') { console.log('seed ' + seed + ': ' + e.stack); process.exit(1); }
          seen[e.code] = (seen[e.code] ?? 0) + 1;
        } finally {
          object?.close();
        }
      }
      console.log(JSON.stringify(seen));`);
    expect(run).toMatchObject({ status: 0, signal: null });
    const seen = JSON.parse(run.stdout) as Record<string, number>;
    expect(Object.values(seen).reduce((a, b) => a + b)).toBe(600);
    expect(seen.BPF_OPEN).toBeGreaterThan(100);
  }, 120_000);

  it('opens bytes wherever they lie, and is not touched when they change', () => {
    const source = readFileSync(compile('basic'));
    const bytes = new Uint8Array(source.length + 3).subarray(3);
    bytes.set(source);
    const object = parseSpec(bytes);
    bytes.fill(0);
    expect(own(object.load()).program('first').info.name).toBe('first');
  });
});

describe('loading', () => {
  it('sets constants of every size', () => {
    const run = (variables: Record<string, number | bigint>): number =>
      basic({ variables }).program('constants').testRun({ data: FRAME }).retval;
    expect(run({})).toBe(1 + 2 + 3 - 4 + 5 + 7);
    expect(run({ c8: 255, c16: 65535, c32: 1_000_000, s32: -1, c64: 2n ** 33n, colour: 0 })).toBe(
      255 + 65535 + 1_000_000 - 1 + 2,
    );
  });

  it.each([
    [{ c8: 256 }, /c8 is 256/],
    [{ c32: -(2 ** 31) - 1 }, /c32 is/],
    [{ c32: 1.5 }, /whole number/],
    [{ c64: Number.NaN }, /whole number/],
    [{ c8: -1 }, /c8 is -1, not a whole number from 0 to 255/],
    [{ text: 1 }, /text is 1, not a string/],
    [{ text: 'abcde' }, /text is "abcde", not a string of at most 4 bytes/],
    [{ record_type: { seq: 1 } }, /record_type.twice is undefined/],
    [{ c33: 1 }, /has no variable c33; it has .*c32/],
  ])('refuses the variables %o', (variables, message) => {
    const object = parseSpec(compile('basic'));
    const error = thrown(() => object.load({ variables }));
    expect(error.code).toBe('BPF_ARGUMENT');
    expect(error.message).toMatch(message);
    own(object.load()); // the spec is as good as before
  });

  it('refuses unknown names, whatever they are for', () => {
    const object = parseSpec(compile('basic'));
    const map = own(
      BpfMap.create({ type: 2, name: 'x', keySize: 4, valueSize: 16, maxEntries: 4, flags: 0 }),
    );
    for (const options of [
      { skip: ['nope'] },
      { attachTypes: { nope: 1 } },
      { maxEntries: { nope: 1 } },
      { reuse: { nope: map } },
    ])
      expect(thrown(() => object.load(options))).toMatchObject({
        code: 'BPF_ARGUMENT',
        message: expect.stringMatching(/no (map|program) nope; it has/),
      });
    expect(thrown(() => object.load({ maxEntries: { cells: -1 } })).code).toBe('BPF_ARGUMENT');
  });

  it('changes sizes, skips programs, reuses maps', () => {
    const one = basic({ maxEntries: { cells: 100 }, skip: ['emit', 'emit_large'] });
    expect(one.map('cells').info.maxEntries).toBe(100);
    expect(thrown(() => one.program('emit'))).toMatchObject({ code: 'BPF_ARGUMENT', message: /skipped/ });
    const two = basic({ reuse: { cells: one.map('cells') } });
    expect(two.map('cells').info.id).toBe(one.map('cells').info.id);
    two.program('count').testRun({ data: FRAME, repeat: 5 });
    expect(new DataView(one.map('cells').lookup(new Uint8Array(4))!.buffer).getBigUint64(0, true)).toBe(15n);
    expect(one.map('.bss').info.valueSize).toBe(8);
    expect(() => one.map('ss')).toThrow(/no map ss/);
    const wrong = own(
      BpfMap.create({ type: 2, name: 'x', keySize: 4, valueSize: 8, maxEntries: 4, flags: 0 }),
    );
    expect(thrown(() => parseSpec(compile('basic')).load({ reuse: { cells: wrong } }))).toMatchObject({
      code: 'BPF_ARGUMENT',
      message: 'map x cannot stand for cells: its valueSize is 8, not 16',
    });
  });

  it('can be done any number of times', () => {
    const spec = parseSpec(compile('basic'));
    const [one, two] = [own(spec.load()), own(spec.load({ variables: { c8: 9 } }))];
    expect(one.map('cells').info.id).not.toBe(two.map('cells').info.id);
    expect([one.variable('c8').get(), two.variable('c8').get()]).toEqual([1, 9]);
  });

  it('closing closes what was taken from it', () => {
    const object = basic();
    const [map, program] = [object.map('cells'), object.program('count')];
    const runs = object.variable('runs');
    runs.get();
    object.close();
    object.close();
    expect(thrown(() => runs.get()).code).toBe('BPF_CLOSED');
    expect(thrown(() => object.variable('runs')).code).toBe('BPF_CLOSED');
    expect({ mapClosed: map.closed, programClosed: program.closed }).toEqual({
      mapClosed: true,
      programClosed: true,
    });
    expect(() => object.map('cells')).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
    expect(() => program.testRun({ data: FRAME })).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
  });
});

describe('signals', () => {
  it('do not end the load of a long program: a profiler is faster than the verifier', () => {
    const run = node(`
      import { readFileSync } from 'node:fs';
      import { Session } from 'node:inspector';
      import { parseSpec } from '${INDEX_URL}';
      const profiler = new Session();
      profiler.connect();
      profiler.post('Profiler.enable');
      profiler.post('Profiler.setSamplingInterval', { interval: 50 });
      profiler.post('Profiler.start');
      const spec = parseSpec(new Uint8Array(readFileSync('${VFAILOVER_O}')));
      for (let i = 0; i < 5; i++) spec.load().close();
      profiler.post('Profiler.stop', (_, { profile }) => console.log(profile.samples.length > 20));
    `);
    expect(run).toMatchObject({ status: 0, stdout: 'true\n' });
  });
});

describe('variables', () => {
  it('are live: read and written in the memory that the programs use', () => {
    const object = basic({ variables: { runs: 40n } });
    const runs = object.variable('runs');
    expect(runs.get()).toBe(40n);
    object.program('count').testRun({ data: FRAME, repeat: 2 });
    expect(runs.get()).toBe(42n);
    runs.set(7n);
    object.program('second').testRun({ data: FRAME });
    expect(object.variable('runs').get()).toBe(9n);
    expect(runs.memory.getUint32(runs.offset, true)).toBe(9);
  });

  it('constants are what was set, and stay so', () => {
    const object = basic({
      variables: { text: 'vf', colour: 7, record_type: { seq: 1, twice: 2n ** 63n, tail: 4 } },
    });
    expect(object.variable('text').get()).toBe('vf');
    expect(object.variable('s32').get()).toBe(-4);
    expect(object.variable('record_type').get()).toEqual({ seq: 1n, twice: 2n ** 63n, tail: 4 });
    const c32 = object.variable('c32');
    expect(thrown(() => c32.set(1))).toMatchObject({
      code: 'BPF_ARGUMENT',
      message: expect.stringMatching(/constant/),
    });
    expect(() => (c32.memory as DataView).setUint32(c32.offset, 1)).toThrow(
      expect.objectContaining(bpfError('BPF_READONLY')),
    );
    expect(thrown(() => object.variable('runs').set(-1n)).message).toMatch(/runs is -1, not a bigint/);
    expect(thrown(() => object.variable('nope')).message).toMatch(/no variable nope; it has .*runs/);
  });
});

describe('a program that the verifier refuses', () => {
  const others = (keep: string): string[] =>
    ['out_of_bounds', 'unchecked', 'long_way'].filter((n) => n !== keep);

  it.each([
    ['out_of_bounds', /invalid access to map value, value_size=4 off=400 size=4; R\d .*outside/],
    ['unchecked', /R\d invalid mem access 'map_value_or_null'/],
    ['long_way', /R\d invalid mem access 'map_value_or_null'/],
  ])('%s: one line of summary, the whole log behind it', (name, message) => {
    const object = parseSpec(compile('refused'));
    const error = thrown(() => object.load({ skip: others(name) }));
    expect(error).toMatchObject({
      code: 'BPF_VERIFIER',
      errno: 'EACCES',
      message: expect.stringMatching(message),
    });
    expect(error.message).not.toContain('\n');
    expect(error.log).toMatch(/BEGIN PROG LOAD LOG/);
    expect(error.log).toMatch(/processed \d+ insns/);
    expect(error.log).toMatch(/END PROG LOAD LOG/);
    if (name === 'long_way') expect(error.log!.length).toBeGreaterThan(256 * 1024);
  });

  it('worker threads that load at the same time each get their own log', async () => {
    const path = compile('refused');
    const logs = await Promise.all(
      [...others(''), ...others('')].map(async (name) => {
        const worker = new Worker(
          `import(${JSON.stringify(INDEX_URL)}).then(({ parseSpec }) => {
             const logs = [];
             const spec = parseSpec(${JSON.stringify(path)});
             for (let i = 0; i < 3; i++)
               try { spec.load({ skip: ${JSON.stringify(others(name))} }); } catch (e) { logs.push(e.log); }
             require('node:worker_threads').parentPort.postMessage(logs);
           })`,
          { eval: true },
        );
        const got = await new Promise<string[]>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        await worker.terminate();
        return { name, got };
      }),
    );
    for (const { name, got } of logs) {
      expect(got).toHaveLength(3);
      for (const log of got) {
        expect(log.match(/prog '(\w+)': -- BEGIN/g)).toEqual([`prog '${name}': -- BEGIN`]);
        expect(log.match(/processed/g)).toHaveLength(1);
      }
    }
  });
});

it('threads and the process may end with everything open', () => {
  const script = `
    import { Worker } from 'node:worker_threads';
    const body = \`import(${JSON.stringify(INDEX_URL)}).then(({ parseSpec, RingBuffer }) => {
      const object = parseSpec(${JSON.stringify(compile('basic'))}).load();
      globalThis.keep = [object, object.map('cells').mmap().int32(), new RingBuffer(object.map('events'))];
      require('node:worker_threads').parentPort.postMessage(0);
      setInterval(() => globalThis.keep[1][0]++, 0);
    })\`;
    for (let round = 0; round < 3; round++)
      await Promise.all([0, 1, 2].map(async () => {
        const w = new Worker(body, { eval: true, execArgv: [] });
        await new Promise((resolve) => w.once('message', resolve));
        await w.terminate();
      }));
    // The addon was unloaded with the last worker; here it comes again, and stays open until the end.
    const { parseSpec } = await import(${JSON.stringify(INDEX_URL)});
    globalThis.keep = parseSpec(${JSON.stringify(compile('basic'))}).load().map('cells').mmap().int32();
    console.log('end');`;
  expect(node(script)).toMatchObject({ status: 0, signal: null, stdout: 'end\n', stderr: '' });
});
