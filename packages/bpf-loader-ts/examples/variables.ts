// Constants and variables of an object: numbers, strings and structures, with the types that bpf2ts took from the program.
import { variables } from './variables.bpf.ts';

const plain = variables.load('variables.bpf.o');
const object = variables.load('variables.bpf.o', {
  variables: { limits: { max_len: 100, label: 'strict' }, keep_longest: true },
});
// What a constant switches off is not in the loaded program.
const [without, with_] = [plain, object].map((o) => o.programs.measure.info.xlatedBytes);
console.log(`${without! < with_! ? 'smaller' : 'not smaller'} without keep_longest`);

const { limits, enabled, counters } = object.variables;
const send = (bytes: number): void => void object.programs.measure.testRun({ data: new Uint8Array(bytes) });
send(60);
send(600);
enabled.set(false); // a store into the program's memory, seen by its next run
send(1200);
console.log(limits.get(), counters.get());

counters.set({ packets: 0, too_long: 0, longest: 0 });
try {
  limits.set({ max_len: 1, label: '' });
} catch (e) {
  console.log((e as Error).message);
}
object.close();
plain.close();
