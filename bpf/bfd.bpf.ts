// Written by bpf2ts from bfd.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct bpf_timer: 16 bytes. */
export const BpfTimer = bpf.struct('struct bpf_timer', 16, {
});
export type BpfTimer = bpf.Value<typeof BpfTimer>;
export type BpfTimerInit = bpf.Input<typeof BpfTimer>;
/** struct bpf_timer where it lies. */
export class BpfTimerView extends bpf.StructView {
}

/** struct vf_bfd_deadline: 16 bytes. */
export const VfBfdDeadline = bpf.struct('struct vf_bfd_deadline', 16, {
  timer: bpf.field(0, BpfTimer),
});
export type VfBfdDeadline = bpf.Value<typeof VfBfdDeadline>;
export type VfBfdDeadlineInit = bpf.Input<typeof VfBfdDeadline>;
/** struct vf_bfd_deadline where it lies. */
export class VfBfdDeadlineView extends bpf.StructView {
  get timer(): BpfTimerView { return new BpfTimerView(this.$view, this.$at); }
}

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

/** enum vf_detector: 4 bytes. */
export const VfDetector = {
  VF_DETECT_UNANSWERED: 1,
  VF_DETECT_WITNESS: 2,
  VF_DETECT_PROBES: 4,
  VF_DETECT_BFD: 8,
  VF_DETECT_REFLECTOR: 16,
} as const;
export type VfDetector = (typeof VfDetector)[keyof typeof VfDetector];

export const bfd = bpf.objectType({
  name: 'bfd',
  sha256: '130ef8b3afc22bbb63f48f919df15dd3e78e9c80b8cd0c287a8f0763aa5d7efa',
  layout: '0515936ee5f9afc744d15bc483b7259c7b4127a579832265f4f45f1e0d1c5b9a',
  license: 'GPL',
  programs: {
    vf_bfd_watch: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    deadlines: bpf.keyed(bpf.u32, VfBfdDeadline),
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
    /** array, 1 entries. */
    bfd: bpf.mapped(bpf.u32, VfBfd, VfBfdView),
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
  },
});
export type Bfd = bpf.TypedObject<(typeof bfd)['description']>;
