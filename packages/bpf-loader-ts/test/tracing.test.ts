import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachKprobe,
  attachRawTracepoint,
  attachTracepoint,
  attachTracing,
  attachUprobe,
  BpfError,
  type BpfObject,
  ensurePinFolder,
  haveFentry,
  haveKprobe,
  haveProgramType,
  Link,
  type LoadOptions,
  openHandles,
  Program,
} from 'bpf-loader-ts';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  attachObject,
  basic,
  bpfError,
  compile,
  compileC,
  FRAME,
  INDEX_URL,
  kernelAtLeast,
  node,
  own,
  pinFolder,
} from './helpers.js';

const read = (object: BpfObject): { hits: number; cookie: bigint } => {
  const view = new DataView(object.map('.bss').lookup(new Uint8Array(4))!.buffer);
  return { hits: Number(view.getBigUint64(0, true)), cookie: view.getBigUint64(8, true) };
};

let testRun: () => void;
beforeEach(() => {
  const program = basic().program('first');
  testRun = () => void program.testRun({ data: FRAME });
});

/** What holds for every link of a test run's tracepoint: it runs, ends with its last holder, and can be adopted. */
function lives(object: BpfObject, link: Link): void {
  testRun();
  testRun();
  expect(read(object).hits).toBe(2);
  const folder = pinFolder();
  ensurePinFolder(folder);
  link.pin(join(folder, 'link'));
  link.close();
  testRun();
  expect(read(object).hits).toBe(3);
  const adopted = own(Link.fromPin(join(folder, 'link')));
  expect([...Link.ids()]).toContain(adopted.info().id);
  execFileSync('rm', [join(folder, 'link')]);
  testRun();
  expect(read(object).hits).toBe(4);
  adopted.close();
}

const noCookie = expect.objectContaining({
  code: 'BPF_UNSUPPORTED',
  message: expect.stringMatching(/a cookie of a raw tracepoint not supported \(requires kernel >= 6\.10/),
});

/** What a link of a perf event tells: nothing before Linux 6.6, no cookie before 6.9. */
const perfInfo = (told: {
  perfTypeName: string;
  name?: string;
  offset?: number;
  cookie?: bigint;
}): object => {
  if (!kernelAtLeast('6.6')) return { typeName: 'perf_event', perfTypeName: 'unspec' };
  return { typeName: 'perf_event', ...told, ...(told.cookie && !kernelAtLeast('6.9') && { cookie: 0n }) };
};

describe('a raw tracepoint', () => {
  it('by name, with a cookie: runs, is pinned, adopted', () => {
    const object = attachObject(['on_raw_tp']);
    const program = object.program('on_raw_tp');
    if (!kernelAtLeast('6.10')) {
      expect(() => attachRawTracepoint(program, 'bpf_test_finish', { cookie: 5 })).toThrow(noCookie);
      lives(object, own(attachRawTracepoint(program, 'bpf_test_finish')));
      return;
    }
    const link = own(attachRawTracepoint(program, 'bpf_test_finish', { cookie: 2n ** 63n + 5n }));
    expect(link.info()).toMatchObject({
      typeName: 'raw_tracepoint',
      name: 'bpf_test_finish',
      progId: program.info.id,
      // What Linux tells of a raw tracepoint's cookie before 6.17; the program sees it on every kernel.
      cookie: kernelAtLeast('6.17') ? 2n ** 63n + 5n : 0n,
      ifindex: 0,
    });
    lives(object, link);
    expect(read(object).cookie).toBe(2n ** 63n + 5n);
  });

  it('errors: no such tracepoint, a program of another type, no detaching', () => {
    const object = attachObject(['on_raw_tp', 'stamp']);
    expect(() => attachRawTracepoint(object.program('on_raw_tp'), 'no_such')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
    );
    expect(() => attachRawTracepoint(object.program('stamp'), 'bpf_test_finish')).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ATTACH', 'EINVAL'),
        message: expect.stringMatching(/it is of type sched_cls, not raw_tracepoint/),
      }),
    );
    for (const cookie of [-1, 1.5, Number.NaN, 2n ** 64n, 'x' as unknown as number])
      expect(() => attachRawTracepoint(object.program('on_raw_tp'), 'bpf_test_finish', { cookie })).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    for (const name of ['a\0b', 'x'.repeat(500), 7 as unknown as string])
      expect(() => attachRawTracepoint(object.program('on_raw_tp'), name)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    const link = own(attachRawTracepoint(object.program('on_raw_tp'), 'bpf_test_finish'));
    expect(() => link.detach()).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'EOPNOTSUPP')));
    expect(() => link.update(object.program('on_raw_tp'))).toThrow(/cannot be replaced/);
  });
});

