import {
  BpfError,
  type Direction,
  ingressQdisc,
  listTcFilters,
  Program,
  queryTcx,
  type TcFilter,
} from 'bpf-loader-ts';

/** A program or filter of somebody else at a hook of ours. */
export interface Other {
  /** As its owner knows it: `rig_count (id 17, TCX)`, `u32 filter of priority 10`. */
  readonly text: string;
  readonly by: 'tcx' | 'filter';
}

/** What is at a hook, in the order in which frames meet it. */
export interface Survey {
  /** False: our program is not there. */
  readonly attached: boolean;
  readonly before: readonly Other[];
  readonly after: readonly Other[];
}

/** Where our program is looked for: the link of TCX, or the place of the filter. */
export type Ours = { linkId: number } | { handle: number; priority: number; progId: number };

function nameOf(progId: number): string {
  try {
    using program = Program.fromId(progId);
    return program.info.name || 'unnamed';
  } catch {
    // It ended meanwhile, or may not be opened.
    return 'unnamed';
  }
}

const filterText = ({ kind, priority, progId }: TcFilter): string =>
  progId === undefined
    ? `${kind} filter of priority ${priority}`
    : `${nameOf(progId)} (id ${progId}, filter of priority ${priority})`;

/** Programs of TCX; none on kernels before 6.6. */
function tcxList(ifindex: number, direction: Direction): { progId: number; linkId: number }[] {
  try {
    return queryTcx(ifindex, direction).entries;
  } catch (e) {
    if (e instanceof BpfError && e.code === 'BPF_UNSUPPORTED') return [];
    throw e;
  }
}

/** Filters that frames meet: those of an ingress qdisc are told for the egress, too, where it has none. */
function filters(ifindex: number, direction: Direction): TcFilter[] {
  const found = listTcFilters(ifindex, direction).filter((f) => f.chain === 0);
  if (found.length === 0 || direction === 'ingress') return found;
  return ingressQdisc(ifindex)?.kind === 'clsact' ? found : [];
}

/**
 * Looks at a hook of a device in the calling thread's namespace. Programs of TCX run before filters. Undefined: there is no such device.
 */
export function survey(ifindex: number, direction: Direction, ours: Ours | undefined): Survey | undefined {
  try {
    const tcx = tcxList(ifindex, direction);
    const all: { other: Other; mine: boolean }[] = [
      ...tcx.map(({ progId, linkId }) => ({
        other: { text: `${nameOf(progId)} (id ${progId}, TCX)`, by: 'tcx' as const },
        mine: ours !== undefined && 'linkId' in ours && ours.linkId === linkId,
      })),
      ...filters(ifindex, direction).map((f) => ({
        other: { text: filterText(f), by: 'filter' as const },
        mine:
          ours !== undefined &&
          'handle' in ours &&
          f.handle === ours.handle &&
          f.priority === ours.priority &&
          f.progId === ours.progId,
      })),
    ];
    const at = all.findIndex((x) => x.mine);
    const others = (from: number, to: number): Other[] => all.slice(from, to).map((x) => x.other);
    return at < 0
      ? { attached: false, before: [], after: others(0, all.length) }
      : { attached: true, before: others(0, at), after: others(at + 1, all.length) };
  } catch (e) {
    if (e instanceof BpfError && e.errno === 'ENODEV') return undefined;
    throw e;
  }
}

/** True if a clsact qdisc has filters, or shares a block of them: it is not ours to remove. */
export function clsactInUse(ifindex: number): boolean {
  const qdisc = ingressQdisc(ifindex);
  return (
    qdisc?.kind !== 'clsact' ||
    qdisc.shared ||
    listTcFilters(ifindex, 'ingress').length > 0 ||
    listTcFilters(ifindex, 'egress').length > 0
  );
}
