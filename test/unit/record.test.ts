import { describe, expect, it } from 'vitest';
import { LINK_FAILURE_WORDS, linkFailures, sawLink } from '../../src/policy/link-failures.js';
import { LINK_HEALTHY, POLICY_RECORD, POLICY_WORDS } from '../../src/policy/record.js';
import { record } from '../../src/record.js';
import { CONTROL, CONTROL_WORDS } from '../../src/shard/protocol.js';
import { TRAFFIC, TRAFFIC_WORDS, WIRES } from '../../workers/traffic.js';

describe('a record of int32 words', () => {
  it('has its fields one behind the other', () => {
    expect(record('r', 8, { a: 1, pair: 2, b: 1 })).toEqual({ a: 0, pair: 1, b: 3 });
    expect(record('r', 8, { own: 3 }, 5)).toEqual({ own: 5 });
  });

  it.each([
    ['more words than it has', { a: 4, b: 5 }, 'r.b'],
    ['a field without words', { a: 0 }, 'r.a'],
    ['half a word', { a: 1.5 }, 'r.a'],
    ['a name that would not keep its place', { 7: 1 }, 'r.7'],
  ])('is refused with %s', (_, fields, field) => {
    expect(() => record('r', 8, fields)).toThrow(expect.objectContaining({ code: 'INTERNAL', field }));
  });

  it('cannot be changed', () => {
    const offsets = record('r', 1, { a: 1 }) as { a: number };
    expect(() => {
      offsets.a = 7;
    }).toThrow(TypeError);
  });
});

describe('our records', () => {
  it.each([
    ['policy', POLICY_RECORD, POLICY_WORDS],
    ['control', CONTROL, CONTROL_WORDS],
    ['traffic', TRAFFIC, TRAFFIC_WORDS],
  ])('%s: no two fields begin at one word, and all lie inside', (_, offsets, size) => {
    const all = Object.values(offsets);
    expect(new Set(all).size).toBe(all.length);
    expect(Math.max(...all)).toBeLessThan(size);
  });

  it('leave room for what the last field repeats', () => {
    expect(TRAFFIC.taps + 2 * WIRES).toBeLessThanOrEqual(TRAFFIC_WORDS);
  });

  it('of links keep the words of both paths and of the next slot apart', () => {
    const records = new Int32Array(2 * LINK_FAILURE_WORDS);
    for (const path of [0, 1]) {
      sawLink(records, 0, path, 7 + path, LINK_HEALTHY);
      sawLink(records, 0, path, 7 + path, 0);
    }
    expect([0, 1].map((path) => linkFailures(records, 0, path))).toEqual([1, 1]);
    expect([0, 1].map((path) => linkFailures(records, 1, path))).toEqual([0, 0]);
  });
});
