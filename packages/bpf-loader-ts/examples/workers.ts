// One array in the memory of the program and of every thread. Threads get the descriptor's number; each maps it for itself.
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { BpfMap } from 'bpf-loader-ts';
import { dupFd } from 'bpf-loader-ts/sys';
import { Slot, workers } from './workers.bpf.ts';

const TIMES = 100_000;

if (isMainThread) {
  const object = workers.load('workers.bpf.o');
  const { shared } = object.maps;
  const threads = [1, 2].map(() => new Worker(new URL(import.meta.url), { workerData: shared.bytes.fd }));
  object.programs.add.testRun({ data: new Uint8Array(64), repeat: TIMES });
  await Promise.all(threads.map((thread) => once(thread, 'exit')));

  const memory = shared.mmap();
  const slot = memory.at(0);
  console.log('program:', slot.from_bpf, 'threads:', slot.from_threads);
  memory.close();
  object.close();
} else {
  const map = BpfMap.fromFd(dupFd(workerData as number)); // a descriptor of its own, to be closed by itself
  const mapping = map.mmap();
  const words = mapping.uint32();
  for (let i = 0; i < TIMES; i++) Atomics.add(words, Slot.offsets.from_threads / 4, 1);
  mapping.close();
  map.close();
}
