// Maps without keys: queue (first in, first out), stack (last in, first out) and Bloom filter.
import { BloomFilter, decode, encode, Queue, u32 } from 'bpf-loader-ts';
import { queue } from './queue.bpf.ts';

const object = queue.load('queue.bpf.o');
const [jobs, done] = [new Queue(object.maps.jobs), new Queue(object.maps.done)];
const known = new BloomFilter(object.maps.known);

known.add(encode(u32, 2));
for (const job of [1, 2, 3]) jobs.push(encode(u32, job));
console.log('next:', decode(u32, jobs.peek()!));

let runs = 0;
while (object.programs.work.testRun({ data: new Uint8Array(64) }).retval === 0) runs++;
console.log('jobs taken:', runs);

for (let job = done.pop(); job; job = done.pop()) console.log('done:', decode(u32, job));
console.log('2 is known:', known.has(encode(u32, 2)), '- 1 is known:', known.has(encode(u32, 1)));
object.close();
