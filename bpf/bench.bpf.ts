// Written by bpf2ts from bench.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** enum vf_arm: 4 bytes. */
export const VfArm = {
  VF_ARM_PRIMARY: 1,
  VF_ARM_STANDBY: 2,
  VF_ARM_PRIMARY_SILENT: 4,
  VF_ARM_STANDBY_SILENT: 8,
  VF_ARM_PRIMARY_BFD: 16,
  VF_ARM_STANDBY_BFD: 32,
} as const;
export type VfArm = (typeof VfArm)[keyof typeof VfArm];

/** enum vf_word: 4 bytes. */
export const VfWord = {
  VF_PATH_MASK: 15,
  VF_EPOCH_ONE: 16,
  VF_WORD_MASK: 2147483647,
} as const;
export type VfWord = (typeof VfWord)[keyof typeof VfWord];

/** enum vf_cause: 4 bytes. */
export const VfCause = {
  VF_CAUSE_NONE: 0,
  VF_CAUSE_CARRIER: 1,
  VF_CAUSE_ADMIN_DOWN: 2,
  VF_CAUSE_UNPLUG: 3,
  VF_CAUSE_MANUAL: 4,
  VF_CAUSE_FAILBACK: 5,
  VF_CAUSE_JOIN: 6,
  VF_CAUSE_NO_PATH: 7,
  VF_CAUSE_UNANSWERED: 8,
  VF_CAUSE_PROBE: 9,
  VF_CAUSE_BFD: 10,
  VF_CAUSE_WITNESS: 11,
  VF_CAUSE_LATENCY: 12,
  VF_CAUSE_MAINTENANCE: 13,
} as const;
export type VfCause = (typeof VfCause)[keyof typeof VfCause];

/** struct vf_line: 64 bytes. */
export const VfLine = bpf.struct('struct vf_line', 64, {
  word: bpf.field(0, bpf.u32),
  armed: bpf.field(4, bpf.u32),
  primary_ifindex: bpf.field(8, bpf.u32),
  master_ifindex: bpf.field(12, bpf.u32),
  checked: bpf.field(16, bpf.u32),
  seen_tx: bpf.field(20, bpf.u32),
  seen_rx: bpf.field(24, bpf.u32),
  flip_word: bpf.field(28, bpf.u32),
  flip_ns: bpf.field(32, bpf.u64),
  flip_cause: bpf.field(40, bpf.u32),
  standby_ifindex: bpf.field(44, bpf.u32),
  first_tx_ns: bpf.field(48, bpf.u64),
  first_rx_ns: bpf.field(56, bpf.u64),
});
export type VfLine = bpf.Value<typeof VfLine>;
export type VfLineInit = bpf.Input<typeof VfLine>;
/** struct vf_line where it lies. */
export class VfLineView extends bpf.StructView {
  get word(): number { return this.$view.getUint32(this.$at, true); }
  set word(value: number) { this.$view.setUint32(this.$at, value, true); }
  get armed(): number { return this.$view.getUint32(this.$at + 4, true); }
  set armed(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get primary_ifindex(): number { return this.$view.getUint32(this.$at + 8, true); }
  set primary_ifindex(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get master_ifindex(): number { return this.$view.getUint32(this.$at + 12, true); }
  set master_ifindex(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get checked(): number { return this.$view.getUint32(this.$at + 16, true); }
  set checked(value: number) { this.$view.setUint32(this.$at + 16, value, true); }
  get seen_tx(): number { return this.$view.getUint32(this.$at + 20, true); }
  set seen_tx(value: number) { this.$view.setUint32(this.$at + 20, value, true); }
  get seen_rx(): number { return this.$view.getUint32(this.$at + 24, true); }
  set seen_rx(value: number) { this.$view.setUint32(this.$at + 24, value, true); }
  get flip_word(): number { return this.$view.getUint32(this.$at + 28, true); }
  set flip_word(value: number) { this.$view.setUint32(this.$at + 28, value, true); }
  get flip_ns(): bigint { return this.$view.getBigUint64(this.$at + 32, true); }
  set flip_ns(value: bigint) { this.$view.setBigUint64(this.$at + 32, value, true); }
  /** Exact up to 2^53. */
  get flip_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 32); }
  get flip_cause(): number { return this.$view.getUint32(this.$at + 40, true); }
  set flip_cause(value: number) { this.$view.setUint32(this.$at + 40, value, true); }
  get standby_ifindex(): number { return this.$view.getUint32(this.$at + 44, true); }
  set standby_ifindex(value: number) { this.$view.setUint32(this.$at + 44, value, true); }
  get first_tx_ns(): bigint { return this.$view.getBigUint64(this.$at + 48, true); }
  set first_tx_ns(value: bigint) { this.$view.setBigUint64(this.$at + 48, value, true); }
  /** Exact up to 2^53. */
  get first_tx_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 48); }
  get first_rx_ns(): bigint { return this.$view.getBigUint64(this.$at + 56, true); }
  set first_rx_ns(value: bigint) { this.$view.setBigUint64(this.$at + 56, value, true); }
  /** Exact up to 2^53. */
  get first_rx_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 56); }
}

