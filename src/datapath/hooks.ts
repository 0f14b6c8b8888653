import { existsSync, mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachClsact,
  attachTcx,
  BpfError,
  createClsact,
  destroyClsact,
  detachClsact,
  haveTcx,
  ingressQdisc,
  inspect,
  Link,
  type Program,
  queryClsact,
} from 'bpf-loader-ts';
import { VfError } from '../errors.js';
import type { Hook } from '../models/model.js';
import { OUR_PROGRAMS } from '../models/table.js';
import { asVfError } from './failed.js';
import { clsactInUse, type Ours, type Survey, survey } from './hook-survey.js';

/** Our filter in clsact, one per direction. The number spells "vf". */
export const HANDLE = 0x7666;
/** Ours goes before filters that tc gives a priority (49152 and lower), and behind those that others number 1, 2, 10 … */
const PRIORITY_FIRST = 0x7666;
/** Behind all but those that want to be the very last. */
const PRIORITY_LAST = 0xff66;

/** What no folder is like. */
const UNKNOWN = '?';

/** Every priority of ours. */
export const PRIORITIES: readonly number[] = [PRIORITY_FIRST, PRIORITY_LAST];

const priorityOf = (hook: Hook): number => (hook.redirects ? PRIORITY_LAST : PRIORITY_FIRST);

export type AttachKind = 'tcx' | 'clsact';

/** What `attach: auto` means on this kernel. */
export function attachKind(wanted: 'auto' | AttachKind): AttachKind {
  if (wanted === 'clsact') return 'clsact';
  const probe = haveTcx();
  if (probe.answer === 'supported') return 'tcx';
  if (wanted === 'auto' && probe.answer === 'unsupported') return 'clsact';
  throw new VfError(
    probe.answer === 'unsupported' ? 'KERNEL_UNSUPPORTED' : 'CAPABILITY_MISSING',
    probe.detail,
    {
      field: 'attach',
      value: wanted,
      fix:
        probe.answer === 'unsupported'
          ? 'use `attach: auto` or `attach: clsact`'
          : 'run as root, or with CAP_BPF and CAP_NET_ADMIN',
    },
  );
}

/** Programs on a device's tc hooks. To be called in the device's namespace. */
const attachedPrograms = (ifindex: number): { id: number; name: string }[] =>
  inspect(ifindex)
    .filter(({ hook }) => hook !== 'xdp')
    .map(({ progId, name }) => ({ id: progId, name }));

const isOurs = ({ name }: { name: string }): boolean => OUR_PROGRAMS.includes(name);

/** Programs on a device that are not ours, in words. */
export const foreignPrograms = (ifindex: number): string[] =>
  attachedPrograms(ifindex)
    .filter((p) => !isOurs(p))
    .map(({ id, name }) => `${name || 'unnamed'} (id ${id})`);

/**
 * Attachments of one instance's programs. With TCX each is a link, pinned below the instance's folder, whose descriptor is held as well: that
 * somebody removes the pin then detaches nothing. With clsact it is a filter at a fixed place, which lasts by itself. Everything here runs in the
 * device's namespace (the caller sees to it).
 */
export class HookSet {
  readonly #folder: string;
  readonly kind: AttachKind;
  readonly #nameOf: (ifindex: number) => string;
  readonly #links = new Map<Hook['name'], Link>();
  /** Ids of the programs that were attached, by hook: what is read back. */
  readonly #programs = new Map<Hook['name'], number>();
  /** When the folder of the pins was last changed by us, as `stat` tells. */
  #folderMark = '';

  /** `nameOf`: of a device, for messages. */
  constructor(folder: string, kind: AttachKind, nameOf: (ifindex: number) => string) {
    this.#folder = folder;
    this.kind = kind;
    this.#nameOf = nameOf;
  }

  #pin(hook: Hook | { name: string }): string {
    return join(this.#folder, hook.name);
  }

  /**
   * Attaches a program, or puts it in the place of the one that an earlier daemon left (atomically: no frame goes without), and reads back
   * that it is where it belongs. True if it made the device's clsact qdisc. `pin`: false leaves that to `restorePins`, which may find no file
   * system at the moment.
   * @throws VfError BPF_ATTACH; nothing is attached then.
   */
  attach(hook: Hook, program: Program, ifindex: number, pin = true): boolean {
    try {
      const made = this.kind === 'clsact' ? this.#filter(hook, program, ifindex) : false;
      if (this.kind === 'tcx') this.#link(hook, program, ifindex, pin);
      this.#programs.set(hook.name, program.info.id);
      if (!this.survey(hook, ifindex)?.attached) {
        this.detach(hook, ifindex);
        throw notThere(hook, this.#nameOf(ifindex));
      }
      return made;
    } catch (e) {
      throw asVfError(e, 'BPF_ATTACH', `${hook.on} ${hook.direction}`);
    }
  }

  #filter(hook: Hook, program: Program, ifindex: number): boolean {
    const made = createClsact(ifindex);
    refuseQdisc(hook, ifindex, this.#nameOf(ifindex));
    const place = { ifindex, direction: hook.direction, handle: HANDLE, priority: priorityOf(hook) };
    attachClsact(program, place, queryClsact(place) !== 0);
    // Between the look and the filter somebody may have made another qdisc.
    try {
      refuseQdisc(hook, ifindex, this.#nameOf(ifindex));
    } catch (e) {
      this.detach(hook, ifindex);
      throw e;
    }
    return made;
  }

  #link(hook: Hook, program: Program, ifindex: number, pin: boolean): void {
    const old = this.#earlier(hook);
    if (old !== undefined) {
      this.#hold(hook, old);
      if (old.info().ifindex === ifindex) {
        old.update(program);
        if (pin) this.#pinLink(hook);
        return;
      }
      this.#drop(hook); // its device is gone, or it was detached
    }
    this.#hold(
      hook,
      attachTcx(program, ifindex, hook.direction, { where: hook.redirects ? 'tail' : 'head' }),
    );
    if (pin) this.#pinLink(hook);
    else this.#folderMark = UNKNOWN;
  }

