/**
 * Numbers of include/uapi/linux/bpf.h by the names that bpftool and libbpf print: the enumeration's own in small letters, without its
 * prefix. As of Linux 6.18; test/constants.test.ts compares them with the running kernel's BTF. A later kernel's are given by number.
 */
const MAP_TYPES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
] as const;
const PROG_TYPES = [
  'unspec',
  'socket_filter',
  'kprobe',
  'sched_cls',
  'sched_act',
  'tracepoint',
  'xdp',
  'perf_event',
  'cgroup_skb',
  'cgroup_sock',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'sock_ops',
  'sk_skb',
  'cgroup_device',
  'sk_msg',
  'raw_tracepoint',
  'cgroup_sock_addr',
  'lwt_seg6local',
  'lirc_mode2',
  'sk_reuseport',
  'flow_dissector',
  'cgroup_sysctl',
  'raw_tracepoint_writable',
  'cgroup_sockopt',
  'tracing',
  'struct_ops',
  'ext',
  'lsm',
  'sk_lookup',
  'syscall',
  'netfilter',
] as const;
const ATTACH_TYPES = [
  'cgroup_inet_ingress',
  'cgroup_inet_egress',
  'cgroup_inet_sock_create',
  'cgroup_sock_ops',
  'sk_skb_stream_parser',
  'sk_skb_stream_verdict',
  'cgroup_device',
  'sk_msg_verdict',
  'cgroup_inet4_bind',
  'cgroup_inet6_bind',
  'cgroup_inet4_connect',
  'cgroup_inet6_connect',
  'cgroup_inet4_post_bind',
  'cgroup_inet6_post_bind',
  'cgroup_udp4_sendmsg',
  'cgroup_udp6_sendmsg',
  'lirc_mode2',
  'flow_dissector',
  'cgroup_sysctl',
  'cgroup_udp4_recvmsg',
  'cgroup_udp6_recvmsg',
  'cgroup_getsockopt',
  'cgroup_setsockopt',
  'trace_raw_tp',
  'trace_fentry',
  'trace_fexit',
  'modify_return',
  'lsm_mac',
  'trace_iter',
  'cgroup_inet4_getpeername',
  'cgroup_inet6_getpeername',
  'cgroup_inet4_getsockname',
  'cgroup_inet6_getsockname',
  'xdp_devmap',
  'cgroup_inet_sock_release',
  'xdp_cpumap',
  'sk_lookup',
  'xdp',
  'sk_skb_verdict',
  'sk_reuseport_select',
  'sk_reuseport_select_or_migrate',
  'perf_event',
  'trace_kprobe_multi',
  'lsm_cgroup',
  'struct_ops',
  'netfilter',
  'tcx_ingress',
  'tcx_egress',
  'trace_uprobe_multi',
  'cgroup_unix_connect',
  'cgroup_unix_sendmsg',
  'cgroup_unix_recvmsg',
  'cgroup_unix_getpeername',
  'cgroup_unix_getsockname',
  'netkit_primary',
  'netkit_peer',
  'trace_kprobe_session',
  'trace_uprobe_session',
] as const;
const LINK_TYPES = [
  'unspec',
  'raw_tracepoint',
  'tracing',
  'cgroup',
  'iter',
  'netns',
  'xdp',
  'perf_event',
  'kprobe_multi',
  'struct_ops',
  'netfilter',
  'tcx',
  'uprobe_multi',
  'netkit',
  'sockmap',
] as const;

type Numbers<T extends readonly string[]> = { readonly [K in T[number]]: number };
const numbers = <T extends readonly string[]>(names: T): Numbers<T> =>
  Object.freeze(Object.fromEntries(names.map((name, i) => [name, i]))) as Numbers<T>;
const named =
  (names: readonly string[]) =>
  (n: number): string =>
    names[n] ?? `type ${n}`;

/** A map type's name, as bpftool prints it. */
export type MapTypeName = (typeof MAP_TYPES)[number];

/** enum bpf_map_type: `MapType.percpu_hash` is 5. */
export const MapType = numbers(MAP_TYPES);
/** enum bpf_prog_type. */
export const ProgType = numbers(PROG_TYPES);
/** enum bpf_attach_type. */
export const AttachType = numbers(ATTACH_TYPES);
/** enum bpf_link_type: what `LinkInfo.type` is. */
export const LinkType = numbers(LINK_TYPES);

/** The name of a MapType; `type 99` for one that this version does not know. */
export const mapTypeName = named(MAP_TYPES);
/** The name of a ProgType; `type 99` for one that this version does not know. */
export const progTypeName = named(PROG_TYPES);
/** The name of an AttachType; `type 99` for one that this version does not know. */
export const attachTypeName = named(ATTACH_TYPES);
/** The name of a LinkType; `type 99` for one that this version does not know. */
export const linkTypeName = named(LINK_TYPES);

/** Flag of an update: whether the key is there or not. */
export const BPF_ANY = 0;
/** Flag of an update: the key must be new, else EEXIST. */
export const BPF_NOEXIST = 1;
/** Flag of an update: the key must be there, else ENOENT. */
export const BPF_EXIST = 2;
/** Flag of a lookup or an update: under the value's bpf_spin_lock (Linux 5.1). */
export const BPF_F_LOCK = 4;

/** Flag of a new map: elements are allocated when they are stored (Linux 4.6). */
export const BPF_F_NO_PREALLOC = 1 << 0;
/** Flag of a new LRU map: a list for every CPU, not one for all (Linux 4.10). */
export const BPF_F_NO_COMMON_LRU = 1 << 1;
/** Flag of a new map: on a memory node; set by `numaNode` (Linux 4.14). */
export const BPF_F_NUMA_NODE = 1 << 2;
/** Flag of a new map: user space only reads it through this descriptor (Linux 4.15). */
export const BPF_F_RDONLY = 1 << 3;
/** Flag of a new map: user space only writes it through this descriptor (Linux 4.15). */
export const BPF_F_WRONLY = 1 << 4;
/** Flag of a new map: programs only read it (Linux 5.2). */
export const BPF_F_RDONLY_PROG = 1 << 7;
/** Flag of a new map: programs only write it (Linux 5.2). */
export const BPF_F_WRONLY_PROG = 1 << 8;
/** Flag of a new array: user space can map it (Linux 5.5). */
export const BPF_F_MMAPABLE = 1 << 10;
/** Flag of a new array that goes into a map of maps: maxEntries may differ from the other inner maps' (Linux 5.10). */
export const BPF_F_INNER_MAP = 1 << 12;
/** Flag of an attachment among others: before the anchor, or first (Linux 6.6). */
export const BPF_F_BEFORE = 1 << 3;
/** Flag of an attachment among others: after the anchor, or last (Linux 6.6). */
export const BPF_F_AFTER = 1 << 4;
/** Flag of an attachment among others: the anchor is given by id, not by descriptor (Linux 6.6). */
export const BPF_F_ID = 1 << 5;
/** Flag of an attachment among others: the anchor is a link, not a program (Linux 6.6). */
export const BPF_F_LINK = 1 << 13;

/** XDP after the driver: `generic` (Linux 4.12). */
export const XDP_FLAGS_SKB_MODE = 1 << 1;
/** XDP in the driver: `native` (Linux 4.12). */
export const XDP_FLAGS_DRV_MODE = 1 << 2;
/** XDP on the network card: `offload` (Linux 4.13). */
export const XDP_FLAGS_HW_MODE = 1 << 3;

/** BPF_PROG_TEST_RUN of XDP that really sends and redirects what the program returns (Linux 5.18). */
export const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;
