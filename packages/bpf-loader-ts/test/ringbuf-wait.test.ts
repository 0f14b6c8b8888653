import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { openHandles, RingBuffer } from 'bpf-loader-ts';
import { eventfdSignal } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import {
  after,
  bpfError,
  FRAME,
  INDEX_URL,
  node,
  own,
  ringObject,
  SLOWDOWN,
  SYS_URL,
  u32,
} from './helpers.js';
import { elapse } from './wait.js';

/** A worker that runs `body` with `ring`, a RingBuffer of the map with this descriptor, and `say`, which posts to us. */
function consumer(fd: number, body: string): Worker {
  const worker = new Worker(
    `Promise.all([import(${JSON.stringify(INDEX_URL)}), import(${JSON.stringify(SYS_URL)})]).then(async ([b, s]) => {
       const { parentPort } = require('node:worker_threads');
       const say = (m) => parentPort.postMessage(m);
       const map = b.BpfMap.fromFd(s.dupFd(${fd}));
       const ring = new b.RingBuffer(map);
       ${body}
       ring.close(); map.close();
     })`,
    { eval: true },
  );
  worker.on('error', (e) => {
    throw e;
  });
  after(() => void worker.terminate());
  return worker;
}

const message = async (worker: Worker): Promise<unknown> => (await once(worker, 'message'))[0];

describe('wait()', () => {
  it('says whether records wait, somebody woke it, or the time is over', () => {
    const { ring, emit } = ringObject();
    expect(ring.wait(0)).toBe('timeout');
    const start = performance.now();
    expect(ring.wait(20_000)).toBe('timeout');
    expect(performance.now() - start).toBeGreaterThanOrEqual(19.9);
    emit(2);
    expect([ring.wait(), ring.wait()]).toEqual(['records', 'records']);
    ring.wake();
    ring.wake();
    // A wake-up is seen under load, too, and once.
    expect([ring.wait(), ring.wait()]).toEqual(['woken', 'records']);
    expect(ring.consume(() => {})).toBe(2);
    eventfdSignal(ring.wakeFd);
    expect([ring.wait(), ring.wait(0)]).toEqual(['woken', 'timeout']);
  });

  it('wakes for what came while the consumer was busy, and for what it left behind', () => {
    const { ring, emit } = ringObject();
    for (let i = 0; i < 100; i++) {
      emit(3);
      expect(() =>
        ring.consume(() => {
          throw new Error('stop early');
        }),
      ).toThrow();
      expect(ring.wait(1_000_000)).toBe('records');
      let n = 0;
      ring.consume(() => {
        // The last record that waits, and while it is read another one comes: without a wake-up, since the reader has not caught up.
        if (++n === 2) emit(1);
      });
      expect([n, ring.wait(0)]).toEqual([3, 'timeout']);
      emit(1);
      expect(ring.wait(1_000_000)).toBe('records');
      ring.consume(() => {});
    }
  });

  it('records without a wake-up are there when the time is over', () => {
    const { ring, object } = ringObject();
    expect(ring.wait(0)).toBe('timeout');
    object.program('emit_quietly').testRun({ data: FRAME, repeat: 3 });
    expect(ring.wait(10_000)).toBe('timeout');
    expect([ring.pending, ring.consume(() => {})]).toEqual([true, 3]);
  });

  it('gets every record to a blocked worker soon, and a wake-up ends it', async () => {
    const { object, emit } = ringObject();
    const worker = consumer(
      object.map('events').fd,
      `const late = [];
       say(ring.wakeFd);
       for (let woken = false; !woken; ) {
         woken = ring.wait() === 'woken';
         ring.consume((view, at) => {
           late.push((s.monotonicNs() - Number(view.getBigUint64(at, true))) / 1000);
         });
       }
       late.sort((a, b) => a - b);
       say({ n: late.length, p50: late[late.length >> 1] });`,
    );
    const wakeFd = (await message(worker)) as number;
    for (let i = 0; i < 300; i++) {
      emit(1);
      await elapse(1);
    }
    const result = message(worker);
    const exit = once(worker, 'exit');
    eventfdSignal(wakeFd);
    const { n, p50 } = (await result) as { n: number; p50: number };
    expect(n).toBe(300);
    // Microseconds; a poll by timeout would show as milliseconds.
    expect(p50).toBeLessThan(1000);
    await exit;
  });

  it.each([
    ['for ever', '-1'],
    ['with a timeout', '300000'],
  ])('a worker that is terminated while it is blocked (%s) ends', async (_, timeout) => {
    const { object } = ringObject();
    const worker = consumer(object.map('events').fd, `say('ready'); while (true) ring.wait(${timeout});`);
    await message(worker);
    await elapse(30);
    const start = performance.now();
    await worker.terminate();
    expect(performance.now() - start).toBeLessThan(2000 * SLOWDOWN);
  });

  it('a worker that is woken, then terminated, has closed what it had open', async () => {
    const { object } = ringObject();
    const { fd } = object.map('events');
    const fds = readdirSync('/proc/self/fd').length;
    const worker = consumer(
      fd,
      `say(ring.wakeFd);
       while (ring.wait() !== 'woken') ring.consume(() => {});
       ring.close(); map.close(); say('closed');
       setInterval(() => {}, 1000); await new Promise(() => {});`,
    );
    eventfdSignal((await message(worker)) as number);
    expect(await message(worker)).toBe('closed');
    await worker.terminate();
    expect(readdirSync('/proc/self/fd').length).toBe(fds);
  });

  it('the process ends while a worker is blocked', () => {
    const run = node(`
      const { Worker } = await import('node:worker_threads');
      const { BpfMap } = await import(${JSON.stringify(INDEX_URL)});
      const map = BpfMap.create({ type: 'ringbuf', maxEntries: 4096 });
      const body = \`
        const { parentPort, workerData } = require('node:worker_threads');
        import(${JSON.stringify(INDEX_URL)}).then(({ BpfMap, RingBuffer }) => {
          const ring = new RingBuffer(BpfMap.fromFd(workerData));
          parentPort.postMessage(1);
          ring.wait();
        });\`;
      const worker = new Worker(body, { eval: true, execArgv: [], workerData: map.fd });
      worker.on('message', () => setTimeout(() => process.exit(7), 20));`);
    expect(run).toMatchObject({ status: 7, signal: null, stderr: '' });
  });

  it('numbers that are none', () => {
    const { ring } = ringObject();
    for (const timeout of [-2, 0.5, Number.NaN, 2 ** 31, '1' as unknown as number])
      expect(() => ring.wait(timeout)).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  });

  it('nothing stays open; a closed one says so', () => {
    const fds = readdirSync('/proc/self/fd').length;
    const { object, ring } = ringObject();
    ring.wait(0);
    object.map('events').close();
    object.close();
    // The map is closed: waiting goes on with a descriptor of the ring's own.
    expect(ring.wait(0)).toBe('timeout');
    ring.close();
    ring.close();
    for (const use of [() => ring.wait(0), () => ring.wake(), () => ring.wakeFd, () => ring.records()])
      expect(use).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
    // But for the mapping of .bss, which the end of the test closes.
    expect(openHandles().map((h) => h.what)).toEqual(['mapping of 4096 bytes']);
    expect(readdirSync('/proc/self/fd')).toHaveLength(fds);
  });
});

