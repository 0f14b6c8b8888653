import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate, parseSpec } from 'bpf-loader-ts';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileBpf, tsc } from './compile.js';
import { compile, node, tempFolder, VFAILOVER_O } from './helpers.js';

const INDEX = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../dist/bpf2ts/main.js', import.meta.url));
const require = createRequire(import.meta.url);

const bpf2ts = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

/** The compiler takes a few seconds, many under sanitizers. */
const PATIENCE = { timeout: 120_000 };

describe('a generated module', PATIENCE, () => {
  let folder: string;
  beforeAll(() => {
    folder = tempFolder();
    const made = bpf2ts(compile('types'), '--from', INDEX, '--type', 'record');
    expect(made).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  });

  /** Compiles a program that uses the module, strictly, and runs it. */
  const run = (body: string): string => {
    const file = join(folder, 'use.ts');
    writeFileSync(
      file,
      `import { types, AllView, Shade, Key, type All, type RecordInit } from './types.bpf.js';\n` +
        `import { attachTcx, decode, encode } from ${JSON.stringify(INDEX)};\n` +
        `const FRAME = { data: new Uint8Array(64) };\n${body}\n`,
    );
    const typeRoots = dirname(dirname(require.resolve('@types/node/package.json')));
    const strict = [
      '--strict',
      '--noUncheckedIndexedAccess',
      '--exactOptionalPropertyTypes',
      '--noUnusedParameters',
    ];
    const flags = [
      '--target',
      'es2022',
      '--module',
      'nodenext',
      '--lib',
      'es2023,esnext.disposable',
      '--skipLibCheck',
    ];
    const checked = tsc([...strict, ...flags, '--typeRoots', typeRoots, '--types', 'node', file], folder);
    expect(checked).toEqual({ status: 0, stdout: '' });
    const ran = node(`await import(${JSON.stringify(file.replace(/\.ts$/, '.js'))})`);
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    return ran.stdout;
  };

  it('has programs, maps and variables as properties, with types', () => {
    const out = run(`
      const object = types.load(${JSON.stringify(compile('types'))}, { variables: { nameless: { n: 6 }, hidden: 1 } });
      console.log(object.programs.peep.testRun(FRAME).retval);
      object.programs.fill.testRun(FRAME);
      const seen: All = object.variables.seen.get();
      console.log(seen.text, seen.s64, seen.inners[1]!.a, seen.yes, seen.bits.across, seen.huge);
      object.variables.given.set(seen);
      console.log(object.programs.check.testRun(FRAME).retval, object.variables.wrong.get());

      // keyed: values by system call
      const { things, shades, mapped } = object.maps;
      const key: Key = { id: 7, tag: Uint8Array.of(1, 2, 3, 4) };
      things.update(key, seen);
      console.log(things.lookup(key)!.u64, things.lookup({ ...key, id: 8 }));
      console.log([...things.entries()].map(([k, v]) => [k.id, v.packed.fourth]));
      console.log(things.delete(key), things.delete(key), [...things.keys()].length);

      // a value for every CPU
      const cpus = shades.bytes.valueBytes / 8;
      shades.update(Shade.LIGHT, Array.from({ length: cpus }, (_, a) => ({ a, b: -a })));
      console.log(shades.lookup(Shade.LIGHT)!.every(({ a, b }, i) => a === i && b === -i), shades.lookup(Shade.DARK));

      // a view of the array's own memory
      const array = mapped.mmap();
      const view: AllView = array.at(3);
      view.u32 = 4_000_000_000;
      view.point.y = -1; // wraps as a typed array does
      view.text = 'live';
      view.numbers.set(2, 9);
      view.inners.at(1).b = -3;
      view.s64 = -1n;
      view.bits.signed_five = -16;
      view.octets = Uint8Array.of(1, 2, 3, 4, 5, 6);
      view.yes = true;
      view.either.number = 0x01020304;
      const back = mapped.lookup(3)!;
      console.log(back.u32, back.point.y, back.text, back.numbers, back.inners[1]!.b, back.s64, back.bits.signed_five, back.octets[5], back.yes);
      console.log(back.either.inner.a, view.either.octets[0], view.s64Number, view.text, view.numbers.at(2), [...view.numbers].length, view.constructor_);
      view.$at = 0;
      console.log(view.u32, decode(Key, encode(Key, key)).id);
      for (const wrong of [-1, 8, 1.5, NaN]) try { array.at(wrong); console.log('no'); } catch (e) { console.log((e as Error).message); }
      try { view.numbers.at(3); console.log('no'); } catch (e) { console.log((e as Error).message); }
      try { view.text = 'much too long'; console.log('no'); } catch (e) { console.log((e as Error).message); }
      array.close();
      try { view.u32; console.log('no'); } catch (e) { console.log((e as Error).name); }
      using readOnly = mapped.mmap({ writable: false });
      try { readOnly.at(3).u32 = 1; console.log('no'); } catch (e) { console.log((e as Error).message); }
      const { jobs, known } = object.maps;
      jobs.push({ seq: 1, shade: Shade.LIGHT });
      jobs.push({ seq: 2n, shade: Shade.LIGHT });
      console.log(jobs.peek()!.seq, jobs.pop()!.seq, jobs.pop()!.seq, jobs.pop());
      known.add(7);
      console.log(known.has(7), known.has(8));
      console.log(readOnly.at(3).text, jobs.bytes.info.typeName);
      object.close();
      try { things.lookup(key); console.log('no'); } catch (e) { console.log((e as Error & { code: string }).code); }
    `);
    expect(out.split('\n')).toEqual([
      '5',
      'vf -81985529216486895n 515 true 109517 -2n',
      '0 0',
      '18364758544493064720n undefined',
      '[ [ 7, 1398101 ] ]',
      'true false 0',
      'true undefined',
      '4000000000 4294967295 live [ 0, 0, 9 ] -3 -1n -16 6 true',
      '772 4 -1 live 9 3 0',
      '0 7',
      'index is -1, not a whole number below 8',
      'index is 8, not a whole number below 8',
      'index is 1.5, not a whole number below 8',
      'index is NaN, not a whole number below 8',
      'index is 3, not a whole number below 3',
      'text is "much too long", not a string of at most 8 bytes: it has 13',
      'TypeError',
      'this memory is read-only',
      '1n 1n 2n undefined',
      'true false',
      'live queue',
      'BPF_CLOSED',
      '',
    ]);
  });

  it('lets the compiler refuse what is wrong, and the loader at run time', () => {
    const out = run(`
      const path = ${JSON.stringify(compile('types'))};
      const object = types.load(path);
      const caught = (fn: () => unknown): void => { try { fn(); console.log('no'); } catch (e) { console.log((e as Error).message); } };
      // @ts-expect-error
      caught(() => object.programs.nope.fd);
      // @ts-expect-error
      caught(() => object.maps.things.lookup(5));
      // @ts-expect-error
      caught(() => object.maps.things.update({ id: 1, tag: new Uint8Array(4) }, { u8: 1 }));
      // @ts-expect-error
      caught(() => types.load(path, { variables: { hidden: 'x' } }));
      // @ts-expect-error
      caught(() => types.load(path, { variables: { nope: 1 } }));
      // @ts-expect-error
      caught(() => types.load(path, { skip: ['nope'] }));
      // @ts-expect-error
      caught(() => types.load(path, { maxEntries: { nope: 1 } }));
      const record: RecordInit = { seq: 1, shade: Shade.LIGHT };
      console.log(record.seq);
      object.close();
    `);
    expect(out).toMatch(/Cannot read properties of undefined/);
    expect(out).toMatch(/key is 5, not an object/);
    expect(out).toMatch(/value.s8 is undefined/);
    expect(out).toMatch(/hidden is "x", not a whole number/);
    expect(out.match(/the object has no (variable|program|map) nope/g)).toHaveLength(3);
    expect(out).not.toMatch(/^no$/m);
  });

  it('refuses an object with another layout, and takes one that differs in instructions only', () => {
    const other = join(tempFolder(), 'other.bpf.o');
    const source = fileURLToPath(new URL('bpf/types.bpf.c', import.meta.url));
    const build = (text: string): void => {
      writeFileSync(join(tempFolder(), 'other.bpf.c'), text);
      compileBpf(join(tempFolder(), 'other.bpf.c'), other);
    };
    const text = readFileSync(source, 'utf8');
    build(text.replace('to->u8 = 200;', 'to->u8 = 201;'));
    const out = (): string =>
      run(`
        try {
          const o = types.load(${JSON.stringify(other)});
          o.programs.fill.testRun(FRAME);
          console.log(o.variables.seen.get().u8);
        } catch (e) { console.log((e as Error & { code: string }).code, (e as Error).message); }`);
    expect(out()).toBe('201\n');
    build(text.replace('__u16 half;', '__u16 halves;').replace('g->half', 'g->halves'));
    expect(out()).toBe(
      'BPF_OPEN types is not the object that the module of types was generated from: run bpf2ts again\n',
    );
  });
});

