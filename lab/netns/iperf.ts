import { type ChildProcess, spawn } from 'node:child_process';

/** iperf3 in a namespace, on one CPU if that is given; the kernel ends it with us. */
export function iperf(
  netns: number,
  args: string[],
  { cpu, signal }: { cpu?: number; signal?: AbortSignal } = {},
): ChildProcess {
  const command = [
    ...['--pdeathsig', 'KILL', 'nsenter', `--net=/proc/${process.pid}/fd/${netns}`],
    ...(cpu === undefined ? [] : ['taskset', '-c', String(cpu)]),
    'iperf3',
  ];
  return spawn('setpriv', [...command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
    killSignal: 'SIGKILL',
  });
}

/** All that a process wrote, when it has ended; an error with that if it failed. */
export function outputOf(child: ChildProcess): Promise<string> {
  return new Promise((done, failed) => {
    let text = '';
    for (const s of [child.stdout!, child.stderr!]) s.on('data', (b: Buffer) => (text += b.toString()));
    child.once('error', failed);
    child.once('close', (code) =>
      code === 0 ? done(text) : failed(new Error(`iperf3 ended with ${code}: ${text}`)),
    );
  });
}