describe('the account', () => {
  it('of records, bytes, discarded ones and room', () => {
    const { ring, emit } = ringObject();
    expect([ring.stats, ring.used, ring.size]).toEqual([
      { records: 0, bytes: 0, discarded: 0, used: 0, size: 4096 },
      0,
      4096,
    ]);
    emit(10);
    expect(ring.used).toBe(10 * 24);
    ring.consume(() => {});
    emit(1);
    expect(ring.stats).toEqual({ records: 10, bytes: 160, discarded: 0, used: 24, size: 4096 });
    ring.close();
    expect([ring.used, ring.stats.records]).toEqual([0, 10]);
  });

  it('under overload: what was sent was received or dropped', async () => {
    const { object, ring } = ringObject();
    const percpu = object.map('dropped_percpu');
    const other = own(
      new RingBuffer(object.map('events'), {
        dropped: () =>
          percpu.perCpu(percpu.lookup(u32(0))!).reduce((n, v) => n + v[0]! + 256 * v[1]! + 65536 * v[2]!, 0),
      }),
    );
    const workers = [0, 1].map(() =>
      consumer(
        object.map('events').fd,
        `ring.close();
         const emit = b.Program.fromId(${object.program('emit').info.id});
         for (let i = 0; i < 20; i++) emit.testRun({ data: new Uint8Array(64), repeat: 5000 });
         emit.close(); say('done');`,
      ),
    );
    let [done, wrong, last] = [0, 0, -1];
    for (const w of workers)
      w.on('message', () => {
        done++;
      });
    const seen = new Set<number>();
    const take = (view: DataView, at: number): void => {
      last = Number(view.getBigUint64(at + 8, true));
      if (seen.has(last)) wrong++;
      seen.add(last);
    };
    while (done < 2) {
      ring.consume(take);
      await elapse(0);
    }
    ring.consume(take);
    const sent = Number(object.variable('sent').get());
    expect([sent, wrong]).toEqual([200_000, 0]);
    expect(ring.dropped).toBeGreaterThan(0);
    expect(ring.stats.records).toBeGreaterThan(0);
    expect(ring.stats.records + ring.dropped).toBe(sent);
    expect(other.dropped).toBe(ring.dropped);
  });

  it('has no dropped ones unless told where they are', () => {
    const { object, bss } = ringObject();
    const map = object.map('events');
    expect(() => own(new RingBuffer(map)).dropped).toThrow(/option "dropped"/);
    const open = openHandles().length;
    for (const dropped of [
      { memory: bss, offset: 4096 },
      { memory: bss, offset: -1 },
      { memory: bss, offset: 0.5 },
      { memory: bss, offset: Number.NaN },
      { memory: null, offset: 0 },
      null,
      7,
    ])
      expect(() => new RingBuffer(map, { dropped: dropped as never }), String(dropped)).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    expect(openHandles()).toHaveLength(open);
  });
});
