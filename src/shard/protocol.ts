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

/** One shard: a long-running task of the pool. Descriptors belong to the process, and the worker maps them for itself. */
export interface DecisionTask {
  shard: number;
  port: MessagePort;
  /** CONTROL_WORDS int32. */
  control: SharedArrayBuffer;
  /** A policy record (src/policy/evaluate.ts) per slot of the store. */
  policy: SharedArrayBuffer;
  /** DETECT_SLOT_WORDS int32 (src/detect/record.ts) per slot: state of the detectors. */
  detect: SharedArrayBuffer;
  /** LINK_FAILURE_WORDS int32 (src/policy/link-failures.ts) per slot. */
  linkFailures: SharedArrayBuffer;
  watchesFd: number;
  probesFd: number;
  bfdFd: number;
  linesFd: number;
  countersFd: number;
  eventsFd: number;
  /** The program bpf/look.bpf.c, which reads links without a lock. -1: not available, so links are read by ioctl. */
  lookFd: number;
  /** eventfd that wakes the worker for its mail or its end. */
  wakeFd: number;
  wait: WaitMode;
  /** Microseconds between looks at the links (epoll, poll). */
  pollIntervalUs: number;
  /** CPU to which the thread is pinned. null: any. */
  cpu: number | null;
}

/** Supervisor to worker. */
export type ToWorker =
  | {
      type: 'attach';
      slot: number;
      netnsFd: number;
      tier0: boolean;
      /** Initial values of the policy's record. */
      policy: Omit<PolicyConfig, 'active'>;
      detect: DetectConfig;
      /** MAC of the master, 6 bytes. */
      mac: Uint8Array;
      /** The program that starts the timer of the instance's BFD session. -1: none. */
      deadlineFd: number;
      /** What the host halves of its detectors have prepared. */
      prepared: Prepared;
      /** The steering word that was last accounted for: a later one is told as a decision that happened meanwhile. */
      knownWord: number;
    }
  | {
      /** Frames that the worker sends itself when the active slave changes. Replaces an earlier list. */
      type: 'announce';
      slot: number;
      sends: readonly AnnouncementFrame[];
    }
  | {
      /** Sockets and facts that the detectors need from outside. Replaces an earlier supply. */
      type: 'supply';
      slot: number;
      supply: Supply;
    }
  | { type: 'detach'; slot: number };

/** A frame and the supervisor's packet socket that sends it. The worker takes a duplicate of the socket. */
export interface AnnouncementFrame {
  fd: number;
  frame: Uint8Array;
  /** The bytes that become random at each switch: a destination that no network switch has met yet. */
  fresh?: { at: number; bytes: number };
}

/** Worker to supervisor. Times are CLOCK_MONOTONIC, nanoseconds. */
export type FromWorker =
  | {
      type: 'decision';
      slot: number;
      /** CAUSE_* of the policy. */
      cause: number;
      /** The tier that decided: 0 the programs, 1 the worker, 2 the supervisor (a leave). */
      tier: 0 | 1 | 2;
      from: number;
      to: number;
      detectedNs: number;
      flippedNs: number;
      /** Link words of both slaves at the decision: LINK_* and the verdict. */
      links: [primary: number, standby: number];
      /** A detector's evidence against the slave that was left. null if no detector took part. */
      evidence: Evidence | null;
      /** True if the worker has sent the announcement that it was given. */
      announced: boolean;
    }
  | { type: 'first'; slot: number; to: number; outNs: number | null; inNs: number | null }
  /** A lost link, which the worker sees up to a second before the kernel tells. */
  | { type: 'lost'; slot: number; ifindex: number };
