import { type Program, possibleCpus } from 'bpf-loader-ts';
import { monotonicNs, netnsCookie, netnsCreate, netnsEnter, setAffinity } from 'bpf-loader-ts/sys';
import { type Bench, bench } from '../bpf/bench.bpf.js';
import { VfArm, type Vfailover, VfDetector, vfailover } from '../bpf/vfailover.bpf.js';
import { type ReflectorKey, ReflectorMap } from '../src/datapath/reflector-map.js';
import { BfdFrame } from '../src/detect/bfd/frame.js';
import { BFD_HEADER, encodeControl, FLAG_DEMAND, SBFD_PORT } from '../src/detect/bfd/packet.js';
import { Rtnl } from '../src/netlink/index.js';
import { bpfObject } from '../src/paths.js';

interface Measured {
  object: 'bench' | 'vfailover' | 'placed' | 'watched' | 'probed' | 'reflecting';
  program: string;
  /** Verdict of the program: `TC_NEXT` is -1, a redirect 7. */
  returns: number;
  /** The frame expects an answer. */
  asks?: true;
  /** Bytes of the frame, which is a group frame. */
  group?: number;
}

/**
 * Programs that are measured, in the order of the table. `placed` is vfailover that knows its namespace, `watched` has the watchdog, `probed`
 * has probes, `reflecting` has a reflector.
 */
export const MEASURED = {
  vf_empty: { object: 'bench', program: 'vf_empty', returns: 0xffffffff },
  vf_count_only: { object: 'bench', program: 'vf_count_only', returns: 0xffffffff },
  vf_count_steer: { object: 'bench', program: 'vf_count_steer', returns: 1 },
  vf_carrier_check: { object: 'bench', program: 'vf_carrier_check', returns: 0xffffffff },
  vf_steer: { object: 'vfailover', program: 'vf_steer', returns: 7 },
  vf_guard: { object: 'vfailover', program: 'vf_guard', returns: 0xffffffff },
  vf_deliver: { object: 'vfailover', program: 'vf_deliver', returns: 7 },
  vf_accept: { object: 'vfailover', program: 'vf_accept', returns: 0xffffffff },
  placed_deliver: { object: 'placed', program: 'vf_deliver', returns: 7 },
  placed_accept: { object: 'placed', program: 'vf_accept', returns: 0xffffffff },
  watched_steer: { object: 'watched', program: 'vf_steer', returns: 7 },
  watched_steer_asks: { object: 'watched', program: 'vf_steer', returns: 7, asks: true },
  watched_accept: { object: 'watched', program: 'vf_accept', returns: 0xffffffff },
  probed_steer: { object: 'probed', program: 'vf_steer', returns: 7 },
  probed_accept: { object: 'probed', program: 'vf_accept', returns: 0xffffffff },
  reflecting_accept: { object: 'reflecting', program: 'vf_accept', returns: 0xffffffff },
  vf_groups_earlier: { object: 'bench', program: 'vf_groups_earlier', returns: 0xffffffff, group: 60 },
  vf_groups_once: { object: 'bench', program: 'vf_groups_once', returns: 0xffffffff, group: 60 },
  large_groups_earlier: { object: 'bench', program: 'vf_groups_earlier', returns: 0xffffffff, group: 1514 },
  large_groups_once: { object: 'bench', program: 'vf_groups_once', returns: 0xffffffff, group: 1514 },
  vf_groups_sent: { object: 'bench', program: 'vf_groups_sent', returns: 0xffffffff, group: 60 },
  vf_question_only: { object: 'bench', program: 'vf_question_only', returns: 0xffffffff },
  vf_question_reflect: { object: 'bench', program: 'vf_question_reflect', returns: 7 },
} as const satisfies Record<string, Measured>;
export type ProgramName = keyof typeof MEASURED;
const NAMES = Object.keys(MEASURED) as ProgramName[];
const PROGRAMS: readonly string[] = Object.values(MEASURED).map((m) => m.program);
/** Timeout longer than any round, so that the watchdog never fires. */
const NEVER_NS = 3600_000_000_000n;

