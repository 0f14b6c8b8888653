// Maps without keys: queue (first in, first out), stack (last in, first out) and Bloom filter.
import { queue } from './queue.bpf.ts';

const object = queue.load('queue.bpf.o');
const { jobs, done, known } = object.maps;

known.add(2);
for (const job of [1, 2, 3]) jobs.push(job);
console.log('next:', jobs.peek());

let runs = 0;
while (object.programs.work.testRun({ data: new Uint8Array(64) }).retval === 0) runs++;
console.log('jobs taken:', runs);

for (let job = done.pop(); job !== undefined; job = done.pop()) console.log('done:', job);
console.log('2 is known:', known.has(2), '- 1 is known:', known.has(1));
object.close();
