import { Worker } from 'node:worker_threads';
import { type LibbpfLevel, onLibbpfMessage, parseSpec } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, compile, INDEX_URL, node, own } from './helpers.js';

interface Heard {
  level: LibbpfLevel;
  text: string;
}

function listen(level?: LibbpfLevel): Heard[] {
  const heard: Heard[] = [];
  own(onLibbpfMessage((at, text) => heard.push({ level: at, text }), level ? { level } : {}));
  return heard;
}

const refuse = (): void => {
  const object = parseSpec(compile('verifier'));
  expect(() =>
    object.load({ skip: object.programs.map((p) => p.name).filter((n) => n !== 'wrong_helper') }),
  ).toThrow(/wrong_helper/);
};

describe('what libbpf says', () => {
  it('is told after a call that fails, by its level, and is in the error as before', () => {
    const heard = listen();
    refuse();
    expect(heard.length).toBeGreaterThan(2);
    expect(heard.every((h) => h.level === 'warn')).toBe(true);
    expect(heard[0]!.text).toMatch(/^libbpf: prog 'wrong_helper'/);
    expect(heard.map((h) => h.text).join('\n')).toMatch(/BEGIN PROG LOAD LOG/);
  });

  it('is told after a call that succeeds: debug output, to those who want it', () => {
    const [all, some] = [listen('debug'), listen()];
    basic();
    expect(all.length).toBeGreaterThan(10);
    expect(new Set(all.map((h) => h.level))).toEqual(new Set(['debug']));
    expect(all.map((h) => h.text).join('\n')).toMatch(/map 'cells': created successfully/);
    expect(some).toEqual([]);
  });

  it('ends with the callback, and none is told what came before', () => {
    const heard: string[] = [];
    const listener = onLibbpfMessage((_, text) => heard.push(text));
    refuse();
    const n = heard.length;
    expect(n).toBeGreaterThan(0);
    listener[Symbol.dispose]();
    listener[Symbol.dispose]();
    refuse();
    expect(heard).toHaveLength(n);
    const later = listen('debug');
    basic();
    expect(later.some((h) => h.level === 'warn')).toBe(false);
  });

  it('may be heard by a callback that loads itself', () => {
    const heard: string[] = [];
    let nested = false;
    own(
      onLibbpfMessage((_, text) => {
        heard.push(text);
        if (nested) return;
        nested = true;
        refuse();
      }),
    );
    refuse();
    expect(heard.filter((t) => /failed to load: /.test(t)).length).toBe(2);
  });

  it('is never printed', () => {
    const script = `const { parseSpec } = await import(${JSON.stringify(INDEX_URL)});
      const object = parseSpec(${JSON.stringify(compile('verifier'))});
      try { object.load({ logLevel: 1 }); } catch (e) { console.log(e.code); }`;
    expect(node(script)).toMatchObject({ status: 0, stderr: '', stdout: 'BPF_VERIFIER\n' });
  });

  it('what the callback throws is uncaught, and changes nothing of the call', () => {
    const script = `const { parseSpec, onLibbpfMessage } = await import(${JSON.stringify(INDEX_URL)});
      process.on('uncaughtException', (e) => console.log('uncaught', e.message));
      onLibbpfMessage((level) => { throw new Error(level); });
      const object = parseSpec(${JSON.stringify(compile('verifier'))});
      try { object.load({ skip: object.programs.map((p) => p.name).filter((n) => n !== 'endless') }); } catch (e) { console.log(e.code); }`;
    const run = node(script);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^BPF_VERIFIER\n(uncaught warn\n)+$/);
  });

  it('refuses what is no callback, no level', () => {
    const refused = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    for (const callback of [undefined, null, 'x', {}])
      expect(() => onLibbpfMessage(callback as unknown as () => void)).toThrow(refused);
    for (const level of ['loud', 7, null, 'toString'])
      expect(() => onLibbpfMessage(() => {}, { level: level as 'warn' })).toThrow(refused);
  });

  it('threads that load at the same time hear their own, and end while they listen', async () => {
    const path = compile('verifier');
    const names = ['no_bounds', 'endless', 'unreleased', 'wrong_helper'];
    const main = listen('debug');
    const told = await Promise.all(
      names.map(async (name) => {
        const worker = new Worker(
          `import(${JSON.stringify(INDEX_URL)}).then(({ parseSpec, onLibbpfMessage }) => {
             const heard = [];
             onLibbpfMessage((level, text) => heard.push(text));
             for (let i = 0; i < 5; i++) {
               const object = parseSpec(${JSON.stringify(path)});
               try { object.load({ skip: ${JSON.stringify([...names, 'too_long'])}.filter((n) => n !== ${JSON.stringify(name)}) }); } catch {}
             }
             require('node:worker_threads').parentPort.postMessage(heard);
           })`,
          { eval: true },
        );
        const heard = await new Promise<string[]>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        await worker.terminate();
        return { name, heard };
      }),
    );
    for (const { name, heard } of told) {
      const about = heard.join('\n').match(/prog '(\w+)': BPF program load failed/g);
      expect(about).toEqual(Array.from({ length: 5 }, () => `prog '${name}': BPF program load failed`));
    }
    expect(main).toEqual([]);
  });
});
