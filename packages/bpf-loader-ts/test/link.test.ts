import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Anchor,
  AttachType,
  attachNetkit,
  attachTcx,
  attachXdp,
  type BpfObject,
  ensurePinFolder,
  haveNetkit,
  Link,
  LinkType,
  Program,
  queryNetkit,
  queryTcx,
  queryXdp,
} from 'bpf-loader-ts';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  basic,
  bpfError,
  compile,
  INDEX_URL,
  type Namespace,
  namespaceWithVeth,
  node,
  own,
  pinFolder,
  requires,
} from './helpers.js';
import { until } from './wait.js';

let ns: Namespace;
let object: BpfObject;
let a: number;
beforeEach(() => {
  ns = namespaceWithVeth();
  object = basic();
  a = ns.ifindex('a');
});

const id = (name: string): number => object.program(name).info.id;

describe('TCX', () => {
  beforeEach((context) => requires(context, 'TCX', '6.6'));
  const attached = (): number[] => ns.in(() => queryTcx(a, 'egress').entries.map((e) => e.progId));
  const attach = (name: string, options = {}): Link =>
    own(ns.in(() => attachTcx(object.program(name), a, 'egress', options)));

  it('programs run in the order of the list: tail by default, head if wanted', () => {
    const one = attach('first');
    attach('second');
    attach('third', { where: 'head' });
    expect(attached()).toEqual([id('third'), id('first'), id('second')]);
    expect(one.info()).toMatchObject({ type: LinkType.tcx, progId: id('first'), ifindex: a, attachType: 47 });
    expect(ns.in(() => queryTcx(a, 'ingress').entries)).toEqual([]);
    one.close();
    expect(attached()).toEqual([id('third'), id('second')]);
  });

  it('update puts A, B and A again into the same place', () => {
    const link = attach('first');
    attach('third');
    const [first, second] = [object.program('first'), object.program('second')];
    link.update(second);
    expect(attached()).toEqual([id('second'), id('third')]);
    link.update(first);
    expect(attached()).toEqual([id('first'), id('third')]);
    link.update(second, first);
    expect(() => link.update(first, first)).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'EPERM')));
    expect(attached()).toEqual([id('second'), id('third')]);
    expect(() => link.update(object.program('pass'))).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'EINVAL')),
    );
  });

  it('a place before or after another, by link, program or id', () => {
    const list = () =>
      attached().map((one) => ['first', 'second', 'third', 'mark', 'count'].find((n) => id(n) === one));
    const first = attach('first');
    attach('second', { after: first });
    attach('third', { before: object.program('second') });
    expect(list()).toEqual(['first', 'third', 'second']);
    attach('mark', { before: { linkId: first.info().id } });
    attach('count', { after: { progId: id('first') } });
    expect(list()).toEqual(['mark', 'first', 'count', 'third', 'second']);
    const { revision, entries } = ns.in(() => queryTcx(a, 'egress'));
    expect(revision).toBe(6);
    expect(entries[1]).toEqual({ progId: id('first'), linkId: first.info().id });
  });

  it('a place that is none', () => {
    const [first, other] = [
      attach('first'),
      own(ns.in(() => attachTcx(object.program('second'), a, 'ingress'))),
    ];
    for (const before of [other, object.program('third'), { linkId: 0x7fffffff }, { progId: 0x7fffffff }])
      expect(() => attach('third', { before })).toThrow(
        expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
      );
    const bad: object[] = [
      { before: first, after: first },
      { where: 'head', before: first },
      { where: 'middle' },
      { before: { linkId: 0 } },
      { after: { progId: 1.5 } },
      { after: { progId: Number.NaN } },
      { expectedRevision: -1 },
      { expectedRevision: Number.NaN },
    ];
    for (const options of bad)
      expect(() => attach('third', options), JSON.stringify(Object.keys(options))).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
    expect(() => ns.in(() => attachTcx(object.program('third'), a, 'sideways' as 'ingress'))).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    first.close();
    expect(() => attach('third', { before: first as Anchor })).toThrow(
      expect.objectContaining(bpfError('BPF_CLOSED')),
    );
    expect(attached()).toEqual([]);
  });

  it('EEXIST for a program that is there, ESTALE for a list that changed', () => {
    attach('first');
    expect(() => attach('first')).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'EEXIST')));
    const { revision } = ns.in(() => queryTcx(a, 'egress'));
    attach('second', { expectedRevision: revision });
    expect(() => attach('third', { expectedRevision: revision })).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ESTALE')),
    );
    expect(attached()).toEqual([id('first'), id('second')]);
  });

  it('what cannot be attached', () => {
    expect(() => own(ns.in(() => attachTcx(object.program('first'), 999_999, 'ingress')))).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENODEV')),
    );
    expect(() => own(ns.in(() => attachTcx(object.program('pass'), a, 'ingress')))).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'EINVAL')),
    );
    expect(() => own(ns.in(() => attachTcx(object.program('first'), -1, 'ingress')))).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    expect(() => ns.in(() => queryTcx(999_999, 'egress'))).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH')),
    );
  });

  it('detach takes it off now; the link stays, defunct; so it is when its device goes', () => {
    const link = attach('first');
    link.detach();
    expect(attached()).toEqual([]);
    expect(link.info().ifindex).toBe(0);
    expect(() => link.update(object.program('second'))).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOLINK')),
    );
    const other = attach('second');
    ns.ip('link', 'del', 'dev', 'a');
    expect(other.info()).toMatchObject({ ifindex: 0, progId: id('second') });
  });

  it('a pin keeps it after its process is gone, and another adopts it', async () => {
    const folder = pinFolder();
    ensurePinFolder(folder);
    const path = join(folder, 'link');
    const child = node(
      `const { attachTcx, parseSpec } = await import(${JSON.stringify(INDEX_URL)});
       const object = parseSpec(${JSON.stringify(compile('basic'))}).load();
       attachTcx(object.program('second'), ${a}, 'egress').pin(${JSON.stringify(path)});
       console.log(object.program('second').info.id);
       process.kill(process.pid, 'SIGKILL');`,
      ['nsenter', `--net=${ns.path}`],
    );
    expect(child.signal).toBe('SIGKILL');
    const theirs = Number(child.stdout);
    expect(attached()).toEqual([theirs]);

    const link = own(Link.fromPin(path));
    expect(link.info()).toMatchObject({ type: LinkType.tcx, progId: theirs, ifindex: a });
    using same = Link.fromId(link.info().id);
    expect(same.info()).toEqual(link.info());
    same.close();
    link.update(object.program('first'));
    expect(attached()).toEqual([id('first')]);
    link.close();
    expect(attached()).toEqual([id('first')]); // the pin holds it
    expect(existsSync(path)).toBe(true);
    rmSync(path);
    // The kernel lets go of the last reference in its own time.
    await until(attached, (ids) => ids.length === 0);
  });
});