/** struct vf_count: 64 bytes. */
export const VfCount = bpf.struct('struct vf_count', 64, {
  packets: bpf.field(0, bpf.u64),
  bytes: bpf.field(8, bpf.u64),
  drops: bpf.field(16, bpf.u64),
  rerouted: bpf.field(24, bpf.u64),
  unused: bpf.field(32, bpf.array(bpf.u64, 4)),
});
export type VfCount = bpf.Value<typeof VfCount>;
export type VfCountInit = bpf.Input<typeof VfCount>;
/** struct vf_count where it lies. */
export class VfCountView extends bpf.StructView {
  get packets(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set packets(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get packetsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get bytes(): bigint { return this.$view.getBigUint64(this.$at + 8, true); }
  set bytes(value: bigint) { this.$view.setBigUint64(this.$at + 8, value, true); }
  /** Exact up to 2^53. */
  get bytesNumber(): number { return bpf.readU64(this.$view, this.$at + 8); }
  get drops(): bigint { return this.$view.getBigUint64(this.$at + 16, true); }
  set drops(value: bigint) { this.$view.setBigUint64(this.$at + 16, value, true); }
  /** Exact up to 2^53. */
  get dropsNumber(): number { return bpf.readU64(this.$view, this.$at + 16); }
  get rerouted(): bigint { return this.$view.getBigUint64(this.$at + 24, true); }
  set rerouted(value: bigint) { this.$view.setBigUint64(this.$at + 24, value, true); }
  /** Exact up to 2^53. */
  get reroutedNumber(): number { return bpf.readU64(this.$view, this.$at + 24); }
  get unused(): bpf.ArrayViewOf<typeof bpf.u64> { return new bpf.ArrayView(bpf.u64, 4, this.$view, this.$at + 32); }
}

/** struct vf_counters: 256 bytes. */
export const VfCounters = bpf.struct('struct vf_counters', 256, {
  tx: bpf.field(0, bpf.array(VfCount, 2)),
  rx: bpf.field(128, bpf.array(VfCount, 2)),
});
export type VfCounters = bpf.Value<typeof VfCounters>;
export type VfCountersInit = bpf.Input<typeof VfCounters>;
/** struct vf_counters where it lies. */
export class VfCountersView extends bpf.StructView {
  get tx(): bpf.StructArrayView<VfCountView> { return new bpf.StructArrayView(VfCountView, 64, 2, this.$view, this.$at); }
  get rx(): bpf.StructArrayView<VfCountView> { return new bpf.StructArrayView(VfCountView, 64, 2, this.$view, this.$at + 128); }
}

/** enum vf_layout: 4 bytes. */
export const VfLayout = {
  VF_FREE: 0,
  VF_LAYOUT: 8,
} as const;
export type VfLayout = (typeof VfLayout)[keyof typeof VfLayout];

/** enum vf_undo: 4 bytes. */
export const VfUndo = {
  VF_UNDO_CLSACT_MASTER: 8,
  VF_UNDO_CLSACT_PRIMARY: 16,
  VF_UNDO_CLSACT_STANDBY: 32,
} as const;
export type VfUndo = (typeof VfUndo)[keyof typeof VfUndo];

/** enum vf_attach: 4 bytes. */
export const VfAttach = {
  VF_ATTACH_TCX: 1,
  VF_ATTACH_CLSACT: 2,
} as const;
export type VfAttach = (typeof VfAttach)[keyof typeof VfAttach];

/** enum vf_override: 4 bytes. */
export const VfOverride = {
  VF_AUTO: 0,
  VF_TO_PRIMARY: 1,
  VF_TO_STANDBY: 2,
} as const;
export type VfOverride = (typeof VfOverride)[keyof typeof VfOverride];

/** enum vf_model: 4 bytes. */
export const VfModel = {
  VF_TRANSPARENT: 1,
  VF_NET_FAILOVER: 2,
} as const;
export type VfModel = (typeof VfModel)[keyof typeof VfModel];

/** struct vf_identity: 112 bytes. */
export const VfIdentity = bpf.struct('struct vf_identity', 112, {
  layout: bpf.field(0, bpf.u32),
  master_ifindex: bpf.field(4, bpf.u32),
  primary_ifindex: bpf.field(8, bpf.u32),
  undo: bpf.field(12, bpf.u32),
  unused: bpf.field(16, bpf.array(bpf.u32, 2)),
  netns: bpf.field(24, bpf.u64),
  name: bpf.field(32, bpf.chars(32)),
  mac: bpf.field(64, bpf.bytes(8)),
  attach: bpf.field(72, bpf.u32),
  override: bpf.field(76, bpf.u32),
  switches: bpf.field(80, bpf.u64),
  seen_word: bpf.field(88, bpf.u32),
  model: bpf.field(92, bpf.u32),
  standby_ifindex: bpf.field(96, bpf.u32),
  maintenance: bpf.field(100, bpf.u32),
  override_until_ns: bpf.field(104, bpf.u64),
});
export type VfIdentity = bpf.Value<typeof VfIdentity>;
export type VfIdentityInit = bpf.Input<typeof VfIdentity>;
/** struct vf_identity where it lies. */
export class VfIdentityView extends bpf.StructView {
  get layout(): number { return this.$view.getUint32(this.$at, true); }
  set layout(value: number) { this.$view.setUint32(this.$at, value, true); }
  get master_ifindex(): number { return this.$view.getUint32(this.$at + 4, true); }
  set master_ifindex(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get primary_ifindex(): number { return this.$view.getUint32(this.$at + 8, true); }
  set primary_ifindex(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get undo(): number { return this.$view.getUint32(this.$at + 12, true); }
  set undo(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get unused(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 2, this.$view, this.$at + 16); }
  get netns(): bigint { return this.$view.getBigUint64(this.$at + 24, true); }
  set netns(value: bigint) { this.$view.setBigUint64(this.$at + 24, value, true); }
  /** Exact up to 2^53. */
  get netnsNumber(): number { return bpf.readU64(this.$view, this.$at + 24); }
  get name(): bpf.Value<typeof VfIdentity.fields.name.codec> { return VfIdentity.fields.name.codec.read(this.$view, this.$at + 32); }
  set name(value: bpf.Input<typeof VfIdentity.fields.name.codec>) { VfIdentity.fields.name.codec.write(this.$view, this.$at + 32, value, 'name'); }
  get mac(): bpf.Value<typeof VfIdentity.fields.mac.codec> { return VfIdentity.fields.mac.codec.read(this.$view, this.$at + 64); }
  set mac(value: bpf.Input<typeof VfIdentity.fields.mac.codec>) { VfIdentity.fields.mac.codec.write(this.$view, this.$at + 64, value, 'mac'); }
  get attach(): number { return this.$view.getUint32(this.$at + 72, true); }
  set attach(value: number) { this.$view.setUint32(this.$at + 72, value, true); }
  get override(): number { return this.$view.getUint32(this.$at + 76, true); }
  set override(value: number) { this.$view.setUint32(this.$at + 76, value, true); }
  get switches(): bigint { return this.$view.getBigUint64(this.$at + 80, true); }
  set switches(value: bigint) { this.$view.setBigUint64(this.$at + 80, value, true); }
  /** Exact up to 2^53. */
  get switchesNumber(): number { return bpf.readU64(this.$view, this.$at + 80); }
  get seen_word(): number { return this.$view.getUint32(this.$at + 88, true); }
  set seen_word(value: number) { this.$view.setUint32(this.$at + 88, value, true); }
  get model(): number { return this.$view.getUint32(this.$at + 92, true); }
  set model(value: number) { this.$view.setUint32(this.$at + 92, value, true); }
  get standby_ifindex(): number { return this.$view.getUint32(this.$at + 96, true); }
  set standby_ifindex(value: number) { this.$view.setUint32(this.$at + 96, value, true); }
  get maintenance(): number { return this.$view.getUint32(this.$at + 100, true); }
  set maintenance(value: number) { this.$view.setUint32(this.$at + 100, value, true); }
  get override_until_ns(): bigint { return this.$view.getBigUint64(this.$at + 104, true); }
  set override_until_ns(value: bigint) { this.$view.setBigUint64(this.$at + 104, value, true); }
  /** Exact up to 2^53. */
  get override_until_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 104); }
}

/** enum vf_penalty: 4 bytes. */
export const VfPenalty = {
  VF_PENALISED: 1,
  VF_SUPPRESSED: 2,
} as const;
export type VfPenalty = (typeof VfPenalty)[keyof typeof VfPenalty];

/** enum vf_eapol: 4 bytes. */
export const VfEapol = {
  VF_EAPOL_OWN: 1,
  VF_EAPOL_ASKED: 2,
} as const;
export type VfEapol = (typeof VfEapol)[keyof typeof VfEapol];

/** struct vf_watch: 128 bytes. */
export const VfWatch = bpf.struct('struct vf_watch', 128, {
  since_ns: bpf.field(0, bpf.u64),
  soon_ns: bpf.field(8, bpf.u64),
  last_tx_ns: bpf.field(16, bpf.u64),
  timeout_ns: bpf.field(24, bpf.u64),
  ack_timeout_ns: bpf.field(32, bpf.u64),
  unanswered: bpf.field(40, bpf.u32),
  soon: bpf.field(44, bpf.u32),
  min_frames: bpf.field(48, bpf.u32),
  word: bpf.field(52, bpf.u32),
  longest_ns: bpf.field(56, bpf.u32),
  relapses: bpf.field(60, bpf.u32),
  fired_ns: bpf.field(64, bpf.u64),
  fired: bpf.field(72, bpf.u32),
  fired_frames: bpf.field(76, bpf.u32),
  fired_wait_us: bpf.field(80, bpf.u32),
  reuse_ms: bpf.field(84, bpf.u32),
  penalty: bpf.field(88, bpf.u32),
  eapol: bpf.field(92, bpf.u32),
  unused: bpf.field(96, bpf.array(bpf.u32, 8)),
});
export type VfWatch = bpf.Value<typeof VfWatch>;
export type VfWatchInit = bpf.Input<typeof VfWatch>;
/** struct vf_watch where it lies. */
export class VfWatchView extends bpf.StructView {
  get since_ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set since_ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get since_nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get soon_ns(): bigint { return this.$view.getBigUint64(this.$at + 8, true); }
  set soon_ns(value: bigint) { this.$view.setBigUint64(this.$at + 8, value, true); }
  /** Exact up to 2^53. */
  get soon_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 8); }
  get last_tx_ns(): bigint { return this.$view.getBigUint64(this.$at + 16, true); }
  set last_tx_ns(value: bigint) { this.$view.setBigUint64(this.$at + 16, value, true); }
  /** Exact up to 2^53. */
  get last_tx_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 16); }
  get timeout_ns(): bigint { return this.$view.getBigUint64(this.$at + 24, true); }
  set timeout_ns(value: bigint) { this.$view.setBigUint64(this.$at + 24, value, true); }
  /** Exact up to 2^53. */
  get timeout_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 24); }
  get ack_timeout_ns(): bigint { return this.$view.getBigUint64(this.$at + 32, true); }
  set ack_timeout_ns(value: bigint) { this.$view.setBigUint64(this.$at + 32, value, true); }
  /** Exact up to 2^53. */
  get ack_timeout_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 32); }
  get unanswered(): number { return this.$view.getUint32(this.$at + 40, true); }
  set unanswered(value: number) { this.$view.setUint32(this.$at + 40, value, true); }
  get soon(): number { return this.$view.getUint32(this.$at + 44, true); }
  set soon(value: number) { this.$view.setUint32(this.$at + 44, value, true); }
  get min_frames(): number { return this.$view.getUint32(this.$at + 48, true); }
  set min_frames(value: number) { this.$view.setUint32(this.$at + 48, value, true); }
  get word(): number { return this.$view.getUint32(this.$at + 52, true); }
  set word(value: number) { this.$view.setUint32(this.$at + 52, value, true); }
  get longest_ns(): number { return this.$view.getUint32(this.$at + 56, true); }
  set longest_ns(value: number) { this.$view.setUint32(this.$at + 56, value, true); }
  get relapses(): number { return this.$view.getUint32(this.$at + 60, true); }
  set relapses(value: number) { this.$view.setUint32(this.$at + 60, value, true); }
  get fired_ns(): bigint { return this.$view.getBigUint64(this.$at + 64, true); }
  set fired_ns(value: bigint) { this.$view.setBigUint64(this.$at + 64, value, true); }
  /** Exact up to 2^53. */
  get fired_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 64); }
  get fired(): number { return this.$view.getUint32(this.$at + 72, true); }
  set fired(value: number) { this.$view.setUint32(this.$at + 72, value, true); }
  get fired_frames(): number { return this.$view.getUint32(this.$at + 76, true); }
  set fired_frames(value: number) { this.$view.setUint32(this.$at + 76, value, true); }
  get fired_wait_us(): number { return this.$view.getUint32(this.$at + 80, true); }
  set fired_wait_us(value: number) { this.$view.setUint32(this.$at + 80, value, true); }
  get reuse_ms(): number { return this.$view.getUint32(this.$at + 84, true); }
  set reuse_ms(value: number) { this.$view.setUint32(this.$at + 84, value, true); }
  get penalty(): number { return this.$view.getUint32(this.$at + 88, true); }
  set penalty(value: number) { this.$view.setUint32(this.$at + 88, value, true); }
  get eapol(): number { return this.$view.getUint32(this.$at + 92, true); }
  set eapol(value: number) { this.$view.setUint32(this.$at + 92, value, true); }
  get unused(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 8, this.$view, this.$at + 96); }
}

