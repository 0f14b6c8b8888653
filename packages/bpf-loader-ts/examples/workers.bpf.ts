// Written by bpf2ts from workers.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct slot: 8 bytes. */
export const Slot = bpf.struct('struct slot', 8, {
  from_bpf: bpf.field(0, bpf.u32),
  from_threads: bpf.field(4, bpf.u32),
});
export type Slot = bpf.Value<typeof Slot>;
export type SlotInit = bpf.Input<typeof Slot>;
/** struct slot where it lies. */
export class SlotView extends bpf.StructView {
  get from_bpf(): number { return this.$view.getUint32(this.$at, true); }
  set from_bpf(value: number) { this.$view.setUint32(this.$at, value, true); }
  get from_threads(): number { return this.$view.getUint32(this.$at + 4, true); }
  set from_threads(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
}

export const workers = bpf.objectType({
  name: 'workers',
  sha256: 'bd4cba1bd7140fcc83fe09b93139c1601a4c5ac571cbaa1d8b7556cf5edd3859',
  layout: '7e5f54de2d942cad161e39869602ab544a10b9371e51b0d94b3547c04abd3fcf',
  license: 'GPL',
  programs: {
    add: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    shared: bpf.mapped(bpf.u32, Slot, SlotView),
  },
  variables: {},
});
export type Workers = bpf.TypedObject<(typeof workers)['description']>;
