import { BPF_F_AFTER, BPF_F_BEFORE, BPF_F_ID, BPF_F_LINK } from '../constants.js';
import { BpfError } from '../errors.js';
import type { Program } from '../program/program.js';
import { Link } from './link.js';

/** One that is attached already: by its handle, or by its id. */
export type Anchor = Link | Program | { linkId: number } | { progId: number };

/** A place in a list of programs. At most one of `where`, `before` and `after`. */
export interface PlaceOptions {
  /** `head`: before all others; `tail` (default): after them. */
  where?: 'head' | 'tail';
  /** Right before this one; ENOENT when it is not in the list. */
  before?: Anchor;
  /** Right after this one; ENOENT when it is not in the list. */
  after?: Anchor;
  /** Attach only if the list is still at this revision, as a query of it tells, else ESTALE. */
  expectedRevision?: number;
}

/** As BPF_LINK_CREATE takes it. */
export interface Place {
  flags: number;
  relative: number;
  expectedRevision: number;
}

function id(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 0xffffffff)
    throw new BpfError('BPF_ARGUMENT', `${name} is ${value}, not an id from 1 to ${0xffffffff}`);
  return value;
}

function relativeTo(anchor: Anchor): { flags: number; relative: number } {
  if ('linkId' in anchor) return { flags: BPF_F_LINK | BPF_F_ID, relative: id('linkId', anchor.linkId) };
  if ('progId' in anchor) return { flags: BPF_F_ID, relative: id('progId', anchor.progId) };
  return { flags: anchor instanceof Link ? BPF_F_LINK : 0, relative: anchor.fd };
}

/** Throws BPF_ARGUMENT for a place that is none. */
export function place(options: PlaceOptions): Place {
  const { where, before, after, expectedRevision = 0 } = options;
  if ([where, before, after].filter((x) => x !== undefined).length > 1)
    throw new BpfError('BPF_ARGUMENT', 'where, before and after exclude each other: give one');
  if (where !== undefined && where !== 'head' && where !== 'tail')
    throw new BpfError('BPF_ARGUMENT', `where is ${String(where)}, not head or tail`);
  if (!Number.isSafeInteger(expectedRevision) || expectedRevision < 0)
    throw new BpfError('BPF_ARGUMENT', `expectedRevision is ${expectedRevision}, not a list's revision`);
  const side = where === 'head' || before ? BPF_F_BEFORE : where === 'tail' || after ? BPF_F_AFTER : 0;
  const anchor = before ?? after;
  const { flags, relative } = anchor ? relativeTo(anchor) : { flags: 0, relative: 0 };
  return { flags: side | flags, relative, expectedRevision };
}
