import { Worker } from 'node:worker_threads';
import { BpfMap, type BpfObject, MapType, openHandles, RingBuffer } from 'bpf-loader-ts';
import { Epoll } from 'bpf-loader-ts/sys';
import { describe, expect, it } from 'vitest';
import { basic, bpfError, FRAME, INDEX_URL, own, SYS_URL } from './helpers.js';

/** Words of struct cell 2, which `emit` keeps its account in. */
const SENT = 8;
const DISCARDING = 10;
const DROPPED = 11;

interface Ring {
  object: BpfObject;
  ring: RingBuffer;
  cells: Int32Array;
  emit(n: number): void;
}

function ringOf(program = 'emit', bytes = 65536): Ring {
  const object = basic({ maxEntries: { events: bytes } });
  const run = object.program(program);
  return {
    object,
    ring: own(new RingBuffer(object.map('events'))),
    cells: own(object.map('cells').mmap()).int32(),
    emit: (n) => void run.testRun({ data: FRAME, repeat: n }),
  };
}

describe('records', () => {
  it('come in order and whole', () => {
    const { ring, emit } = ringOf();
    expect({ pending: ring.pending, consumed: ring.consume(() => {}) }).toEqual({
      pending: false,
      consumed: 0,
    });
    emit(100);
    expect(ring.pending).toBe(true);
    const seen: number[][] = [];
    const n = ring.consume((view, at, length) =>
      seen.push([
        length,
        Number(view.getBigUint64(at, true)),
        Number(view.getBigUint64(at + 8, true)),
        view.getUint32(at + 16, true),
      ]),
    );
    expect(n).toBe(100);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => [24, i, 2 * i, i]));
    expect({ pending: ring.pending, consumed: ring.consume(() => {}) }).toEqual({
      pending: false,
      consumed: 0,
    });
  });

  it('discarded ones are stepped over', () => {
    const { ring, emit, cells } = ringOf();
    cells[DISCARDING] = 1;
    emit(20);
    const seen: number[] = [];
    expect(ring.consume((view, at) => seen.push(view.getUint32(at, true)))).toBe(16);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 5 !== 0));
    expect(ring.pending).toBe(false);
  });

  it('stay right while the buffer wraps hundreds of times', () => {
    const { ring, emit, cells } = ringOf();
    let next = 0;
    let wrong = 0;
    const check = (view: DataView, at: number): void => {
      if (view.getUint32(at, true) !== next || view.getUint32(at + 8, true) !== 2 * next) wrong++;
      next++;
    };
    for (let i = 0; i < 600; i++) {
      emit(1 + ((i * 37) % 2000));
      ring.consume(check);
    }
    expect({ wrong, next, sent: cells[SENT], dropped: cells[DROPPED] }).toEqual({
      wrong: 0,
      next: cells[SENT],
      sent: cells[SENT],
      dropped: 0,
    });
    expect(next * 32).toBeGreaterThan(10 << 20);
  });

  it('positions pass 4 GiB', () => {
    const { ring, emit, cells } = ringOf('emit_large', 4 << 20);
    let next = 0;
    let wrong = 0;
    for (let i = 0; i < 1500; i++) {
      emit(3);
      ring.consume((view, at, length) => {
        if (view.getUint32(at, true) !== next++ || length !== 1 << 20) wrong++;
      });
    }
    expect({ wrong, next, dropped: cells[DROPPED] }).toEqual({ wrong: 0, next: 4500, dropped: 0 });
  });
});

describe('overrun', () => {
  it('is counted by the program; what was there before comes whole, and what comes later too', () => {
    const { ring, emit, cells } = ringOf();
    emit(10_000);
    const room = Math.floor(65535 / 32);
    expect({ sent: cells[SENT], dropped: cells[DROPPED] }).toEqual({ sent: room, dropped: 10_000 - room });
    let next = 0;
    expect(ring.consume((view, at) => expect(view.getUint32(at, true)).toBe(next++))).toBe(room);
    emit(1);
    expect(ring.consume((view, at) => expect(view.getUint32(at, true)).toBe(room))).toBe(1);
  });
});

