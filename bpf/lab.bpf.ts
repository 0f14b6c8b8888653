// Written by bpf2ts from lab.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct vf_stream_state: 48 bytes. */
export const VfStreamState = bpf.struct('struct vf_stream_state', 48, {
  received: bpf.field(0, bpf.u64),
  duplicated: bpf.field(8, bpf.u64),
  reordered: bpf.field(16, bpf.u64),
  foreign: bpf.field(24, bpf.u64),
  stream: bpf.field(32, bpf.u32),
  highest: bpf.field(36, bpf.u32),
  answer: bpf.field(40, bpf.u32),
  unused: bpf.field(44, bpf.u32),
});
export type VfStreamState = bpf.Value<typeof VfStreamState>;
export type VfStreamStateInit = bpf.Input<typeof VfStreamState>;
/** struct vf_stream_state where it lies. */
export class VfStreamStateView extends bpf.StructView {
  get received(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set received(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get receivedNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get duplicated(): bigint { return this.$view.getBigUint64(this.$at + 8, true); }
  set duplicated(value: bigint) { this.$view.setBigUint64(this.$at + 8, value, true); }
  /** Exact up to 2^53. */
  get duplicatedNumber(): number { return bpf.readU64(this.$view, this.$at + 8); }
  get reordered(): bigint { return this.$view.getBigUint64(this.$at + 16, true); }
  set reordered(value: bigint) { this.$view.setBigUint64(this.$at + 16, value, true); }
  /** Exact up to 2^53. */
  get reorderedNumber(): number { return bpf.readU64(this.$view, this.$at + 16); }
  get foreign(): bigint { return this.$view.getBigUint64(this.$at + 24, true); }
  set foreign(value: bigint) { this.$view.setBigUint64(this.$at + 24, value, true); }
  /** Exact up to 2^53. */
  get foreignNumber(): number { return bpf.readU64(this.$view, this.$at + 24); }
  get stream(): number { return this.$view.getUint32(this.$at + 32, true); }
  set stream(value: number) { this.$view.setUint32(this.$at + 32, value, true); }
  get highest(): number { return this.$view.getUint32(this.$at + 36, true); }
  set highest(value: number) { this.$view.setUint32(this.$at + 36, value, true); }
  get answer(): number { return this.$view.getUint32(this.$at + 40, true); }
  set answer(value: number) { this.$view.setUint32(this.$at + 40, value, true); }
  get unused(): number { return this.$view.getUint32(this.$at + 44, true); }
  set unused(value: number) { this.$view.setUint32(this.$at + 44, value, true); }
}

export const lab = bpf.objectType({
  name: 'lab',
  sha256: '388cb19724c8026e67be125c915f3e98b9c9955fad740927b2a67a6eec1ad6f3',
  layout: '1a15bc8faf794c3766f11fe0fb15c385578b4921e29037212a7658e71ac086ec',
  license: 'GPL',
  programs: {
    vf_record: 'tc',
    vf_blackhole: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    stream: bpf.mapped(bpf.u32, VfStreamState, VfStreamStateView),
    /** array, 1 entries. */
    arrival: bpf.keyed(bpf.u32, bpf.u64),
  },
  variables: {
    /** .rodata + 0. */
    vf_loss: bpf.u32,
  },
});
export type Lab = bpf.TypedObject<(typeof lab)['description']>;
