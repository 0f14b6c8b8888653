import { join } from 'node:path';
import { attachXdp, BPF_F_TEST_XDP_LIVE_FRAMES, enableStats, ensurePinFolder, Program } from 'bpf-loader-ts';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { attachObject, basic, bpfError, FRAME, namespaceWithVeth, own, pinFolder, u32 } from './helpers.js';
import { until } from './wait.js';

describe('a test run', () => {
  it('runs as often as asked and tells the mean time of one', () => {
    const object = basic();
    const cells = own(object.map('cells').mmap()).int32();
    const count = object.program('count');
    expect(count.testRun({ data: FRAME }).retval).toBe(0);
    expect(cells[0]).toBe(3);
    const { durationNs } = count.testRun({ data: FRAME, repeat: 10_000 });
    expect(cells[0]).toBe(30_003);
    expect(durationNs).toBeLessThan(100_000);
    expect(new DataView(object.map('.bss').lookup(new Uint8Array(4))!.buffer).getBigUint64(0, true)).toBe(
      10_001n,
    );
  });

  it('gives back the frame as the program left it', () => {
    const frame = Uint8Array.from({ length: 64 }, (_, i) => i + 5);
    const dataOut = new Uint8Array(128);
    const run = basic().program('change').testRun({ data: frame, dataOut });
    expect(run).toMatchObject({ retval: 3, dataSize: 20 });
    expect([...dataOut.subarray(0, 3)]).toEqual([10, 6, 7]);
    expect(dataOut[20]).toBe(0);
    expect(frame[0]).toBe(5);
  });

  it('never writes past the room it is given', () => {
    const change = basic().program('change');
    const memory = new Uint8Array(256).fill(0xaa);
    expect(() => change.testRun({ data: FRAME, dataOut: memory.subarray(100, 110) })).toThrow(
      expect.objectContaining(bpfError('BPF_RUN', 'ENOSPC')),
    );
    expect(memory.subarray(110).every((b) => b === 0xaa)).toBe(true);
    memory.fill(0xaa);
    // Size 0 means "no limit" to the kernel: it must not see the pointer.
    expect(change.testRun({ data: FRAME, dataOut: memory.subarray(100, 100) }).retval).toBe(3);
    expect(memory.every((b) => b === 0xaa)).toBe(true);
  });

  it('takes a context', () => {
    const ctx = new Uint8Array(192); // struct __sk_buff
    new DataView(ctx.buffer).setUint32(8, 4711, true);
    expect(basic().program('mark').testRun({ data: FRAME, ctx }).retval).toBe(4711);
  });

  it('gives back the context as the program left it', () => {
    const [ctx, ctxOut] = [new Uint8Array(192), new Uint8Array(192)];
    const program = attachObject(['stamp']).program('stamp');
    const run = program.testRun({ data: FRAME, ctx, ctxOut });
    expect(run).toMatchObject({ retval: 0, ctxSize: 192 });
    expect(new DataView(ctxOut.buffer).getUint32(8, true)).toBe(4711);
    expect(ctx.every((b) => b === 0)).toBe(true);
    expect(() => program.testRun({ data: FRAME, ctx, ctxOut: new Uint8Array(8) })).toThrow(
      expect.objectContaining(bpfError('BPF_RUN', 'ENOSPC')),
    );
  });

  it('of a syscall program works on the context itself', () => {
    const program = attachObject(['add']).program('add');
    const ctx = new Uint8Array(Uint32Array.of(40, 2, 0).buffer);
    expect(program.testRun({ ctx }).retval).toBe(5);
    expect(ctx.slice(8)).toEqual(u32(42));
    expect(() => program.testRun({ ctx, data: FRAME })).toThrow(
      expect.objectContaining(bpfError('BPF_RUN', 'EINVAL')),
    );
  });

  it('of a raw tracepoint program runs on the CPU that is asked for', () => {
    const program = attachObject(['cpu']).program('cpu');
    for (const cpu of [0, 1, 0]) expect(program.testRun({ cpu, ctx: new Uint8Array(8) }).retval).toBe(cpu);
    expect(() => program.testRun({ cpu: 9999 })).toThrow(
      expect.objectContaining(bpfError('BPF_RUN', 'ENXIO')),
    );
    for (const cpu of [-1, 0.5, Number.NaN])
      expect(() => program.testRun({ cpu })).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  });

  it('with bad options is a typed error', () => {
    const program = basic().program('first');
    for (const options of [
      { data: 'x' },
      { data: FRAME, repeat: 2 ** 31 },
      { data: FRAME, flags: Number.NaN },
      { data: FRAME, flags: Number.NaN, cpu: 1 },
      { data: FRAME, batchSize: -1 },
      { data: FRAME, ctxOut: [1] },
    ] as object[])
      expect(() => program.testRun(options), JSON.stringify(options)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
  });

  it('refuses a frame without a header', () => {
    const run = (n: number) => () =>
      basic()
        .program('first')
        .testRun({ data: new Uint8Array(n) });
    for (const n of [0, 13]) expect(run(n)).toThrow(expect.objectContaining(bpfError('BPF_RUN', 'EINVAL')));
    expect(() => basic().program('first').testRun({ data: FRAME, repeat: -1 })).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });
});

it('has a tag that tells equal code', () => {
  const [one, two] = [basic(), basic()];
  const info = (name: string) => one.program(name).info;
  expect(info('first').tag).toMatch(/^[0-9a-f]{16}$/);
  expect(two.program('first').info.tag).toBe(info('first').tag);
  expect(two.program('first').info.id).not.toBe(info('first').id);
  expect(info('second').tag).not.toBe(info('third').tag);
  expect(own(Program.fromId(info('first').id)).info).toEqual(info('first'));
});

it('tells what the kernel knows of a program', () => {
  const before = Date.now();
  const object = basic();
  const program = object.program('count');
  const { info } = program;
  expect(info).toMatchObject({ type: 3, typeName: 'sched_cls', name: 'count', uid: 0, gplCompatible: true });
  expect([...info.mapIds].sort()).toEqual(
    ['cells', 'percpu', '.bss', '.rodata'].map((name) => object.map(name).info.id).sort(),
  );
  expect(info.xlatedBytes % 8).toBe(0);
  expect(info.verifiedInstructions).toBeGreaterThan(10);
  expect(info.xlatedBytes).toBeGreaterThan(80);
  expect(info.jitedBytes).toBeGreaterThan(0);
  expect(info.btfId).toBeGreaterThan(0);
  expect(program.loadedAt.getTime()).toBeGreaterThanOrEqual(before - 5);
  expect(program.loadedAt.getTime()).toBeLessThanOrEqual(Date.now() + 5);
  expect(Object.isFrozen(info) && Object.isFrozen(info.mapIds)).toBe(true);
  expect([...Program.ids()]).toContain(info.id);
  expect(program.expectedAttachType).toBe(0);
  const folder = pinFolder();
  ensurePinFolder(folder);
  program.pin(join(folder, 'program'));
  expect(own(Program.fromPin(join(folder, 'program'))).info).toEqual(info);
});

it('counts runs while statistics are kept', () => {
  const program = basic().program('first');
  const stats = enableStats();
  program.testRun({ data: FRAME, repeat: 1000 });
  const { runCount, runTimeNs, recursionMisses } = program.stats();
  stats[Symbol.dispose]();
  expect([runCount, recursionMisses]).toEqual([1000, 0]);
  expect(runTimeNs).toBeGreaterThan(1000);
});

describe('live frames', () => {
  /** Both ends of a veth with native XDP, as a driver has that sends frames of XDP. */
  function wire() {
    const ns = namespaceWithVeth();
    const [a, b] = [ns.ifindex('a'), ns.ifindex('b')];
    const object = attachObject(['reflect', 'send_out', 'let_pass'], { variables: { out_ifindex: a } });
    for (const device of [a, b]) own(ns.in(() => attachXdp(object.program('let_pass'), device, 'native')));
    const socket = own(new PacketSocket({ netns: ns.fd, ifindex: b }));
    /** Frames of ours that reach the far end. */
    const arrived = (): number => {
      const frame = new Uint8Array(2048);
      let ours = 0;
      for (let n = socket.recv(frame); n !== -11; n = socket.recv(frame))
        if (n === 64 && frame[12] === 0x88 && frame[13] === 0xb5) ours++;
      return ours;
    };
    return { ns, a, object, arrived };
  }
  /** To everybody, of an EtherType that nobody speaks. */
  const frame = Uint8Array.from({ length: 64 }, (_, i) =>
    i < 6 ? 0xff : i === 12 ? 0x88 : i === 13 ? 0xb5 : 2,
  );

  it.each(['reflect', 'send_out'])('%s: a peer sees them', async (name) => {
    const { ns, a, object, arrived } = wire();
    const ctx = new Uint8Array(Uint32Array.of(0, 64, 0, a, 0, 0).buffer); // struct xdp_md: data, data_end, …, ingress_ifindex
    const run = (repeat: number, batchSize: number) =>
      ns.in(() =>
        object
          .program(name)
          .testRun({ data: frame, ctx, repeat, batchSize, flags: BPF_F_TEST_XDP_LIVE_FRAMES }),
      );
    let seen = arrived();
    expect(seen).toBe(0);
    const settles = (n: number) =>
      until(
        () => {
          seen += arrived();
          return seen;
        },
        (all) => all === n,
      );
    expect(run(1, 0).retval).toBe(0);
    await settles(1);
    run(40, 16); // as many as the socket's buffer holds, each in a page of its own
    await settles(41);
  });

  it('are counted by statistics', async () => {
    const { ns, a, object } = wire();
    const ctx = new Uint8Array(Uint32Array.of(0, 64, 0, a, 0, 0).buffer);
    own(enableStats());
    ns.in(() =>
      object.program('reflect').testRun({ data: frame, ctx, repeat: 50, flags: BPF_F_TEST_XDP_LIVE_FRAMES }),
    );
    // What reaches the far end runs through the program there.
    await until(
      () => object.program('let_pass').stats().runCount,
      (n) => n >= 50,
    );
    expect(object.program('reflect').stats().runCount).toBe(50);
  });

  it('go out in batches of at most 256', () => {
    const program = attachObject(['reflect']).program('reflect');
    const run = (batchSize: number, flags: number) => () =>
      program.testRun({ data: frame, batchSize, flags });
    expect(run(257, BPF_F_TEST_XDP_LIVE_FRAMES)).toThrow(
      expect.objectContaining(bpfError('BPF_RUN', 'E2BIG')),
    );
    expect(run(1, 0)).toThrow(expect.objectContaining(bpfError('BPF_RUN', 'EINVAL')));
  });
});