export interface ProgramsTask {
  cpu: number;
  repeat: number;
}

/** Time of one run by program, ns: by the wall clock, and by the kernel's own (whole) count. */
export type ProgramsResult = Record<ProgramName, { wallNs: number; kernelNs: number }>;

const LOOPBACK = 1;

/** Gives the object a line in which primary and master are the loopback device, and the primary is active and armed. */
function pointAtLoopback<T extends Bench | Vfailover>(object: T): T {
  using lines = object.maps.lines.mmap();
  const line = lines.at(0);
  line.primary_ifindex = LOOPBACK;
  line.master_ifindex = LOOPBACK;
  line.armed = VfArm.VF_ARM_PRIMARY;
  return object;
}

function load(
  netns: number,
): Record<'vfailover' | 'placed' | 'watched' | 'probed' | 'reflecting', Vfailover> & { bench: Bench } {
  const cpus = possibleCpus();
  const options = {
    maxEntries: { counters: cpus },
    variables: { vf_slot: 0, vf_cpus: cpus, vf_has_kern_ctx: 1 },
  };
  const skip = (['vf_bench_event', 'vf_sink'] as const).filter((n) => !PROGRAMS.includes(n));
  const watched = vfailover.load(bpfObject('vfailover'), {
    ...options,
    variables: { ...options.variables, vf_detect: VfDetector.VF_DETECT_UNANSWERED },
  });
  using watches = watched.maps.watches.mmap();
  for (const path of [0, 1]) {
    watches.at(path).timeout_ns = NEVER_NS;
    watches.at(path).ack_timeout_ns = NEVER_NS;
  }
  const probed = vfailover.load(bpfObject('vfailover'), {
    ...options,
    variables: { ...options.variables, vf_detect: VfDetector.VF_DETECT_PROBES },
  });
  const reflecting = vfailover.load(bpfObject('vfailover'), {
    ...options,
    variables: { ...options.variables, vf_detect: VfDetector.VF_DETECT_REFLECTOR },
  });
  const primitives = bench.load(bpfObject('bench'), {
    ...options,
    variables: { ...options.variables, vf_question: question() },
    skip,
  });
  for (const object of [reflecting, primitives]) {
    using reflectors = object.maps.reflectors.mmap();
    new ReflectorMap(reflectors.mapping.int32()).open(0, REFLECTOR);
  }
  const placed = vfailover.load(bpfObject('vfailover'), {
    ...options,
    variables: { ...options.variables, vf_netns_cookie: netnsCookie(netns) ?? 0n },
  });
  return {
    placed: pointAtLoopback(placed),
    watched: pointAtLoopback(watched),
    probed: pointAtLoopback(probed),
    reflecting: pointAtLoopback(reflecting),
    bench: pointAtLoopback(primitives),
    vfailover: pointAtLoopback(vfailover.load(bpfObject('vfailover'), options)),
  };
}

/** Returns the number of frames counted so far, on all slaves and CPUs. */
function counted(object: Bench): number {
  using counters = object.maps.counters.mmap();
  let n = 0;
  for (let cpu = 0; cpu < possibleCpus(); cpu++) {
    const { tx, rx } = counters.at(cpu);
    for (const count of [...tx, ...rx]) n += count.packetsNumber;
  }
  return n;
}

/** Returns 60 bytes (64 with the checksum): IPv4 to a unicast address. A frame that asks is TCP with 6 bytes of payload. */
function frame(asks: boolean): Uint8Array {
  const f = new Uint8Array(60);
  f.set([0x02, 0x76, 0x66, 0, 0, 1, 0x02, 0x76, 0x66, 0, 0, 0xfe, 0x08, 0, 0x45, 0, 0, 46]);
  if (asks) f.set([6], 23);
  f.set([0x50, 0x10], 46);
  return f;
}

