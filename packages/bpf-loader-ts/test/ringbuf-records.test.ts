import { readdirSync } from 'node:fs';
import { openHandles } from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { bpfError, FRAME, INDEX_URL, node, ringObject, SLOWDOWN } from './helpers.js';
import { elapse } from './wait.js';

const seqOf = (r: { view: DataView; offset: number }): number =>
  Number(r.view.getBigUint64(r.offset + 8, true));

describe('records on the event loop', () => {
  it('come in order and whole, while the producer goes on', async () => {
    const { ring, emit } = ringObject();
    const seen: number[] = [];
    emit(5);
    let sent = 5;
    const more = setInterval(() => {
      emit(3);
      sent += 3;
    }, 1);
    for await (const record of ring) {
      expect(record.length).toBe(16);
      seen.push(seqOf(record));
      if (seen.length >= 500) break;
    }
    clearInterval(more);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i));
    // What the loop did not come to is still there, for any way of reading.
    expect(ring.consume(() => {})).toBe(sent - 500);
    expect(ring.stats.records).toBe(sent);
  });

  it('a record lies still until the next step, however long its reader takes, and nothing polls meanwhile', async () => {
    const { ring, emit, bss } = ringObject();
    const records = ring.records();
    emit(2);
    const { value } = await records.next();
    const copy = value!.bytes();
    const before = process.cpuUsage();
    emit(10_000); // an overrun: the record's place must not be taken
    await elapse(150);
    expect(process.cpuUsage(before).user + process.cpuUsage(before).system).toBeLessThan(100_000 * SLOWDOWN);
    expect(bss.getUint32(8, true)).toBeGreaterThan(9000);
    expect([seqOf(value!), value!.bytes()]).toEqual([0, copy]);
    expect(new DataView(copy.buffer).getUint32(8, true)).toBe(0);
    const again = await records.next();
    expect(again.value).toBe(value);
    expect(seqOf(value!)).toBe(1);
    await records.return!();
  });

  it('a reader that waits gets what comes', async () => {
    const { ring, emit } = ringObject();
    const records = ring.records();
    for (let i = 0; i < 20; i++) {
      const next = records.next();
      await elapse(1);
      emit(1);
      expect(seqOf((await next).value!)).toBe(i);
    }
    await records.return!();
  });

  it('other work of the loop gets its turn under load', async () => {
    const { ring, emit } = ringObject();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let n = 0;
    const end = performance.now() + 10_000 * SLOWDOWN;
    emit(1);
    for await (const _ of ring) {
      n++;
      // Never empty. One run each: more would have a thread of their own, which takes its time.
      emit(1);
      emit(1);
      if ((ticks > 5 && n > 1024) || performance.now() > end) break;
    }
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });
});

