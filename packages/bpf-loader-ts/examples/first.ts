import { setTimeout } from 'node:timers/promises';
import { attachTcx } from 'bpf-loader-ts';
import { first } from './first.bpf.ts';

const object = first.load('first.bpf.o');
const link = attachTcx(object.programs.count, 1, 'egress'); // device 1 is the loopback
for (let second = 0; second < 3; second++) {
  await setTimeout(1000);
  console.log(`${object.variables.packets.get()} packets sent`); // a load from the program's own memory
}
link.close();
object.close();
