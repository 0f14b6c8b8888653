// XDP (links: Linux 5.9): in the driver if it can, else after it; then another program takes over between two frames.
// node xdp.ts [DEVICE]
import { setTimeout } from 'node:timers/promises';
import { attachXdp, BpfError, type Link, type Program, queryXdp, type XdpMode } from 'bpf-loader-ts';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { FRAME, ifindex } from './helpers.ts';
import { xdp } from './xdp.bpf.ts';

const device = ifindex(process.argv[2] ?? 'lo');
const object = xdp.load('xdp.bpf.o');
const { count, drop } = object.programs;

function attach(program: Program): [Link, XdpMode] {
  try {
    return [attachXdp(program, device, 'native'), 'native'];
  } catch (e) {
    if (!(e instanceof BpfError) || e.errno !== 'EOPNOTSUPP') throw e;
    return [attachXdp(program, device, 'generic'), 'generic'];
  }
}

const [link, mode] = attach(count);
console.log(mode, 'program is ours:', queryXdp(device)[mode] === count.info.id);

const socket = new PacketSocket({ ifindex: device, protocol: 0 });
const { passed, dropped } = object.variables;
for (const [name, counter] of Object.entries({ passed, dropped })) {
  for (let i = 0; i < 100 && counter.get() === 0n; i++) {
    socket.send(FRAME); // the loopback receives what it sends; to other devices somebody else has to send
    await setTimeout(50);
  }
  console.log(name, counter.get() > 0n ? 'frames' : 'nothing');
  if (counter === passed) link.update(drop, count);
}
for (const handle of [socket, link, object]) handle.close();
