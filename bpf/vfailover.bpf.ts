// Written by bpf2ts from vfailover.bpf.o. Do not edit: run bpf2ts again.
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

/** enum vf_probe_flag: 4 bytes. */
export const VfProbeFlag = {
  VF_PROBE_ALL: 1,
} as const;
export type VfProbeFlag = (typeof VfProbeFlag)[keyof typeof VfProbeFlag];

/** struct vf_probe_path: 64 bytes. */
export const VfProbePath = bpf.struct('struct vf_probe_path', 64, {
  due_ns: bpf.field(0, bpf.u64),
  wait: bpf.field(8, bpf.u32),
  extended: bpf.field(12, bpf.u32),
  slack_ns: bpf.field(16, bpf.u64),
  look_ns: bpf.field(24, bpf.u64),
  heard_ns: bpf.field(32, bpf.u64),
  group_ns: bpf.field(40, bpf.u64),
  heard: bpf.field(48, bpf.u32),
  groups: bpf.field(52, bpf.u32),
  refused: bpf.field(56, bpf.u32),
  unused: bpf.field(60, bpf.u32),
});
export type VfProbePath = bpf.Value<typeof VfProbePath>;
export type VfProbePathInit = bpf.Input<typeof VfProbePath>;
/** struct vf_probe_path where it lies. */
export class VfProbePathView extends bpf.StructView {
  get due_ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set due_ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get due_nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get wait(): number { return this.$view.getUint32(this.$at + 8, true); }
  set wait(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get extended(): number { return this.$view.getUint32(this.$at + 12, true); }
  set extended(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get slack_ns(): bigint { return this.$view.getBigUint64(this.$at + 16, true); }
  set slack_ns(value: bigint) { this.$view.setBigUint64(this.$at + 16, value, true); }
  /** Exact up to 2^53. */
  get slack_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 16); }
  get look_ns(): bigint { return this.$view.getBigUint64(this.$at + 24, true); }
  set look_ns(value: bigint) { this.$view.setBigUint64(this.$at + 24, value, true); }
  /** Exact up to 2^53. */
  get look_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 24); }
  get heard_ns(): bigint { return this.$view.getBigUint64(this.$at + 32, true); }
  set heard_ns(value: bigint) { this.$view.setBigUint64(this.$at + 32, value, true); }
  /** Exact up to 2^53. */
  get heard_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 32); }
  get group_ns(): bigint { return this.$view.getBigUint64(this.$at + 40, true); }
  set group_ns(value: bigint) { this.$view.setBigUint64(this.$at + 40, value, true); }
  /** Exact up to 2^53. */
  get group_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 40); }
  get heard(): number { return this.$view.getUint32(this.$at + 48, true); }
  set heard(value: number) { this.$view.setUint32(this.$at + 48, value, true); }
  get groups(): number { return this.$view.getUint32(this.$at + 52, true); }
  set groups(value: number) { this.$view.setUint32(this.$at + 52, value, true); }
  get refused(): number { return this.$view.getUint32(this.$at + 56, true); }
  set refused(value: number) { this.$view.setUint32(this.$at + 56, value, true); }
  get unused(): number { return this.$view.getUint32(this.$at + 60, true); }
  set unused(value: number) { this.$view.setUint32(this.$at + 60, value, true); }
}

/** enum vf_probe_kind: 4 bytes. */
export const VfProbeKind = {
  VF_PROBE_NONE: 0,
  VF_PROBE_ARP: 1,
  VF_PROBE_ND: 2,
  VF_PROBE_ICMP: 3,
} as const;
export type VfProbeKind = (typeof VfProbeKind)[keyof typeof VfProbeKind];