describe('waiting', () => {
  it('by epoll: readable while records wait', () => {
    const { ring, emit } = ringOf();
    using epoll = new Epoll();
    const ready = new Int32Array(1);
    epoll.add(ring.fd, 7);
    expect(epoll.wait(ready, 0)).toBe(0);
    emit(2);
    expect([epoll.wait(ready, -1), ready[0]]).toEqual([1, 7]);
    expect(epoll.wait(ready, 0)).toBe(1);
    ring.consume(() => {});
    expect(epoll.wait(ready, 0)).toBe(0);
  });

  it.each(['epoll', 'busy'])('a worker thread takes what this one makes (%s)', async (how) => {
    const { object, emit, cells } = ringOf();
    const total = 20_000;
    const worker = new Worker(
      `Promise.all([import(${JSON.stringify(INDEX_URL)}), import(${JSON.stringify(SYS_URL)})]).then(([b, s]) => {
         const { parentPort } = require('node:worker_threads');
         const map = b.BpfMap.fromFd(s.dupFd(${object.map('events').fd}));
         const ring = new b.RingBuffer(map);
         const epoll = new s.Epoll(), ready = new Int32Array(1);
         epoll.add(ring.fd, 1);
         parentPort.postMessage('ready');
         let n = 0, wrong = 0;
         while (n < ${total}) {
           if (${how === 'epoll'}) epoll.wait(ready, 1e6); else while (!ring.pending);
           ring.consume((view, at) => { if (view.getUint32(at, true) !== n) wrong++; n++; });
         }
         parentPort.postMessage({ n, wrong });
         ring.close(); map.close(); epoll.close();
       })`,
      { eval: true },
    );
    const result = await new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (m) => {
        if (m !== 'ready') return resolve(m);
        // At the producer's own pace: what found no room is not numbered, so nothing is missing from the sequence.
        while (cells[SENT]! < total) emit(Math.min(100, total - cells[SENT]!));
      });
    });
    expect(result).toEqual({ n: total, wrong: 0 });
    await worker.terminate();
  });
});

describe('misuse', () => {
  it('of a map that is no ring buffer', () => {
    const array = own(
      BpfMap.create({
        type: MapType.array,
        name: 'x',
        keySize: 4,
        valueSize: 8,
        maxEntries: 4096,
        flags: 1024,
      }),
    );
    const before = openHandles().length;
    expect(() => new RingBuffer(array)).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
    expect(openHandles()).toHaveLength(before);
  });

  it('of the record: it is the kernel’s, and cannot be written', () => {
    const { ring, emit } = ringOf();
    emit(1);
    const refused = expect.objectContaining(bpfError('BPF_READONLY'));
    ring.consume((view: DataView, at) => {
      expect(() => view.setInt32(at, 1)).toThrow(refused);
      expect(() => new Uint8Array(view.buffer)).toThrow(refused);
    });
  });

  it('a callback that throws loses its record only', () => {
    const { ring, emit } = ringOf();
    emit(3);
    expect(() =>
      ring.consume(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    const seen: number[] = [];
    ring.consume((view, at) => seen.push(view.getUint32(at, true)));
    expect(seen).toEqual([1, 2]);
  });

  it('consume() within its callback is refused, close() within it ends it', () => {
    const { ring, emit } = ringOf();
    emit(3);
    expect(() => ring.consume(() => ring.consume(() => {}))).toThrow(/its own callback/);
    expect(ring.consume(() => ring.close())).toBe(1);
    expect({ closed: ring.closed, pending: ring.pending }).toEqual({ closed: true, pending: false });
    expect(() => ring.consume(() => {})).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
    ring.close();
  });

  it('the descriptor of a closed map is not given out', () => {
    const { object, ring } = ringOf();
    object.close();
    expect(() => ring.fd).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
    expect(ring.consume(() => {})).toBe(0);
  });
});
