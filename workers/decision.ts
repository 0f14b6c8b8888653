import { receiveMessageOnPort } from 'node:worker_threads';
import { dupFd, setAffinity, setNice } from 'bpf-loader-ts/sys';
import { CONTROL, type DecisionTask, type ToWorker } from '../src/shard/protocol.js';
import { DecisionLoop } from './decision-loop.js';

/**
 * A shard's task, which runs until it is told to stop. The thread never returns to its event loop meanwhile, so it fetches mail by hand when
 * the control block says that there is some.
 */
export default function run(task: DecisionTask): { ticks: number } {
  const control = new Int32Array(task.control);
  if (task.cpu !== null) setAffinity(task.cpu);
  // At nice -20 the thread runs at once when it wakes. The main thread, which the same fault wakes, does not push it aside.
  // A thread that spins never wakes, so its weight would only starve the process's other threads, even on other CPUs. A group of the
  // scheduler (a session, a control group) has one share. Its CPUs get that share in proportion to the weights that run there.
  if (task.wait !== 'spin') setNice(-20);
  const loop = new DecisionLoop(task, (m) => task.port.postMessage(m), dupFd);
  try {
    Atomics.store(control, CONTROL.running, 1);
    while (Atomics.load(control, CONTROL.stop) === 0) {
      const mail = Atomics.load(control, CONTROL.mail);
      while (control[CONTROL.read] !== mail) {
        const message = receiveMessageOnPort(task.port);
        if (message === undefined) break;
        loop.handle(message.message as ToWorker);
        control[CONTROL.read]!++;
      }
      if (loop.tick(mail)) loop.wait();
    }
    return { ticks: control[CONTROL.ticks]! };
  } finally {
    loop.close();
    task.port.close();
  }
}