/** struct vf_probe: 72 bytes. */
export const VfProbe = bpf.struct('struct vf_probe', 72, {
  kind: bpf.field(0, bpf.u32),
  seq: bpf.field(4, bpf.u32),
  address: bpf.field(8, bpf.bytes(16)),
  source: bpf.field(24, bpf.u32),
  nexthop: bpf.field(28, bpf.u32),
  arrived_ns: bpf.field(32, bpf.u64),
  answered: bpf.field(40, bpf.u32),
  arrived_path: bpf.field(44, bpf.u32),
  mac: bpf.field(48, bpf.bytes(6)),
  resolving: bpf.field(54, bpf.u16),
  missed: bpf.field(56, bpf.u32),
  rtt_us: bpf.field(60, bpf.u32),
  vlan: bpf.field(64, bpf.u32),
  unused: bpf.field(68, bpf.u32),
});
export type VfProbe = bpf.Value<typeof VfProbe>;
export type VfProbeInit = bpf.Input<typeof VfProbe>;
/** struct vf_probe where it lies. */
export class VfProbeView extends bpf.StructView {
  get kind(): number { return this.$view.getUint32(this.$at, true); }
  set kind(value: number) { this.$view.setUint32(this.$at, value, true); }
  get seq(): number { return this.$view.getUint32(this.$at + 4, true); }
  set seq(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get address(): bpf.Value<typeof VfProbe.fields.address.codec> { return VfProbe.fields.address.codec.read(this.$view, this.$at + 8); }
  set address(value: bpf.Input<typeof VfProbe.fields.address.codec>) { VfProbe.fields.address.codec.write(this.$view, this.$at + 8, value, 'address'); }
  get source(): number { return this.$view.getUint32(this.$at + 24, true); }
  set source(value: number) { this.$view.setUint32(this.$at + 24, value, true); }
  get nexthop(): number { return this.$view.getUint32(this.$at + 28, true); }
  set nexthop(value: number) { this.$view.setUint32(this.$at + 28, value, true); }
  get arrived_ns(): bigint { return this.$view.getBigUint64(this.$at + 32, true); }
  set arrived_ns(value: bigint) { this.$view.setBigUint64(this.$at + 32, value, true); }
  /** Exact up to 2^53. */
  get arrived_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 32); }
  get answered(): number { return this.$view.getUint32(this.$at + 40, true); }
  set answered(value: number) { this.$view.setUint32(this.$at + 40, value, true); }
  get arrived_path(): number { return this.$view.getUint32(this.$at + 44, true); }
  set arrived_path(value: number) { this.$view.setUint32(this.$at + 44, value, true); }
  get mac(): bpf.Value<typeof VfProbe.fields.mac.codec> { return VfProbe.fields.mac.codec.read(this.$view, this.$at + 48); }
  set mac(value: bpf.Input<typeof VfProbe.fields.mac.codec>) { VfProbe.fields.mac.codec.write(this.$view, this.$at + 48, value, 'mac'); }
  get resolving(): number { return this.$view.getUint16(this.$at + 54, true); }
  set resolving(value: number) { this.$view.setUint16(this.$at + 54, value, true); }
  get missed(): number { return this.$view.getUint32(this.$at + 56, true); }
  set missed(value: number) { this.$view.setUint32(this.$at + 56, value, true); }
  get rtt_us(): number { return this.$view.getUint32(this.$at + 60, true); }
  set rtt_us(value: number) { this.$view.setUint32(this.$at + 60, value, true); }
  get vlan(): number { return this.$view.getUint32(this.$at + 64, true); }
  set vlan(value: number) { this.$view.setUint32(this.$at + 64, value, true); }
  get unused(): number { return this.$view.getUint32(this.$at + 68, true); }
  set unused(value: number) { this.$view.setUint32(this.$at + 68, value, true); }
}