describe('tp_btf', () => {
  it('attaches to what it was loaded for: runs, is pinned, adopted', () => {
    const object = attachObject(['on_tp_btf']);
    const program = object.program('on_tp_btf');
    const link = own(attachTracing(program));
    // A raw tracepoint by another way: the kernel calls it so.
    expect(link.info()).toMatchObject({
      typeName: 'raw_tracepoint',
      name: 'bpf_test_finish',
      progId: program.info.id,
    });
    lives(object, link);
    expect(read(object).cookie).toBe(0n);
  });

  it('with a cookie, which needs what the program was loaded for', () => {
    const object = attachObject(['on_tp_btf']);
    if (!kernelAtLeast('6.10')) {
      expect(() => attachTracing(object.program('on_tp_btf'), { cookie: 77 })).toThrow(noCookie);
      return;
    }
    own(attachTracing(object.program('on_tp_btf'), { cookie: 77 }));
    testRun();
    expect(read(object)).toEqual({ hits: 1, cookie: 77n });
    const folder = pinFolder();
    ensurePinFolder(folder);
    object.program('on_tp_btf').pin(join(folder, 'program'));
    using pinned = Program.fromPin(join(folder, 'program'));
    expect(() => attachTracing(pinned, { cookie: 77 })).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ARGUMENT'),
        message: expect.stringMatching(/take the program from its BpfObject/),
      }),
    );
  });

  it('refuses what is no tracing program', () => {
    expect(() => attachTracing(attachObject(['stamp']).program('stamp'))).toThrow(
      /it is of type sched_cls, not tracing or lsm or ext/,
    );
  });
});

