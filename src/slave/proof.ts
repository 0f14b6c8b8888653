import { randomBytes } from 'node:crypto';
import { PacketSocket } from 'bpf-loader-ts/sys';
import type { Device } from '../device.js';
import { macAt } from '../frames/mac.js';
import { addUnicast, deleteUnicast } from '../netlink/index.js';
import type { Owned } from './owned.js';
import type { SlaveContext } from './takeover.js';

/** IEEE 802 local experimental EtherType 1. */
const ETH_P_EXPERIMENTAL = 0x88b5;
/** So long a frame may take from the standby over the network to the slave, ms; it is sent at each look meanwhile. */
const WAIT_MS = 1_000;
const LENGTH = 60;

interface Sockets {
  from: PacketSocket;
  /** Where the frame may be seen. */
  to: readonly PacketSocket[];
}

/**
 * Finds out whether a slave lets in a MAC beside its own, which its driver does not tell: a random MAC is added, and a frame to it is sent by
 * the standby, past our programs. If it arrives on the slave, the host allows such MACs. If not, the host refuses them, or the
 * network takes no unknown MAC there: then nobody knows, and it counts as a no.
 */
export class UnicastProof {
  readonly #frame = new Uint8Array(LENGTH);
  readonly #heard = new Uint8Array(LENGTH);
  /** The MAC that is tried; undefined: none is in the slave's list. */
  mac: string | undefined;
  #sockets: Sockets | undefined;
  #until = 0;
  /** True: it does, false: it does not or cannot be told, undefined: not known yet. */
  verdict: boolean | undefined;

  constructor() {
    const [to, from] = [localMac(), localMac()];
    this.#frame.set(to, 0);
    this.#frame.set(from, 6);
    this.#frame.set([ETH_P_EXPERIMENTAL >> 8, ETH_P_EXPERIMENTAL & 0xff], 12);
    this.#frame.set(randomBytes(16), 14);
  }

  /** Goes on with it. True if the verdict has just come. `ours`: where the MAC is kept meanwhile. */
  step(context: SlaveContext, ours: Owned): boolean {
    if (this.verdict !== undefined || !ready(context)) return false;
    this.#sockets ??= this.#open(context, ours);
    const { from, to } = this.#sockets;
    if (to.some((socket) => this.#arrived(socket))) {
      this.#end(context, ours, true);
      return true;
    }
    if (performance.now() > this.#until) {
      this.#end(context, ours, false);
      return true;
    }
    from.send(this.#frame);
    return false;
  }

  #arrived(socket: PacketSocket): boolean {
    while (socket.recv(this.#heard) > 0) if (Buffer.from(this.#heard).equals(this.#frame)) return true;
    return false;
  }

  close(): void {
    this.#sockets?.from.close();
    for (const socket of this.#sockets?.to ?? []) socket.close();
    this.#sockets = undefined;
  }

  #open(context: SlaveContext, ours: Owned): Sockets {
    const { netns, master, slave, rtnl } = context;
    // Our program hands the frame to the master before a socket of one protocol sees it on the slave.
    const to = [slave, master].map(
      ({ ifindex }) => new PacketSocket({ netns, ifindex, protocol: ETH_P_EXPERIMENTAL }),
    );
    try {
      const { ifindex } = standbyOf(context)!;
      const from = new PacketSocket({ netns, ifindex, protocol: 0, bypass: true });
      this.mac = macAt(this.#frame);
      ours.add(context, this.mac);
      addUnicast(rtnl, slave.ifindex, this.mac);
      context.filters.stale();
      this.#until = performance.now() + WAIT_MS;
      return { from, to };
    } catch (e) {
      for (const socket of to) socket.close();
      throw e;
    }
  }

  #end(context: SlaveContext, ours: Owned, verdict: boolean): void {
    this.verdict = verdict;
    this.close();
    if (this.mac === undefined) return;
    deleteUnicast(context.rtnl, context.slave.ifindex, this.mac);
    ours.delete(context, this.mac);
    this.mac = undefined;
    context.filters.stale();
  }
}

/** Where the frame leaves: the standby, which may be the master itself. */
function standbyOf({ traits, master, slave, links }: SlaveContext): Device | undefined {
  if (traits.standbyIsMaster) return master;
  return [...links.values()].find((d) => d.master === master.ifindex && d.ifindex !== slave.ifindex);
}

/** Frames can go from one to the other. */
function ready(context: SlaveContext): boolean {
  const { slave } = context;
  const standby = standbyOf(context);
  return standby?.up === true && standby.carrier && slave.up && slave.carrier;
}

/** A unicast MAC of nobody's. */
function localMac(): Uint8Array {
  const mac = randomBytes(6);
  mac[0] = (mac[0]! & 0xfc) | 0x02;
  return mac;
}