/** struct vf_probing: 4800 bytes. */
export const VfProbing = bpf.struct('struct vf_probing', 4800, {
  cookie: bpf.field(0, bpf.u64),
  local: bpf.field(8, bpf.bytes(16)),
  mac: bpf.field(24, bpf.bytes(6)),
  icmp_id: bpf.field(30, bpf.u16),
  flags: bpf.field(32, bpf.u32),
  targets: bpf.field(36, bpf.u32),
  unused: bpf.field(40, bpf.array(bpf.u32, 6)),
  path: bpf.field(64, bpf.array(VfProbePath, 2)),
  probe: bpf.field(192, bpf.array(VfProbe, 64)),
});
export type VfProbing = bpf.Value<typeof VfProbing>;
export type VfProbingInit = bpf.Input<typeof VfProbing>;
/** struct vf_probing where it lies. */
export class VfProbingView extends bpf.StructView {
  get cookie(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set cookie(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get cookieNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get local(): bpf.Value<typeof VfProbing.fields.local.codec> { return VfProbing.fields.local.codec.read(this.$view, this.$at + 8); }
  set local(value: bpf.Input<typeof VfProbing.fields.local.codec>) { VfProbing.fields.local.codec.write(this.$view, this.$at + 8, value, 'local'); }
  get mac(): bpf.Value<typeof VfProbing.fields.mac.codec> { return VfProbing.fields.mac.codec.read(this.$view, this.$at + 24); }
  set mac(value: bpf.Input<typeof VfProbing.fields.mac.codec>) { VfProbing.fields.mac.codec.write(this.$view, this.$at + 24, value, 'mac'); }
  get icmp_id(): number { return this.$view.getUint16(this.$at + 30, true); }
  set icmp_id(value: number) { this.$view.setUint16(this.$at + 30, value, true); }
  get flags(): number { return this.$view.getUint32(this.$at + 32, true); }
  set flags(value: number) { this.$view.setUint32(this.$at + 32, value, true); }
  get targets(): number { return this.$view.getUint32(this.$at + 36, true); }
  set targets(value: number) { this.$view.setUint32(this.$at + 36, value, true); }
  get unused(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 6, this.$view, this.$at + 40); }
  get path(): bpf.StructArrayView<VfProbePathView> { return new bpf.StructArrayView(VfProbePathView, 64, 2, this.$view, this.$at + 64); }
  get probe(): bpf.StructArrayView<VfProbeView> { return new bpf.StructArrayView(VfProbeView, 72, 64, this.$view, this.$at + 192); }
}

/** struct vf_bfd: 224 bytes. */
export const VfBfd = bpf.struct('struct vf_bfd', 224, {
  discr: bpf.field(0, bpf.u32),
  quiet: bpf.field(4, bpf.u32),
  expect: bpf.field(8, bpf.array(bpf.u32, 13)),
  expect_length: bpf.field(60, bpf.u32),
  local: bpf.field(64, bpf.bytes(16)),
  peer: bpf.field(80, bpf.bytes(16)),
  family: bpf.field(96, bpf.u32),
  vlan: bpf.field(100, bpf.u32),
  detect_ns: bpf.field(104, bpf.u64),
  path: bpf.field(112, bpf.u32),
  flips: bpf.field(116, bpf.u32),
  port: bpf.field(120, bpf.u16),
  from: bpf.field(122, bpf.u16),
  ttl: bpf.field(124, bpf.u32),
  due_ns: bpf.field(128, bpf.u64),
  asks: bpf.field(136, bpf.u32),
  heard_ns: bpf.field(144, bpf.u64),
  fired: bpf.field(152, bpf.u32),
  repeats: bpf.field(156, bpf.u32),
  handed: bpf.field(160, bpf.u32),
  low_ttl: bpf.field(164, bpf.u32),
  refused: bpf.field(168, bpf.u32),
  unused: bpf.field(172, bpf.u32),
  echo_loop: bpf.field(176, bpf.u32),
  echo_key: bpf.field(184, bpf.u64),
  echo_sent: bpf.field(192, bpf.u32),
  echo_back: bpf.field(196, bpf.u32),
  echo_ns: bpf.field(200, bpf.u64),
  echo_looped: bpf.field(208, bpf.u32),
  echo_refused: bpf.field(212, bpf.u32),
  mac: bpf.field(216, bpf.bytes(8)),
});
export type VfBfd = bpf.Value<typeof VfBfd>;
export type VfBfdInit = bpf.Input<typeof VfBfd>;
/** struct vf_bfd where it lies. */
export class VfBfdView extends bpf.StructView {
  get discr(): number { return this.$view.getUint32(this.$at, true); }
  set discr(value: number) { this.$view.setUint32(this.$at, value, true); }
  get quiet(): number { return this.$view.getUint32(this.$at + 4, true); }
  set quiet(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get expect(): bpf.ArrayViewOf<typeof bpf.u32> { return new bpf.ArrayView(bpf.u32, 13, this.$view, this.$at + 8); }
  get expect_length(): number { return this.$view.getUint32(this.$at + 60, true); }
  set expect_length(value: number) { this.$view.setUint32(this.$at + 60, value, true); }
  get local(): bpf.Value<typeof VfBfd.fields.local.codec> { return VfBfd.fields.local.codec.read(this.$view, this.$at + 64); }
  set local(value: bpf.Input<typeof VfBfd.fields.local.codec>) { VfBfd.fields.local.codec.write(this.$view, this.$at + 64, value, 'local'); }
  get peer(): bpf.Value<typeof VfBfd.fields.peer.codec> { return VfBfd.fields.peer.codec.read(this.$view, this.$at + 80); }
  set peer(value: bpf.Input<typeof VfBfd.fields.peer.codec>) { VfBfd.fields.peer.codec.write(this.$view, this.$at + 80, value, 'peer'); }
  get family(): number { return this.$view.getUint32(this.$at + 96, true); }
  set family(value: number) { this.$view.setUint32(this.$at + 96, value, true); }
  get vlan(): number { return this.$view.getUint32(this.$at + 100, true); }
  set vlan(value: number) { this.$view.setUint32(this.$at + 100, value, true); }
  get detect_ns(): bigint { return this.$view.getBigUint64(this.$at + 104, true); }
  set detect_ns(value: bigint) { this.$view.setBigUint64(this.$at + 104, value, true); }
  /** Exact up to 2^53. */
  get detect_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 104); }
  get path(): number { return this.$view.getUint32(this.$at + 112, true); }
  set path(value: number) { this.$view.setUint32(this.$at + 112, value, true); }
  get flips(): number { return this.$view.getUint32(this.$at + 116, true); }
  set flips(value: number) { this.$view.setUint32(this.$at + 116, value, true); }
  get port(): number { return this.$view.getUint16(this.$at + 120, true); }
  set port(value: number) { this.$view.setUint16(this.$at + 120, value, true); }
  get from(): number { return this.$view.getUint16(this.$at + 122, true); }
  set from(value: number) { this.$view.setUint16(this.$at + 122, value, true); }
  get ttl(): number { return this.$view.getUint32(this.$at + 124, true); }
  set ttl(value: number) { this.$view.setUint32(this.$at + 124, value, true); }
  get due_ns(): bigint { return this.$view.getBigUint64(this.$at + 128, true); }
  set due_ns(value: bigint) { this.$view.setBigUint64(this.$at + 128, value, true); }
  /** Exact up to 2^53. */
  get due_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 128); }
  get asks(): number { return this.$view.getUint32(this.$at + 136, true); }
  set asks(value: number) { this.$view.setUint32(this.$at + 136, value, true); }
  get heard_ns(): bigint { return this.$view.getBigUint64(this.$at + 144, true); }
  set heard_ns(value: bigint) { this.$view.setBigUint64(this.$at + 144, value, true); }
  /** Exact up to 2^53. */
  get heard_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 144); }
  get fired(): number { return this.$view.getUint32(this.$at + 152, true); }
  set fired(value: number) { this.$view.setUint32(this.$at + 152, value, true); }
  get repeats(): number { return this.$view.getUint32(this.$at + 156, true); }
  set repeats(value: number) { this.$view.setUint32(this.$at + 156, value, true); }
  get handed(): number { return this.$view.getUint32(this.$at + 160, true); }
  set handed(value: number) { this.$view.setUint32(this.$at + 160, value, true); }
  get low_ttl(): number { return this.$view.getUint32(this.$at + 164, true); }
  set low_ttl(value: number) { this.$view.setUint32(this.$at + 164, value, true); }
  get refused(): number { return this.$view.getUint32(this.$at + 168, true); }
  set refused(value: number) { this.$view.setUint32(this.$at + 168, value, true); }
  get unused(): number { return this.$view.getUint32(this.$at + 172, true); }
  set unused(value: number) { this.$view.setUint32(this.$at + 172, value, true); }
  get echo_loop(): number { return this.$view.getUint32(this.$at + 176, true); }
  set echo_loop(value: number) { this.$view.setUint32(this.$at + 176, value, true); }
  get echo_key(): bigint { return this.$view.getBigUint64(this.$at + 184, true); }
  set echo_key(value: bigint) { this.$view.setBigUint64(this.$at + 184, value, true); }
  /** Exact up to 2^53. */
  get echo_keyNumber(): number { return bpf.readU64(this.$view, this.$at + 184); }
  get echo_sent(): number { return this.$view.getUint32(this.$at + 192, true); }
  set echo_sent(value: number) { this.$view.setUint32(this.$at + 192, value, true); }
  get echo_back(): number { return this.$view.getUint32(this.$at + 196, true); }
  set echo_back(value: number) { this.$view.setUint32(this.$at + 196, value, true); }
  get echo_ns(): bigint { return this.$view.getBigUint64(this.$at + 200, true); }
  set echo_ns(value: bigint) { this.$view.setBigUint64(this.$at + 200, value, true); }
  /** Exact up to 2^53. */
  get echo_nsNumber(): number { return bpf.readU64(this.$view, this.$at + 200); }
  get echo_looped(): number { return this.$view.getUint32(this.$at + 208, true); }
  set echo_looped(value: number) { this.$view.setUint32(this.$at + 208, value, true); }
  get echo_refused(): number { return this.$view.getUint32(this.$at + 212, true); }
  set echo_refused(value: number) { this.$view.setUint32(this.$at + 212, value, true); }
  get mac(): bpf.Value<typeof VfBfd.fields.mac.codec> { return VfBfd.fields.mac.codec.read(this.$view, this.$at + 216); }
  set mac(value: bpf.Input<typeof VfBfd.fields.mac.codec>) { VfBfd.fields.mac.codec.write(this.$view, this.$at + 216, value, 'mac'); }
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

