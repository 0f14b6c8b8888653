import * as c from './constants.js';
import { LE, splitMessages, viewOf } from './message.js';
import { ChangeCounts, Notifications } from './notifications.js';
import { RECEIVE_BYTES } from './transport.js';

const RCVBUF = 1 << 18;
/** struct tcmsg: 4 bytes of family and padding, then the ifindex. */
const IFINDEX_AT = 4;
const TCMSG_BYTES = 20;

/** Told of changes of qdiscs, filters and chains, once for each device however many came together. */
export interface TcListener {
  /** `port`: netlink port of who asked for the last change, as a rule its process id; 0: the kernel. */
  changed(ifindex: number, port: number): void;
  /** Notifications were lost: anything may have changed. */
  lost(): void;
}

/** Follows what happens to the qdiscs and filters of a namespace (RTNLGRP_TC), on this thread's event loop. */
export class TcMonitor implements Disposable {
  readonly #notifications: Notifications;
  readonly #counts = new ChangeCounts();
  /** Devices told of in this turn of the event loop, with who asked for the change. */
  readonly #touched = new Map<number, number>();
  #lost = false;
  /** Who is told at once; undefined: nobody. */
  listener: TcListener | undefined;

  /** `netns`: fd of the namespace, not needed any more afterwards. */
  constructor(netns: number) {
    this.#notifications = new Notifications(
      { netns, groups: [c.RTNLGRP_TC], room: RECEIVE_BYTES, rcvbuf: RCVBUF, ref: true },
      {
        datagram: (bytes) => this.#read(bytes),
        lost: () => {
          this.#lost = true;
        },
        told: () => this.#tell(),
      },
    );
  }

  /** As long as it returns the same, the device's qdiscs and filters are the same. */
  changes = (ifindex: number): number => this.#counts.count(ifindex);

  #read(datagram: Uint8Array): void {
    try {
      for (const { data, port } of splitMessages(datagram)) {
        if (data.length < TCMSG_BYTES) continue;
        const ifindex = viewOf(data).getInt32(IFINDEX_AT, LE);
        // What follows from a change, as the end of its chains, the kernel tells in its own name. A process id is below 2^31.
        const tells = port !== 0 && port <= 0x7fffffff;
        this.#touched.set(ifindex, tells ? port : (this.#touched.get(ifindex) ?? port));
      }
    } catch {
      // What cannot be understood may be of any device.
      this.#lost = true;
    }
  }

  #tell(): void {
    const [touched, lost] = [[...this.#touched], this.#lost];
    this.#touched.clear();
    this.#lost = false;
    if (lost) this.#counts.lost();
    for (const [ifindex] of touched) this.#counts.changed(ifindex);
    if (lost) this.listener?.lost();
    else for (const [ifindex, port] of touched) this.listener?.changed(ifindex, port);
  }

  close(): void {
    this.#notifications.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