/** struct vf_group_bucket: 64 bytes. */
export const VfGroupBucket = bpf.struct('struct vf_group_bucket', 64, {
  words: bpf.field(0, bpf.array(bpf.u64, 8)),
});
export type VfGroupBucket = bpf.Value<typeof VfGroupBucket>;
export type VfGroupBucketInit = bpf.Input<typeof VfGroupBucket>;
/** struct vf_group_bucket where it lies. */
export class VfGroupBucketView extends bpf.StructView {
  get words(): bpf.ArrayViewOf<typeof bpf.u64> { return new bpf.ArrayView(bpf.u64, 8, this.$view, this.$at); }
}

/** struct vf_reflector: 160 bytes. */
export const VfReflector = bpf.struct('struct vf_reflector', 160, {
  discr: bpf.field(0, bpf.array(bpf.u32, 4)),
  family: bpf.field(16, bpf.array(bpf.u32, 4)),
  local: bpf.field(32, bpf.bytes(4)),
  vlan: bpf.field(96, bpf.u32),
  ttl: bpf.field(100, bpf.u32),
  min_rx: bpf.field(104, bpf.u32),
  state: bpf.field(108, bpf.u32),
  mac: bpf.field(112, bpf.bytes(8)),
  answered: bpf.field(120, bpf.u64),
  refused: bpf.field(128, bpf.array(bpf.u32, 8)),
});
export type VfReflector = bpf.Value<typeof VfReflector>;
export type VfReflectorInit = bpf.Input<typeof VfReflector>;
/** struct vf_reflector where it lies. */
export class VfReflectorView extends bpf.StructView {
  get discr(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 4, this.$view, this.$at); }
  get family(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 4, this.$view, this.$at + 16); }
  get local(): bpf.Value<typeof VfReflector.fields.local.codec> { return VfReflector.fields.local.codec.read(this.$view, this.$at + 32); }
  set local(value: bpf.Input<typeof VfReflector.fields.local.codec>) { VfReflector.fields.local.codec.write(this.$view, this.$at + 32, value, 'local'); }
  get vlan(): number { return this.$view.getUint32(this.$at + 96, true); }
  set vlan(value: number) { this.$view.setUint32(this.$at + 96, value, true); }
  get ttl(): number { return this.$view.getUint32(this.$at + 100, true); }
  set ttl(value: number) { this.$view.setUint32(this.$at + 100, value, true); }
  get min_rx(): number { return this.$view.getUint32(this.$at + 104, true); }
  set min_rx(value: number) { this.$view.setUint32(this.$at + 104, value, true); }
  get state(): number { return this.$view.getUint32(this.$at + 108, true); }
  set state(value: number) { this.$view.setUint32(this.$at + 108, value, true); }
  get mac(): bpf.Value<typeof VfReflector.fields.mac.codec> { return VfReflector.fields.mac.codec.read(this.$view, this.$at + 112); }
  set mac(value: bpf.Input<typeof VfReflector.fields.mac.codec>) { VfReflector.fields.mac.codec.write(this.$view, this.$at + 112, value, 'mac'); }
  get answered(): bigint { return this.$view.getBigUint64(this.$at + 120, true); }
  set answered(value: bigint) { this.$view.setBigUint64(this.$at + 120, value, true); }
  /** Exact up to 2^53. */
  get answeredNumber(): number { return bpf.readU64(this.$view, this.$at + 120); }
  get refused(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 8, this.$view, this.$at + 128); }
}

