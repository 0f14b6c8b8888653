import { NetlinkSocket } from 'bpf-loader-ts/sys';
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
} from './codec.js';
import { NLM_F_REQUEST, NLMSG_ERROR } from './constants.js';
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
const DUPLEX_FULL = 1;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_A_FEATURES_HEADER = 1;
const ETHTOOL_A_FEATURES_ACTIVE = 4;
const ETHTOOL_A_BITSET_BITS = 3;
const ETHTOOL_A_BITSET_BIT_NAME = 2;
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

  /** Offloads and filters that are on, by the kernel's names (`rx-vlan-filter`); undefined: the kernel does not say. Linux 5.7. */
  features(ifindex: number): ReadonlySet<string> | undefined {
    this.#family ??= this.#findFamily();
    if (this.#family === 0) return undefined;
    const reply = this.#ask(this.#family, ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION, (m) =>
      m.nest(ETHTOOL_A_FEATURES_HEADER, (h) => h.u32(ETHTOOL_A_HEADER_DEV_INDEX, ifindex)),
    );
    const active = reply && attributesAfter(reply.data, GENL_HDRLEN).get(ETHTOOL_A_FEATURES_ACTIVE);
    const bits = active && parseAttributes(active).get(ETHTOOL_A_BITSET_BITS);
    if (!bits) return undefined;
    const names = new Set<string>();
    for (const [, bit] of listAttributes(bits)) {
      const name = parseAttributes(bit).get(ETHTOOL_A_BITSET_BIT_NAME);
      if (name) names.add(readString(name));
    }
    return names;
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
  ): NlMessage | undefined {
    const message = new MessageBuilder(family, NLM_F_REQUEST).raw(Uint8Array.of(command, version, 0, 0));
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
