import { Program } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, own } from './helpers.js';

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
