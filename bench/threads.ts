import { readdirSync, readFileSync } from 'node:fs';

/** What a thread of a process used so far. */
export interface ThreadUsage {
  tid: number;
  name: string;
  /** CPU time by the scheduler's own account, ns. */
  ranNs: number;
  /** Times that it went to sleep by itself, so was woken later. */
  voluntary: number;
  involuntary: number;
}

/** The threads of a process, the main one first. */
export function threadsOf(pid: number): ThreadUsage[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const file = (name: string): string => readFileSync(`/proc/${pid}/task/${tid}/${name}`, 'utf8');
    const status = file('status');
    return {
      tid: Number(tid),
      name: file('comm').trim(),
      ranNs: Number(file('schedstat').split(' ')[0]),
      voluntary: Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)![1]),
      involuntary: Number(/^nonvoluntary_ctxt_switches:\s+(\d+)/m.exec(status)![1]),
    };
  });
}