describe('the end', () => {
  it.each(['break', 'throw'])('by %s in the loop: the record counts as read', async (how) => {
    const { ring, emit } = ringObject();
    emit(3);
    const loop = (async () => {
      for await (const record of ring) {
        if (seqOf(record) === 1 && how === 'break') break;
        if (seqOf(record) === 1) throw new Error('mine');
      }
    })();
    if (how === 'throw') await expect(loop).rejects.toThrow('mine');
    else await loop;
    expect(ring.consume((view, at) => expect(view.getUint32(at + 8, true)).toBe(2))).toBe(1);
    // And again.
    emit(1);
    for await (const record of ring) {
      expect(seqOf(record)).toBe(3);
      break;
    }
  });

  it('by return(), throw() and close(), also for a reader that waits', async () => {
    for (const how of ['return', 'throw', 'close'] as const) {
      const { ring } = ringObject();
      const records = ring.records();
      const next = records.next();
      await elapse(0);
      if (how === 'return') expect(await records.return!()).toEqual({ done: true, value: undefined });
      else if (how === 'throw') await expect(records.throw!(new Error('x'))).rejects.toThrow('x');
      else ring.close();
      expect(await next).toEqual({ done: true, value: undefined });
      expect(await records.next()).toEqual({ done: true, value: undefined });
      if (how === 'close')
        expect(() => ring.records()).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
      else expect(ring.consume(() => {})).toBe(0);
    }
  });

  it('by a signal: the iteration throws its reason', async () => {
    const { ring, emit } = ringObject();
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('enough')), 20);
    emit(2);
    let n = 0;
    await expect(
      (async () => {
        for await (const _ of ring.records({ signal: abort.signal })) n++;
      })(),
    ).rejects.toThrow('enough');
    expect(n).toBe(2);
    const late = ring.records({ signal: abort.signal });
    await expect(late.next()).rejects.toThrow('enough');
    expect(await late.next()).toEqual({ done: true, value: undefined });
    expect(ring.consume(() => {})).toBe(0);
    expect(() => ring.records({ signal: 1 as never })).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });

  it('by close() in the loop', async () => {
    const { ring, emit } = ringObject();
    emit(3);
    let n = 0;
    for await (const record of ring) {
      n++;
      ring.close();
      expect(() => seqOf(record)).toThrow(TypeError);
    }
    expect([n, ring.closed]).toEqual([1, true]);
  });

  it('leaves nothing open', async () => {
    const fds = readdirSync('/proc/self/fd').length;
    const { object, ring, emit } = ringObject();
    emit(1);
    for await (const _ of ring) {
      object.close(); // the iteration has a descriptor of its own
      break;
    }
    const records = ring.records();
    const next = records.next();
    await elapse(0);
    ring.close();
    await next;
    await elapse(0);
    // But for the mapping of .bss, which the end of the test closes.
    expect(openHandles().map((h) => h.what)).toEqual(['mapping of 4096 bytes']);
    expect(readdirSync('/proc/self/fd')).toHaveLength(fds);
  });
});

describe('misuse', () => {
  it('one reader at a time, one step at a time', async () => {
    const { ring, emit, object } = ringObject();
    const wrong = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    const records = ring.records();
    expect(() => ring.records()).toThrow(wrong);
    expect(() => ring.consume(() => {})).toThrow(/being iterated/);
    const next = records.next();
    await expect(records.next()).rejects.toEqual(wrong);
    emit(1);
    expect((await next).done).toBe(false);
    await records.return!();
    expect(() => ring.consume(undefined as never)).toThrow(wrong);
    emit(1);
    expect(ring.consume(() => expect(() => ring.records()).toThrow(wrong))).toBe(1);
    object.close();
    // Made before: the ring has its own descriptor by now.
    await ring.records().return!();
  });

  it('keeps the process alive while it waits, and not longer', () => {
    const script = (body: string): string => `
      const { BpfMap, RingBuffer } = await import(${JSON.stringify(INDEX_URL)});
      const ring = new RingBuffer(BpfMap.create({ type: 'ringbuf', maxEntries: 4096 }));
      process.on('exit', () => console.log('exit', Math.round(performance.now() - start) >= 90));
      const start = performance.now();
      ${body}`;
    const idle = node(script(`const records = ring.records(); ring.wait(0);`));
    expect(idle).toMatchObject({ status: 0, stdout: 'exit false\n', stderr: '' });
    const waiting = node(
      script(`
        const abort = new AbortController();
        setTimeout(() => abort.abort(new Error('over')), 100).unref();
        await ring.records({ signal: abort.signal }).next().catch((e) => console.log(e.message));`),
    );
    expect(waiting).toMatchObject({ status: 0, stdout: 'over\nexit true\n', stderr: '' });
  });
});

it('records without a wake-up wait for one who asks anew', async () => {
  const { ring, object, emit } = ringObject();
  const records = ring.records();
  const next = records.next();
  // The loop begins to watch when it next polls, which is before what setImmediate asks for the second time.
  for (let i = 0; i < 2; i++) await new Promise((r) => setImmediate(r));
  object.program('emit_quietly').testRun({ data: FRAME, repeat: 2 });
  await elapse(1);
  emit(1); // no wake-up either: the reader has not caught up
  await elapse(5);
  // Whatever wakes it next brings all; asking anew finds them without a wake-up.
  await records.return!();
  expect((await next).done).toBe(true);
  const seen: number[] = [];
  for await (const record of ring) {
    seen.push(seqOf(record));
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([0, 1, 2]);
});
