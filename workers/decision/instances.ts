import { forgetNetns } from 'bpf-loader-ts';
import { ControlSocket, closeFd, NetlinkSocket, netnsCurrent, netnsEnter } from 'bpf-loader-ts/sys';
import type { ToWorker } from '../../src/shard/protocol.js';

const NETLINK_ROUTE = 0;
const RTNLGRP_LINK = 1;

/** Resources that one instance holds open in this thread. */
export interface Held {
  readonly slot: number;
  readonly netnsFd: number;
  readonly control: ControlSocket;
  readonly hint: NetlinkSocket;
  /** Sockets of its announcement: duplicates, keyed by the supervisor's numbers. */
  sockets: ReadonlyMap<number, number>;
}

/**
 * The instances of one shard, by position. A turn reads typed arrays alone. They have one entry per instance, or two (primary, standby) where
 * slaves are concerned. They are laid out anew whenever an instance comes or goes.
 */
export class Instances {
  /** Number of instances. */
  n = 0;
  held: readonly Held[] = [];
  slots = new Int32Array(0);
  /** Two entries each, so that one native call reads all links. */
  sockets = new Int32Array(0);
  netns = new Int32Array(0);
  ifindexes = new Int32Array(0);
  /** Link words as read, with the verdicts of detectors. */
  links = new Int32Array(0);
  /** The last steering word that was accounted for. */
  known = new Int32Array(0);
  /** Arm bits that the programs were given. -1: not known. */
  armed = new Int32Array(0);
  /** 1: the programs may fall back by themselves. */
  tier0 = new Int32Array(0);
  /** When the wait for the first frames after the last flip ends. 0: no wait. */
  awaiting = new Float64Array(0);
  readonly #drain = new Uint8Array(16384);
  /** Namespace in which this thread began. */
  readonly #home = netnsCurrent();

  /** Adds the instance of an attach message, as the last one. */
  add(m: ToWorker & { type: 'attach' }): Held {
    const hint = new NetlinkSocket({ protocol: NETLINK_ROUTE, ...(m.netnsFd >= 0 && { netns: m.netnsFd }) });
    hint.join(RTNLGRP_LINK);
    const held: Held = {
      slot: m.slot,
      netnsFd: m.netnsFd,
      control: new ControlSocket(m.netnsFd),
      hint,
      sockets: new Map(),
    };
    this.#layOut([...this.held, held]);
    const at = this.n - 1;
    this.tier0[at] = m.tier0 ? 1 : 0;
    this.armed[at] = -1;
    this.known[at] = m.knownWord;
    return held;
  }

  /** Forgets an instance and closes what it held open. */
  remove(gone: Held): void {
    gone.hint.close();
    gone.control.close();
    for (const fd of gone.sockets.values()) closeFd(fd);
    this.#layOut(this.held.filter((h) => h !== gone));
  }

  /** Lays the arrays out anew for these instances. Those that stay keep their state. */
  #layOut(held: readonly Held[]): void {
    const before = new Map(this.held.map((h, i) => [h.slot, i]));
    const n = held.length;
    const keep = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      held.forEach((h, i) => {
        const was = before.get(h.slot);
        if (was !== undefined) fresh[i] = old[was]!;
      });
      return fresh;
    };
    this.known = keep(this.known, new Int32Array(n));
    this.armed = keep(this.armed, new Int32Array(n));
    this.tier0 = keep(this.tier0, new Int32Array(n));
    this.awaiting = keep(this.awaiting, new Float64Array(n));
    this.slots = Int32Array.from(held, (h) => h.slot);
    this.netns = Int32Array.from(held.flatMap((h) => [h.netnsFd, h.netnsFd]));
    // Reading links moves this thread into namespaces. A namespace in which it stood would not end.
    netnsEnter(this.#home);
    forgetNetns();
    this.sockets = Int32Array.from(held.flatMap((h) => [h.control.fd, h.control.fd]));
    this.ifindexes = new Int32Array(2 * n);
    this.links = new Int32Array(2 * n);
    this.held = held;
    this.n = n;
  }

  bySlot(slot: number): Held | undefined {
    return this.held.find((h) => h.slot === slot);
  }

  /** Returns the position of a slot's instance, or -1 if the shard has none. */
  indexOf(slot: number): number {
    for (let i = 0; i < this.n; i++) if (this.slots[i] === slot) return i;
    return -1;
  }

  /** Discards link messages. They only tell that it is time to look, since their content may be old. */
  drainHints(): void {
    for (let i = 0; i < this.n; i++) {
      const { hint } = this.held[i]!;
      for (let k = 0; k < 64 && hint.recv(this.#drain) !== -11; k++);
    }
  }

  close(): void {
    closeFd(this.#home);
  }
}
