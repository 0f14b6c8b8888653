/** Nothing is due. */
export const NEVER = Number.POSITIVE_INFINITY;

/** A frame that is about to be sent: its headers are written, the packet goes to `payload`. */
export interface Outgoing {
  readonly bytes: Uint8Array;
  /** Over `bytes`. */
  readonly view: DataView;
  readonly payload: number;
}

/**
 * What speaks BFD on a path: a session with a peer (session.ts), or the initiator that asks an S-BFD reflector (initiator.ts). The worker
 * calls `receive` with what came, `heard` with what the programs took in, `expire` at `expiresNs` and `transmit` at `dueNs`. Times are
 * nanoseconds of one monotonic clock.
 */
export interface BfdEngine {
  /** Bytes that `transmit` writes. */
  readonly length: number;
  /** STATE_*. */
  readonly state: number;
  /** DIAG_*: why the state last changed. */
  readonly diag: number;
  readonly remoteState: number;
  readonly remoteDiag: number;
  /** Interval of packets before jitter, µs; 0: none. */
  readonly intervalUs: number;
  /** Detection time; 0: nothing is known of the other end. */
  readonly detectNs: number;
  readonly lastHeardNs: number;
  /** When `expire` is to be called. */
  readonly expiresNs: number;
  /** When `transmit` is to be called; 0: at once. */
  readonly dueNs: number;
  /**
   * Takes in a packet that decodeControl has read from `bytes` at `at`. Returns ACCEPTED, or the DISCARD_* it is counted under; then nothing
   * has changed.
   */
  receive(packet: Uint32Array, nowNs: number, bytes: Uint8Array, at: number): number;
  /** Takes in that a packet which says nothing new came at `ns`: the programs have taken it. */
  heard(ns: number): void;
  /** Ends the wait for the other end if its time is over. True if it went down by that. */
  expire(nowNs: number): boolean;
  /** Takes it out of service, or puts it back. */
  setAdminDown(down: boolean, nowNs: number): void;
  /** Writes the packet that is due. Returns `length`, or 0 when nothing is due. */
  transmit(frame: Outgoing, nowNs: number): number;
}
