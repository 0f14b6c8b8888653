import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachTcx,
  attachXdp,
  type BpfObject,
  ensurePinFolder,
  Link,
  LinkType,
  queryTcx,
} from 'bpf-loader-ts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
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
} from './helpers.js';

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
    await vi.waitFor(() => expect(attached()).toEqual([])); // the kernel lets go of the last reference in its own time
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
    expect(() => attach('pass', 'native', 1)).toThrow(expect.objectContaining({ code: 'BPF_ATTACH' }));
    attach('pass', 'generic', 1);
  });
});
