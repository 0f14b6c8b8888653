/**
 * bpf/vfailover.h in TypeScript: sizes in bytes, offsets of words (4 bytes) unless said otherwise. test/netns/layout.test.ts
 * compares it with the BTF of the compiled object.
 */
export const VF_LAYOUT = 1;

export const PATH_MASK = 0xf;
export const EPOCH_ONE = 0x10;
export const WORD_MASK = 0x7fffffff;

export const ARM_PRIMARY = 1;
export const ARM_STANDBY = 2;

export const LINE_BYTES = 64;
export const LINE_WORDS = LINE_BYTES / 4;
/** Word offsets in struct vf_line. The last three are the low words of 64-bit fields. */
export const LINE = {
  word: 0,
  armed: 1,
  primary_ifindex: 2,
  master_ifindex: 3,
  checked: 4,
  seen_tx: 5,
  seen_rx: 6,
  flip_word: 7,
  flip_ns: 8,
  flip_cause: 10,
  first_tx_ns: 12,
  first_rx_ns: 14,
} as const;

export const COUNT_BYTES = 64;
export const COUNTERS_BYTES = 256;
/** Byte offsets in struct vf_count. */
export const COUNT = { packets: 0, bytes: 8, drops: 16, rerouted: 24 } as const;
/** Byte offsets in struct vf_counters of [primary, standby]. */
export const COUNTERS = { tx: [0, 64], rx: [128, 192] } as const;

export const IDENTITY_BYTES = 96;
/** Byte offsets in struct vf_identity. */
export const IDENTITY = {
  layout: 0,
  master_ifindex: 4,
  primary_ifindex: 8,
  undo: 12,
  undo_mtu: 16,
  undo_addr_gen_mode: 20,
  netns: 24,
  name: 32,
  mac: 64,
  attach: 72,
  override: 76,
  switches: 80,
  seen_word: 88,
} as const;
export const NAME_BYTES = 32;

export const UNDO_MTU = 1;
export const UNDO_ADMIN_DOWN = 2;
export const UNDO_ADDR_GEN_MODE = 4;
export const UNDO_CLSACT_MASTER = 8;
export const UNDO_CLSACT_PRIMARY = 16;

/** Byte offsets in struct vf_event. */
export const EVENT = { ns: 0, slot: 8, cause: 12, old_word: 16, new_word: 20 } as const;

/** Entries of `recent` per instance. */
export const RECENT = 64;
