// A ring buffer read in three ways: on the event loop, busily, and by a blocked worker; and what found no room.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BpfMap, RingBuffer } from 'bpf-loader-ts';
import { dupFd, eventfdSignal } from 'bpf-loader-ts/sys';
import { EventView, ringbuf } from './ringbuf.bpf.ts';

if (isMainThread) await main();
else worker();

async function main(): Promise<void> {
  const object = ringbuf.load('ringbuf.bpf.o');
  const emit = (n: number): void =>
    void object.programs.emit.testRun({ data: new Uint8Array(64), repeat: n });
  const ring = new RingBuffer(object.maps.events, { dropped: object.variables.dropped });

  // 1. On the event loop, which does other work meanwhile. The record is the kernel's memory: nothing is copied.
  setTimeout(() => emit(3), 10);
  for await (const record of ring) {
    const event = new EventView(record.view, record.offset);
    console.log('loop: record', event.seq, 'of', event.len, 'bytes');
    if (event.seq === 2) break;
  }

  // 2. Busily: no system call, no allocation, a fifth of a microsecond after the program. It costs a whole CPU.
  emit(2);
  const event = new EventView(ring.view);
  let last = 0;
  for (let n = 0; n < 2; )
    n += ring.consume((_, offset) => {
      event.$at = offset;
      last = event.seq;
    });
  console.log('busy: up to record', last);

  // What is not read in time is lost, and counted.
  emit(1000);
  console.log(
    'kept',
    ring.consume(() => {}),
    'dropped',
    ring.dropped,
  );
  ring.close(); // one consumer per buffer: the next is the worker

  // 3. Blocked in a worker, by the map's descriptor.
  const thread = new Worker(new URL(import.meta.url), { workerData: object.maps.events.fd });
  const [wakeFd] = (await once(thread, 'message')) as [number];
  emit(5);
  eventfdSignal(wakeFd); // ends its wait()
  const [count] = (await once(thread, 'message')) as [number];
  console.log('worker:', count, 'records');
  object.close();
}

function worker(): void {
  const map = BpfMap.fromFd(dupFd(workerData as number));
  const ring = new RingBuffer(map);
  parentPort!.postMessage(ring.wakeFd);
  while (ring.wait() !== 'woken') ring.consume(() => {});
  ring.consume(() => {}); // what came together with the signal
  parentPort!.postMessage(ring.stats.records);
  ring.close();
  map.close();
}