/** Returns a UDP datagram to a group. */
function groupFrame(length: number): Uint8Array {
  const f = new Uint8Array(length).fill(0x5a);
  f.set([0x01, 0x00, 0x5e, 1, 2, 3, 0x02, 0x76, 0x66, 0, 0, 0xfe, 0x08, 0, 0x45, 0]);
  f.set([(length - 14) >> 8, (length - 14) & 0xff, 0, 0, 0, 0, 1, 17], 16);
  return f;
}

const REFLECTOR: ReflectorKey = {
  discriminators: [1],
  addresses: [Uint8Array.from([10, 0, 0, 2])],
  vlan: undefined,
  ttlMin: 255,
  rxIntervalUs: 1000,
  up: true,
  mac: Uint8Array.from([2, 0, 0, 0, 0, 2]),
};

/** Returns a question that the reflector answers. */
function question(): Uint8Array {
  const end = {
    localMac: Uint8Array.from([2, 0, 0, 0, 0, 1]),
    peerMac: REFLECTOR.mac,
    local: Uint8Array.from([10, 0, 0, 1]),
    peer: REFLECTOR.addresses[0]!,
    sourcePort: 50_000,
  };
  const f = new BfdFrame(end, BFD_HEADER, SBFD_PORT);
  encodeControl(f.view, f.payload, Uint32Array.from([1, 0, FLAG_DEMAND, 3, 24, 7, 1, 1_000_000, 0, 0]));
  f.seal();
  return f.bytes.subarray(0, f.payload + BFD_HEADER);
}

/**
 * Runs one round. It loads every program anew, each time at another place in memory, so that the luck of alignment shows as spread. It warms the
 * programs up, and runs them all forwards and then backwards, so that a drifting clock favours none.
 */
export default function run({ cpu, repeat }: ProgramsTask): ProgramsResult {
  setAffinity(cpu);
  // The frame of a test run comes from the loopback device of the thread's namespace, so we make one and set it up.
  const netns = netnsCreate();
  netnsEnter(netns);
  const rtnl = new Rtnl();
  rtnl.setLink(LOOPBACK, { up: true });
  rtnl.close();
  const objects = load(netns);
  const [plain, asking, asked] = [frame(false), frame(true), question()];
  const result = Object.fromEntries(NAMES.map((n) => [n, { wallNs: 0, kernelNs: 0 }])) as ProgramsResult;
  try {
    const programs = new Map<ProgramName, Program>(
      NAMES.map((n) => [n, objects[MEASURED[n].object].object.program(MEASURED[n].program)]),
    );
    const once = (name: ProgramName, times: number): { wallNs: number; kernelNs: number } => {
      const program = programs.get(name)!;
      const from = monotonicNs();
      const what: Measured = MEASURED[name];
      const data = name.startsWith('vf_question')
        ? asked
        : what.group !== undefined
          ? groupFrame(what.group)
          : what.asks
            ? asking
            : plain;
      const { retval, durationNs } = program.testRun({ data, repeat: times });
      const wallNs = (monotonicNs() - from) / times;
      if (retval !== MEASURED[name].returns)
        throw new Error(
          `${name} returned ${retval}, not ${MEASURED[name].returns}: not what was to be measured`,
        );
      return { wallNs, kernelNs: durationNs };
    };
    for (const name of NAMES) once(name, Math.ceil(repeat / 20));
    const before = counted(objects.bench);
    for (const name of [...NAMES, ...[...NAMES].reverse()]) {
      const { wallNs, kernelNs } = once(name, repeat);
      const sum = result[name];
      sum.wallNs += wallNs / 2;
      sum.kernelNs += kernelNs / 2;
    }
    // Two programs of that object count, and each ran twice.
    const frames = counted(objects.bench) - before;
    if (frames !== 4 * repeat) throw new Error(`${frames} frames were counted, not ${4 * repeat}`);
  } finally {
    objects.bench.close();
    objects.vfailover.close();
    objects.placed.close();
    objects.watched.close();
    objects.reflecting.close();
    objects.probed.close();
  }
  return result;
}
