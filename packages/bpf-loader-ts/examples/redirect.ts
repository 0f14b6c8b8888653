// XDP that forwards to a device of a devmap, fed with live frames: real ones, though no wire brought them (Linux 5.18).
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { attachXdp, BPF_F_TEST_XDP_LIVE_FRAMES } from 'bpf-loader-ts';
import { closeFd, netnsCreate, netnsEnter } from 'bpf-loader-ts/sys';
import { FRAME, ifindex } from './helpers.ts';
import { redirect } from './redirect.bpf.ts';

// A network namespace of our own with two devices, which are the ends of one wire; it ends with the process.
const netns = netnsCreate();
netnsEnter(netns);
const ip = (...args: string[]): void => void execFileSync('ip', args);
ip('link', 'add', 'name', 'near', 'up', 'type', 'veth', 'peer', 'name', 'far');
ip('link', 'set', 'dev', 'far', 'up');

const object = redirect.load('redirect.bpf.o');
const { forward, arrive } = object.programs;
const link = attachXdp(arrive, ifindex('far'), 'native'); // a veth takes redirected frames only where its peer has XDP
object.maps.ports.set(0, { ifindex: ifindex('near') });

const ctx = new Uint32Array(6); // struct xdp_md: data, data_end, data_meta, ingress_ifindex, …
ctx[1] = FRAME.length;
ctx[3] = ifindex('near');
forward.testRun({
  data: FRAME,
  ctx: new Uint8Array(ctx.buffer),
  repeat: 1000,
  flags: BPF_F_TEST_XDP_LIVE_FRAMES,
});
const { arrived } = object.variables;
for (let i = 0; i < 100 && arrived.get() < 1000n; i++) await setTimeout(20);
console.log(arrived.get() >= 1000n ? 'all' : 'not all', 'frames arrived');
link.close();
object.close();
closeFd(netns);
