import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpfObject } from 'bpf-loader-ts';
import { expect, test } from 'vitest';
import * as layout from '../../src/datapath/layout.js';
import { CAUSE_NAMES } from '../../src/failover/policy.js';
import { bpfObject, ROOT } from '../../src/paths.js';

const header = readFileSync(join(ROOT, 'bpf/vfailover.h'), 'utf8');
const define = (name: string): number => {
  const m = new RegExp(`#define ${name} (0x[0-9a-f]+|\\d+)u?\\b`).exec(header);
  if (!m) throw new Error(`vfailover.h does not define ${name}`);
  return Number(m[1]);
};

/** What C says of a structure: size, and offset by member. */
function inC(name: string): { size: number; at: Map<string, number> } {
  using object = new BpfObject(bpfObject('vfailover'));
  const s = object.btf.struct(name);
  if (!s) throw new Error(`the object's BTF has no ${name}`);
  return { size: s.size, at: new Map(s.members.map((m) => [m.name, m.offset])) };
}

const known = (at: Map<string, number>): Record<string, number> =>
  Object.fromEntries([...at].filter(([name]) => name !== 'unused'));

test('struct vf_line is one cache line with the same fields', () => {
  const c = inC('vf_line');
  expect(c.size).toBe(layout.LINE_BYTES);
  expect(c.size).toBe(64);
  expect(known(c.at)).toEqual(Object.fromEntries(Object.entries(layout.LINE).map(([k, w]) => [k, 4 * w])));
});

test('struct vf_count and vf_counters', () => {
  expect(inC('vf_count').size).toBe(layout.COUNT_BYTES);
  expect(known(inC('vf_count').at)).toEqual({ ...layout.COUNT });
  expect(inC('vf_counters').size).toBe(layout.COUNTERS_BYTES);
  expect(known(inC('vf_counters').at)).toEqual({ tx: layout.COUNTERS.tx[0], rx: layout.COUNTERS.rx[0] });
  expect(layout.COUNTERS.tx[1] - layout.COUNTERS.tx[0]).toBe(layout.COUNT_BYTES);
});

test('struct vf_identity and vf_event', () => {
  expect(inC('vf_identity').size).toBe(layout.IDENTITY_BYTES);
  expect(known(inC('vf_identity').at)).toEqual({ ...layout.IDENTITY });
  expect(known(inC('vf_event').at)).toEqual({ ...layout.EVENT });
});

test('constants of the header', () => {
  expect(layout.VF_LAYOUT).toBe(define('VF_LAYOUT'));
  expect(layout.PATH_MASK).toBe(define('VF_PATH_MASK'));
  expect(layout.EPOCH_ONE).toBe(define('VF_EPOCH_ONE'));
  expect(layout.WORD_MASK).toBe(define('VF_WORD_MASK'));
  expect(layout.ARM_PRIMARY).toBe(define('VF_ARM_PRIMARY'));
  expect(layout.ARM_STANDBY).toBe(define('VF_ARM_STANDBY'));
  expect(layout.RECENT).toBe(define('VF_RECENT'));
  expect(layout.UNDO_MTU).toBe(define('VF_UNDO_MTU'));
  expect(layout.UNDO_ADMIN_DOWN).toBe(define('VF_UNDO_ADMIN_DOWN'));
  expect(layout.UNDO_ADDR_GEN_MODE).toBe(define('VF_UNDO_ADDR_GEN_MODE'));
  expect(layout.UNDO_CLSACT_MASTER).toBe(define('VF_UNDO_CLSACT_MASTER'));
  expect(layout.UNDO_CLSACT_PRIMARY).toBe(define('VF_UNDO_CLSACT_PRIMARY'));
});

test('causes have the same numbers', () => {
  const causes = [...header.matchAll(/VF_CAUSE_(\w+) = (\d+)/g)].map((m) => [
    m[1]!.toLowerCase().replace('_', '-'),
    Number(m[2]),
  ]);
  expect(causes).toEqual(CAUSE_NAMES.map((name, i) => [name, i]));
});
