import { existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachClsact,
  attachTcx,
  BpfError,
  createClsact,
  type Direction,
  destroyClsact,
  detachClsact,
  haveTcx,
  inspect,
  Link,
  type Program,
  queryClsact,
} from 'bpf-loader-ts';
import type { Vfailover } from '../../bpf/vfailover.bpf.js';
import { VfError } from '../errors.js';
import type { Part } from '../failover/device.js';
import { OUR_PROGRAMS } from './layouts.js';
import { asVfError } from './store.js';

/** A place on a device where one of our programs goes. */
export interface Hook {
  readonly name: 'steer' | 'accept' | 'guard' | 'deliver';
  readonly program: keyof Vfailover['programs'];
  readonly on: Part;
  readonly direction: Direction;
}

/** Our place in clsact: one filter per direction. The number spells "vf". */
export const HANDLE = 0x7666;
export const PRIORITY = 0x7666;

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
 * Attachments of one instance's programs. With TCX each is a link, pinned below the instance's folder; with clsact a filter at a fixed
 * place, which lasts by itself. Everything here runs in the device's namespace (the caller sees to it).
 */
export class HookSet {
  readonly #folder: string;
  readonly kind: AttachKind;

  constructor(folder: string, kind: AttachKind) {
    this.#folder = folder;
    this.kind = kind;
  }

  #pin(hook: Hook): string {
    return join(this.#folder, hook.name);
  }

  /**
   * Attaches a program, or puts it in the place of the one that an earlier daemon left (atomically: no frame goes without). True if
   * it made the device's clsact qdisc.
   */
  attach(hook: Hook, program: Program, ifindex: number): boolean {
    try {
      if (this.kind === 'clsact') {
        const made = createClsact(ifindex);
        const place = { ifindex, direction: hook.direction, handle: HANDLE, priority: PRIORITY };
        attachClsact(program, place, queryClsact(place) !== 0);
        return made;
      }
      const pin = this.#pin(hook);
      if (existsSync(pin)) {
        using old = Link.fromPin(pin);
        if (old.info().ifindex === ifindex) {
          old.update(program);
          return false;
        }
        rmSync(pin); // its device is gone
      }
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      using link = attachTcx(program, ifindex, hook.direction, { where: 'head' });
      link.pin(pin);
      return false;
    } catch (e) {
      throw asVfError(e, 'BPF_ATTACH', `${hook.on} ${hook.direction}`);
    }
  }

  /** Detaches; that there is nothing to detach, or no device any more, is no error. */
  detach(hook: Hook, ifindex: number): void {
    if (this.kind === 'clsact') {
      try {
        detachClsact({ ifindex, direction: hook.direction, handle: HANDLE, priority: PRIORITY });
      } catch (e) {
        if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? ''))
          throw asVfError(e, 'BPF_ATTACH', hook.name);
      }
      return;
    }
    const pin = this.#pin(hook);
    if (!existsSync(pin)) return;
    using link = Link.fromPin(pin);
    rmSync(pin);
    // Detached now, not when the last descriptor goes: somebody may be looking at the link.
    if (link.info().ifindex !== 0) link.detach();
  }

  /** Removes the clsact qdisc that `attach` made. */
  removeClsact(ifindex: number): void {
    try {
      destroyClsact(ifindex);
    } catch (e) {
      if (!(e instanceof BpfError) || !['ENOENT', 'ENODEV', 'EINVAL'].includes(e.errno ?? ''))
        throw asVfError(e, 'BPF_ATTACH', 'clsact');
    }
  }

  removeFolder(): void {
    if (existsSync(this.#folder)) rmdirSync(this.#folder);
  }
}
