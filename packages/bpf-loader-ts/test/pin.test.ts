import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachXdp,
  BpfMap,
  ensurePinFolder,
  Link,
  listPins,
  openHandles,
  Program,
  unpin,
} from 'bpf-loader-ts';
import { expect, it } from 'vitest';
import { basic, bpfError, namespaceWithVeth, own, pinFolder, tempFolder, u32 } from './helpers.js';

const openFds = (): number => readdirSync('/proc/self/fd').length;

it('a pinned map is the same map for whoever opens it', () => {
  const folder = join(pinFolder(), 'deep', 'er');
  ensurePinFolder(folder);
  ensurePinFolder(folder);
  const map = own(
    BpfMap.create({ type: 2, name: 'kept', keySize: 4, valueSize: 4, maxEntries: 2, flags: 0 }),
  );
  map.pin(join(folder, 'map'));
  map.update(u32(1), u32(77));
  const { id } = map.info;
  map.close();
  const again = own(BpfMap.fromPin(join(folder, 'map')));
  expect({ id: again.info.id, name: again.info.name, value: again.lookup(u32(1)) }).toEqual({
    id,
    name: 'kept',
    value: u32(77),
  });
  expect(() => again.pin(join(folder, 'map'))).toThrow(
    expect.objectContaining(bpfError('BPF_PIN', 'EEXIST')),
  );
  expect(() => again.pin(join(folder, 'no', 'map'))).toThrow(
    expect.objectContaining(bpfError('BPF_PIN', 'ENOENT')),
  );
});

it('what is pinned there must be what is asked for, and nothing leaks when it is not', () => {
  const folder = pinFolder();
  ensurePinFolder(folder);
  const object = basic();
  object.map('cells').pin(join(folder, 'map'));
  object.program('first').pin(join(folder, 'program'));
  const [fds, handles] = [openFds(), openHandles().length];
  expect(() => BpfMap.fromPin(join(folder, 'program'))).toThrow(/not a map/);
  expect(() => Link.fromPin(join(folder, 'map'))).toThrow(/not a link/);
  expect(() => BpfMap.fromPin(join(folder, 'absent'))).toThrow(
    expect.objectContaining(bpfError('BPF_PIN', 'ENOENT')),
  );
  expect(() => Program.fromId(0x7fffffff)).toThrow(expect.objectContaining(bpfError('BPF_LOAD', 'ENOENT')));
  expect(() => Link.fromId(0x7fffffff)).toThrow(expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')));
  expect({ fds: openFds(), handles: openHandles().length }).toEqual({ fds, handles });
});

it('a folder elsewhere is refused before anything is made', () => {
  const elsewhere = join(tempFolder(), 'pins', 'deep');
  expect(() => ensurePinFolder(elsewhere)).toThrow(
    expect.objectContaining({
      code: 'BPF_PIN',
      message: expect.stringMatching(/not on a BPF file system.*\/sys\/fs\/bpf/),
    }),
  );
  expect(existsSync(join(tempFolder(), 'pins'))).toBe(false);
  expect(() => ensurePinFolder('/sys/fs/bpf-not')).toThrow(expect.objectContaining({ code: 'BPF_PIN' }));
});

it('a pin that the kernel would refuse with EPERM is refused with the reason', () => {
  const folder = pinFolder();
  ensurePinFolder(folder);
  const map = basic().map('cells');
  expect(() => map.pin(join(folder, 'with.dot'))).toThrow(/no dots/);
  expect(() => map.pin(join(tempFolder(), 'map'))).toThrow(/not on a BPF file system/);
  writeFileSync(join(tempFolder(), 'file'), '');
  expect(() => BpfMap.fromPin(join(tempFolder(), 'file'))).toThrow(
    expect.objectContaining({ name: 'BpfError' }),
  );
  expect(() => map.pin(join(folder, 'a\0b'))).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
});

it('lists pins with what they are, below as well, and removes one', () => {
  const folder = pinFolder();
  ensurePinFolder(join(folder, 'b', 'empty'));
  expect(listPins(folder)).toEqual([]);
  const object = basic();
  const ns = namespaceWithVeth();
  const link = own(ns.in(() => attachXdp(object.program('pass'), ns.ifindex('a'), 'native')));
  object.map('cells').pin(join(folder, 'map'));
  object.program('first').pin(join(folder, 'b', 'program'));
  link.pin(join(folder, 'a'));
  const [fds, handles] = [openFds(), openHandles().length];
  const pins = [
    { path: join(folder, 'a'), kind: 'link', id: link.info().id },
    { path: join(folder, 'b', 'program'), kind: 'program', id: object.program('first').info.id },
    { path: join(folder, 'map'), kind: 'map', id: object.map('cells').info.id },
  ];
  expect(listPins(folder)).toEqual(pins);
  unpin(join(folder, 'a'));
  expect(listPins(folder)).toEqual(pins.slice(1));
  expect(link.info().ifindex).not.toBe(0); // held by its handle
  for (const { path } of pins.slice(1)) unpin(path);
  expect(listPins(folder)).toEqual([]);
  expect({ fds: openFds(), handles: openHandles().length }).toEqual({ fds: fds + 2, handles: handles + 2 }); // the program and the map taken for their ids
});

it('lists and removes nothing elsewhere', () => {
  const folder = pinFolder();
  ensurePinFolder(folder);
  const refused = (errno?: string) => expect.objectContaining(bpfError('BPF_PIN', errno));
  expect(() => listPins(tempFolder())).toThrow(refused());
  expect(() => listPins(join(folder, 'absent'))).toThrow(refused());
  expect(() => listPins('')).toThrow(refused());
  writeFileSync(join(tempFolder(), 'precious'), '');
  expect(() => unpin(join(tempFolder(), 'precious'))).toThrow(refused());
  expect(existsSync(join(tempFolder(), 'precious'))).toBe(true);
  expect(() => unpin(join(folder, 'absent'))).toThrow(refused('ENOENT'));
  ensurePinFolder(join(folder, 'sub'));
  expect(() => unpin(join(folder, 'sub'))).toThrow(/it is a folder, not a pin/);
  basic().map('cells').pin(join(folder, 'map'));
  expect(() => listPins(join(folder, 'map'))).toThrow(refused('ENOTDIR'));
});

it('agrees with bpftool', () => {
  const folder = pinFolder();
  ensurePinFolder(folder);
  const map = basic().map('cells');
  map.pin(join(folder, 'map'));
  const shown = JSON.parse(
    execFileSync('bpftool', ['-j', '-f', 'map', 'show', 'id', String(map.info.id)], { encoding: 'utf8' }),
  ) as { pinned: string[] };
  expect(shown.pinned).toEqual(listPins(folder).map((p) => p.path));
});