/** enum vf_undo_kind: 4 bytes. */
export const VfUndoKind = {
  VF_UNDO_GROUP: 1,
  VF_UNDO_UNICAST: 2,
  VF_UNDO_VLAN: 3,
  VF_UNDO_FLAG: 4,
  VF_UNDO_MAC: 5,
  VF_UNDO_FEATURE: 6,
  VF_UNDO_ADDRESS: 7,
  VF_UNDO_ROUTE: 8,
  VF_UNDO_SYSCTL: 9,
  VF_UNDO_NETNS: 10,
  VF_UNDO_MTU: 11,
  VF_UNDO_UP: 12,
  VF_UNDO_QDISC: 13,
} as const;
export type VfUndoKind = (typeof VfUndoKind)[keyof typeof VfUndoKind];

/** struct vf_undo_key: 32 bytes. */
export const VfUndoKey = bpf.struct('struct vf_undo_key', 32, {
  slot: bpf.field(0, bpf.u32),
  kind: bpf.field(4, bpf.u32),
  id: bpf.field(8, bpf.bytes(24)),
});
export type VfUndoKey = bpf.Value<typeof VfUndoKey>;
export type VfUndoKeyInit = bpf.Input<typeof VfUndoKey>;
/** struct vf_undo_key where it lies. */
export class VfUndoKeyView extends bpf.StructView {
  get slot(): number { return this.$view.getUint32(this.$at, true); }
  set slot(value: number) { this.$view.setUint32(this.$at, value, true); }
  get kind(): number { return this.$view.getUint32(this.$at + 4, true); }
  set kind(value: number) { this.$view.setUint32(this.$at + 4, value, true); }
  get id(): bpf.Value<typeof VfUndoKey.fields.id.codec> { return VfUndoKey.fields.id.codec.read(this.$view, this.$at + 8); }
  set id(value: bpf.Input<typeof VfUndoKey.fields.id.codec>) { VfUndoKey.fields.id.codec.write(this.$view, this.$at + 8, value, 'id'); }
}

