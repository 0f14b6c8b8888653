// What is attached to a device and whose it is; what the kernel knows of a program, and how much it runs.
// node inspect.ts [DEVICE]
import { attachTcx, attachXdp, enableStats, inspect, Link, Program } from 'bpf-loader-ts';
import { ifindex } from './helpers.ts';
import { inspect as look } from './inspect.bpf.ts';

const device = ifindex(process.argv[2] ?? 'lo');
const object = look.load('inspect.bpf.o');
const { at_xdp, at_tc } = object.programs;
const links = [attachXdp(at_xdp, device, 'generic'), attachTcx(at_tc, device, 'ingress')];

for (const found of inspect(device)) console.log(found.hook, found.name, found.ours ? 'ours' : 'foreign');

const stats = enableStats(); // until it is disposed of
at_tc.testRun({ data: new Uint8Array(64), repeat: 1000 });
console.log('runs:', at_tc.stats().runCount >= 1000 ? 'at least 1000' : at_tc.stats().runCount);
stats[Symbol.dispose]();

const { typeName, jitedBytes, verifiedInstructions } = at_tc.info;
console.log(
  typeName,
  jitedBytes > 0 ? 'compiled' : 'interpreted',
  verifiedInstructions,
  'instructions verified',
);
console.log(
  [...Program.ids()].includes(at_tc.info.id) ? 'listed' : 'not listed',
  'with the programs,',
  [...Link.ids()].includes(links[1]!.info().id) ? 'listed' : 'not listed',
  'with the links',
);
for (const link of links) link.close();
object.close();
