import { describe, expect, it } from 'vitest';
import { EchoTimer } from '../../src/detect/bfd/echo.js';
import * as P from '../../src/detect/bfd/packet.js';
import { repeatOf } from '../../src/detect/bfd/repeat.js';

const MS = 1e6;
const NEVER = Number.POSITIVE_INFINITY;
const make = (first = 0) => new EchoTimer(10_000, 3, first, () => 0.999);

describe('echo packets', () => {
  it('are sent while the peer takes them, one a second until one has come back', () => {
    const e = make();
    expect({ intervalUs: e.intervalUs, dueNs: e.dueNs }).toEqual({ intervalUs: 0, dueNs: NEVER });
    e.offer(1000, 5 * MS);
    expect({ dueNs: e.dueNs, intervalUs: e.intervalUs, proven: e.proven }).toEqual({
      dueNs: 5 * MS,
      intervalUs: 1_000_000,
      proven: false,
    });
    expect(e.send(5 * MS)).toBe(1);
    expect(e.dueNs).toBeGreaterThan(990 * MS);
    e.returned(1);
    expect({ proven: e.proven, intervalUs: e.intervalUs }).toEqual({ proven: true, intervalUs: 10_000 });
    expect(e.dueNs).toBeLessThanOrEqual(15 * MS);
    e.offer(70_000, 6 * MS);
    expect({ intervalUs: e.intervalUs, proven: e.proven }).toEqual({ intervalUs: 70_000, proven: true });
    e.offer(0, 7 * MS);
    expect({ dueNs: e.dueNs, intervalUs: e.intervalUs, proven: e.proven }).toEqual({
      dueNs: NEVER,
      intervalUs: 0,
      proven: false,
    });
  });

  it('that never came back prove nothing', () => {
    const e = make();
    e.offer(1000, 0);
    for (let i = 1; i < 50; i++) e.send(i * 1000 * MS);
    expect({ expiresNs: e.expiresNs, sent: e.sent }).toEqual({ expiresNs: NEVER, sent: 49 });
  });

  it.each([
    ['from 0', 0],
    ['over the end of the numbers', 0xfffffffe],
  ])('%s: the third in a row that stays away is the last straw, for an interval', (_, first) => {
    const e = make(first);
    e.offer(1000, 0);
    e.returned(e.send(0));
    const at = (n: number) => 100 * MS + n * 10 * MS;
    e.send(at(1));
    e.send(at(2));
    expect(e.expiresNs).toBe(NEVER);
    e.send(at(3));
    expect(e.expiresNs).toBe(at(4));
    e.send(at(4) - 1);
    expect(e.expiresNs).toBe(at(4));
    // One of them is enough.
    e.returned((first + 3) >>> 0);
    expect(e.expiresNs).toBe(NEVER);
    e.send(at(5));
    // Two are missing still, and then three.
    expect(e.expiresNs).toBe(at(6));
  });

  it('a pause of our own is none of theirs, and numbers that were not sent are no proof', () => {
    const e = make();
    e.offer(1000, 0);
    e.returned(e.send(0));
    expect([e.expiresNs]).toEqual([NEVER]);
    e.send(1e15);
    expect(e.expiresNs).toBe(NEVER);
    e.returned(7);
    e.returned(0xffffffff);
    e.send(2e15);
    e.send(3e15);
    expect(e.expiresNs).toBe(3e15 + 10 * MS);
  });

  it('begin anew on another path', () => {
    const e = make();
    e.offer(1000, 0);
    e.returned(e.send(0));
    for (let i = 1; i < 5; i++) e.send(i);
    e.restart(9 * MS);
    expect({ proven: e.proven, expiresNs: e.expiresNs, dueNs: e.dueNs }).toEqual({
      proven: false,
      expiresNs: NEVER,
      dueNs: 9 * MS,
    });
    // What was on its way by the old one counts no more.
    e.returned(5);
    expect(e.proven).toBe(false);
    e.returned(e.send(9 * MS));
    expect(e.proven).toBe(true);
  });
});

describe('what a quiet peer repeats', () => {
  const packet = (flags: number, length: number) => {
    const words = Uint32Array.from([3, 0, flags, 3, length, 1, 2, 1000, 1000, 0]);
    const bytes = new Uint8Array(52).fill(0xaa);
    P.encodeControl(new DataView(bytes.buffer), 0, words);
    return { words, bytes };
  };
  const repeat = (flags: number, length: number, meticulous = false) => {
    const { words, bytes } = packet(flags, length);
    const out = new Uint8Array(52);
    const n = repeatOf(bytes, words, meticulous, out);
    return { n, second: out[1]!, rest: [...out.subarray(24, n)] };
  };

  it('is the packet without poll and final', () => {
    expect(repeat(P.FLAG_POLL, 24)).toEqual({ n: 24, second: 0xc0, rest: [] });
    expect(repeat(P.FLAG_FINAL | P.FLAG_DEMAND, 24)).toEqual({ n: 24, second: 0xc2, rest: [] });
  });
  it('is the packet with its authentication, whole', () => {
    expect(repeat(P.FLAG_AUTH, 43)).toEqual({ n: 43, second: 0xc4, rest: Array(19).fill(0xaa) });
  });
  it('is not known of one whose digest covers a poll, nor where each packet has a number of its own', () => {
    expect(repeat(P.FLAG_AUTH | P.FLAG_POLL, 52).n).toBe(0);
    expect(repeat(P.FLAG_AUTH | P.FLAG_FINAL, 52).n).toBe(0);
    expect(repeat(P.FLAG_AUTH, 52, true).n).toBe(0);
  });
});
