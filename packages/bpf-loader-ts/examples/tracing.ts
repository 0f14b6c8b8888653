// Tracing: programs that start and end, by tracepoints with typed arguments (tp_btf: Linux 5.5) and raw ones (4.17).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { attachRawTracepoint, attachTracing, RingBuffer } from 'bpf-loader-ts';
import { EventView, tracing } from './tracing.bpf.ts';

const object = tracing.load('tracing.bpf.o');
const links = [
  attachTracing(object.programs.on_exec), // its section names the tracepoint
  attachRawTracepoint(object.programs.on_exit, 'sched_process_exit'),
];

const child = spawn('/bin/true');
const ended = once(child, 'exit');
const ring = new RingBuffer(object.maps.events);
for await (const record of ring.records({ signal: AbortSignal.timeout(5000) })) {
  const event = new EventView(record.view, record.offset);
  if (event.pid !== child.pid) continue; // others start programs too
  console.log('started:', event.filename);
  break;
}
await ended;
console.log('threads ended:', object.variables.exits.get() > 0 ? 'some' : 'none');

ring.close();
for (const link of links) link.close();
object.close();
