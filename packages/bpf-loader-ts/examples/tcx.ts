// TCX (Linux 6.6): several programs on one device in a chosen order, exchanged without a frame passing unseen.
// node tcx.ts [DEVICE]
import { attachTcx, type BpfError, queryTcx } from 'bpf-loader-ts';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { FRAME, ifindex } from './helpers.ts';
import { tcx } from './tcx.bpf.ts';

const device = ifindex(process.argv[2] ?? 'lo');
const object = tcx.load('tcx.bpf.o');
const { one, two, three } = object.programs;
const socket = new PacketSocket({ ifindex: device, protocol: 0 });
const order = (): number => {
  object.variables.order.set(0);
  socket.send(FRAME);
  return object.variables.order.get();
};

const last = attachTcx(three, device, 'egress');
const first = attachTcx(one, device, 'egress', { where: 'head' });
console.log('one, three:', order());

// In between, but only if nobody has changed the list since we looked.
const { revision } = queryTcx(device, 'egress');
const middle = attachTcx(two, device, 'egress', { before: last, expectedRevision: revision });
console.log('one, two, three:', order());
try {
  attachTcx(one, device, 'ingress', { expectedRevision: 999 });
} catch (e) {
  console.log('refused:', (e as BpfError).errno);
}

// Replaces a program atomically; `one` leaves first, since a program is in a list only once.
first.close();
last.update(one, three);
console.log('two, one:', order());

for (const link of [middle, last]) link.close();
socket.close();
object.close();
