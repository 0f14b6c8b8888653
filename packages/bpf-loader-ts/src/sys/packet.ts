import { native } from '../binding.js';
import { type Bytes, OwnedFd } from './fd.js';

const sys = native as {
  packetSocket(netns: number, ifindex: number, protocol: number, bypass: number): number;
  udpSocket(
    netns: number,
    bindAddr: string,
    bindPort: number,
    connectAddr: string,
    connectPort: number,
    sndbuf: number,
  ): number;
  sockSend(fd: number, bytes: Bytes, len: number): number;
  sockSendBatch(fd: number, bytes: Bytes, len: number, count: number): number;
  sockRecv(fd: number, bytes: Bytes): number;
  sockRecvDrain(fd: number): number;
};

/** ETH_P_ALL: every protocol. */
export const ETH_P_ALL = 0x0003;

/** What packet and UDP sockets share: non-blocking calls that return a count or -errno and allocate nothing. */
export abstract class DatagramSocket extends OwnedFd {
  /** Sends the first `len` bytes (all by default). Returns the bytes sent or -errno. */
  send(bytes: Bytes, len: number = bytes.byteLength): number {
    return sys.sockSend(this.fd, bytes, len);
  }

  /** Sends the same bytes `count` times. Returns how many times, or -errno when not once. */
  sendBatch(bytes: Bytes, len: number, count: number): number {
    return sys.sockSendBatch(this.fd, bytes, len, count);
  }

  /** Receives one; what exceeds `bytes` is cut. Returns its length or -errno (-EAGAIN: none waits). */
  recv(bytes: Bytes): number {
    return sys.sockRecv(this.fd, bytes);
  }

  /** Throws away what waits, up to 65,536 and the 63 of a last batch. Returns how many, or -errno. */
  drain(): number {
    return sys.sockRecvDrain(this.fd);
  }
}

/** What a PacketSocket is told. */
export interface PacketSocketOptions {
  /** fd of the namespace; the calling thread's own by default. */
  netns?: number;
  ifindex: number;
  /** Ethernet protocol to receive in host order: ETH_P_ALL by default, 0 to receive nothing. */
  protocol?: number;
  /**
   * Frames sent go straight to the driver (PACKET_QDISC_BYPASS): past the queueing discipline and the programs at the device's egress, and
   * unseen by other packet sockets. One that finds the driver's queue full is lost: send() answers -ENOBUFS.
   */
  bypass?: boolean;
}

/** AF_PACKET, whole frames with Ethernet header, bound to one device. Throws EPERM without CAP_NET_RAW, ENODEV. */
export class PacketSocket extends DatagramSocket {
  constructor(options: PacketSocketOptions) {
    const { netns = -1, ifindex, protocol = ETH_P_ALL, bypass = false } = options;
    super(sys.packetSocket(netns, ifindex, protocol, bypass ? 1 : 0));
  }
}

/** What a UdpSocket may be told. */
export interface UdpSocketOptions {
  /** fd of the namespace; the calling thread's own by default. */
  netns?: number;
  /** IPv4 or IPv6 address; `0.0.0.0` by default. IPv6 link-local addresses (they need a scope) are not supported. */
  bindAddr?: string;
  /** 0 (default) lets the kernel choose. */
  bindPort?: number;
  /** Peer, of the same family; without it send() answers -EDESTADDRREQ. */
  connectAddr?: string;
  connectPort?: number;
  /** Send buffer in bytes. */
  sndbuf?: number;
}

/** A UDP socket, connected when given a peer. Throws EINVAL for an address that is none, EADDRINUSE, ENETUNREACH. */
export class UdpSocket extends DatagramSocket {
  constructor(options: UdpSocketOptions = {}) {
    super(
      sys.udpSocket(
        options.netns ?? -1,
        options.bindAddr ?? '0.0.0.0',
        options.bindPort ?? 0,
        options.connectAddr ?? '',
        options.connectPort ?? 0,
        options.sndbuf ?? 0,
      ),
    );
  }
}

/** send() on a socket that another thread owns. */
export function sockSend(fd: number, bytes: Bytes, len: number): number {
  return sys.sockSend(fd, bytes, len);
}

/** sendBatch() on a socket that another thread owns. */
export function sockSendBatch(fd: number, bytes: Bytes, len: number, count: number): number {
  return sys.sockSendBatch(fd, bytes, len, count);
}

/** recv() on a socket that another thread owns. */
export function sockRecv(fd: number, bytes: Bytes): number {
  return sys.sockRecv(fd, bytes);
}

/** drain() on a socket that another thread owns. */
export function sockRecvDrain(fd: number): number {
  return sys.sockRecvDrain(fd);
}
