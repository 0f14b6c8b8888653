import { native } from '../binding.js';
import { BpfError, wrap } from '../errors.js';
import { adopt, Handle } from '../handle.js';
import { openPin, pinFd } from '../pin.js';
import type { Program } from '../program.js';

export interface LinkInfo {
  /** LinkType. */
  type: number;
  id: number;
  progId: number;
  /** 0 when the device is gone (the link is defunct), and for links that are not on a device. */
  ifindex: number;
  /** AttachType; 0 for XDP. */
  attachType: number;
}

/** A bpf_link: the attachment lasts while a descriptor or a pin of it does. */
export class Link extends Handle {
  protected constructor(fd: number, what: string) {
    super(fd, what);
  }

  /** @internal */
  static create(
    program: Program,
    ifindex: number,
    attachType: number,
    what: string,
    options: { flags?: number; relative?: number; expectedRevision?: number } = {},
  ): Link {
    const { flags = 0, relative = 0, expectedRevision = 0 } = options;
    const doing = `attach ${program.info.name} to ${what} of device ${ifindex}`;
    const fd = wrap('BPF_ATTACH', doing, () =>
      native.linkCreate(program.fd, ifindex, attachType, flags, relative, expectedRevision),
    );
    return new Link(fd, `${what} link on ${ifindex}`);
  }

  /** An owner of `fd`, which is closed if it is no link's. */
  static #adopt(fd: number, what: string): Link {
    return adopt(fd, () => {
      wrap('BPF_PIN', what, () => native.linkInfo(fd));
      return new Link(fd, what);
    });
  }

  static fromPin(path: string): Link {
    return Link.#adopt(openPin('link', path), `link ${path}`);
  }

  static fromId(id: number): Link {
    return Link.#adopt(
      wrap('BPF_ATTACH', `open link ${id}`, () => native.linkFdById(id) as number),
      `link ${id}`,
    );
  }

  info(): LinkInfo {
    return wrap('BPF_ATTACH', `info of ${this.what}`, () => native.linkInfo(this.fd));
  }

  /** Replaces the program atomically: no frame goes without. With `old`, only if that is the one attached (else EPERM). */
  update(program: Program, old?: Program): void {
    const doing = `update of ${this.what} to ${program.info.name}`;
    try {
      wrap('BPF_ATTACH', doing, () => native.linkUpdate(this.fd, program.fd, old?.fd ?? -1));
    } catch (e) {
      // The kernel says EPERM for that, which has nothing to do with permission.
      if (!old || !(e instanceof BpfError) || e.errno !== 'EPERM') throw e;
      const { progId } = this.info();
      if (progId === old.info.id) throw e;
      throw new BpfError('BPF_ATTACH', `${doing}: program ${progId} is attached, not ${old.info.id}`, {
        errno: 'EPERM',
        cause: e,
      });
    }
  }

  /** Detaches now, whoever else holds the link. */
  detach(): void {
    wrap('BPF_ATTACH', `detach of ${this.what}`, () => native.linkDetach(this.fd));
  }

  pin(path: string): void {
    pinFd(this.fd, this.what, path);
  }
}