/** struct vf_earlier: 16 bytes. */
export const VfEarlier = bpf.struct('struct vf_earlier', 16, {
  ns: bpf.field(0, bpf.u64),
  hash: bpf.field(8, bpf.u32),
  path: bpf.field(12, bpf.u32),
});
export type VfEarlier = bpf.Value<typeof VfEarlier>;
export type VfEarlierInit = bpf.Input<typeof VfEarlier>;
/** struct vf_earlier where it lies. */
export class VfEarlierView extends bpf.StructView {
  get ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get hash(): number { return this.$view.getUint32(this.$at + 8, true); }
  set hash(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get path(): number { return this.$view.getUint32(this.$at + 12, true); }
  set path(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
}

/** enum vf_detector: 4 bytes. */
export const VfDetector = {
  VF_DETECT_UNANSWERED: 1,
  VF_DETECT_WITNESS: 2,
  VF_DETECT_PROBES: 4,
  VF_DETECT_BFD: 8,
  VF_DETECT_REFLECTOR: 16,
} as const;
export type VfDetector = (typeof VfDetector)[keyof typeof VfDetector];

/** enum vf_groups: 4 bytes. */
export const VfGroups = {
  VF_GROUPS_EITHER: 0,
  VF_GROUPS_ACTIVE: 1,
} as const;
export type VfGroups = (typeof VfGroups)[keyof typeof VfGroups];

export const bench = bpf.objectType({
  name: 'bench',
  sha256: 'b24c874e5e9116cae1eeadbbb07aafbbaea49f58518b041478241dcf89caaef4',
  layout: '7ad0363a69656318e5b7e9c82ba9f809670093cd6a07a322aa31cbf167c39d59',
  license: 'GPL',
  programs: {
    vf_empty: 'tc',
    vf_count_only: 'tc',
    vf_count_steer: 'tc',
    vf_carrier_check: 'tc',
    vf_bench_event: 'tc',
    vf_question_only: 'tc',
    vf_question_reflect: 'tc',
    vf_groups_once: 'tc',
    vf_groups_earlier: 'tc',
    vf_groups_sent: 'tc',
    vf_sink: 'tc',
  },
  maps: {
    /** ringbuf, 65536 entries. */
    events: bpf.untyped,
    /** array, 1 entries. */
    lines: bpf.mapped(bpf.u32, VfLine, VfLineView),
    /** array, 1 entries. */
    counters: bpf.mapped(bpf.u32, VfCounters, VfCountersView),
    /** array, 1 entries. */
    identities: bpf.mapped(bpf.u32, VfIdentity, VfIdentityView),
    /** array, 2 entries. */
    watches: bpf.mapped(bpf.u32, VfWatch, VfWatchView),
    /** array, 2049 entries. */
    groups: bpf.mapped(bpf.u32, VfGroupBucket, VfGroupBucketView),
    /** array, 1 entries. */
    reflectors: bpf.mapped(bpf.u32, VfReflector, VfReflectorView),
    /** array, 64 entries. */
    earlier: bpf.keyed(bpf.u32, VfEarlier),
  },
  variables: {
    /** .rodata + 0. */
    vf_slot: bpf.u32,
    /** .rodata + 4. */
    vf_model: bpf.u32,
    /** .rodata + 8. */
    vf_cpus: bpf.u32,
    /** .rodata + 12. */
    vf_detect: bpf.u32,
    /** .rodata + 16. */
    vf_has_kern_ctx: bpf.u32,
    /** .rodata + 24. */
    vf_netns_cookie: bpf.u64,
    /** .rodata + 32. */
    vf_groups: bpf.u32,
    /** .rodata + 36. */
    vf_question: bpf.bytes(66),
    /** .bss + 0. */
    vf_by: bpf.u32,
  },
});
export type Bench = bpf.TypedObject<(typeof bench)['description']>;
