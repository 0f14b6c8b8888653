import { BpfMap, RingBuffer, readU64 } from 'bpf-loader-ts';
import { clockMonotonic, dupFd, Epoll, eventfdClear, setAffinity } from 'bpf-loader-ts/sys';
import { VfEvent } from '../bpf/vfailover.bpf.js';
import { record } from '../src/record.js';

/** Words of the control block. */
export const EVENTS_WORDS = 3;
export const EVENTS = record('events', EVENTS_WORDS, { stop: 1, running: 1, seen: 1 });

export interface EventsTask {
  /** Ring buffer. */
  events: number;
  /** eventfd: ends the wait. */
  wake: number;
  control: SharedArrayBuffer;
  /** Latency of each event in ns as doubles, as many as fit. */
  latencies: SharedArrayBuffer;
  wait: 'epoll' | 'spin';
  cpu: number;
}

const WAKE = 1;

/** Takes events as the decision worker does, and notes the age of each one when it has been read. */
export default function run(task: EventsTask): void {
  setAffinity(task.cpu);
  const control = new Int32Array(task.control);
  const latencies = new Float64Array(task.latencies);
  const clock = new Float64Array(1);
  const ready = new Int32Array(4);
  const map = BpfMap.fromFd(dupFd(task.events));
  const ring = new RingBuffer(map);
  const epoll = new Epoll();
  epoll.add(ring.fd, 0);
  epoll.add(task.wake, WAKE);
  const onEvent = (view: DataView, at: number): void => {
    const ns = readU64(view, at + VfEvent.offsets.ns);
    clockMonotonic(clock, 0);
    const seen = control[EVENTS.seen]!;
    if (seen < latencies.length) latencies[seen] = clock[0]! - ns;
    Atomics.store(control, EVENTS.seen, seen + 1);
  };
  try {
    Atomics.store(control, EVENTS.running, 1);
    while (Atomics.load(control, EVENTS.stop) === 0) {
      if (task.wait === 'epoll') {
        const n = epoll.wait(ready, -1);
        for (let i = 0; i < n; i++) if (ready[i] === WAKE) eventfdClear(task.wake);
      }
      if (ring.pending) ring.consume(onEvent);
    }
  } finally {
    epoll.close();
    ring.close();
    map.close();
  }
}