/** struct vf_undo_value: 128 bytes. */
export const VfUndoValue = bpf.struct('struct vf_undo_value', 128, {
  length: bpf.field(0, bpf.u32),
  before: bpf.field(4, bpf.bytes(124)),
});
export type VfUndoValue = bpf.Value<typeof VfUndoValue>;
export type VfUndoValueInit = bpf.Input<typeof VfUndoValue>;
/** struct vf_undo_value where it lies. */
export class VfUndoValueView extends bpf.StructView {
  get length(): number { return this.$view.getUint32(this.$at, true); }
  set length(value: number) { this.$view.setUint32(this.$at, value, true); }
  get before(): bpf.Value<typeof VfUndoValue.fields.before.codec> { return VfUndoValue.fields.before.codec.read(this.$view, this.$at + 4); }
  set before(value: bpf.Input<typeof VfUndoValue.fields.before.codec>) { VfUndoValue.fields.before.codec.write(this.$view, this.$at + 4, value, 'before'); }
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

/** enum vf_udp_asks: 4 bytes. */
export const VfUdpAsks = {
  VF_UDP_NONE: 0,
  VF_UDP_ALL: 1,
  VF_UDP_LISTED: 2,
} as const;
export type VfUdpAsks = (typeof VfUdpAsks)[keyof typeof VfUdpAsks];

/** enum vf_record: 4 bytes. */
export const VfRecord = {
  VF_RECORD_FLIP: 256,
  VF_RECORD_FIRED: 257,
  VF_RECORD_BFD: 258,
} as const;
export type VfRecord = (typeof VfRecord)[keyof typeof VfRecord];

/** struct vf_event: 32 bytes. */
export const VfEvent = bpf.struct('struct vf_event', 32, {
  ns: bpf.field(0, bpf.u64),
  slot: bpf.field(8, bpf.u32),
  kind: bpf.field(12, bpf.u32),
  cause: bpf.field(16, bpf.u32),
  old_word: bpf.field(20, bpf.u32),
  new_word: bpf.field(24, bpf.u32),
  unused: bpf.field(28, bpf.u32),
});
export type VfEvent = bpf.Value<typeof VfEvent>;
export type VfEventInit = bpf.Input<typeof VfEvent>;
/** struct vf_event where it lies. */
export class VfEventView extends bpf.StructView {
  get ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get slot(): number { return this.$view.getUint32(this.$at + 8, true); }
  set slot(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get kind(): number { return this.$view.getUint32(this.$at + 12, true); }
  set kind(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get cause(): number { return this.$view.getUint32(this.$at + 16, true); }
  set cause(value: number) { this.$view.setUint32(this.$at + 16, value, true); }
  get old_word(): number { return this.$view.getUint32(this.$at + 20, true); }
  set old_word(value: number) { this.$view.setUint32(this.$at + 20, value, true); }
  get new_word(): number { return this.$view.getUint32(this.$at + 24, true); }
  set new_word(value: number) { this.$view.setUint32(this.$at + 24, value, true); }
  get unused(): number { return this.$view.getUint32(this.$at + 28, true); }
  set unused(value: number) { this.$view.setUint32(this.$at + 28, value, true); }
}

/** struct vf_bfd_packet: 88 bytes. */
export const VfBfdPacket = bpf.struct('struct vf_bfd_packet', 88, {
  ns: bpf.field(0, bpf.u64),
  slot: bpf.field(8, bpf.u32),
  kind: bpf.field(12, bpf.u32),
  path: bpf.field(16, bpf.u32),
  length: bpf.field(20, bpf.u32),
  mac: bpf.field(24, bpf.bytes(8)),
  bytes: bpf.field(32, bpf.bytes(52)),
});
export type VfBfdPacket = bpf.Value<typeof VfBfdPacket>;
export type VfBfdPacketInit = bpf.Input<typeof VfBfdPacket>;
/** struct vf_bfd_packet where it lies. */
export class VfBfdPacketView extends bpf.StructView {
  get ns(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set ns(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get nsNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get slot(): number { return this.$view.getUint32(this.$at + 8, true); }
  set slot(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get kind(): number { return this.$view.getUint32(this.$at + 12, true); }
  set kind(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
  get path(): number { return this.$view.getUint32(this.$at + 16, true); }
  set path(value: number) { this.$view.setUint32(this.$at + 16, value, true); }
  get length(): number { return this.$view.getUint32(this.$at + 20, true); }
  set length(value: number) { this.$view.setUint32(this.$at + 20, value, true); }
  get mac(): bpf.Value<typeof VfBfdPacket.fields.mac.codec> { return VfBfdPacket.fields.mac.codec.read(this.$view, this.$at + 24); }
  set mac(value: bpf.Input<typeof VfBfdPacket.fields.mac.codec>) { VfBfdPacket.fields.mac.codec.write(this.$view, this.$at + 24, value, 'mac'); }
  get bytes(): bpf.Value<typeof VfBfdPacket.fields.bytes.codec> { return VfBfdPacket.fields.bytes.codec.read(this.$view, this.$at + 32); }
  set bytes(value: bpf.Input<typeof VfBfdPacket.fields.bytes.codec>) { VfBfdPacket.fields.bytes.codec.write(this.$view, this.$at + 32, value, 'bytes'); }
}

/** struct vf_echo: 16 bytes. */
export const VfEcho = bpf.struct('struct vf_echo', 16, {
  key: bpf.field(0, bpf.u64),
  seq: bpf.field(8, bpf.u32),
  discr: bpf.field(12, bpf.u32),
});
export type VfEcho = bpf.Value<typeof VfEcho>;
export type VfEchoInit = bpf.Input<typeof VfEcho>;
/** struct vf_echo where it lies. */
export class VfEchoView extends bpf.StructView {
  get key(): bigint { return this.$view.getBigUint64(this.$at, true); }
  set key(value: bigint) { this.$view.setBigUint64(this.$at, value, true); }
  /** Exact up to 2^53. */
  get keyNumber(): number { return bpf.readU64(this.$view, this.$at); }
  get seq(): number { return this.$view.getUint32(this.$at + 8, true); }
  set seq(value: number) { this.$view.setUint32(this.$at + 8, value, true); }
  get discr(): number { return this.$view.getUint32(this.$at + 12, true); }
  set discr(value: number) { this.$view.setUint32(this.$at + 12, value, true); }
}

/** enum vf_reflect: 4 bytes. */
export const VfReflect = {
  VF_REFLECT_TTL: 0,
  VF_REFLECT_GROUP: 1,
  VF_REFLECT_SOURCE: 2,
  VF_REFLECT_FORM: 3,
  VF_REFLECT_DISCR: 4,
  VF_REFLECT_DEMAND: 5,
  VF_REFLECT_REASONS: 8,
} as const;
export type VfReflect = (typeof VfReflect)[keyof typeof VfReflect];

export const vfailover = bpf.objectType({
  name: 'vfailover',
  sha256: '99ec8cf666867bb115aa2d1afd958e2afda0263bf3ccf8cf4fc67444c542b743',
  layout: 'a3078ef85de640a46a5a7b6482518021eb3407b351e7bc5e19b2b00ed0d36e40',
  license: 'GPL',
  programs: {
    vf_steer: 'tc',
    vf_guard: 'tc',
    vf_deliver: 'tc',
    vf_accept: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    lines: bpf.mapped(bpf.u32, VfLine, VfLineView),
    /** array, 1 entries. */
    counters: bpf.mapped(bpf.u32, VfCounters, VfCountersView),
    /** array, 1 entries. */
    identities: bpf.mapped(bpf.u32, VfIdentity, VfIdentityView),
    /** array, 2 entries. */
    watches: bpf.mapped(bpf.u32, VfWatch, VfWatchView),
    /** ringbuf, 65536 entries. */
    events: bpf.untyped,
    /** array, 2049 entries. */
    groups: bpf.mapped(bpf.u32, VfGroupBucket, VfGroupBucketView),
    /** array, 1 entries. */
    probes: bpf.mapped(bpf.u32, VfProbing, VfProbingView),
    /** array, 1 entries. */
    bfd: bpf.mapped(bpf.u32, VfBfd, VfBfdView),
    /** array, 1 entries. */
    reflectors: bpf.mapped(bpf.u32, VfReflector, VfReflectorView),
    /** hash, 1024 entries. */
    undo: bpf.keyed(VfUndoKey, VfUndoValue),
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
    vf_udp: bpf.u32,
    /** .rodata + 40. */
    vf_udp_ports: bpf.array(bpf.u32, 8),
    /** .rodata + 72. */
    vf_event_type: VfEvent,
    /** .rodata + 104. */
    vf_bfd_packet_type: VfBfdPacket,
    /** .rodata + 192. */
    vf_echo_type: VfEcho,
    /** .rodata + 208. */
    vf_reflect_type: bpf.u32,
    /** .bss + 0. */
    vf_own_mac: bpf.u64,
  },
});
export type Vfailover = bpf.TypedObject<(typeof vfailover)['description']>;
