import { native } from '../binding.js';
import { type Bytes, OwnedFd, readFd, writeFd } from './fd.js';

const sys = native as {
  tapCreate(
    netns: number,
    name: string,
    mac: Uint8Array | null,
    vnetHdr: boolean,
  ): { fd: number; ifindex: number; name: string };
  tapCarrier(fd: number, on: boolean): void;
  tapForward(fromFd: number, toFd: number, scratch: Bytes, max: number): number;
  tapDiscard(fd: number, max: number): number;
};

/** What a Tap is told. */
export interface TapOptions {
  /** fd of the namespace; the calling thread's own by default. */
  netns?: number;
  /** At most 15 bytes; `vf%d` lets the kernel number it. */
  name: string;
  /** `02:00:00:00:00:01`; random by default. */
  mac?: string;
  /** Every frame is preceded by a 10-byte virtio_net_hdr. */
  vnetHdr?: boolean;
}

/** Six bytes of `aa:bb:cc:dd:ee:ff`; throws TypeError otherwise. */
function macBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new TypeError(`not a MAC address: ${mac}`);
  return Uint8Array.from(mac.split(':'), (s) => Number.parseInt(s, 16));
}

/**
 * A tap device, seen from the far end: what the kernel sends on the device is read here, what is written here the device
 * receives. Created down, with carrier; close() removes the device. Throws EBUSY (name taken), EPERM, ENOENT (no /dev/net/tun).
 */
export class Tap extends OwnedFd {
  readonly ifindex: number;
  /** As created; a rename later is not followed. */
  readonly name: string;

  constructor(options: TapOptions) {
    const mac = options.mac === undefined ? null : macBytes(options.mac);
    const made = sys.tapCreate(options.netns ?? -1, options.name, mac, options.vnetHdr ?? false);
    super(made.fd);
    this.ifindex = made.ifindex;
    this.name = made.name;
  }

  /** Plugs or unplugs the cable: netif_carrier_on/off, as a driver does. Linux 5.0. */
  carrier(on: boolean): void {
    sys.tapCarrier(this.fd, on);
  }

  /** One frame that the kernel sent. Returns its length or -errno (-EAGAIN: none waits). */
  read(bytes: Bytes): number {
    return readFd(this.fd, bytes);
  }

  /** Lets the device receive one frame. Returns its length or -errno (-EIO: the device is down). */
  write(bytes: Bytes, len: number = bytes.byteLength): number {
    return writeFd(this.fd, bytes, len);
  }
}

/**
 * A wire's one direction: reads up to `max` frames from one tap and writes each to the other, until none waits. A frame that
 * the far device cannot take (down, no memory) is dropped. Returns the frames delivered, or -errno. Both fds non-blocking;
 * `scratch` must hold a whole frame. Allocates nothing.
 */
export function tapForward(fromFd: number, toFd: number, scratch: Bytes, max: number): number {
  return sys.tapForward(fromFd, toFd, scratch, max);
}

/** Reads up to `max` frames and throws them away: a black hole. Returns how many, or -errno. */
export function tapDiscard(fd: number, max: number): number {
  return sys.tapDiscard(fd, max);
}
