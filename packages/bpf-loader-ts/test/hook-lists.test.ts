import { execFileSync } from 'node:child_process';
import {
  AttachType,
  attachClsact,
  attachTcx,
  type BpfObject,
  createClsact,
  ingressQdisc,
  listMarks,
  listTcFilters,
} from 'bpf-loader-ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { basic, bpfError, type Namespace, namespaceWithVeth, own, requires } from './helpers.js';

let ns: Namespace;
let object: BpfObject;
let a: number;
beforeEach(() => {
  ns = namespaceWithVeth();
  object = basic();
  a = ns.ifindex('a');
});

const tc = (...argv: string[]): void => {
  execFileSync('nsenter', [`--net=${ns.path}`, 'tc', ...argv], { stdio: 'pipe' });
};

describe('filters of every kind', () => {
  it('are told with priority, protocol and program', () => {
    ns.in(() => createClsact(a));
    const program = object.program('first');
    const place = { ifindex: a, direction: 'egress' as const, handle: 7, priority: 20 };
    ns.in(() => attachClsact(program, place));
    tc(...'filter add dev a egress prio 5 protocol ip bpf bytecode'.split(' '), '1,6 0 0 1');
    tc(...'filter add dev a egress prio 30 protocol all chain 4 bpf bytecode'.split(' '), '1,6 0 0 1');
    expect(ns.in(() => listTcFilters(a, 'egress'))).toEqual([
      { kind: 'bpf', handle: 1, priority: 5, protocol: 0x800, chain: 0 },
      expect.objectContaining({ kind: 'bpf', handle: 7, priority: 20, protocol: 3, progId: program.info.id }),
      { kind: 'bpf', handle: 1, priority: 30, protocol: 3, chain: 4 },
    ]);
    expect(ns.in(() => listTcFilters(a, 'ingress'))).toEqual([]);
  });

  it('of a device number that is none are refused', () => {
    const refused = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    expect(() => listTcFilters(0, 'egress')).toThrow(refused);
    expect(() => listTcFilters(a, 'up' as 'egress')).toThrow(refused);
    expect(() => ingressQdisc(-1)).toThrow(refused);
  });
});

describe('the qdisc of the ingress', () => {
  it('is clsact, ingress, or none, of this device alone', () => {
    const kind = (dev = a) => ns.in(() => ingressQdisc(dev));
    expect(kind()).toBeUndefined();
    tc('qdisc', 'add', 'dev', 'a', 'ingress');
    expect(kind()).toEqual({ kind: 'ingress', shared: false });
    expect(kind(ns.ifindex('b'))).toBeUndefined();
    tc('qdisc', 'del', 'dev', 'a', 'ingress');
    ns.in(() => createClsact(a));
    expect(kind()).toEqual({ kind: 'clsact', shared: false });
  });

  it('says when its filters are those of several devices', () => {
    tc('qdisc', 'add', 'dev', 'a', 'ingress_block', '22', 'clsact');
    expect(ns.in(() => ingressQdisc(a))).toEqual({ kind: 'clsact', shared: true });
  });

  it('takes what is attached at the egress of an ingress qdisc for its ingress, which is why it is asked for', () => {
    tc('qdisc', 'add', 'dev', 'a', 'ingress');
    const place = { ifindex: a, direction: 'egress' as const, handle: 7, priority: 20 };
    ns.in(() => attachClsact(object.program('first'), place));
    expect(ns.in(() => listTcFilters(a, 'ingress'))).toHaveLength(1);
  });
});

describe('marks', () => {
  const { tcx_ingress, tcx_egress } = AttachType;
  const marks = (...hooks: [ifindex: number, type: number][]): number[] => {
    const out = new Int32Array(hooks.length);
    const of = (read: (h: [number, number]) => number) => Int32Array.from(hooks, read);
    expect(
      listMarks(
        of(() => ns.fd),
        of((h) => h[0]),
        of((h) => h[1]),
        out,
        hooks.length,
      ),
    ).toBe(hooks.length);
    return [...out];
  };

  it('differ with programs, links and order, and come back for none of them', (context) => {
    requires(context, 'TCX', '6.6');
    const seen = new Set<number>();
    const fresh = (): void => {
      const [mark] = marks([a, tcx_egress]);
      expect(mark).toBeGreaterThan(0);
      expect(seen.has(mark!)).toBe(false);
      seen.add(mark!);
    };
    fresh();
    const first = ns.in(() => attachTcx(object.program('first'), a, 'egress'));
    fresh();
    // Alone again: the list's revision is what it was, the link is another.
    first.close();
    const again = own(ns.in(() => attachTcx(object.program('first'), a, 'egress')));
    fresh();
    own(ns.in(() => attachTcx(object.program('second'), a, 'egress', { before: again })));
    fresh();
    again.update(object.program('third'));
    fresh();
    expect(marks([a, tcx_egress], [a, tcx_ingress], [0, tcx_egress])).toEqual([
      [...seen].at(-1),
      expect.any(Number),
      0,
    ]);
    expect(marks([a, tcx_egress])).toEqual(marks([a, tcx_egress]));
  });

  it('of a device that is not there say so, and an array that is too short is refused', (context) => {
    requires(context, 'TCX', '6.6');
    expect(marks([999_999, tcx_ingress])).toEqual([-19]);
    expect(listMarks(new Int32Array(1), new Int32Array(2), new Int32Array(2), new Int32Array(2), 2)).toBe(
      -22,
    );
  });
});
