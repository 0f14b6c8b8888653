import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import {
  attachClsact,
  attachTcx,
  attachXdp,
  type BpfObject,
  createClsact,
  ensurePinFolder,
  inspect,
  type Link,
} from 'bpf-loader-ts';
import { beforeEach, expect, it } from 'vitest';
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

let ns: Namespace;
let object: BpfObject;
let a: number;
beforeEach(() => {
  ns = namespaceWithVeth();
  object = basic();
  a = ns.ifindex('a');
});

const info = (name: string) => object.program(name).info;
const seen = (pins: string[] = []) => ns.in(() => inspect(a, { pins }));
const of = (name: string) => ({ progId: info(name).id, name, tag: info(name).tag });

interface NetShow {
  xdp: { ifindex: number; mode: string; id: number }[];
  tc: { ifindex: number; kind: string; name: string; id?: number; prog_id?: number }[];
}

/** What bpftool says is on the device. Version 7.1 knows XDP and clsact, a later one TCX too. */
function bpftool(): NetShow {
  const [shown] = JSON.parse(
    execFileSync('nsenter', [`--net=${ns.path}`, 'bpftool', '-j', 'net', 'show'], { encoding: 'utf8' }),
  ) as [NetShow];
  return {
    xdp: shown.xdp.filter((x) => x.ifindex === a),
    tc: shown.tc.filter((x) => x.ifindex === a),
  };
}

it('a bare device has nothing', () => {
  expect(seen()).toEqual([]);
  expect(() => ns.in(() => inspect(999_999))).toThrow(expect.objectContaining(bpfError('BPF_ATTACH')));
  for (const bad of [0, -1, 1.5, Number.NaN, '1' as unknown as number])
    expect(() => ns.in(() => inspect(bad)), String(bad)).toThrow(
      expect.objectContaining({ name: 'BpfError' }),
    );
});

it('every hook, in the order that a frame meets it, as bpftool has it', (context) => {
  requires(context, 'TCX', '6.6');
  ns.in(() => createClsact(a));
  const xdp = own(ns.in(() => attachXdp(object.program('pass'), a, 'native')));
  const tail = own(ns.in(() => attachTcx(object.program('second'), a, 'ingress')));
  const head = own(ns.in(() => attachTcx(object.program('first'), a, 'ingress', { where: 'head' })));
  const out = own(ns.in(() => attachTcx(object.program('first'), a, 'egress')));
  const filter = (direction: 'ingress' | 'egress', priority: number) => ({
    ifindex: a,
    direction,
    handle: 5,
    priority,
  });
  ns.in(() => attachClsact(object.program('third'), filter('ingress', 2)));
  ns.in(() => attachClsact(object.program('mark'), filter('ingress', 1)));
  ns.in(() => attachClsact(object.program('third'), filter('egress', 7)));
  const linkId = (link: Link) => ({ linkId: link.info().id });
  expect(seen()).toEqual([
    { hook: 'xdp', mode: 'native', ...of('pass'), ...linkId(xdp), ours: true },
    { hook: 'tcx', direction: 'ingress', ...of('first'), ...linkId(head), ours: true },
    { hook: 'tcx', direction: 'ingress', ...of('second'), ...linkId(tail), ours: true },
    { hook: 'clsact', direction: 'ingress', ...of('mark'), handle: 5, priority: 1, ours: true },
    { hook: 'clsact', direction: 'ingress', ...of('third'), handle: 5, priority: 2, ours: true },
    { hook: 'tcx', direction: 'egress', ...of('first'), ...linkId(out), ours: true },
    { hook: 'clsact', direction: 'egress', ...of('third'), handle: 5, priority: 7, ours: true },
  ]);
  const theirs = bpftool();
  expect(theirs.xdp.map((x) => x.id)).toEqual([info('pass').id]);
  const clsact = theirs.tc.filter((x) => x.kind.startsWith('clsact/'));
  expect(clsact.map((x) => [x.kind, x.id ?? x.prog_id])).toEqual(
    seen()
      .filter((x) => x.hook === 'clsact')
      .map((x) => [`clsact/${x.hook === 'clsact' && x.direction}`, x.progId]),
  );
  const tcx = theirs.tc.filter((x) => x.kind.startsWith('tcx/'));
  if (tcx.length > 0)
    expect(tcx.map((x) => x.prog_id)).toEqual([info('first').id, info('second').id, info('first').id]);
});

it('generic XDP, and XDP without a link', () => {
  const link = own(ns.in(() => attachXdp(object.program('pass'), a, 'generic')));
  expect(seen()).toEqual([
    { hook: 'xdp', mode: 'generic', ...of('pass'), linkId: link.info().id, ours: true },
  ]);
  link.close();
  const folder = pinFolder();
  ensurePinFolder(folder);
  object.program('change').pin(join(folder, 'change'));
  ns.ip('link', 'set', 'dev', 'a', 'xdp', 'pinned', join(folder, 'change'));
  expect(seen()).toEqual([{ hook: 'xdp', mode: 'native', ...of('change'), ours: true }]);
});

it('what another process attached is not ours, unless its pin is', (context) => {
  requires(context, 'TCX', '6.6');
  const folder = pinFolder();
  ensurePinFolder(join(folder, 'links'));
  const pin = join(folder, 'links', 'link');
  const child = node(
    `const b = await import(${JSON.stringify(INDEX_URL)});
     const object = b.parseSpec(${JSON.stringify(compile('basic'))}).load();
     b.attachTcx(object.program('second'), ${a}, 'egress').pin(${JSON.stringify(pin)});
     b.createClsact(${a});
     b.attachClsact(object.program('third'), { ifindex: ${a}, direction: 'egress', handle: 1, priority: 1 });`,
    ['nsenter', `--net=${ns.path}`],
  );
  expect(child).toMatchObject({ status: 0, stderr: '' });
  const whose = (pins: string[]) => seen(pins).map((p) => [p.hook, p.name, p.ours]);
  expect(whose([])).toEqual([
    ['tcx', 'second', false],
    ['clsact', 'third', false],
  ]);
  expect(whose([folder])).toEqual([
    ['tcx', 'second', true],
    ['clsact', 'third', false],
  ]);
  expect(() => seen(['/tmp'])).toThrow(expect.objectContaining(bpfError('BPF_PIN')));
});