describe('fentry and fexit', () => {
  /** A machine whose security modules forbid trampolines says EPERM to whoever asks: that is what must come, and nothing else. */
  const forbidden = haveFentry().answer === 'inconclusive';
  const load = (names: string[], options: LoadOptions): BpfObject | BpfError => {
    try {
      return attachObject(names, options);
    } catch (e) {
      return e as BpfError;
    }
  };
  const refused = {
    ...bpfError('BPF_PERMISSION', 'EPERM'),
    message: expect.stringMatching(/program on_f\w+: .*the process has the capabilities.*a security module/),
  };

  it('of a kernel function', () => {
    const object = load(['on_fentry'], {});
    if (forbidden) {
      expect(object).toMatchObject(refused);
      expect(haveFentry().detail).toMatch(/EPERM/);
      return;
    }
    expect(haveFentry().answer).toBe('supported');
    const program = (object as BpfObject).program('on_fentry');
    const link = own(attachTracing(program, { cookie: 12 }));
    expect(link.info()).toMatchObject({ typeName: 'tracing', attachType: 24 });
    // A test run of it calls the function that it is attached to.
    program.testRun({ data: FRAME });
    expect(read(object as BpfObject)).toEqual({ hits: 1, cookie: 12n });
    link.close();
  });

  it('fmod_ret gives a function another result', (context) => {
    const object = load(['on_fmod_ret'], {});
    if (forbidden) {
      expect(object).toMatchObject(refused);
      return;
    }
    // Until 6.2 it can be had for what error injection may fail only, and for nothing in a kernel without that.
    const injects = readFileSync('/proc/kallsyms', 'latin1').includes(' within_error_injection_list\n');
    if (!kernelAtLeast('6.2') && !injects) {
      expect((object as BpfError).message).toMatch(/bpf_modify_return_test\(\) is not modifiable/);
      context.skip('fmod_ret of a kernel without CONFIG_FUNCTION_ERROR_INJECTION (Linux 6.2)');
    }
    if (object instanceof BpfError) throw object;
    const program = object.program('on_fmod_ret');
    // The sum of what test functions return: bpf_modify_return_test 4 by itself; from Linux 6.6 on another one adds to it.
    const sum = (): number => program.testRun({ data: FRAME }).retval & 0xffff;
    const before = sum();
    own(attachTracing(program));
    expect(sum() - before).toBe(42 - 4);
    expect(read(object).hits).toBeGreaterThan(0);
  });

  it.each(['on_fentry', 'on_fexit'])('%s of one of our programs: attachTargets', (name) => {
    const target = basic();
    const program = target.program('first');
    const object = load([name], { attachTargets: { [name]: { function: 'first', program } } });
    if (forbidden) {
      expect(object).toMatchObject(refused);
      return;
    }
    const link = own(attachTracing((object as BpfObject).program(name)));
    expect(link.info()).toMatchObject({ typeName: 'tracing', targetObjId: program.info.id });
    program.testRun({ data: FRAME, repeat: 3 });
    expect(read(object as BpfObject).hits).toBe(3);
  });

  it('a target that is not there is refused before the kernel sees it', () => {
    const program = basic().program('first');
    expect(
      load(['on_fentry'], { attachTargets: { on_fentry: { function: 'nothing', program } } }),
    ).toMatchObject({
      ...bpfError('BPF_LOAD'),
      message: expect.stringMatching(/target nothing of program on_fentry/),
    });
    expect(load(['on_fentry'], { attachTargets: { nope: { function: 'first' } } })).toMatchObject(
      bpfError('BPF_ARGUMENT'),
    );
    expect(
      load(['on_fentry'], { attachTargets: { on_fentry: { function: 5 as unknown as string } } }),
    ).toMatchObject(bpfError('BPF_ARGUMENT'));
    program.close();
    expect(
      load(['on_fentry'], { attachTargets: { on_fentry: { function: 'first', program } } }),
    ).toMatchObject(bpfError('BPF_CLOSED'));
  });

  it('lsm: attached, or refused by whoever forbids it', () => {
    const object = load(['on_lsm'], {});
    if (object instanceof BpfError) {
      expect(object).toMatchObject(bpfError('BPF_PERMISSION', 'EPERM'));
      expect(haveProgramType('lsm').answer).toBe('inconclusive');
      return;
    }
    expect(haveProgramType('lsm').answer).toBe('supported');
    own(attachTracing(object.program('on_lsm')));
    basic();
    // Attached it is everywhere; asked it is where the kernel was started with it among its security modules.
    const modules = '/sys/kernel/security/lsm';
    if (existsSync(modules) && readFileSync(modules, 'utf8').split(',').includes('bpf'))
      expect(read(object).hits).toBeGreaterThan(0);
  });
});

