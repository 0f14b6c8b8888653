import { execFileSync } from 'node:child_process';
import {
  attachClsact,
  type BpfObject,
  type ClsactPlace,
  createClsact,
  destroyClsact,
  detachClsact,
  listClsact,
  queryClsact,
} from 'bpf-loader-ts';
import { beforeEach, expect, it } from 'vitest';
import { basic, bpfError, type Namespace, namespaceWithVeth } from './helpers.js';

let ns: Namespace;
let object: BpfObject;
let place: ClsactPlace;
beforeEach(() => {
  ns = namespaceWithVeth();
  object = basic();
  place = { ifindex: ns.ifindex('a'), direction: 'egress', handle: 0x7666, priority: 10 };
});

const id = (name: string): number => object.program(name).info.id;
const query = (p = place): number => ns.in(() => queryClsact(p));

it('the qdisc is made once and goes with every filter', () => {
  const { ifindex } = place;
  expect(query()).toBe(0);
  expect(ns.in(() => createClsact(ifindex))).toBe(true);
  expect(ns.in(() => createClsact(ifindex))).toBe(false);
  ns.in(() => attachClsact(object.program('first'), place));
  ns.in(() => destroyClsact(ifindex));
  expect(query()).toBe(0);
  expect(ns.in(() => createClsact(ifindex))).toBe(true);
  expect(query()).toBe(0);
  ns.in(() => destroyClsact(ifindex));
  expect(() => ns.in(() => destroyClsact(ifindex))).toThrow(expect.objectContaining({ code: 'BPF_ATTACH' }));
});

it('a filter is attached, replaced in place and detached', () => {
  ns.in(() => createClsact(place.ifindex));
  ns.in(() => attachClsact(object.program('first'), place));
  expect(query()).toBe(id('first'));
  expect(query({ ...place, direction: 'ingress' })).toBe(0);
  expect(() => ns.in(() => attachClsact(object.program('second'), place))).toThrow(
    expect.objectContaining(bpfError('BPF_ATTACH', 'EEXIST')),
  );
  ns.in(() => attachClsact(object.program('second'), place, true));
  expect(query()).toBe(id('second'));
  ns.in(() => attachClsact(object.program('third'), { ...place, priority: 11 }));
  expect(query({ ...place, priority: 11 })).toBe(id('third'));
  ns.in(() => detachClsact(place));
  expect([query(), query({ ...place, priority: 11 })]).toEqual([0, id('third')]);
  expect(() => ns.in(() => detachClsact(place))).toThrow(
    expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
  );
});

it('lasts when the object is closed', () => {
  ns.in(() => createClsact(place.ifindex));
  const program = id('first');
  ns.in(() => attachClsact(object.program('first'), place));
  object.close();
  expect(query()).toBe(program);
});

it('without a qdisc or a device the error says what the kernel said', () => {
  expect(() => ns.in(() => attachClsact(object.program('first'), place))).toThrow(
    /clsact egress of device \d+: /,
  );
  expect(() => ns.in(() => createClsact(999_999))).toThrow(
    expect.objectContaining(bpfError('BPF_ATTACH', 'ENODEV')),
  );
  expect(query({ ...place, ifindex: 999_999 })).toBe(0);
});

it.each([{ handle: 0 }, { priority: 0 }, { priority: 65536 }, { ifindex: 0 }, { handle: 1.5 }])(
  'refuses %o',
  (bad) => {
    const wrong = { ...place, ...bad };
    const refused = expect.objectContaining(bpfError('BPF_ARGUMENT'));
    expect(() => attachClsact(object.program('first'), wrong)).toThrow(refused);
    expect(() => detachClsact(wrong)).toThrow(refused);
    expect(() => queryClsact(wrong)).toThrow(refused);
  },
);

it('lists every filter of a direction in the order they run', () => {
  const list = (direction: 'ingress' | 'egress') => ns.in(() => listClsact(place.ifindex, direction));
  expect(list('egress')).toEqual([]);
  ns.in(() => createClsact(place.ifindex));
  expect(list('egress')).toEqual([]);
  const entry = (name: string, handle: number, priority: number) => ({
    handle,
    priority,
    progId: id(name),
    name: `${name}:[${id(name)}]`, // as libbpf names them
    tag: object.program(name).info.tag,
    directAction: true,
  });
  ns.in(() => attachClsact(object.program('first'), place));
  ns.in(() => attachClsact(object.program('second'), { ...place, priority: 3, handle: 9 }));
  ns.in(() => attachClsact(object.program('third'), { ...place, handle: 0xffffffff }));
  ns.in(() => attachClsact(object.program('mark'), { ...place, direction: 'ingress' }));
  // Of the same priority the last attached runs first.
  expect(list('egress')).toEqual([
    entry('second', 9, 3),
    entry('third', 0xffffffff, place.priority),
    entry('first', place.handle, place.priority),
  ]);
  expect(list('ingress')).toEqual([entry('mark', place.handle, place.priority)]);
});

it('lists more filters than one answer of the kernel holds, and leaves out other classifiers', () => {
  ns.in(() => createClsact(place.ifindex));
  const program = object.program('first');
  for (let handle = 1; handle <= 500; handle++)
    ns.in(() => attachClsact(program, { ...place, handle, priority: handle }));
  const tc = [
    'filter',
    'add',
    'dev',
    'a',
    'egress',
    'prio',
    '501',
    'protocol',
    'all',
    'bpf',
    'bytecode',
    '1,6 0 0 1',
  ];
  execFileSync('nsenter', [`--net=${ns.path}`, 'tc', ...tc], { stdio: 'pipe' });
  const filters = ns.in(() => listClsact(place.ifindex, 'egress'));
  expect(filters.map((f) => f.priority)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
});

it('a list of what is not there is empty, of what cannot be an error', () => {
  expect(ns.in(() => listClsact(999_999, 'egress'))).toEqual([]);
  for (const ifindex of [0, -1, 1.5, Number.NaN])
    expect(() => listClsact(ifindex, 'egress')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  expect(() => listClsact(1, 'both' as 'egress')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
});
