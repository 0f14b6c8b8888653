import type { Probe } from 'bpf-loader-ts';

/** Features of the kernel, each probed by trying it. */
export const FEATURES = [
  'atomics',
  'btf',
  'mmapableArray',
  'ringBuffer',
  'tcx',
  'clsact',
  'kernCtx',
  'nativeXdp',
  'netkit',
  'vlan',
  'dummy',
  'fentry',
  'kprobe',
] as const;
export type Feature = (typeof FEATURES)[number];

/** What needs our native addon to find out. */
export interface ProbeFindings {
  /** Version of the libbpf inside the addon. */
  libbpf: string;
  features: Record<Feature, Probe>;
  /** Whether this kernel loads our programs, with the privileges of this process. */
  programs: Probe;
  /** Whether this process may enter a network namespace by its descriptor, be it its own. */
  setns: Probe;
  /** RLIMIT_MEMLOCK in bytes, Infinity for unlimited. */
  memlock: { soft: number; hard: number };
  /** Devices of virtio_net in this process's own namespace. A string: why they could not be listed. */
  virtio: readonly VirtioDevice[] | string;
  /** Pairs in this process's own namespace. A string: why they could not be listed. */
  candidates: readonly Candidate[] | string;
}

/** What /proc, /sys and the file system tell. */
export interface HostFindings {
  /** vfailover's. */
  version: string;
  /** `6.1.0-28-amd64`. */
  release: string;
  arch: string;
  /** Without the leading v. */
  node: string;
  /** CPUs that this process may use. */
  cpus: number;
  /** CapEff of /proc/self/status; null where that cannot be read. */
  capabilities: bigint | null;
  /** Whether /sys/fs/bpf is a BPF file system, and whether a folder can be made in it. */
  bpffs: { mounted: boolean; writable: Probe };
  /** null: not readable here, as in a namespace that does not have the setting. */
  sysctls: { netdevMaxBacklog: number | null; rmemMax: number | null };
  /** Files of the build that are not there. */
  missing: readonly string[];
  /** Programs that run and configure devices on their own. */
  managers: readonly Manager[];
  /** Those that are installed, whether they run or not. */
  configurators: readonly Configurator[];
  /** Something other than cloud-init's next run configures the network at a boot. */
  networkConfigured: boolean;
}

/** Everything that the report is made of. Facts only. */
export interface Findings {
  host: HostFindings;
  /** A string: why the native addon cannot be loaded. */
  probes: ProbeFindings | string;
  /** Files for managers as they are, or as `--fix` left them. */
  dropIns: readonly DropInState[];
}

export type Manager = 'NetworkManager' | 'systemd-networkd' | 'dhcpcd' | 'connman' | 'wicked';

/** Programs that take drop-ins of ours. */
export type Configurator = 'NetworkManager' | 'systemd-networkd' | 'netplan' | 'cloud-init';

export interface VirtioDevice {
  name: string;
  /** Transmit queues that the host gives it; one of each pair. */
  queues: number;
}

/** A device of a pair, as far as the report needs it. */
export interface CandidateDevice {
  name: string;
  ifindex: number;
  /** `virtio_net`, `iavf` …; null where the driver does not tell. */
  driver: string | null;
  /** Managers that say they manage it. */
  managedBy: readonly Manager[];
  /** Programs of others on its tc hooks, in words. */
  foreign: readonly string[];
  /** XDP programs on it, in words. */
  xdp: readonly string[];
  /** Its root qdisc: `fq_codel`, `tbf` …; null: it has none, or it is not known. */
  qdisc: string | null;
  /** The MAC that it is known by is its permanent one. */
  permanentMac: boolean;
  /** IPv4 and IPv6, with prefix length. `duplicate`: the kernel found another owner (`dadfailed`) and does not use it. */
  addresses: readonly { address: string; duplicate: boolean }[];
  /** Destinations of routes that leave by it, without those that come with every IPv6 link. */
  routes: readonly string[];
  /** IFF_PROMISC: it lets everything in. */
  promiscuous: boolean;
  /** MACs and VLAN ids that it was asked to let in besides its own. */
  letsIn: { macs: readonly string[]; vlans: readonly number[] };
}

/** A device on top of a master, which receives what is not for the master itself. */
export interface StackedDevice {
  name: string;
  /** `vlan`, `macvlan`, `bridge` … */
  kind: string;
  mac: string;
  /** VLAN id; null: it is no VLAN device, or it does not tell. */
  vlan: number | null;
}

/** Devices that share a MAC: what a failover instance can be made of. */
export interface Candidate {
  mac: string;
  /** The virtio device; null when none, or more than one, looks like it. */
  master: CandidateDevice | null;
  /** The others. More than one is ambiguous. */
  others: readonly CandidateDevice[];
  /** Who pairs or owns some of them already: `net_failover eth0`, `bond bond0`. */
  owner: string | null;
  /** The device that managers configure: the kernel's failover master where there is one, else the master. null: not plain. */
  visible: CandidateDevice | null;
  /** The slaves behind it, which managers have to leave alone. */
  hidden: readonly CandidateDevice[];
  /** On top of the visible one. */
  stacked: readonly StackedDevice[];
}

/** `fail`: vfailover cannot run. `warn`: it runs, and this is what it costs. `unknown`: the probe could not tell. */
export type Status = 'ok' | 'warn' | 'fail' | 'unknown';

export interface Check {
  /** Stable, for scripts. */
  name: string;
  status: Status;
  found: string;
  needed: string;
  /** What it costs as it is; null: nothing. */
  cost: string | null;
  /** What to do about it, or a hint; null: nothing. */
  fix: string | null;
}

/** What `vfailover doctor --json` prints. */
export interface DoctorReport {
  /** No check failed. */
  can_run: boolean;
  version: string;
  kernel: string;
  arch: string;
  node: string;
  libbpf: string | null;
  cpus: number;
  checks: Check[];
  candidates: readonly Candidate[];
  /** Files that tell managers to leave the slaves alone, and what became of each. Empty where none is needed. */
  drop_ins: readonly DropInState[];
}

/** A file that tells a program to leave the slaves alone. */
export interface DropIn {
  for: Configurator;
  path: string;
  content: string;
  /** What makes the program read it, in words. */
  effect: string;
}

/**
 * `absent`, `outdated` (ours, and what it says has changed) and `current`: what was found. `written`, `updated`, `failed`: what `--fix` did.
 * `kept`: the file is not ours, or was edited, so it was let alone.
 */
export interface DropInState extends DropIn {
  state: 'absent' | 'outdated' | 'current' | 'kept' | 'written' | 'updated' | 'failed';
  /** Why it failed; null otherwise. */
  reason: string | null;
}
