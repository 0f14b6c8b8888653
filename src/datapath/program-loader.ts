import { type BpfMap, haveKfunc, possibleCpus } from 'bpf-loader-ts';
import { type Bfd, bfd } from '../../bpf/bfd.bpf.js';
import { type Carrier, carrier } from '../../bpf/carrier.bpf.js';
import { type Vfailover, vfailover } from '../../bpf/vfailover.bpf.js';
import type { SteeredName } from '../models/table.js';
import { bpfObject } from '../paths.js';
import { hasCapability } from './capabilities.js';
import { asVfError } from './failed.js';
import { openGroupTable } from './group-table.js';
import { type HeldPrograms, holdPrograms } from './held-programs.js';
import { modelNumber } from './identity.js';
import { type PinnedMaps, programSpec, specOf } from './pinned-maps.js';

/** Constants of the programs that come from the configuration; absent ones are 0. */
export interface ProgramVariables {
  /** VfGroups. */
  readonly vf_groups?: number;
  /** VfDetector bits. */
  readonly vf_detect?: number;
  /** VfUdpAsks. */
  readonly vf_udp?: number;
  /** As many as the programs have; 0: none. */
  readonly vf_udp_ports?: readonly number[];
  /** Of the namespace that the devices must be in; 0: it is not known. */
  readonly vf_netns_cookie?: bigint;
}

/**
 * Whether programs may look at the device behind a frame, and so tier 0 at its carrier: Linux 6.2, and CAP_PERFMON for reading kernel
 * memory. Without it tier 0 still notices a device that is gone.
 */
export const seesCarrier = (): boolean =>
  hasCapability('perfmon') && haveKfunc('bpf_cast_to_kern_ctx', '6.2').answer === 'supported';

/** Whose programs are loaded. */
export interface ProgramOwner {
  readonly slot: number;
  /** Its decision worker, by whose ring buffer the programs report. */
  readonly shard: number;
  readonly model: SteeredName;
}

/** Loads an instance's programs over the store's maps. */
export class ProgramLoader {
  readonly #maps: PinnedMaps;
  readonly #events: readonly BpfMap[];

  /** `events`: ring buffers by shard. */
  constructor(maps: PinnedMaps, events: readonly BpfMap[]) {
    this.#maps = maps;
    this.#events = events;
  }

  /** Where the programs' variable `vf_own_mac` lies in their `.bss`. */
  get ownMacAt(): number {
    return programSpec().variables.find((v) => v.name === 'vf_own_mac')!.offset;
  }

  #constants({ slot, model }: ProgramOwner): { vf_slot: number; vf_model: number; vf_cpus: number } {
    return { vf_slot: slot, vf_model: modelNumber(model), vf_cpus: possibleCpus() };
  }

  /**
   * Loads the programs of the hooks, over the store's maps and the group table in the instance's own `folder`.
   * @throws VfError BPF_LOAD, CAPABILITY_MISSING
   */
  load(
    owner: ProgramOwner,
    folder: string,
    variables: ProgramVariables,
  ): HeldPrograms<Vfailover['programs']> {
    const groups = openGroupTable(folder, specOf('groups'));
    try {
      const object = vfailover.load(programSpec(), {
        variables: { ...this.#constants(owner), vf_has_kern_ctx: seesCarrier() ? 1 : 0, ...variables },
        reuse: { ...this.#maps, groups, events: this.#events[owner.shard]! },
      });
      return holdPrograms(object);
    } catch (e) {
      throw asVfError(e, 'BPF_LOAD', 'bpf');
    } finally {
      groups.close();
    }
  }

  /** Loads the program that waits for a driver to report a lost carrier. Throws what the loader throws. */
  loadCarrier(owner: ProgramOwner, netns: number): Carrier {
    const { lines, counters, identities, watches } = this.#maps;
    return carrier.load(bpfObject('carrier'), {
      variables: { ...this.#constants(owner), vf_netns: netns },
      reuse: { lines, counters, identities, watches, events: this.#events[owner.shard]! },
    });
  }

  /** Loads the deadline of a BFD session over `deadlines`, the map of an earlier daemon, or one of its own. Throws what the loader throws. */
  loadBfd(owner: ProgramOwner, deadlines?: BpfMap): Bfd {
    const { lines, counters, identities, watches, bfd: sessions } = this.#maps;
    return bfd.load(bpfObject('bfd'), {
      variables: this.#constants(owner),
      reuse: {
        ...{ lines, counters, identities, watches, bfd: sessions, events: this.#events[owner.shard]! },
        ...(deadlines && { deadlines }),
      },
    });
  }
}