describe('bpf2ts', () => {
  it('gives the same text for the same object, and says when a file is another', () => {
    const text = generate(parseSpec(compile('basic')));
    expect(generate(parseSpec(compile('basic')))).toBe(text);
    const object = join(tempFolder(), 'copy.bpf.o');
    copyFileSync(compile('basic'), object);
    const file = join(tempFolder(), 'copy.bpf.ts');
    expect(bpf2ts('--check', object)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/run bpf2ts again/),
    });
    expect(bpf2ts(object).status).toBe(0);
    expect(bpf2ts('--check', object)).toEqual(expect.objectContaining({ status: 0, stderr: '' }));
    writeFileSync(file, `${readFileSync(file, 'utf8')} `);
    expect(bpf2ts('--check', object).status).toBe(1);
    expect(bpf2ts(object, '-o', '-').stdout).toMatch(/objectType/);
  });

  it('names every pointer, and leaves out what it is told to', () => {
    const refused = bpf2ts(compile('pointers'));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /map nodes: struct node\.link\.next is a pointer.*variable label: label is a pointer.*--omit NAME/,
    );
    const made = bpf2ts(compile('pointers'), '--omit', 'nodes', '--omit', 'label', '-o', '-');
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(made.stdout).toMatch(/nodes: bpf\.untyped/);
    expect(made.stdout).toMatch(/fine: bpf\.u32/);
    expect(made.stdout).not.toMatch(/label/);
  });

  it.each([
    [[], 2, /give one object file/],
    [['a', 'b'], 2, /give one object file/],
    [['--nope', 'a'], 2, /nope/],
    [['/nowhere.o'], 1, /ENOENT.*BPF_OPEN/],
    [[process.execPath], 1, /BPF_OPEN/],
    [[VFAILOVER_O, '--type', 'nope', '-o', '-'], 1, /no type nope/],
    [[VFAILOVER_O, '--omit', 'nope', '-o', '-'], 1, /no map or variable nope/],
  ])('a command line that is wrong: case %#', (args, status, message) => {
    expect(bpf2ts(...args)).toMatchObject({ status, stderr: expect.stringMatching(message) });
  });

  it('--help', () => {
    expect(bpf2ts('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^usage: bpf2ts OBJECT/),
    });
  });

  it('names that are no identifiers, or are words of the language, do not become code', () => {
    const source = readFileSync(compile('types'));
    for (const name of [`'+a;`, '*/b; ', '`c`', '\n\\d"', '\u2028e', 'class', '__proto__'.slice(0, 5)]) {
      const bytes = Buffer.from(source);
      const text = Buffer.from(name.padEnd(5).slice(0, 5), 'utf8').subarray(0, 5);
      // Names of a structure, an enumeration, one of its values and a typedef; each has five letters.
      for (const old of ['inner', 'shade', 'LIGHT', 'given'])
        for (let at = bytes.indexOf(`\0${old}\0`); at >= 0; at = bytes.indexOf(`\0${old}\0`))
          bytes.set(text, at + 1);
      let module: string;
      try {
        module = generate(parseSpec(bytes, { name: name === 'class' ? 'delete' : name }));
      } catch (e) {
        expect(e).toMatchObject({ code: expect.stringMatching(/BPF_(OPEN|UNSUPPORTED)/) });
        continue;
      }
      const { diagnostics } = ts.transpileModule(module, { reportDiagnostics: true });
      expect(
        diagnostics!.map((d) => d.messageText),
        name,
      ).toEqual([]);
      expect(module).not.toMatch(/^\s*(a;|b;)/m);
    }
  });

  it('the checked-in modules are those of the programs', () => {
    // The hash is left to `make check`: another compiler may write other instructions.
    for (const name of ['vfailover', 'lab', 'bench', 'look']) {
      const object = VFAILOVER_O.replace('vfailover.bpf.o', `${name}.bpf.o`);
      const there = readFileSync(object.replace(/\.o$/, '.ts'), 'utf8').replace(/sha256: '.*'/, '');
      expect(generate(parseSpec(object)).replace(/sha256: '.*'/, ''), name).toBe(there);
    }
  });
});
