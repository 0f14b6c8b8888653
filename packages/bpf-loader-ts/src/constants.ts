/** Numbers of include/uapi/linux/bpf.h that the loader uses. */
export const MapType = {
  hash: 1,
  array: 2,
  progArray: 3,
  perCpuHash: 5,
  perCpuArray: 6,
  ringbuf: 27,
} as const;

export const ProgType = { schedCls: 3, xdp: 6 } as const;

export const AttachType = {
  xdp: 37,
  tcxIngress: 46,
  tcxEgress: 47,
} as const;

/** bpf_link kinds, as `LinkInfo.type` tells them. */
export const LinkType = { xdp: 6, tcx: 11 } as const;

export const BPF_F_MMAPABLE = 1 << 10;
/** Flags of an attachment among others (Linux 6.6). */
export const BPF_F_BEFORE = 1 << 3;
export const BPF_F_AFTER = 1 << 4;

export const XDP_FLAGS_SKB_MODE = 1 << 1;
export const XDP_FLAGS_DRV_MODE = 1 << 2;
export const XDP_FLAGS_HW_MODE = 1 << 3;

/** BPF_PROG_TEST_RUN of XDP that really sends and redirects what the program returns (Linux 5.18). */
export const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;
