/**
 * What a detector is made of. Each has a folder and a row in table.ts. The row names its halves: the worker's, which judges the paths,
 * the host's, which finds what the worker's half needs of the outside, and the status half, which puts both into words.
 */
import type { PacedSender } from 'bpf-loader-ts/sys';
import type { z } from 'zod';
import type { VfArm, VfDetector } from '../../bpf/vfailover.bpf.js';
import type { Datapath } from '../datapath/datapath.js';
import type { ProgramVariables } from '../datapath/program-loader.js';
import type { Device, Path, Role } from '../device.js';
import type { Neighbour, Route } from '../netlink/index.js';
import type { Verdicts } from './combine.js';

/** What a detector works with. Typed arrays: what changes from turn to turn is read there, so that a turn needs no allocation. */
export interface DetectorContext<Prepared = unknown> {
  readonly slot: number;
  /** First words of its records (record.ts) of [primary, standby]: it writes its verdicts there. */
  readonly bases: readonly [primary: number, standby: number];
  /** CAUSE_* of its verdicts. */
  readonly cause: number;
  readonly records: Int32Array;
  /** What all detectors of the instance say. */
  readonly verdicts: Verdicts;
  /** Steering lines and watches of all slots (src/datapath/{line,offsets}.ts). */
  readonly lines: Int32Array;
  readonly watches: Int32Array;
  /** Probes and witness, and frame counters (per possible CPU), of all slots. */
  readonly probes: Int32Array;
  readonly counters: Int32Array;
  readonly cpus: number;
  /** BFD sessions of all slots (bfd/map.ts). */
  readonly bfd: Int32Array;
  /** Sends periodic frames, by a thread of its own; keys are slots. */
  readonly pacer: PacedSender;
  /** [0]: CLOCK_MONOTONIC of this turn, ns. */
  readonly clock: Float64Array;
  /** [0]: when the next turn is wanted at the latest, ns. A detector that wants it sooner lowers it, every turn. */
  readonly due: Float64Array;
  /** What was read of the links this turn: LINK_* bits of [primary, standby], of a spared one with carrier; negative: no device. */
  readonly links: Int32Array;
  /** Of the master, 6 bytes. */
  readonly mac: Uint8Array;
  /** The program that starts the timer of the BFD session; -1: there is none. Another thread's. */
  readonly deadlineFd: number;
  /** What its host half has prepared; undefined: it prepares nothing. */
  readonly prepared: Prepared;
  /** Duplicates a descriptor of the process for this thread. */
  readonly dup: (fd: number) => number;
}

/** Why a detector gave its verdict. Plain data that survives JSON. */
export interface Finding {
  /** For a person: `37 frames unanswered for 1.02 ms`. */
  text: string;
  /** The same as numbers; keys carry their unit. */
  facts: Record<string, number>;
}

/** What the supervisor supplies a detector with, whenever it changes. */
export interface DetectorSupply<Found = unknown> {
  /** Of the master. */
  mac: Uint8Array;
  /**
   * Packet sockets on [primary, standby] that bypass the queueing discipline; -1: no such device. The supervisor's: it closes none before
   * this message's successor has been taken in.
   */
  fds: readonly [primary: number, standby: number];
  /** What its host half has found. */
  found: Found;
}

/** What a detector measures for the policy (`healthy_probes`, `prefer: latency`). */
export interface Meter {
  /** Returns how many rounds in a row the path has answered; negative: it is not asked. */
  answered(path: number): number;
  /** Returns the path's smoothed round trip, µs; 0: unknown. */
  rttUs(path: number): number;
}

/** A detector of one instance: watches both of its paths, or those that the configuration names. */
export interface Detector<Found = unknown> {
  /**
   * Once per turn of the decision loop, before the policy decides: writes what it has to say into its records. Allocates nothing.
   * @param nowMs the policy's clock @param active the path that carries traffic, 0 or 1
   */
  turn(nowMs: number, active: number): void;
  /** What it measures beside its verdict; absent: nothing. */
  readonly meter?: Meter;
  /** Takes in a packet that the programs handed over (struct vf_bfd_packet at `at`). */
  packet?(view: DataView, at: number): void;
  /**
   * Why it has its verdict on `path`, or, at a flip by the programs, why they made it; `atNs` is when that fell, which may be a while ago
   * when this thread gets to telling. Not part of the hot path.
   */
  evidence(path: number, atNs: number): Finding | null;
  /** Takes in what it needs of the outside. Not part of the hot path. */
  supply?(supply: DetectorSupply<Found>): void;
  close(): void;
}

/** The worker's half: the module `detector.ts` of a detector's folder. */
export interface WorkerHalf<Config, Prepared, Found> {
  create(context: DetectorContext<Prepared>, config: Config): Detector<Found>;
}

