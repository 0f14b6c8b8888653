import { readFileSync } from 'node:fs';

/** libnl adds a socket's number above the process id. */
const PID_MASK = 0x3fffff;

/**
 * Who asked for a change, in words, by the netlink port that the kernel tells with it. It is the process id of whoever opened the socket, in
 * its own PID namespace, and that process may be gone. Undefined where it tells nothing: the kernel itself, or a second socket of a process,
 * as ours are, whose port is above 2^31.
 */
export function senderOf(port: number): string | undefined {
  const pid = port & PID_MASK;
  if (port === 0 || port > 0x7fffffff || pid === process.pid) return undefined;
  try {
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
  } catch {
    return `process ${pid}, which is gone`;
  }
}
