// Written by bpf2ts from lab.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct vf_stream_state: 56 bytes. */
export const VfStreamState = bpf.struct('struct vf_stream_state', 56, {
  received: bpf.field(0, bpf.u64),
  duplicated: bpf.field(8, bpf.u64),
  reordered: bpf.field(16, bpf.u64),
  foreign: bpf.field(24, bpf.u64),
  returned: bpf.field(32, bpf.u64),
  stream: bpf.field(40, bpf.u32),
  highest: bpf.field(44, bpf.u32),
  answer: bpf.field(48, bpf.u32),
  vlan: bpf.field(52, bpf.u32),
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
  get returned(): bigint { return this.$view.getBigUint64(this.$at + 32, true); }
  set returned(value: bigint) { this.$view.setBigUint64(this.$at + 32, value, true); }
  /** Exact up to 2^53. */
  get returnedNumber(): number { return bpf.readU64(this.$view, this.$at + 32); }
  get stream(): number { return this.$view.getUint32(this.$at + 40, true); }
  set stream(value: number) { this.$view.setUint32(this.$at + 40, value, true); }
  get highest(): number { return this.$view.getUint32(this.$at + 44, true); }
  set highest(value: number) { this.$view.setUint32(this.$at + 44, value, true); }
  get answer(): number { return this.$view.getUint32(this.$at + 48, true); }
  set answer(value: number) { this.$view.setUint32(this.$at + 48, value, true); }
  get vlan(): number { return this.$view.getUint32(this.$at + 52, true); }
  set vlan(value: number) { this.$view.setUint32(this.$at + 52, value, true); }
}

/** struct vf_port: 32 bytes. */
export const VfPort = bpf.struct('struct vf_port', 32, {
  bit: bpf.field(0, bpf.u32),
  hole: bpf.field(4, bpf.u32),
  loss_to_guest: bpf.field(8, bpf.u32),
  loss_from_guest: bpf.field(12, bpf.u32),
  to_guest: bpf.field(16, bpf.u32),
  from_guest: bpf.field(20, bpf.u32),
  swallowed: bpf.field(24, bpf.u32),
  announced: bpf.field(28, bpf.u32),
});
export type VfPort = bpf.Value<typeof VfPort>;
export type VfPortInit = bpf.Input<typeof VfPort>;
/** struct vf_port where it lies. */
export class VfPortView extends bpf.StructView {
  get bit(): number { return this.$view.getUint32(this.$at, true); }
  set bit(value: number) { this.$view.setUint32(this.$at, value, true); }
  get hole(): number { return this.$view.getUint32(this.$at + 4, true); }
  set hole(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get loss_to_guest(): number { return this.$view.getUint32(this.$at + 8, true); }
  set loss_to_guest(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get loss_from_guest(): number { return this.$view.getUint32(this.$at + 12, true); }
  set loss_from_guest(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get to_guest(): number { return this.$view.getUint32(this.$at + 16, true); }
  set to_guest(value: number) { this.$view.setUint32(this.$at + 16, value, true); }
  get from_guest(): number { return this.$view.getUint32(this.$at + 20, true); }
  set from_guest(value: number) { this.$view.setUint32(this.$at + 20, value, true); }
  get swallowed(): number { return this.$view.getUint32(this.$at + 24, true); }
  set swallowed(value: number) { this.$view.setUint32(this.$at + 24, value, true); }
  get announced(): number { return this.$view.getUint32(this.$at + 28, true); }
  set announced(value: number) { this.$view.setUint32(this.$at + 28, value, true); }
}

/** struct vf_paths: 262148 bytes. */
export const VfPaths = bpf.struct('struct vf_paths', 262148, {
  stream: bpf.field(0, bpf.u32),
  sent_by: bpf.field(4, bpf.bytes(131072)),
  came_by: bpf.field(131076, bpf.bytes(131072)),
});
export type VfPaths = bpf.Value<typeof VfPaths>;
export type VfPathsInit = bpf.Input<typeof VfPaths>;
/** struct vf_paths where it lies. */
export class VfPathsView extends bpf.StructView {
  get stream(): number { return this.$view.getUint32(this.$at, true); }
  set stream(value: number) { this.$view.setUint32(this.$at, value, true); }
  get sent_by(): bpf.Value<typeof VfPaths.fields.sent_by.codec> { return VfPaths.fields.sent_by.codec.read(this.$view, this.$at + 4); }
  set sent_by(value: bpf.Input<typeof VfPaths.fields.sent_by.codec>) { VfPaths.fields.sent_by.codec.write(this.$view, this.$at + 4, value, 'sent_by'); }
  get came_by(): bpf.Value<typeof VfPaths.fields.came_by.codec> { return VfPaths.fields.came_by.codec.read(this.$view, this.$at + 131076); }
  set came_by(value: bpf.Input<typeof VfPaths.fields.came_by.codec>) { VfPaths.fields.came_by.codec.write(this.$view, this.$at + 131076, value, 'came_by'); }
}

export const lab = bpf.objectType({
  name: 'lab',
  sha256: '89361c1e6391bc06b87dac4250c469d1803511acaa0e5ca8c4740336423a8136',
  layout: 'c13ee9578065ef45ef19d3ea505d74dbd919dda666ce6aca807fda45211104b6',
  license: 'GPL',
  programs: {
    vf_record: 'tc',
    vf_blackhole: 'tc',
    vf_to_guest: 'tc',
    vf_from_guest: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    stream: bpf.mapped(bpf.u32, VfStreamState, VfStreamStateView),
    /** array, 1 entries. */
    arrival: bpf.keyed(bpf.u32, bpf.u64),
    /** array, 1 entries. */
    ports: bpf.mapped(bpf.u32, VfPort, VfPortView),
    /** array, 1 entries. */
    paths: bpf.mapped(bpf.u32, VfPaths, VfPathsView),
  },
  variables: {
    /** .rodata + 0. */
    vf_loss: bpf.u32,
    /** .bss + 0. */
    vf_mended: bpf.u32,
  },
});
export type Lab = bpf.TypedObject<(typeof lab)['description']>;
