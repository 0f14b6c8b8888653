// What the running kernel can do, asked instead of guessed from its version; and a way out for one without TCX.
// node probes.ts [DEVICE] [clsact]
import * as bpf from 'bpf-loader-ts';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { FRAME, ifindex } from './helpers.ts';
import { probes } from './probes.bpf.ts';

for (const probe of [
  bpf.haveTcx(),
  bpf.haveNetkit(),
  bpf.haveFentry(),
  bpf.haveMapType('arena'),
  bpf.haveProgramType('netfilter'),
  bpf.haveHelper('xdp', 'redirect_map'),
  bpf.haveHelper('xdp', 'skb_load_bytes'),
])
  console.log(`${probe.answer}: ${probe.detail}`);

const device = ifindex(process.argv[2] ?? 'lo');
const useTcx = process.argv[3] !== 'clsact' && bpf.haveTcx().answer === 'supported';
const object = probes.load('probes.bpf.o');

/** Attaches to what leaves the device; the returned function takes it back. */
function attach(program: bpf.Program): () => void {
  if (useTcx) {
    const link = bpf.attachTcx(program, device, 'egress');
    return () => link.close();
  }
  // Filters are no links: they stay when the process ends, so whoever attaches must detach.
  const place = { ifindex: device, direction: 'egress', handle: 1, priority: 1 } as const;
  const made = bpf.createClsact(device);
  bpf.attachClsact(program, place, true);
  return () => (made ? bpf.destroyClsact(device) : bpf.detachClsact(place));
}

const detach = attach(object.programs.count);
const socket = new PacketSocket({ ifindex: device, protocol: 0 });
socket.sendBatch(FRAME, FRAME.length, 5);
console.log(`${useTcx ? 'TCX' : 'clsact'} saw ${object.variables.frames.get()} frames`);
detach();
console.log('filters left:', bpf.listClsact(device, 'egress').length);
socket.close();
object.close();