  /** The link that is held, or that an earlier daemon pinned. */
  #earlier(hook: Hook): Link | undefined {
    const held = this.#links.get(hook.name);
    if (held) return held;
    return existsSync(this.#pin(hook)) ? Link.fromPin(this.#pin(hook)) : undefined;
  }

  #hold(hook: Hook, link: Link): void {
    this.#links.set(hook.name, link);
  }

  #pinLink(hook: { name: Hook['name'] }): void {
    const pin = this.#pin(hook);
    if (existsSync(pin)) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#links.get(hook.name)!.pin(pin);
    this.#folderMark = this.#mark();
  }

  /** Lets go of a link: pin, attachment, descriptor. */
  #drop(hook: Hook): void {
    const link = this.#links.get(hook.name);
    rmSync(this.#pin(hook), { force: true });
    this.#folderMark = this.#mark();
    if (!link) return;
    this.#links.delete(hook.name);
    // Detached now, not when the last descriptor goes: somebody may be looking at the link.
    if (link.info().ifindex !== 0) link.detach();
    link.close();
  }

  /** Detaches; that there is nothing to detach, or no device any more, is no error. */
  detach(hook: Hook, ifindex: number): void {
    this.#programs.delete(hook.name);
    if (this.kind === 'clsact') {
      try {
        detachClsact({ ifindex, direction: hook.direction, handle: HANDLE, priority: priorityOf(hook) });
      } catch (e) {
        if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? ''))
          throw asVfError(e, 'BPF_ATTACH', hook.name);
      }
      return;
    }
    const link = this.#earlier(hook);
    if (link === undefined) return;
    this.#hold(hook, link);
    this.#drop(hook);
  }

  /** What is at the hook; undefined: the device is gone. */
  survey(hook: Hook, ifindex: number): Survey | undefined {
    return survey(ifindex, hook.direction, this.#ours(hook));
  }

  #ours(hook: Hook): Ours | undefined {
    if (this.kind === 'tcx') {
      const link = this.#links.get(hook.name);
      return link && { linkId: link.info().id };
    }
    const progId = this.#programs.get(hook.name);
    return progId === undefined ? undefined : { handle: HANDLE, priority: priorityOf(hook), progId };
  }

  /** What says whether somebody touched the pins: changes with the folder, '' where there is none. */
  #mark(): string {
    const s = statSync(this.#folder, { throwIfNoEntry: false });
    return s === undefined ? '' : `${s.ino} ${s.mtimeMs}`;
  }

  /** True if somebody added or removed a pin in the folder, or the folder, since we did. */
  get pinsTouched(): boolean {
    return this.#mark() !== this.#folderMark;
  }

  /** Puts back the pins of links that have none. Their names. Throws what pinning throws. */
  restorePins(): string[] {
    const lost = [...this.#links.keys()].filter((name) => !existsSync(this.#pin({ name })));
    for (const name of lost) this.#pinLink({ name });
    this.#folderMark = this.#mark();
    return lost;
  }

  /** Removes the clsact qdisc that `attach` made, unless somebody else uses it. */
  removeClsact(ifindex: number): void {
    try {
      if (!clsactInUse(ifindex)) destroyClsact(ifindex);
    } catch (e) {
      if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? ''))
        throw asVfError(e, 'BPF_ATTACH', 'clsact');
    }
  }

  removeFolder(): void {
    if (existsSync(this.#folder)) rmdirSync(this.#folder);
  }

  /** Closes the descriptors. What is pinned, or a filter, stays in the kernel. */
  release(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}

/** Throws where the device's qdisc would put our program somewhere else, or has a block of filters that belongs to several devices. */
function refuseQdisc(hook: Hook, ifindex: number, name: string): void {
  const qdisc = ingressQdisc(ifindex);
  if (qdisc?.kind === 'clsact' && !qdisc.shared) return;
  const field = `${hook.on} ${hook.direction}`;
  if (qdisc?.kind === 'ingress')
    throw new VfError(
      'BPF_ATTACH',
      `${name} has an \`ingress\` qdisc, which has no egress: a program attached there would run on what comes in`,
      {
        field,
        value: 'ingress',
        fix: `use \`attach: tcx\` (Linux 6.6), or \`tc qdisc del dev ${name} ingress && tc qdisc add dev ${name} clsact\`, and add its filters anew: clsact takes the same`,
      },
    );
  throw new VfError(
    'BPF_ATTACH',
    qdisc === undefined
      ? `the clsact qdisc of ${name} was removed while a program was attached`
      : `the clsact qdisc of ${name} shares a block of filters with other devices`,
    { field, fix: 'use `attach: tcx` (Linux 6.6), or a clsact qdisc without a block on this device' },
  );
}

const notThere = (hook: Hook, name: string): VfError =>
  new VfError(
    'BPF_ATTACH',
    `${hook.program} is not at the ${hook.direction} of ${name} after it was attached`,
    {
      field: `${hook.on} ${hook.direction}`,
      fix: `see \`bpftool net\` and \`tc filter show\` for what else changes that device`,
    },
  );
