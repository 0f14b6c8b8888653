import { expect, it } from 'vitest';
import { compile, INDEX_URL, node } from './helpers.js';

/**
 * The addon must survive whatever it is called with, also what the TypeScript above it would never pass. Each function of the list is called with
 * seeded nonsense, in a process and a network namespace of its own; what it opens is closed, what it throws is an Error.
 */
const FUNCTIONS = [
  ...[
    'linkCreate',
    'linkCreateTracing',
    'linkCreatePerf',
    'linkUpdate',
    'linkDetach',
    'linkInfo',
    'linkNextId',
    'linkFdById',
  ],
  ...[
    'progInfo',
    'progStats',
    'progTestRun',
    'progLoad',
    'progQuery',
    'progNextId',
    'progFdById',
    'statsEnable',
  ],
  ...[
    'xdpQuery',
    'rawTracepointOpen',
    'perfOpen',
    'tracefsRead',
    'haveMapType',
    'bpfCommand',
    'kernelFunctionId',
  ],
  ...[
    'clsactCreate',
    'clsactDestroy',
    'clsactAttach',
    'clsactDetach',
    'clsactQuery',
    'libbpfHear',
    'libbpfHeard',
  ],
  ...['objectAttachTarget', 'memlockTrial', 'helperNames', 'boottimeNs'],
];

it('no argument kills the process', () => {
  const script = `
    const { parseSpec } = await import(${JSON.stringify(INDEX_URL)});
    const { native } = await import(${JSON.stringify(INDEX_URL.replace('index.js', 'binding.js'))});
    const { readdirSync } = await import('node:fs');
    const object = parseSpec(${JSON.stringify(compile('basic'))}).load();
    const program = object.program('first').fd;
    const map = object.map('cells').fd;
    let seed = 7;
    const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 1) % n;
    const detached = new Uint8Array(8); structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const values = [
      () => undefined, () => null, () => Number.NaN, () => -1, () => 0, () => 1, () => 2 ** 31, () => 2 ** 32, () => 2 ** 53, () => 1.5,
      () => Infinity, () => 0n, () => 5n, () => -1n, () => 2n ** 64n, () => '', () => 'x'.repeat(random(9000)), () => 'a\\0b', () => '/etc/passwd',
      () => '../../etc/passwd', () => true, () => false, () => ({}), () => [], () => Symbol('x'), () => () => {}, () => new Uint8Array(random(64)),
      () => new Float64Array(3), () => new DataView(new ArrayBuffer(8), 4), () => detached, () => new ArrayBuffer(0), () => program, () => map,
      () => 46, () => 37, () => random(300), () => random(2 ** 31),
    ];
    let thrown = 0, returned = 0;
    const keep = new Set(readdirSync('/proc/self/fd'));
    for (const name of ${JSON.stringify(FUNCTIONS)}) {
      if (typeof native[name] !== 'function') throw new Error('there is no ' + name);
      for (let round = 0; round < 400; round++) {
        const args = Array.from({ length: random(11) }, () => values[random(values.length)]());
        try { native[name](...args); returned++; } catch (e) { if (!(e instanceof Error) || !e.code) throw e; thrown++; }
      }
      for (const fd of readdirSync('/proc/self/fd')) if (!keep.has(fd)) { try { native.fdClose(Number(fd)); } catch {} }
    }
    console.log(thrown > 5000, returned > 500, object.program('first').info.name);`;
  expect(node(script, ['unshare', '--net'])).toMatchObject({
    status: 0,
    signal: null,
    stderr: '',
    stdout: 'true true first\n',
  });
}, 60_000);
