import { NetlinkSocket } from 'bpf-loader-ts/sys';
import { NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR } from './constants.js';
import {
  attributesAfter,
  listAttributes,
  MessageBuilder,
  type NlMessage,
  parseAttributes,
  readString,
  readU8,
  readU32,
  splitMessages,
} from './message.js';
import { type NetlinkTransport, RECEIVE_BYTES } from './transport.js';

const NETLINK_GENERIC = 16;
const GENL_HDRLEN = 4;
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const ETHTOOL_GENL_VERSION = 1;
const ETHTOOL_MSG_LINKMODES_GET = 4;
const ETHTOOL_A_LINKMODES_HEADER = 1;
const ETHTOOL_A_HEADER_DEV_INDEX = 1;
const ETHTOOL_A_LINKMODES_SPEED = 5;
const ETHTOOL_A_LINKMODES_DUPLEX = 6;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;
const ETHTOOL_A_FEATURES_HEADER = 1;
const ETHTOOL_A_FEATURES_WANTED = 3;
const ETHTOOL_A_FEATURES_ACTIVE = 4;
const ETHTOOL_A_BITSET_BITS = 3;
const ETHTOOL_A_BITSET_BITS_BIT = 1;
const ETHTOOL_A_BITSET_BIT_NAME = 2;
const ETHTOOL_A_BITSET_BIT_VALUE = 3;
const DUPLEX_FULL = 1;
const TIMEOUT_MS = 5000;

/** What a driver says of its link. */
export interface LinkSpeed {
  /** Mb/s, above 0. */
  mbps: number;
  fullDuplex: boolean;
}

/** The kernel's ethtool family of generic netlink (Linux ≥ 5.6): requests one at a time, synchronous, as `Rtnl`. */
export class Ethtool implements Disposable {
  readonly #socket: NetlinkTransport;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  /** Number of the family; 0: the kernel has none. */
  #family: number | undefined;
  #seq = 0;

  constructor(options: { netns?: number; transport?: NetlinkTransport } = {}) {
    const { netns, transport } = options;
    this.#socket =
      transport ?? new NetlinkSocket({ protocol: NETLINK_GENERIC, ...(netns !== undefined && { netns }) });
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Speed and duplex of a device; undefined where there is no device, or its driver (or the kernel) does not say. */
  speed(ifindex: number): LinkSpeed | undefined {
    this.#family ??= this.#findFamily();
    if (this.#family === 0) return undefined;
    const reply = this.#ask(this.#family, ETHTOOL_MSG_LINKMODES_GET, ETHTOOL_GENL_VERSION, (m) =>
      m.nest(ETHTOOL_A_LINKMODES_HEADER, (h) => h.u32(ETHTOOL_A_HEADER_DEV_INDEX, ifindex)),
    );
    const said = reply && attributesAfter(reply.data, GENL_HDRLEN);
    const speed = said?.get(ETHTOOL_A_LINKMODES_SPEED);
    const mbps = speed ? readU32(speed) | 0 : 0;
    if (mbps <= 0) return undefined;
    const duplex = said?.get(ETHTOOL_A_LINKMODES_DUPLEX);
    return { mbps, fullDuplex: duplex !== undefined && readU8(duplex) === DUPLEX_FULL };
  }

  /**
   * Names of the offloads that are active on a device: `rx-lro`, `rx-gro`, `tx-tcp-segmentation` … (net/ethtool/common.c). undefined:
   * there is no such device, or the kernel does not tell (it does from Linux 5.8 on).
   */
  features(ifindex: number): Set<string> | undefined {
    this.#family ??= this.#findFamily();
    if (this.#family === 0) return undefined;
    const reply = this.#ask(this.#family, ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION, (m) =>
      m.nest(ETHTOOL_A_FEATURES_HEADER, (h) => h.u32(ETHTOOL_A_HEADER_DEV_INDEX, ifindex)),
    );
    const active = reply && attributesAfter(reply.data, GENL_HDRLEN).get(ETHTOOL_A_FEATURES_ACTIVE);
    const bits = active && parseAttributes(active).get(ETHTOOL_A_BITSET_BITS);
    if (bits === undefined) return undefined;
    const names = new Set<string>();
    for (const [type, bit] of listAttributes(bits)) {
      const name = type === ETHTOOL_A_BITSET_BITS_BIT && parseAttributes(bit).get(ETHTOOL_A_BITSET_BIT_NAME);
      if (name) names.add(readString(name));
    }
    return names;
  }

  /** Switches an offload. Returns whether it is active afterwards: a driver may not let it change. undefined: as `features`. */
  setFeature(ifindex: number, name: string, on: boolean): boolean | undefined {
    if (this.features(ifindex) === undefined) return undefined;
    const fill = (m: MessageBuilder): void => {
      m.nest(ETHTOOL_A_FEATURES_HEADER, (h) => h.u32(ETHTOOL_A_HEADER_DEV_INDEX, ifindex));
      m.nest(ETHTOOL_A_FEATURES_WANTED, (wanted) =>
        wanted.nest(ETHTOOL_A_BITSET_BITS, (bits) =>
          bits.nest(ETHTOOL_A_BITSET_BITS_BIT, (bit) => {
            bit.string(ETHTOOL_A_BITSET_BIT_NAME, name);
            if (on) bit.attr(ETHTOOL_A_BITSET_BIT_VALUE, new Uint8Array(0));
          }),
        ),
      );
    };
    // Acknowledged, since a change of nothing is not answered.
    this.#ask(this.#family!, ETHTOOL_MSG_FEATURES_SET, ETHTOOL_GENL_VERSION, fill, NLM_F_ACK);
    return this.features(ifindex)?.has(name);
  }

  #findFamily(): number {
    const reply = this.#ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, (m) =>
      m.string(CTRL_ATTR_FAMILY_NAME, 'ethtool'),
    );
    const id = reply && attributesAfter(reply.data, GENL_HDRLEN).get(CTRL_ATTR_FAMILY_ID);
    // A u16 in the machine's order.
    return id && id.length >= 2 ? new Uint16Array(id.slice(0, 2).buffer)[0]! : 0;
  }

  /** The answer to one request; undefined: the kernel refused it, or none came. */
  #ask(
    family: number,
    command: number,
    version: number,
    fill: (m: MessageBuilder) => void,
    flags = 0,
  ): NlMessage | undefined {
    const message = new MessageBuilder(family, NLM_F_REQUEST | flags).raw(
      Uint8Array.of(command, version, 0, 0),
    );
    fill(message);
    const seq = ++this.#seq;
    if (this.#socket.send(message.finish(seq)) < 0) return undefined;
    while (this.#socket.pollIn(TIMEOUT_MS) === 1) {
      const n = this.#socket.recv(this.#buffer);
      if (n < 0) return undefined;
      for (const reply of splitMessages(this.#buffer.subarray(0, n))) {
        if (reply.seq !== seq) continue;
        // An errno, or an acknowledgement without an answer: both say nothing.
        if (reply.type === NLMSG_ERROR) return undefined;
        return reply;
      }
    }
    return undefined;
  }
}