describe('XDP', () => {
  const attach = (name: string, mode: 'native' | 'generic', device = a): Link =>
    own(ns.in(() => attachXdp(object.program(name), device, mode)));
  const mode = (): { mode: number; prog: { id: number } } =>
    (
      JSON.parse(ns.ip('-j', 'link', 'show', 'dev', 'a')) as [{ xdp: { mode: number; prog: { id: number } } }]
    )[0].xdp;

  it.each([
    ['native', 1],
    ['generic', 2],
  ] as const)('%s on veth; a second link is EBUSY; update replaces', (kind, number) => {
    const link = attach('pass', kind);
    expect(mode()).toMatchObject({ mode: number, prog: { id: id('pass') } });
    expect(link.info()).toMatchObject({ type: LinkType.xdp, ifindex: a, progId: id('pass'), attachType: 0 });
    for (const second of ['native', 'generic'] as const)
      expect(() => attach('change', second)).toThrow(expect.objectContaining({ code: 'BPF_ATTACH' }));
    expect(() => attach('change', kind)).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'EBUSY')));
    link.update(object.program('change'));
    expect(mode().prog.id).toBe(id('change'));
    link.close();
    expect(mode()).toBeUndefined();
  });

  it('native is refused where the driver has none', () => {
    expect(() => attach('pass', 'native', 1)).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ATTACH', 'EOPNOTSUPP'),
        message: expect.stringMatching(/XDP \(native\) of device 1: .*use generic/),
      }),
    );
    attach('pass', 'generic', 1);
  });

  it('offload is refused for a program that no card runs', () => {
    expect(() => ns.in(() => attachXdp(object.program('pass'), a, 'offload'))).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ATTACH', 'EINVAL'),
        message: expect.stringMatching(/XDP \(offload\).*use native/),
      }),
    );
    expect(() => ns.in(() => attachXdp(object.program('pass'), a, 'hw' as 'offload'))).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    expect(() => ns.in(() => attachXdp(object.program('first'), a, 'native'))).toThrow(
      /it is of type sched_cls, not xdp/,
    );
  });

  it.each(['native', 'generic'] as const)('%s: A, B, A, B, and only if the old one is there', (kind) => {
    const [one, two] = [object.program('pass'), object.program('change')];
    const link = attach('pass', kind);
    const now = () => ns.in(() => queryXdp(a))[kind];
    for (const [next, last] of [
      [two, one],
      [one, two],
      [two, one],
    ] as const) {
      expect(() => link.update(next, next)).toThrow(
        expect.objectContaining({
          ...bpfError('BPF_ATTACH', 'EPERM'),
          message: expect.stringMatching(
            new RegExp(`program ${last.info.id} is attached, not ${next.info.id}`),
          ),
        }),
      );
      expect(now()).toBe(last.info.id);
      link.update(next, last);
      expect([now(), link.info().progId]).toEqual([next.info.id, next.info.id]);
    }
    for (const next of [one, two, one]) {
      link.update(next);
      expect(now()).toBe(next.info.id);
    }
    expect(ns.in(() => queryXdp(a))).toEqual({ offload: 0, native: 0, generic: 0, [kind]: one.info.id });
  });

  it('an update to what cannot stand there says why', () => {
    const link = attach('pass', 'native');
    const other = basic({ attachTypes: { pass: AttachType.xdp_devmap } }).program('pass');
    expect(other.expectedAttachType).toBe(AttachType.xdp_devmap);
    expect(() => link.update(other)).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ATTACH', 'EINVAL'),
        message: expect.stringMatching(/expected_attach_type.*its own is xdp_devmap \(33\).*attachTypes/),
      }),
    );
    expect(() => link.update(object.program('first'))).toThrow(
      /it is of type sched_cls, the attached one of type xdp/,
    );
    const unknown = own(Program.fromId(other.info.id));
    expect(unknown.expectedAttachType).toBeUndefined();
    expect(() => link.update(unknown)).toThrow(/must have the expected_attach_type of the attached one: set/);
    expect(link.info().progId).toBe(id('pass'));
  });

  it('ids of links lead to them', async () => {
    const link = attach('pass', 'native');
    const { id: linkId } = link.info();
    expect([...Link.ids()]).toContain(linkId);
    expect([...Program.ids()]).toContain(id('pass'));
    link.close();
    await until(
      () => [...Link.ids()],
      (ids) => !ids.includes(linkId),
    );
  });
});

