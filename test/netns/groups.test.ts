import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VfGroups } from '../../bpf/vfailover.bpf.js';
import { GUEST_MAC } from '../../lab/netns/world.js';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import { flip } from '../../src/datapath/line.js';
import { type Path, PRIMARY, STANDBY } from '../../src/device.js';
import { arpRequest } from '../../src/frames/arp.js';
import { parseMac } from '../../src/frames/mac.js';
import {
  type FrameOptions,
  type GroupScene,
  groupDatagram,
  groupFrame,
  groupScene,
  STATION,
  WINDOW_MS,
} from '../helpers/group-scene.js';
import { word } from '../helpers/in-process.js';
import { elapse } from '../helpers/wait.js';

/** Fill bytes of what was received. A thread that changes its CPU may overtake its own frames: they are sorted. */
const fills = async ({ received }: GroupScene): Promise<number[]> =>
  (await received()).map((f) => f.at(-1)!).sort((a, b) => a - b);
const SLAVES = ['primary', 'standby'] as const;

describe.each(['transparent', 'net-failover'] as const)('group frames, %s', (model) => {
  test('come in by whichever slave brings them, while either is active', async () => {
    const s = await groupScene({}, model);
    for (const active of [PRIMARY, STANDBY] as const) {
      flip(s.b.lines, s.b.base, word(s.b), active);
      for (const slave of SLAVES)
        for (const dst of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:fb', '33:33:00:00:00:fb']) {
          s[slave].send(groupFrame(7, { dst }));
          expect(await fills(s)).toEqual([7]);
          await elapse(WINDOW_MS);
        }
    }
  });

  test('come in once when both slaves bring them, whichever is first', async () => {
    const s = await groupScene({}, model);
    for (const [first, second] of [SLAVES, [...SLAVES].reverse() as ['standby', 'primary']] as const) {
      for (let i = 0; i < 20; i++) {
        s[first].send(groupFrame(i));
        s[second].send(groupFrame(i));
      }
      expect(await fills(s)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      await elapse(WINDOW_MS);
    }
    // By which slave a copy is dropped depends on which CPU is first. The bridge's own groups come twice as well.
    const { datapath } = s.b;
    const suppressed = [PRIMARY, STANDBY].map((path) => datapath.counters(path as Path).rx.suppressed);
    expect(suppressed[0]! + suppressed[1]!).toBeGreaterThanOrEqual(40);
  });

  test('that the master sent never come back, by neither slave and however often', async () => {
    const s = await groupScene({}, model);
    const own = [groupFrame(1, { src: GUEST_MAC }), groupFrame(2, { src: '02:00:00:00:0a:03', vlan: 5 })];
    for (let round = 0; round < 3; round++) {
      for (const f of own) s.master.send(f);
      // The real bridge has returned them as well. What comes back has to do so within the window, on a guest's clock, too.
      for (const slave of SLAVES) for (const f of [...own, ...own]) s[slave].send(f);
    }
    expect(await fills(s)).toEqual([]);
    // Others' frames are not held back by that, and a later one of the same content is somebody else's.
    for (const slave of SLAVES) s[slave].send(groupFrame(3));
    expect(await fills(s)).toEqual([3]);
    await elapse(WINDOW_MS);
    s.standby.send(own[0]!);
    expect(await fills(s)).toEqual([1]);
  });
});

describe('identical frames in succession', () => {
  test('an ARP request that is repeated every millisecond arrives as often as it was sent', async () => {
    const s = await groupScene();
    const request = arpRequest({
      mac: parseMac(STATION),
      source: Uint8Array.from([10, 99, 0, 9]),
      target: Uint8Array.from([10, 99, 0, 77]),
    });
    for (const order of [SLAVES, [...SLAVES].reverse()]) {
      for (let i = 0; i < 3; i++) {
        for (const slave of order) s[slave as 'primary'].send(request);
        await elapse(1);
      }
      expect(await s.received()).toHaveLength(3);
    }
  });

  test('any interleaving of both slaves delivers each frame once', async () => {
    const order = fc.integer({ min: 1, max: 6 }).chain((few) =>
      fc.record({
        // A few contents, so that most frames have twins before and behind them.
        contents: fc.array(fc.nat(few - 1), { maxLength: 400, size: 'max' }),
        // The other slave lags behind by one run at least.
        runs: fc.array(fc.integer({ min: 1, max: 10 * few }), { minLength: 1, maxLength: 400, size: 'max' }),
      }),
    );
    const property = fc.asyncProperty(order, async ({ contents, runs }) => {
      const s = await groupScene();
      const next = { primary: 0, standby: 0 };
      for (let i = 0; next.primary < contents.length || next.standby < contents.length; i++) {
        const slave = SLAVES[i % 2]!;
        const end = Math.min(contents.length, next[slave] + runs[i % runs.length]!);
        while (next[slave] < end) s[slave].send(groupFrame(contents[next[slave]++]!));
        s.drain();
      }
      expect(await fills(s)).toEqual(contents.sort((a, b) => a - b));
    });
    // Each run takes the kernel a while: the shortest that fails is looked for half a minute.
    await fc.assert(property, { ...walks(6), interruptAfterTimeLimit: 30_000 });
  });

  test('a burst before the other slave brings the first one', async () => {
    const s = await groupScene();
    for (const slave of SLAVES) s[slave].sendBatch(groupFrame(1, { length: 64 }), 64, 150);
    expect(await fills(s)).toHaveLength(150);
  });

  test('a longer burst than the window, by a slave that lags by 10 ms', async () => {
    const s = await groupScene();
    const queue: number[] = [];
    let sent = 0;
    const until = performance.now() + 3 * WINDOW_MS;
    for (let now = performance.now(); now < until || queue.length > 0; now = performance.now()) {
      if (now < until) {
        s.primary.send(groupFrame(1));
        sent++;
        queue.push(now + 10);
      }
      while (queue.length > 0 && queue[0]! <= performance.now()) {
        queue.shift();
        s.standby.send(groupFrame(1));
      }
      s.drain();
      await elapse(1);
    }
    expect(await fills(s)).toHaveLength(sent);
  });

  test('a copy that was lost neither holds back nor doubles a later frame', async () => {
    const s = await groupScene();
    for (const lost of SLAVES) {
      const kept = lost === 'primary' ? 'standby' : 'primary';
      // The other slave does not bring it: after the window both count from nothing, whoever brings the next ones.
      s[kept].send(groupFrame(1));
      await elapse(WINDOW_MS);
      for (const slaves of [[lost], [kept, lost], [kept], [lost, kept], [lost]] as const) {
        for (const slave of slaves) s[slave].send(groupFrame(1));
        await elapse(WINDOW_MS);
      }
      expect(await fills(s)).toHaveLength(6);
    }
  });

  test('a slave that brought nothing for a while takes over without a pause longer than the window', async () => {
    const s = await groupScene();
    for (let i = 0; i < 300; i++) {
      s.primary.send(groupFrame(1));
      s.drain();
      await elapse(1);
    }
    await s.received();
    const from = performance.now();
    while ((await fills(s)).length === 0) {
      s.standby.send(groupFrame(1));
      expect(performance.now() - from).toBeLessThan(10 * WINDOW_MS);
    }
    expect(s.b.datapath.counters(STANDBY).rx.suppressed).toBeLessThan(300);
  });
});

describe('what makes two frames one', () => {
  /** Brings the first by the primary, the second by the standby. */
  async function arriving(s: GroupScene, first: Uint8Array, second: Uint8Array): Promise<number> {
    s.primary.send(first);
    s.standby.send(second);
    return (await s.received()).length;
  }
  const tagged = (vlan: number, options: FrameOptions = {}) => groupFrame(9, { ...options, vlan });

  test('any byte that differs, of frames of any length', async () => {
    const s = await groupScene();
    for (const length of [60, 65, 77, 78, 79, 128, 142, 333, 334, 335, 600, 1514, 9000]) {
      const step = length < 700 ? 1 : 97;
      const plain = groupFrame(0x55, { length });
      const variants: Uint8Array[] = [];
      // The uppermost bit and the lowest: a product keeps little of the one, an odd factor nothing of the other.
      for (const bit of [0x80, 0x01])
        for (let at = 14; at < length; at += step) {
          const f = groupFrame(0x55, { length });
          f[at]! ^= bit;
          variants.push(f);
        }
      const last = groupFrame(0x55, { length });
      last[length - 1]! ^= 2;
      variants.push(last);
      // In turns: were one of them taken for the plain one, it would be dropped. So many at a time as come within the window.
      for (let from = 0; from < variants.length; from += 39) {
        const some = variants.slice(from, from + 39).flatMap((f) => [plain, f]);
        for (const [i, f] of some.entries()) {
          s[SLAVES[i % 2]!].send(f);
          s.drain();
        }
        expect([length, from, (await s.received()).length]).toEqual([length, from, some.length]);
        // And each is known when it comes by the other slave.
        for (const [i, f] of some.entries()) s[SLAVES[(i + 1) % 2]!].send(f);
        expect([length, from, (await s.received()).length]).toEqual([length, from, 0]);
      }
    }
  });

  test('source, destination and length count', async () => {
    const s = await groupScene();
    expect(await arriving(s, groupFrame(1), groupFrame(1, { src: '02:00:00:00:00:98' }))).toBe(2);
    expect(await arriving(s, groupFrame(2), groupFrame(2, { dst: '01:00:5e:00:00:fb' }))).toBe(2);
    expect(await arriving(s, groupFrame(0, { length: 80 }), groupFrame(0, { length: 81 }))).toBe(2);
  });

  test('padding does not', async () => {
    const s = await groupScene();
    const request = arpRequest({
      mac: parseMac(STATION),
      source: Uint8Array.from([10, 99, 0, 9]),
      target: Uint8Array.from([10, 99, 0, 78]),
    });
    const padded = new Uint8Array(60).fill(0xaa);
    padded.set(request);
    expect(await arriving(s, request, padded)).toBe(1);
    expect(await arriving(s, groupDatagram(5, 0x1234), groupDatagram(5, 0x1234, 60, 0xaa))).toBe(1);
    // Where the protocol does not say how long it is, padding is zeros.
    const short = groupFrame(3, { length: 40 });
    const zeros = new Uint8Array(60);
    zeros.set(short);
    expect(await arriving(s, short, zeros)).toBe(1);
  });

  test('a UDP checksum that is not yet computed does not, what it covers does', async () => {
    const s = await groupScene();
    expect(await arriving(s, groupDatagram(60, 0x1111), groupDatagram(60, 0x2222))).toBe(1);
    const other = groupDatagram(60, 0x2222);
    other[50]! ^= 1;
    expect(await arriving(s, groupDatagram(60, 0x1111), other)).toBe(2);
  });

  test('the VLAN counts, its priority does not, and id 0 is none', async () => {
    const s = await groupScene();
    expect(await arriving(s, tagged(5), tagged(6))).toBe(2);
    await elapse(WINDOW_MS);
    expect(await arriving(s, tagged(5), groupFrame(9))).toBe(2);
    await elapse(WINDOW_MS);
    expect(await arriving(s, tagged(5), tagged(0xe005))).toBe(1);
    expect(await arriving(s, tagged(0xe000), groupFrame(9))).toBe(1);
  });
});

describe('groups: active', () => {
  test('the active slave alone brings them, and both for a moment after a switch', async () => {
    const s = await groupScene({ vf_groups: VfGroups.VF_GROUPS_ACTIVE });
    for (const active of [STANDBY, PRIMARY, STANDBY] as const) {
      flip(s.b.lines, s.b.base, word(s.b), active);
      const [on, off] = active === PRIMARY ? SLAVES : [...SLAVES].reverse();
      for (let i = 0; i < 5; i++) for (const slave of [off, on]) s[slave as 'primary'].send(groupFrame(i));
      s[off as 'primary'].send(groupFrame(5));
      expect(await fills(s)).toEqual([0, 1, 2, 3, 4, 5]);
      await elapse(WINDOW_MS);
      for (let i = 0; i < 5; i++) s[off as 'primary'].send(groupFrame(i));
      for (let i = 5; i < 9; i++) for (const slave of [on, off]) s[slave as 'primary'].send(groupFrame(i));
      expect(await fills(s)).toEqual([5, 6, 7, 8]);
      await elapse(WINDOW_MS);
    }
  });

  test('what the master sent does not come back by a switch', async () => {
    const s = await groupScene({ vf_groups: VfGroups.VF_GROUPS_ACTIVE });
    for (const active of [STANDBY, PRIMARY] as const) {
      s.master.send(groupFrame(1, { src: GUEST_MAC }));
      flip(s.b.lines, s.b.base, word(s.b), active);
      for (const slave of SLAVES) s[slave].send(groupFrame(1, { src: GUEST_MAC }));
      expect(await fills(s)).toEqual([]);
    }
  });
});
