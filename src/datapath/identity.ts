import {
  VfAttach,
  VfIdentity,
  VfIdentityView,
  VfLayout,
  VfModel,
  type VfOverride,
} from '../../bpf/vfailover.bpf.js';
import { macAt, parseMac } from '../frames/mac.js';
import { STEERED, STEERED_NAMES, type SteeredName } from '../models/table.js';

/** Who a slot belongs to, and what leaving has to put back. Kept in a pinned map, so that a restarted daemon knows. */
export interface Identity {
  name: string;
  model: SteeredName;
  /** Inode of the network namespace. */
  netns: number;
  masterIfindex: number;
  /** 0: none joined. */
  primaryIfindex: number;
  /** In the transparent model the master. 0: none joined. */
  standbyIfindex: number;
  mac: string;
  /** VfUndo: what detaching programs removes. */
  undo: number;
  attach: 'tcx' | 'clsact';
  override: VfOverride;
  /** When the override ends, CLOCK_MONOTONIC ns; 0: it does not, or there is none. */
  overrideUntilNs: number;
  /** The slave that is out of service by order; VF_AUTO: none is. */
  maintenance: VfOverride;
  switches: number;
  /** The last steering word that a decision was recorded for: what differs from it happened without a daemon. */
  seenWord: number;
}

/** The number by which a model stands in the pinned identity, and which its programs know. */
export const modelNumber = (model: SteeredName): VfModel => VfModel[STEERED[model].constant];

const modelOf = (number: number): SteeredName => STEERED_NAMES.find((n) => modelNumber(n) === number)!;

const toBytes = (mac: string): Uint8Array => {
  const bytes = new Uint8Array(VfIdentity.fields.mac.codec.size);
  bytes.set(parseMac(mac));
  return bytes;
};

/** The map of identities as mapped memory. */
export class IdentityView {
  readonly #view: DataView;
  readonly slots: number;

  constructor(buffer: ArrayBuffer, slots: number) {
    this.#view = new DataView(buffer);
    this.slots = slots;
  }

  #at(slot: number): VfIdentityView {
    return new VfIdentityView(this.#view, slot * VfIdentity.size);
  }

  /** VF_FREE, or the layout version that wrote the slot. */
  layoutOf(slot: number): number {
    return this.#at(slot).layout;
  }

  free(): number | undefined {
    for (let slot = 0; slot < this.slots; slot++) if (this.layoutOf(slot) === VfLayout.VF_FREE) return slot;
    return undefined;
  }

  read(slot: number): Identity | undefined {
    const v = this.#at(slot);
    if (v.layout !== VfLayout.VF_LAYOUT) return undefined;
    return {
      name: v.name,
      model: modelOf(v.model),
      netns: v.netnsNumber,
      masterIfindex: v.master_ifindex,
      primaryIfindex: v.primary_ifindex,
      standbyIfindex: v.standby_ifindex,
      mac: macAt(v.mac),
      undo: v.undo,
      attach: v.attach === VfAttach.VF_ATTACH_CLSACT ? 'clsact' : 'tcx',
      override: v.override as VfOverride,
      overrideUntilNs: v.override_until_nsNumber,
      maintenance: v.maintenance as VfOverride,
      switches: v.switchesNumber,
      seenWord: v.seen_word,
    };
  }

  write(slot: number, id: Identity): void {
    const v = this.#at(slot);
    v.name = id.name;
    v.mac = toBytes(id.mac);
    v.master_ifindex = id.masterIfindex;
    v.model = modelNumber(id.model);
    v.primary_ifindex = id.primaryIfindex;
    v.standby_ifindex = id.standbyIfindex;
    v.undo = id.undo;
    v.netns = BigInt(id.netns);
    v.attach = id.attach === 'clsact' ? VfAttach.VF_ATTACH_CLSACT : VfAttach.VF_ATTACH_TCX;
    v.override = id.override;
    v.override_until_ns = BigInt(Math.round(id.overrideUntilNs));
    v.maintenance = id.maintenance;
    v.switches = BigInt(id.switches);
    v.seen_word = id.seenWord;
    // Last: a slot counts as taken only when all of it is there.
    v.layout = VfLayout.VF_LAYOUT;
  }

  clear(slot: number): void {
    this.#at(slot).layout = VfLayout.VF_FREE;
    VfIdentity.write(this.#view, slot * VfIdentity.size, FREE, 'identity');
  }
}

const FREE = VfIdentity.read(new DataView(new ArrayBuffer(VfIdentity.size)), 0);
