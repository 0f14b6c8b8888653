import { errnoName, NetlinkSocket } from 'bpf-loader-ts/sys';
import { VfError } from '../errors.js';
import * as c from './constants.js';
import { type Ack, MessageBuilder, type NlMessage, parseAck, splitMessages } from './message.js';
import { type NetlinkTransport, RECEIVE_BYTES } from './transport.js';

const TIMEOUT_MS = 5000;
const DUMP_ATTEMPTS = 5;

export interface RtnlOptions {
  /** fd of the namespace to work in; the calling thread's own by default. Not needed any more after construction. */
  netns?: number;
  /** Instead of a socket. */
  transport?: NetlinkTransport;
}

/** Type and value of an attribute, raw. */
export type RawAttribute = readonly [type: number, value: Uint8Array];

/** A request by a fixed header and attributes. */
export interface RawRequest {
  type: number;
  head: Uint8Array;
  attributes: readonly RawAttribute[];
  /** What it does, for the words of an error. */
  what: string;
}

const FIXES: ReadonlyMap<number, string> = new Map([
  [c.EPERM, 'run as root or with CAP_NET_ADMIN'],
  [c.EEXIST, 'choose another name, or remove what is there'],
  [c.EOPNOTSUPP, 'the kernel or driver lacks this; see vfailover doctor'],
  [c.EBUSY, 'something else holds the device; release it first'],
]);

/** The VfError for an errno that the kernel answered to `what`. */
export function netlinkError(ack: Ack, what: string, field?: string): VfError {
  const name = errnoName(ack.errno);
  const code =
    ack.errno === c.ENODEV ? 'DEVICE_NOT_FOUND' : ack.errno === c.EPERM ? 'CAPABILITY_MISSING' : 'NETLINK';
  const fix = FIXES.get(ack.errno);
  return new VfError(code, `cannot ${what}: ${ack.message ? `${ack.message} (${name})` : name}`, {
    value: name,
    ...(field !== undefined && { field }),
    ...(fix !== undefined && { fix }),
  });
}

/**
 * Requests to rtnetlink, one at a time, synchronous: each blocks the calling thread until the kernel has answered, microseconds to
 * milliseconds (at most 5 s). For set-up and supervision, not for the hot path.
 */
export class RtnlRequests implements Disposable {
  readonly #socket: NetlinkTransport;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  #seq = 0;

  constructor(options: RtnlOptions = {}) {
    this.#socket =
      options.transport ?? new NetlinkSocket(options.netns === undefined ? {} : { netns: options.netns });
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The data of all messages of type `answers` that the kernel gives to a request for a list: a fixed header, then attributes. */
  dumpRaw(request: RawRequest, answers: number): Uint8Array[] {
    const build = (): MessageBuilder => rawMessage(request, c.NLM_F_REQUEST | c.NLM_F_DUMP);
    return this.dump(build, request.what, (m) => (m.type === answers ? m.data.slice() : undefined));
  }

  /** Sends a request of bytes. `tolerated`: errnos that are no error. */
  requestRaw(request: RawRequest, flags: number, tolerated: readonly number[] = []): void {
    const message = rawMessage(request, c.NLM_F_REQUEST | c.NLM_F_ACK | flags);
    const ack = this.exchange(message, request.what, () => false);
    if (ack.errno !== 0 && !tolerated.includes(ack.errno)) throw netlinkError(ack, request.what);
  }

  /** Sends a question that one message answers; undefined: the kernel refused it, and the errno says why. */
  protected ask<T>(
    request: MessageBuilder,
    what: string,
    type: number,
    parse: (data: Uint8Array) => T,
  ): { found: T | undefined; ack: Ack } {
    let found: T | undefined;
    const ack = this.exchange(request, what, (m) => {
      if (m.type !== type) return false;
      found = parse(m.data);
      return true; // a plain GET is answered by the thing itself, without an ACK
    });
    return { found, ack };
  }

  /** For other files of this folder: sends one request and waits for its acknowledgement. Throws the kernel's refusal. */
  request(request: MessageBuilder, what: string, field?: string): void {
    const ack = this.exchange(request, what, () => false);
    if (ack.errno !== 0) throw netlinkError(ack, what, field);
  }

  /**
   * For other files of this folder. A list is one consistent picture or none: a dump that the kernel marks as interrupted by a change, or whose datagrams were lost,
   * is asked for again.
   */
  dump<T>(request: () => MessageBuilder, what: string, parse: (m: NlMessage) => T | undefined): T[] {
    for (let attempt = 1; ; attempt++) {
      const out: T[] = [];
      let broken = false;
      const ack = this.exchange(
        request(),
        what,
        (m) => {
          if ((m.flags & c.NLM_F_DUMP_INTR) !== 0) broken = true;
          const item = m.type === c.NLMSG_DONE ? undefined : parse(m);
          if (item !== undefined) out.push(item);
          return false;
        },
        () => {
          broken = true;
        },
      );
      if (!broken && ack.errno === 0) return out;
      const again = broken || ack.errno === c.EINTR || ack.errno === c.EBUSY;
      if (!again) throw netlinkError(ack, what);
      if (attempt === DUMP_ATTEMPTS) {
        const fix = 'try again when fewer devices come and go';
        throw new VfError('NETLINK', `cannot ${what}: it changed during each of ${attempt} readings`, {
          value: 'EINTR',
          fix,
        });
      }
    }
  }

  /**
   * Sends one request and reads until its end: an error or ACK, the end of a dump, or `onMessage` returning true. Answers to earlier
   * requests (one that timed out) are skipped by their sequence number.
   */
  protected exchange(
    request: MessageBuilder,
    what: string,
    onMessage: (m: NlMessage) => boolean,
    onOverrun: () => void = () => {},
  ): Ack {
    this.#seq = (this.#seq + 1) >>> 0;
    const seq = this.#seq;
    const sent = this.#socket.send(request.finish(seq));
    if (sent < 0) return { errno: -sent };
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const n = this.#socket.recv(this.#buffer);
      if (n === -c.EAGAIN || n === -c.EINTR) {
        this.#await(deadline, what);
      } else if (n === -c.ENOBUFS) {
        onOverrun();
      } else if (n < 0) {
        return { errno: -n };
      } else {
        for (const message of splitMessages(this.#buffer.subarray(0, n))) {
          if (message.seq !== seq) continue;
          if (onMessage(message)) return { errno: 0 };
          if (message.type === c.NLMSG_ERROR || message.type === c.NLMSG_DONE) return parseAck(message);
        }
      }
    }
  }

  #await(deadline: number, what: string): void {
    const left = Math.ceil(deadline - performance.now());
    const ready = left > 0 ? this.#socket.pollIn(left) : 0;
    if (ready < 0) throw netlinkError({ errno: -ready }, what);
    if (ready === 0 && performance.now() >= deadline) {
      throw new VfError('NETLINK', `cannot ${what}: the kernel has not answered in ${TIMEOUT_MS} ms`, {
        value: 'ETIMEDOUT',
      });
    }
  }
}

function rawMessage({ type, head, attributes }: RawRequest, flags: number): MessageBuilder {
  const message = new MessageBuilder(type, flags).raw(head);
  for (const [key, value] of attributes) message.attr(key, value);
  return message;
}
