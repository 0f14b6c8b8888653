import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap } from 'bpf-loader-ts';
import { expect, onTestFinished, test } from 'vitest';
import { KeptMap } from '../../src/datapath/kept-map.js';
import { pinRoot } from '../helpers/in-process.js';

/** Texts of slots, which outlive the daemon. */
function scene(): { path: string; open: () => KeptMap } {
  const { path: root, reaper } = pinRoot();
  onTestFinished(() => reaper.reap());
  mkdirSync(root, { recursive: true });
  const path = join(root, 'kept');
  return {
    path,
    open: () => {
      const map = new KeptMap(path, 4);
      onTestFinished(() => map.close());
      return map;
    },
  };
}

test('a text is read by whoever opens the map next, each slot by itself', () => {
  const { open } = scene();
  const first = open();
  const long = 'ä'.repeat(20_000);
  first.write(0, long);
  first.write(3, '{}');
  const second = open();
  expect(second.read(0)).toBe(long);
  expect(second.read(3)).toBe('{}');
  expect(second.read(1)).toBeUndefined();
  second.write(0, 'short');
  expect(first.read(0)).toBe('short');
  first.clear(0);
  expect(second.read(0)).toBeUndefined();
  expect(second.read(3)).toBe('{}');
  for (let slot = 0; slot < 4; slot++) first.write(slot, 'x'.repeat(64 * 1024));
  expect(second.read(3)).toHaveLength(64 * 1024);
  expect(() => first.write(1, 'x'.repeat(64 * 1024 + 1))).toThrow(
    expect.objectContaining({ code: 'INTERNAL' }),
  );
});

test('texts without a slot are replaced as a whole, and harm none that has one', () => {
  const { open } = scene();
  const first = open();
  expect(first.readSlotless()).toEqual([]);
  first.write(0, 'net0');
  first.writeSlotless(['a', 'b'.repeat(2000), 'c']);
  const second = open();
  expect(second.readSlotless()).toEqual(['a', 'b'.repeat(2000), 'c']);
  second.writeSlotless(['c']);
  expect(first.readSlotless()).toEqual(['c']);
  first.writeSlotless([]);
  expect(second.readSlotless()).toEqual([]);
  expect(second.read(0)).toBe('net0');
});

test('what a killed daemon left half-way counts as absent', () => {
  const { path, open } = scene();
  const map = open();
  map.write(2, 'x'.repeat(3000));
  using raw = BpfMap.fromPin(path);
  const key = new Uint8Array(8);
  new DataView(key.buffer).setUint32(0, 2, true);
  const head = raw.lookup(key)!;
  expect(raw.delete(key)).toBe(true);
  expect(map.read(2)).toBeUndefined();
  raw.update(key, head);
  expect(map.read(2)).toHaveLength(3000);
  new DataView(key.buffer).setUint32(4, 2, true);
  raw.delete(key);
  expect(map.read(2)).toBeUndefined();
});
