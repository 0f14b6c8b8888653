// Tail calls through a program array, and a map of maps whose inner map is exchanged while the program runs.
import { BpfMap, encode, u32 } from 'bpf-loader-ts';
import { tailcalls } from './tailcalls.bpf.ts';

const object = tailcalls.load('tailcalls.bpf.o');
const { entry, accept, reject } = object.programs;
const { stages, policies } = object.maps;
const run = (): number => entry.testRun({ data: new Uint8Array(64) }).retval;
console.log('no policy:', run());

stages.set(0, accept);
stages.set(1, reject);

const index = (n: number): Uint8Array => encode(u32, n);
function policy(stage: number): BpfMap {
  const map = BpfMap.create({ type: 'array', name: 'policy', valueSize: 4, maxEntries: 1 });
  map.update(index(0), index(stage));
  return map;
}

for (const stage of [0, 1]) {
  const inner = policy(stage);
  policies.set(index(0), inner); // programs see the old policy or the new one, never a mixture
  inner.close(); // the outer map holds it now
  console.log(`policy ${stage}:`, run());
}
stages.delete(1);
console.log('stage gone:', run());
object.close();
