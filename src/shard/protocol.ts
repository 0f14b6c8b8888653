import type { MessagePort } from 'node:worker_threads';
import type { DetectConfig } from '../config/index.js';
import type { Evidence } from '../detect/evidence.js';
import type { Prepared, Supply } from '../detect/supply.js';
import type { PolicyConfig } from '../policy/evaluate.js';
import { record } from '../record.js';

/** How a decision worker waits between turns. */
export type WaitMode = 'epoll' | 'poll' | 'spin';

export const CONTROL_WORDS = 16;

/** Words of the control block that a shard and its supervisor share. */
export const CONTROL = record('control', CONTROL_WORDS, {
  /** 1: end. */
  stop: 1,
  /** Messages posted so far: tells the worker to look into its port. */
  mail: 1,
  /** Turns of the loop, wrapping. */
  ticks: 1,
  /** Returns from a wait, wrapping. */
  wakeups: 1,
  /** Flips by tier 0 that were seen in the maps but not in the ring buffer. */
  lost_events: 1,
  /** Messages taken in: `mail` minus this is what still waits. */
  read: 1,
  /** 1 once the loop runs. */
  running: 1,
});

/** One shard: a long-running task of the pool. Descriptors are the process's; the worker maps them for itself. */
export interface DecisionTask {
  shard: number;
  port: MessagePort;
  /** CONTROL_WORDS int32. */
  control: SharedArrayBuffer;
  /** A policy record (src/policy/evaluate.ts) per slot of the store. */
  policy: SharedArrayBuffer;
  /** DETECT_SLOT_WORDS int32 (src/detect/record.ts) per slot: what detectors say. */
  detect: SharedArrayBuffer;
  /** LINK_FAILURE_WORDS int32 (src/policy/link-failures.ts) per slot. */
  linkFailures: SharedArrayBuffer;
  watchesFd: number;
  probesFd: number;
  bfdFd: number;
  linesFd: number;
  countersFd: number;
  eventsFd: number;
  /** The program bpf/look.bpf.c, which reads links without a lock; -1 where it cannot be had: then by ioctl. */
  lookFd: number;
  /** eventfd: wakes the worker for its mail or its end. */
  wakeFd: number;
  wait: WaitMode;
  /** Microseconds between looks at the links (epoll, poll). */
  pollIntervalUs: number;
  /** Pin the thread to this CPU. */
  cpu: number | null;
}

/** Supervisor to worker. */
export type ToWorker =
  | {
      type: 'attach';
      slot: number;
      netnsFd: number;
      tier0: boolean;
      /** What the policy's record begins with. */
      policy: Omit<PolicyConfig, 'active'>;
      detect: DetectConfig;
      /** Of the master, 6 bytes. */
      mac: Uint8Array;
      /** The program that starts the timer of its BFD session; -1: there is none. */
      deadlineFd: number;
      /** What the host halves of its detectors have prepared. */
      prepared: Prepared;
      /** The steering word that was last accounted for: a later one is told as a decision that happened meanwhile. */
      knownWord: number;
    }
  | {
      /** What the worker sends itself when the active slave changes; replaces an earlier list. */
      type: 'announce';
      slot: number;
      sends: readonly AnnouncementFrame[];
    }
  | {
      /** What its detectors need of the outside; replaces an earlier supply. */
      type: 'supply';
      slot: number;
      supply: Supply;
    }
  | { type: 'detach'; slot: number };

/** A frame and the packet socket that it leaves by: the supervisor's; the worker takes a duplicate. */
export interface AnnouncementFrame {
  fd: number;
  frame: Uint8Array;
  /** The part that gets random bytes at each switch: the destination that no switch has met yet. */
  fresh?: { at: number; bytes: number };
}

/** Worker to supervisor. Times are CLOCK_MONOTONIC, nanoseconds. */
export type FromWorker =
  | {
      type: 'decision';
      slot: number;
      /** CAUSE_* of the policy. */
      cause: number;
      /** 0 the programs, 1 the worker, 2 the supervisor (a leave). */
      tier: 0 | 1 | 2;
      from: number;
      to: number;
      detectedNs: number;
      flippedNs: number;
      /** Link words of both paths at the decision: LINK_* and the verdict. */
      links: [primary: number, standby: number];
      /** What a detector has against the path that was left; null if none had a part in it. */
      evidence: Evidence | null;
      /** The worker has sent what it was given to announce. */
      announced: boolean;
    }
  | { type: 'first'; slot: number; to: number; outNs: number | null; inNs: number | null }
  /** A link is lost: seen before the kernel tells, which can take a second. */
  | { type: 'lost'; slot: number; ifindex: number };
