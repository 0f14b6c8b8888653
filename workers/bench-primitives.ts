import { BpfMap } from 'bpf-loader-ts';
import {
  ControlSocket,
  clockMonotonic,
  linkState,
  linkStates,
  monotonicNs,
  setAffinity,
} from 'bpf-loader-ts/sys';
import { VfCountView } from '../bpf/vfailover.bpf.js';
import { flip, lineBase, pathOf, readWord } from '../src/datapath/line.js';
import { LINE } from '../src/datapath/offsets.js';

const SLOTS = 64;
const LINE_BYTES = 64;
/** Index of the counter in a line of this bench. */
const COUNTER_AT = 8;
const LOOPBACK = 1;

export interface PrimitivesTask {
  cpu: number;
  /** Operations of a round for memory. Calls get a tenth of it, system calls a hundredth. */
  ops: number;
  rounds: number;
}

/** Time of one operation by primitive and round, ns. It includes the loop around the operation. */
export type PrimitivesResult = Record<string, number[]>;

/**
 * A primitive does its operation `n` times and returns a sum of the results. The sum is compared with `expected(n)`. So the compiler cannot have
 * left an operation out or moved it out of the loop, and none has failed.
 */
interface Primitive {
  name: string;
  scale: number;
  run(n: number): number;
  expected(n: number): number;
}

function lines(): BpfMap {
  return BpfMap.create({
    type: 2,
    name: 'vf_bench',
    keySize: 4,
    valueSize: LINE_BYTES,
    maxEntries: SLOTS,
    flags: 1 << 10,
  });
}

/** Sum of 0 … 63, n times around and the beginning of a round, since each slot holds its own number. */
const aroundSum = (n: number): number => {
  const rest = n % SLOTS;
  return ((n - rest) / SLOTS) * ((SLOTS * (SLOTS - 1)) / 2) + (rest * (rest - 1)) / 2;
};

/** Reads in the maps' own memory. */
function reads(words: Uint32Array, signed: Int32Array): Primitive[] {
  const stride = LINE_BYTES / 4;
  const view = new VfCountView(new DataView(words.buffer));
  return [
    {
      name: 'counter read (u64 as two words)',
      scale: 1,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) {
          const at = (i & (SLOTS - 1)) * stride + 2;
          sum += words[at + 1]! * 4294967296 + words[at]!;
        }
        return sum;
      },
      expected: aroundSum,
    },
    {
      name: 'counter read (u64, generated view)',
      scale: 1,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) {
          view.$at = (i & (SLOTS - 1)) * LINE_BYTES + COUNTER_AT;
          sum += view.packetsNumber;
        }
        return sum;
      },
      expected: aroundSum,
    },
    {
      name: 'steering word read (Atomics.load)',
      scale: 1,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += readWord(signed, lineBase(i & (SLOTS - 1)) + 4);
        return sum;
      },
      expected: aroundSum,
    },
    {
      name: 'steering word read (plain load)',
      scale: 1,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += signed[lineBase(i & (SLOTS - 1)) + 4]!;
        return sum;
      },
      expected: aroundSum,
    },
  ];
}

/** Flips of a steering word. */
function flips(signed: Int32Array): Primitive[] {
  return [
    {
      name: 'flip (compareExchange alone)',
      scale: 1,
      run(n) {
        const at = lineBase(1) + LINE.word;
        signed[at] = 0;
        let done = 0;
        for (let i = 0; i < n; i++) if (Atomics.compareExchange(signed, at, i, i + 1) === i) done++;
        signed[at] = 1;
        return done;
      },
      expected: (n) => n,
    },
    {
      name: 'flip (Atomics.load, then compareExchange)',
      scale: 1,
      run(n) {
        const base = lineBase(0);
        let done = 0;
        for (let i = 0; i < n; i++) {
          const word = readWord(signed, base);
          if (flip(signed, base, word, pathOf(word) === 0 ? 1 : 0)) done++;
        }
        return done;
      },
      expected: (n) => n,
    },
  ];
}

/** Calls of the addon that do next to nothing. */
function addonCalls(loopback: number): Primitive[] {
  const clock = new Float64Array(1);
  const [sockets, ifindexes, links] = [new Int32Array(4), new Int32Array(4), new Int32Array(4)];
  return [
    {
      name: 'N-API call, no argument (monotonicNs, reads the clock)',
      scale: 0.1,
      run(n) {
        let done = 0;
        for (let i = 0, last = 0; i < n; i++) {
          const now = monotonicNs();
          if (now >= last) done++;
          last = now;
        }
        return done;
      },
      expected: (n) => n,
    },
    {
      name: 'N-API call, an array (clockMonotonic, reads the clock)',
      scale: 0.1,
      run(n) {
        let done = 0;
        for (let i = 0, last = 0; i < n; i++) {
          clockMonotonic(clock, 0);
          if (clock[0]! >= last) done++;
          last = clock[0]!;
        }
        return done;
      },
      expected: (n) => n,
    },
    {
      name: 'N-API call, three arrays (linkStates of no device)',
      scale: 0.1,
      run(n) {
        let sum = 0;
        // The mask gives 0, but the compiler cannot know that.
        for (let i = 0; i < n; i++) sum += linkStates(sockets, ifindexes, links, loopback & 0) + 1;
        return sum;
      },
      expected: (n) => n,
    },
  ];
}

/** System calls. */
function systemCalls(map: BpfMap, socket: ControlSocket, loopback: number): Primitive[] {
  const key = new Uint8Array(4);
  const value = new Uint8Array(LINE_BYTES);
  return [
    {
      name: 'linkState (ioctl)',
      scale: 0.01,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += linkState(socket.fd, LOOPBACK);
        return sum;
      },
      expected: (n) => n * loopback,
    },
    {
      name: 'map lookup (system call)',
      scale: 0.01,
      run(n) {
        let sum = 0;
        for (let i = 0; i < n; i++) {
          key[0] = i & (SLOTS - 1);
          map.lookup(key, value);
          sum += value[8]!;
        }
        return sum;
      },
      expected: aroundSum,
    },
  ];
}

/** Takes every primitive once in every round, so that a slow spell of the machine slows all. */
export default function run({ cpu, ops, rounds }: PrimitivesTask): PrimitivesResult {
  setAffinity(cpu);
  using map = lines();
  using mapping = map.mmap();
  using socket = new ControlSocket();
  const words = mapping.uint32();
  for (let slot = 0; slot < SLOTS; slot++) {
    const base = (slot * LINE_BYTES) / 4;
    // Words 2 and 3 are the counter, word 4 is a steering word.
    words[base + 2] = slot;
    words[base + 4] = slot;
  }
  const signed = mapping.int32();
  const loopback = linkState(socket.fd, LOOPBACK);
  const all = [
    ...reads(words, signed),
    ...flips(signed),
    ...addonCalls(loopback),
    ...systemCalls(map, socket, loopback),
  ];
  const result: PrimitivesResult = Object.fromEntries(all.map(({ name }) => [name, []]));
  const timed = ({ name, run: loop, expected }: Primitive, n: number): number => {
    const from = monotonicNs();
    const sum = loop(n);
    const ns = monotonicNs() - from;
    if (sum !== expected(n)) throw new Error(`${name}: the sum is ${sum}, not ${expected(n)}`);
    return ns / n;
  };
  // The first two rounds are not measured, since code is compiled on the way.
  for (let round = -2; round < rounds; round++)
    for (const p of all) {
      const ns = timed(p, Math.ceil(ops * p.scale));
      if (round >= 0) result[p.name]!.push(ns);
    }
  return result;
}
