import { describe, expect, it } from 'vitest';
import { conflicts, type Scene } from '../../src/hooks/conflicts.js';
import { FREE, Patience, QUIET_MS } from '../../src/hooks/patience.js';
import { senderOf } from '../../src/hooks/sender.js';
import { Starvation } from '../../src/hooks/starvation.js';
import { transparent } from '../../src/models/transparent.js';

describe('patience', () => {
  it('is at once five times, then waits 1, 2, 4 … 60 s', () => {
    const p = new Patience();
    let now = 0;
    for (; now < FREE; now++) expect(p.undone(now)).toBe(true);
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      expect(p.undone(now)).toBe(false);
      waits.push(p.dueAt - now);
      now = p.dueAt;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1000));
  });

  it('is whole again after a minute of quiet, counted from the end of the wait', () => {
    const p = new Patience();
    for (let i = 0; i <= FREE; i++) p.undone(0);
    expect(p.undone(p.dueAt + QUIET_MS - 1)).toBe(false);
    expect(p.undone(p.dueAt + QUIET_MS + 1)).toBe(true);
    expect(p.count).toBe(1);
  });

  it('waits after what could not be done', () => {
    const p = new Patience();
    expect(p.undone(0)).toBe(true);
    p.failed(0);
    expect(p.dueAt).toBe(1000);
    p.failed(1000);
    expect(p.dueAt).toBe(3000);
  });

  it('counts an attempt that failed as no loss, and forgets it once it was done', () => {
    const p = new Patience();
    p.undone(0);
    p.failed(0);
    expect(p.count).toBe(1);
    expect(p.undone(2000)).toBe(true);
    expect(p.count).toBe(2);
  });
});

describe('starvation', () => {
  it('is ten frames past us and none to us', () => {
    const s = new Starvation(0);
    expect(s.sample(0, 100, 5)).toBeUndefined();
    expect(s.sample(100, 109, 5)).toBeUndefined();
    expect(s.sample(200, 110, 5)).toBe(true);
    expect(s.sample(300, 120, 6)).toBe(false);
  });

  it('is not what control frames do every few seconds, nor probes and BFD', () => {
    const slow = new Starvation(0);
    for (let t = 0; t < 60_000; t += 1000) expect(slow.sample(t, t / 1000, 0)).toBeUndefined();
    const probed = new Starvation(100);
    for (let t = 0; t < 60_000; t += 100) expect(probed.sample(t, t / 10, 0)).toBeUndefined();
  });

  it('begins anew with counters that began anew', () => {
    const s = new Starvation(0);
    s.sample(0, 1000, 50);
    expect(s.sample(100, 3, 50)).toBeUndefined();
    expect(s.sample(200, 13, 50)).toBe(true);
  });
});

describe('who asked for a change', () => {
  it('is a process by its id and name, without the number that libnl adds', () => {
    const pid = process.ppid;
    expect(senderOf(pid)).toMatch(new RegExp(`^process ${pid} \\(.+\\)$`));
    expect(senderOf(pid + (3 << 22))).toBe(senderOf(pid));
    expect(senderOf(0x3ffffe)).toBe('process 4194302, which is gone');
  });

  it('is not told by the kernel itself, by second sockets, and by us', () => {
    for (const port of [0, 3_928_882_082, process.pid]) expect(senderOf(port)).toBeUndefined();
  });
});

describe('conflicts', () => {
  const hook = (name: string) => transparent.hooks.find((h) => h.name === name)!;
  const scene = (over: Partial<Scene>): Scene => ({
    kind: 'tcx',
    master: 'eth0',
    slave: 'vf0',
    surveys: [],
    xdp: new Map(),
    qdiscs: new Map(),
    ...over,
  });
  const at = (name: string, before: string[], after: string[]) => ({
    hook: hook(name),
    ifindex: 2,
    attached: true,
    before: before.map((text) => ({ text, by: 'filter' as const })),
    after: after.map((text) => ({ text, by: 'filter' as const })),
  });
  const told = (s: Scene) => conflicts(s).map((c) => `${c.severity}: ${c.message}`);

  it('are none where everybody sees everything', () => {
    const surveys = [at('accept', [], ['x']), at('guard', [], ['x']), at('steer', [], [])];
    expect(conflicts(scene({ surveys }))).toEqual([]);
  });

  it('name what misses frames, and how that is mended for this kind of attachment', () => {
    const surveys = [at('steer', [], ['a', 'b'])];
    expect(told(scene({ surveys }))).toEqual([
      'degraded: a, b at eth0 egress comes after vf_steer and does not see the frames that it sends by vf0',
    ]);
    expect(conflicts(scene({ surveys }))[0]!.fix).toContain('attach: clsact');
    expect(conflicts(scene({ surveys, kind: 'clsact' }))[0]!.fix).toContain('priority below 65382');
    expect(conflicts(scene({ surveys: [at('deliver', [], ['a'])] }))[0]!.fix).toContain('ingress of eth0');
  });

  it('name what may keep frames from ours', () => {
    const surveys = ['steer', 'deliver', 'guard', 'accept'].map((name) => at(name, ['x'], []));
    expect(told(scene({ surveys }))).toEqual([
      expect.stringMatching(/^note: x at eth0 egress runs before vf_steer: .* leaves by eth0 itself/),
      expect.stringMatching(/^note: x at vf0 ingress runs before vf_deliver: .* never reaches eth0$/),
      expect.stringMatching(/^note: x at vf0 egress runs before vf_guard/),
      expect.stringMatching(/^note: x at eth0 ingress runs before vf_accept/),
    ]);
  });

  it('tell of qdiscs that shape, not of those that order', () => {
    const of = (here: string, there: string) =>
      told(
        scene({
          qdiscs: new Map([
            ['eth0', here],
            ['vf0', there],
          ]),
        }),
      );
    expect(of('fq_codel', 'noqueue')).toEqual([]);
    expect(of('fq', 'fq')).toEqual([]);
    expect(of('fq', 'mq')).toEqual(['note: what leaves by vf0 passes its own qdisc (mq), not fq of eth0']);
    expect(told(scene({ slave: undefined, qdiscs: new Map([['eth0', 'tbf']]) }))).toEqual([]);
  });
});