describe('a tracepoint', () => {
  it('runs, is pinned, adopted; tracefs need not be mounted', () => {
    const object = attachObject(['on_tp']);
    const program = object.program('on_tp');
    const handles = openHandles().length;
    const link = own(attachTracepoint(program, 'bpf_test_run', 'bpf_test_finish', { cookie: 9 }));
    expect(openHandles().length).toBe(handles + 1); // the perf event's own descriptor is closed
    expect(link.info()).toMatchObject({
      ...perfInfo({ perfTypeName: 'tracepoint', name: 'bpf_test_finish', cookie: 9n }),
      progId: program.info.id,
    });
    lives(object, link);
    expect(read(object).cookie).toBe(9n);
  });

  it('is found where tracefs is mounted', () => {
    const script = `const { attachTracepoint, parseSpec } = await import(${JSON.stringify(INDEX_URL)});
      const spec = parseSpec(${JSON.stringify(compile('attach'))});
      const object = spec.load({ skip: spec.programs.map((p) => p.name).filter((n) => n !== 'on_tp') });
      const link = attachTracepoint(object.program('on_tp'), 'sched', 'sched_process_exit');
      console.log(link.info().typeName, (await import('node:fs')).existsSync('/sys/kernel/tracing/events/sched'));
      let error; try { attachTracepoint(object.program('on_tp'), 'sched', 'no_such'); } catch (e) { error = e; }
      console.log(error.code, error.errno);`;
    const mount =
      '[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"';
    const run = node(script, ['unshare', '--mount', 'sh', '-c', mount, 'sh']);
    expect(run).toMatchObject({
      status: 0,
      stderr: '',
      stdout: 'perf_event true\nBPF_ATTACH ENOENT\n',
    });
  });

  it('errors: no such tracepoint, names that are none, no permission to mount', () => {
    const object = attachObject(['on_tp', 'stamp']);
    const program = object.program('on_tp');
    expect(() => attachTracepoint(program, 'sched', 'no_such')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
    );
    for (const [category, name] of [
      ['..', 'x'],
      ['sched/sched_switch', ''],
      ['', 'sched_switch'],
      ['sched', '../../x'],
    ] as const)
      expect(() => attachTracepoint(program, category, name)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    expect(() => attachTracepoint(object.program('stamp'), 'bpf_test_run', 'bpf_test_finish')).toThrow(
      /it is of type sched_cls, not tracepoint/,
    );
    const script = `const { attachTracepoint, Program } = await import(${JSON.stringify(INDEX_URL)});
      const program = Program.fromId(${program.info.id});
      process.seteuid(65534);
      let error; try { attachTracepoint(program, 'sched', 'sched_switch'); } catch (e) { error = e; }
      process.seteuid(0);
      console.log(error.code, error.message);`;
    const run = node(script);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    if (!existsSync('/sys/kernel/tracing/events'))
      expect(run.stdout).toMatch(/^BPF_PERMISSION .*mount -t tracefs tracefs \/sys\/kernel\/tracing/);
  });
});

describe('a kprobe', () => {
  it('attaches, or is refused with what the kernel lacks', () => {
    const object = attachObject(['on_probe']);
    const program = object.program('on_probe');
    const attach = () => own(attachKprobe(program, 'bpf_fentry_test1', { retprobe: true }));
    const { answer, detail } = haveKprobe();
    if (answer === 'unsupported') {
      expect(detail).toMatch(/CONFIG_KPROBE_EVENTS/);
      expect(attach).toThrow(
        expect.objectContaining({
          code: 'BPF_UNSUPPORTED',
          message: expect.stringMatching(
            /kretprobe bpf_fentry_test1: kprobe not supported \(requires kernel/,
          ),
        }),
      );
      return;
    }
    expect(answer).toBe('supported');
    const fentry = attachObject(['on_fentry']).program('on_fentry');
    expect(attach().info()).toMatchObject(perfInfo({ perfTypeName: 'kretprobe' }));
    fentry.testRun({ data: FRAME }); // calls bpf_fentry_test1
    expect(read(object).hits).toBe(1);
    expect(() => attachKprobe(program, 'no_such_symbol')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
    );
  });
});

describe('a uprobe', () => {
  /** A program that calls `work` as often as its argument says, and where that lies in its file. */
  function victim(): { path: string; offset: number } {
    const path = compileC('victim');
    return { path, offset: Number(execFileSync(path, { encoding: 'utf8' })) };
  }

  it('at entry and return, of every process that runs the file', () => {
    const { path, offset } = victim();
    const object = attachObject(['on_probe'], { variables: { pid: 0 } });
    const program = object.program('on_probe');
    const entry = own(attachUprobe(program, path, offset, { cookie: 11 }));
    expect(entry.info()).toMatchObject(perfInfo({ perfTypeName: 'uprobe', name: path, offset, cookie: 11n }));
    execFileSync(path, ['3']);
    expect(read(object)).toEqual({ hits: 3, cookie: 11n });
    const back = own(attachUprobe(program, path, offset, { retprobe: true }));
    expect(back.info()).toMatchObject(perfInfo({ perfTypeName: 'uretprobe' }));
    execFileSync(path, ['3']);
    expect(read(object).hits).toBe(9);
    entry.close();
    back.close();
    execFileSync(path, ['3']);
    expect(read(object).hits).toBe(9);
    own(attachUprobe(program, path, offset, { pid: process.pid }));
    execFileSync(path, ['3']);
    expect(read(object).hits).toBe(9); // another process than the one that was asked for
  });

  it('errors', () => {
    const program = attachObject(['on_probe']).program('on_probe');
    expect(() => attachUprobe(program, '/no/such/file', 0)).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
    );
    for (const offset of [-1, 0.5, Number.NaN])
      expect(() => attachUprobe(program, '/bin/true', offset)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    expect(() => attachUprobe(program, '/bin/true', 0, { pid: -7 })).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });
});
