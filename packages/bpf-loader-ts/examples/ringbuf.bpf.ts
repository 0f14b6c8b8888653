// Written by bpf2ts from ringbuf.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct event: 16 bytes. */
export const Event = bpf.struct('struct event', 16, {
  ns: bpf.field(0, bpf.u64),
  seq: bpf.field(8, bpf.u32),
  len: bpf.field(12, bpf.u32),
});
export type Event = bpf.Value<typeof Event>;
export type EventInit = bpf.Input<typeof Event>;
/** struct event where it lies. */
export class EventView extends bpf.StructView {
  get ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get seq(): number { return this.$view.getUint32(this.$at + 8, true); }
  set seq(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get len(): number { return this.$view.getUint32(this.$at + 12, true); }
  set len(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
}

export const ringbuf = bpf.objectType({
  name: 'ringbuf',
  sha256: '736f9a5b4cb2bffbbcfdd415dfb4a9b5ebb8db07425c97af37374efc9d405442',
  layout: '62af2497bf3fcf5dd0324456cfcc8a0f5de74309c8b9d441af6e23c8d249bba4',
  license: 'GPL',
  programs: {
    emit: 'tc',
  },
  maps: {
    /** ringbuf, 4096 entries. */
    events: bpf.untyped,
  },
  variables: {
    /** .rodata + 0. */
    event_type: Event,
    /** .bss + 0. */
    dropped: bpf.u64,
    /** .bss + 8. */
    seq: bpf.u32,
  },
});
export type Ringbuf = bpf.TypedObject<(typeof ringbuf)['description']>;