/** What the kernel knows of devices, addresses, ways and neighbours, and how it is made to find out. */
export interface Surroundings {
  masterIfindex: number;
  /** All addresses of the namespace. */
  readonly addresses: readonly string[];
  device(ifindex: number): Device | undefined;
  /** All of the namespace. */
  devices(): Iterable<Device>;
  route(ip: string): Route | undefined;
  neighbour(ifindex: number, ip: string): Neighbour | undefined;
  /** `neighbour` tells the answer some milliseconds later. */
  resolve(ifindex: number, ip: string): void;
}

/** What a host half finds. */
export interface Discovery<Found, Plan> {
  /** Goes to the worker's half. */
  readonly found: Found;
  /** Goes to the status half. */
  readonly plan: Plan;
  /** The kernel is at it: look again soon. */
  readonly pending: boolean;
}

/** The host's half, in the supervisor: the module `host.ts` of a detector's folder. */
export interface HostHalf<Config, Prepared, Found, Plan> {
  /** Returns constants of the instance's programs. */
  variables?(config: Config): Partial<ProgramVariables>;
  /**
   * Returns what the worker's half needs from its beginning, and checks that the machine has it. `addresses`: those of the namespace.
   * Throws VfError CONFIG_INVALID.
   */
  prepare?(config: Config, addresses: () => readonly string[]): Prepared;
  /** Looks for what the worker's half needs, as things are. */
  find?(config: Config, around: Surroundings): Discovery<Found, Plan>;
}

/** What the status half looks at: one path of an instance. */
export interface StatusView<Config, Plan> {
  readonly config: Config;
  readonly path: Path;
  readonly records: Int32Array;
  /** First word of the detector's record of this path. */
  readonly base: number;
  readonly datapath: Datapath;
  /** What its host half found last; undefined: it has not looked yet, or there is none. */
  readonly plan: Plan | undefined;
  /** The policy's clock. */
  readonly nowMs: number;
}

/** A detector in words. */
export interface Words {
  /** What it sees. */
  detail: string;
  /** What would make it say down, or ok again. */
  to_switch: string;
}

/** The status half: the module `status.ts` of a detector's folder. */
export interface StatusHalf<Config, Plan> {
  describe(view: StatusView<Config, Plan>): Words;
  /** What is to be said of a slave that it is not to watch, beside that. */
  readonly unwatched?: string;
}

/** A fallback of the programs that a detector has a use for. Detectors may share it. */
export interface Arm {
  /** Bits of `vf_arm`: what leaves the primary, and what leaves the standby. */
  readonly bits: readonly [primary: keyof typeof VfArm, standby: keyof typeof VfArm];
  /** When it acts: `primary silent`. */
  text(slave: Role): string;
}

/** What every detector's section of the configuration has. */
export interface Section {
  readonly slaves: readonly Role[];
}

/** A row of the table. Its place there is the detector's number. */
export interface Row<Name extends string, Key extends string, S extends z.ZodType, Prepared, Found, Plan> {
  /** What `status` and `events` call it, and its verdict. */
  readonly name: Name;
  /** Key of its section in `detect`. */
  readonly key: Key;
  readonly section: S;
  /** CAUSE_* of its verdicts: of `enum vf_cause` if the programs flip for it, else any below 256 that nobody has. */
  readonly cause: number;
  /** What a switch for its verdict shows of the slave that was left. */
  signal(slave: Role): string;
  /** Absent: the programs do not act for it. */
  readonly arm?: Arm;
  /** The part of the programs that it needs; absent: none. */
  readonly program?: keyof typeof VfDetector;
  /** What the worker's half is supplied with: the master's MAC, or packet sockets on the slaves as well. Absent: nothing. */
  readonly supplied?: 'mac' | 'sockets';
  /** Descriptors that an instance holds for it, counted in /proc/PID/fd; absent: none. */
  readonly descriptors?: number;
  /** Frames a second that pass the slaves' devices without our program at the egress, or that our programs take without counting. */
  bypassing?(config: z.output<S>): number;
  worker(): Promise<WorkerHalf<z.output<S>, Prepared, Found>>;
  status(): Promise<StatusHalf<z.output<S>, Plan>>;
  /** Absent: it needs nothing of the outside. */
  host?(): Promise<HostHalf<z.output<S>, Prepared, Found, Plan>>;
}

/** Checks a row: its halves have to agree with its section, and with each other. */
export function row<
  const Name extends string,
  const Key extends string,
  S extends z.ZodType<Section>,
  Prepared = undefined,
  Found = undefined,
  Plan = undefined,
>(it: Row<Name, Key, S, Prepared, Found, Plan>): Row<Name, Key, S, Prepared, Found, Plan> {
  return it;
}
