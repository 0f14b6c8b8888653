import { native } from '../binding.js';
import { attachTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { adopt, Handle } from '../handle.js';
import { kernelIds } from '../kernel/ids.js';
import { openPin, pinFd } from '../kernel/pin.js';
import { orUnsupported, type Probe } from '../probe/probe.js';
import type { ProgramTypeName } from '../probe/types.js';
import { Program } from '../program/program.js';
import { wrap } from '../wrap.js';
import { type LinkInfo, linkInfo } from './info.js';

/** An attachment about to be made. */
export interface Attachment {
  program: Program;
  /** `XDP (native) of device 3`. */
  to: string;
  /** What programs the place takes. */
  takes: readonly ProgramTypeName[];
  /** Whether the kernel has it: asked when it refuses. */
  have: () => Probe;
}

/** Kinds of links whose program can be replaced. */
const REPLACEABLE: ReadonlySet<string> = new Set(['xdp', 'tcx', 'netkit', 'cgroup', 'netns', 'iter']);

/** Undefined for one that may not be opened, or is gone. */
function typeOf(progId: number): string | undefined {
  try {
    using program = Program.fromId(progId);
    return program.info.typeName;
  } catch {
    return undefined;
  }
}

/** A bpf_link: the attachment lasts while a descriptor or a pin of it does. */
export class Link extends Handle {
  protected constructor(fd: number, what: string) {
    super(fd, what);
  }

  /** @internal `open` makes the link and returns its descriptor. */
  static attach({ program, to, takes, have }: Attachment, open: () => number): Link {
    const doing = `attach ${program.info.name} to ${to}`;
    try {
      return new Link(wrap('BPF_ATTACH', doing, open), `link to ${to}`);
    } catch (e) {
      const { typeName } = program.info;
      if (e instanceof BpfError && e.errno === 'EINVAL' && !(takes as readonly string[]).includes(typeName))
        throw new BpfError('BPF_ATTACH', `${doing}: it is of type ${typeName}, not ${takes.join(' or ')}`, {
          errno: 'EINVAL',
          cause: e,
        });
      throw orUnsupported(e, doing, have);
    }
  }

  /** An owner of `fd`, which is closed if it is no link's. */
  static #adopt(fd: number, what: string): Link {
    return adopt(fd, () => {
      wrap('BPF_PIN', what, () => native.linkInfo(fd));
      return new Link(fd, what);
    });
  }

  /** Opens a pinned link. Throws BPF_PIN (ENOENT; EINVAL for what is no link). */
  static fromPin(path: string): Link {
    return Link.#adopt(openPin('link', path), `link ${path}`);
  }

  /** Opens a link of the kernel's by its id (Linux 5.8; CAP_SYS_ADMIN). */
  static fromId(id: number): Link {
    return Link.#adopt(
      wrap('BPF_ATTACH', `open link ${id}`, () => native.linkFdById(id) as number),
      `link ${id}`,
    );
  }

  /** The ids of all links in the kernel, ascending (Linux 5.8; CAP_SYS_ADMIN). */
  static ids(): Generator<number> {
    return kernelIds('links', native.linkNextId);
  }

  /** Linux 5.8. */
  info(): LinkInfo {
    return wrap('BPF_ATTACH', `info of ${this.what}`, () => linkInfo(native.linkInfo(this.fd)));
  }

  /**
   * Replaces the program atomically: no frame goes without. With `old`, only if that is the one attached (else EPERM). XDP, TCX, netkit,
   * cgroups; others are EINVAL or EOPNOTSUPP. The new program must be of the old one's type and expected attach type.
   */
  update(program: Program, old?: Program): void {
    const doing = `update of ${this.what} to ${program.info.name}`;
    try {
      wrap('BPF_ATTACH', doing, () => native.linkUpdate(this.fd, program.fd, old?.fd ?? -1));
    } catch (e) {
      throw e instanceof BpfError ? this.#explain(e, doing, program, old) : e;
    }
  }

  #explain(e: BpfError, doing: string, program: Program, old: Program | undefined): BpfError {
    const because = (why: string): BpfError =>
      new BpfError('BPF_ATTACH', `${doing}: ${why}`, { errno: e.errno!, cause: e });
    const info = this.info();
    // The kernel says EPERM for that, which has nothing to do with permission.
    if (e.errno === 'EPERM' && old && info.progId !== old.info.id)
      return because(`program ${info.progId} is attached, not ${old.info.id}`);
    if (e.errno === 'EOPNOTSUPP' || !REPLACEABLE.has(info.typeName))
      return because(`programs of ${info.typeName} links cannot be replaced`);
    if (e.errno !== 'EINVAL') return e;
    const attached = typeOf(info.progId);
    if (attached !== undefined && attached !== program.info.typeName)
      return because(`it is of type ${program.info.typeName}, the attached one of type ${attached}`);
    const expects = program.expectedAttachType;
    return because(
      'the kernel refused it (EINVAL). It must have the expected_attach_type of the attached one' +
        `${expects === undefined ? '' : `, its own is ${attachTypeName(expects)} (${expects})`}: set it with \`attachTypes\` of load()`,
    );
  }

  /** Detaches now, whoever else holds the link (Linux 5.9). XDP, TCX, netkit, cgroups; others end when they are closed. */
  detach(): void {
    wrap('BPF_ATTACH', `detach of ${this.what}`, () => native.linkDetach(this.fd));
  }

  /** Links of perf events cannot be pinned before Linux 5.15. */
  pin(path: string): void {
    pinFd(this.fd, this.what, path);
  }
}