describe('netkit', () => {
  it('what a pair sends: in order, replaced, detached', () => {
    const { answer, detail } = haveNetkit();
    if (answer === 'unsupported') {
      // A kernel from 6.7 on may be built without: what it says then is the other test's.
      expect(detail).toContain('CONFIG_NETKIT');
      expect(() => ns.ip('link', 'add', 'nk', 'type', 'netkit')).toThrow();
      return;
    }
    ns.ip('link', 'add', 'nk', 'type', 'netkit');
    const nk = ns.ifindex('nk');
    const list = (side: 'primary' | 'peer') =>
      ns.in(() => queryNetkit(nk, side).entries.map((e) => e.progId));
    const attach = (name: string, side: 'primary' | 'peer', options = {}) =>
      own(ns.in(() => attachNetkit(object.program(name), nk, side, options)));
    const first = attach('first', 'primary');
    attach('second', 'primary', { before: first });
    const peer = attach('third', 'peer');
    expect(list('primary')).toEqual([id('second'), id('first')]);
    expect(list('peer')).toEqual([id('third')]);
    // The kernel tells of the end that the program runs at: the other one, whatever its name.
    const [, end] = /nk@(\w+):/.exec(ns.ip('-o', 'link', 'show', 'nk'))!;
    expect(peer.info()).toMatchObject({ typeName: 'netkit', ifindex: ns.ifindex(end!), progId: id('third') });
    expect(first.info().ifindex).toBe(nk);
    first.update(object.program('third'));
    expect(list('primary')).toEqual([id('second'), id('third')]);
    first.detach();
    expect(list('primary')).toEqual([id('second')]);
    expect(() => attach('second', 'primary')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'EEXIST')),
    );
  });

  it('attaches as TCX does, or is refused with what the kernel lacks', () => {
    const attach = (side: 'primary' | 'peer') =>
      own(ns.in(() => attachNetkit(object.program('first'), a, side, { where: 'head' })));
    const { answer, detail } = haveNetkit();
    for (const side of ['primary', 'peer'] as const) {
      if (answer === 'unsupported') {
        expect(detail).toMatch(/requires kernel >= 6\.7 with CONFIG_NETKIT/);
        const refused = expect.objectContaining({
          ...bpfError('BPF_UNSUPPORTED', 'EINVAL'),
          message: expect.stringMatching(new RegExp(`netkit ${side} of device ${a}: netkit not supported`)),
        });
        expect(() => attach(side)).toThrow(refused);
        expect(() => ns.in(() => queryNetkit(a, side))).toThrow(refused);
      } else {
        expect(answer).toBe('supported');
        expect(() => attach(side)).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'ENXIO'))); // a veth
      }
    }
    expect(() => attach('ingress' as 'peer')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  });
});
