// Written by bpf2ts from variables.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct limits: 20 bytes. */
export const Limits = bpf.struct('struct limits', 20, {
  max_len: bpf.field(0, bpf.u32),
  label: bpf.field(4, bpf.chars(16)),
});
export type Limits = bpf.Value<typeof Limits>;
export type LimitsInit = bpf.Input<typeof Limits>;
/** struct limits where it lies. */
export class LimitsView extends bpf.StructView {
  get max_len(): number { return this.$view.getUint32(this.$at, true); }
  set max_len(value: number) { this.$view.setUint32(this.$at, value, true); }
  get label(): bpf.Value<typeof Limits.fields.label.codec> { return Limits.fields.label.codec.read(this.$view, this.$at + 4); }
  set label(value: bpf.Input<typeof Limits.fields.label.codec>) { Limits.fields.label.codec.write(this.$view, this.$at + 4, value, 'label'); }
}

/** struct counters: 24 bytes. */
export const Counters = bpf.struct('struct counters', 24, {
  packets: bpf.field(0, bpf.u64),
  too_long: bpf.field(8, bpf.u64),
  longest: bpf.field(16, bpf.u32),
});
export type Counters = bpf.Value<typeof Counters>;
export type CountersInit = bpf.Input<typeof Counters>;
/** struct counters where it lies. */
export class CountersView extends bpf.StructView {
  get packets(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set packets(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get packetsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get too_long(): bigint { return this.$view.getBigUint64(this.$at + 8, true); }
  set too_long(value: bigint) { this.$view.setBigUint64(this.$at + 8, value, true); }
  /** Exact up to 2^53. */
  get too_longNumber(): number { return bpf.readU64(this.$view, this.$at + 8); }
  get longest(): number { return this.$view.getUint32(this.$at + 16, true); }
  set longest(value: number) { this.$view.setUint32(this.$at + 16, value, true); }
}

export const variables = bpf.objectType({
  name: 'variables',
  sha256: 'c9042f69da73010275a1dbc4aba7e1bd1f053633edd73c1e452c8cb07864b69d',
  layout: '211e13a9aef5f4ae64478690c8d3fc8e5664d29d3e019187b949c25c047dcedb',
  license: 'GPL',
  programs: {
    measure: 'tc',
  },
  maps: {},
  variables: {
    /** .rodata + 0. */
    limits: Limits,
    /** .rodata + 20. */
    keep_longest: bpf.bool,
    /** .data + 0. */
    enabled: bpf.bool,
    /** .bss + 0. */
    counters: Counters,
  },
});
export type Variables = bpf.TypedObject<(typeof variables)['description']>;
