import { readdirSync, readFileSync } from 'node:fs';
import { affinity, setAffinity } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Stream } from '../../lab/netns/stream.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { daemonOf, type Lab, lab, status, untilActive, world } from '../helpers/daemon.js';

/** How long an answer may take, ms. Beside a worker that spun at nice -20 it took up to 4 s on a busy machine. */
const ANSWER_MS = 2000 * SLOWDOWN;

interface Thread {
  name: string;
  nice: number;
  cpus: number[];
}

function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => ({
    name: readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim(),
    // After the name, which may hold anything but a closing parenthesis at its end: field 19 of proc(5).
    nice: Number(readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[16]),
    cpus: affinity(Number(tid)),
  }));
}

/** Cuts the VF's wire again and again under traffic, and asks for the status all the while; the longest wait for an answer, ms. */
async function longestAnswer(l: Lab, asks: number): Promise<number> {
  l.world.startTraffic(null);
  const stream = new Stream(l.world);
  onTestFinished(() => stream.close());
  await stream.start(20_000, 3, 'ipv4');
  let longest = 0;
  for (let i = 0; i < asks; i++) {
    if (i % 10 === 0) l.world.cutVf();
    if (i % 10 === 5) l.world.mendVf();
    const asked = performance.now();
    await status(l);
    longest = Math.max(longest, performance.now() - asked);
  }
  await stream.collect();
  return longest;
}

describe('a daemon whose worker spins', () => {
  const allowed = affinity();

  test('leaves the CPU to the worker, and answers under faults', async () => {
    const cpu = allowed.at(-1)!;
    expect(allowed.length, 'CPUs that this test needs').toBeGreaterThan(1);
    const l = await lab('veth', {}, { worker: { wait: 'spin', cpu } });
    await untilActive(l, 'primary');
    const threads = threadsOf(l.daemon.pid!);
    expect(threads.filter((t) => t.cpus.includes(cpu)).map((t) => t.cpus)).toEqual([[cpu]]);
    expect(threads.length).toBeGreaterThan(4);
    expect(new Set(threads.map((t) => t.nice)).size, 'nice values').toBe(1);
    expect(l.daemon.log).not.toContain('shares a CPU');
    expect(await longestAnswer(l, 200)).toBeLessThan(ANSWER_MS);
  });

  test.each([
    ['there is no other CPU', { cpu: allowed[0]! }],
    ['no CPU is named', {}],
  ])('shares with the worker where %s, says so, and answers under faults', async (_, worker) => {
    const w = world();
    const { daemon, pins } = daemonOf(w, {}, { worker: { wait: 'spin', ...worker } });
    setAffinity(allowed[0]!);
    try {
      await daemon.start();
    } finally {
      setAffinity(allowed);
    }
    const client = await daemon.client();
    onTestFinished(() => client.close());
    const l = { world: w, daemon, client, pins };
    await untilActive(l, 'primary');
    const threads = threadsOf(daemon.pid!);
    expect(new Set(threads.map((t) => t.nice)).size, 'nice values').toBe(1);
    expect(new Set(threads.flatMap((t) => t.cpus))).toEqual(new Set([allowed[0]]));
    expect(daemon.log).toContain('shares a CPU');
    expect(await longestAnswer(l, 100)).toBeLessThan(ANSWER_MS);
  });
});
