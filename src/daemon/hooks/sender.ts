import { readFileSync } from 'node:fs';

/**
 * Who asked for a change, in words, by the netlink port that the kernel tells with it. It is the process id of whoever opened one socket only,
 * in its own PID namespace; that process may be gone. Undefined: the kernel, or we.
 */
export function senderOf(port: number): string | undefined {
  if (port === 0 || port === process.pid) return undefined;
  try {
    return `process ${port} (${readFileSync(`/proc/${port}/comm`, 'utf8').trim()})`;
  } catch {
    return `netlink port ${port}, as a rule a process id`;
  }
}
