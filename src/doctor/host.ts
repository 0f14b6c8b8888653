/** What can be found out without the native addon: read, never changed (but for a folder in bpffs that is made and removed). */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, release } from 'node:os';
import { dirname, join } from 'node:path';
import type { Probe } from 'bpf-loader-ts';
import { VERSION } from '../api/version.js';
import type { Configurator, HostFindings, Manager } from './findings.js';

export const BPFFS = '/sys/fs/bpf';
const BPF_FS_MAGIC = 0xcafe4a11;

/** Managers by the name of their process, which the kernel cuts to 15 bytes. */
const MANAGERS: ReadonlyMap<string, Manager> = new Map([
  ['NetworkManager', 'NetworkManager'],
  ['systemd-network', 'systemd-networkd'],
  ['dhcpcd', 'dhcpcd'],
  ['connmand', 'connman'],
  ['wickedd', 'wicked'],
]);

/** Never throws: what cannot be read is null, empty or inconclusive. */
export function gatherHost(): HostFindings {
  const managers = runningManagers();
  return {
    version: VERSION,
    release: release(),
    arch: arch(),
    node: process.versions.node,
    cpus: availableParallelism(),
    capabilities: parseCapabilities(read('/proc/self/status') ?? ''),
    bpffs: probeBpffs(),
    sysctls: { netdevMaxBacklog: sysctl('netdev_max_backlog'), rmemMax: sysctl('rmem_max') },
    missing: missingFiles(),
    managers,
    configurators: configurators(managers),
    networkConfigured: networkConfigured(),
  };
}

/** CapEff of the text of /proc/PID/status. */
export function parseCapabilities(status: string): bigint | null {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return hex === undefined ? null : BigInt(`0x${hex}`);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function sysctl(name: string): number | null {
  const text = read(`/proc/sys/net/core/${name}`)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}

function probeBpffs(): HostFindings['bpffs'] {
  let mounted = false;
  try {
    mounted = statfsSync(BPFFS).type === BPF_FS_MAGIC;
  } catch {
    // no such folder: the kernel has no bpf(2), or /sys is not mounted
  }
  const writable = (answer: Probe['answer'], detail: string): HostFindings['bpffs'] => ({
    mounted,
    writable: { answer, detail },
  });
  if (!mounted) return writable('inconclusive', 'not mounted');
  try {
    // without a dot, which bpffs refuses in names
    rmdirSync(mkdtempSync(join(BPFFS, 'vfailover-doctor-')));
    return writable('supported', 'writable');
  } catch (error) {
    return writable('unsupported', (error as Error).message);
  }
}

/** The package's folder as paths.ts finds it, which throws where this must report. */
function root(): string | undefined {
  for (
    let dir = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
    dir !== '/';
    dir = dirname(dir)
  ) {
    if (existsSync(join(dir, 'bpf', 'vfailover.h'))) return dir;
  }
  return undefined;
}

function missingFiles(): string[] {
  const top = root();
  if (top === undefined) return ['bpf/vfailover.h'];
  return ['bpf/vfailover.bpf.o', 'dist/workers/decision.js'].filter((file) => !existsSync(join(top, file)));
}

function runningManagers(): Manager[] {
  const found = new Set<Manager>();
  let processes: string[] = [];
  try {
    processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // hidepid or no /proc: nothing to see
  }
  for (const pid of processes) {
    const manager = MANAGERS.get(read(`/proc/${pid}/comm`)?.trim() ?? '');
    if (manager !== undefined) found.add(manager);
  }
  return [...found].sort();
}

/** Where a boot finds the configuration of the network, by folder and name of the file. */
const NETWORK_CONFIGURATIONS: readonly (readonly [folder: string, name: RegExp])[] = [
  ['/etc/netplan', /\.yaml$/],
  ['/etc/systemd/network', /^(?!05-vfailover).*\.network$/],
  ['/etc/NetworkManager/system-connections', /\.nmconnection$/],
  ['/etc/network/interfaces.d', /^[\w-]+$/],
];

const networkConfigured = (): boolean =>
  NETWORK_CONFIGURATIONS.some(([folder, name]) => files(folder).some((file) => name.test(file))) ||
  /^\s*iface\s+(?!lo\b)/m.test(read('/etc/network/interfaces') ?? '');

function files(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** networkd comes with every systemd: it counts where it runs, is enabled, or is what netplan writes for. */
function configurators(running: readonly Manager[]): Configurator[] {
  const netplan = existsSync('/usr/sbin/netplan');
  const networkd =
    running.includes('systemd-networkd') ||
    netplan ||
    existsSync('/etc/systemd/system/multi-user.target.wants/systemd-networkd.service');
  return [
    ...(running.includes('NetworkManager') || existsSync('/usr/sbin/NetworkManager')
      ? (['NetworkManager'] as const)
      : []),
    ...(networkd ? (['systemd-networkd'] as const) : []),
    ...(netplan ? (['netplan'] as const) : []),
    ...(existsSync('/usr/bin/cloud-init') ? (['cloud-init'] as const) : []),
  ];
}

/** Managers among those that run which keep a device's state in /run and say that they manage it. */
export function managersOf(ifindex: number, running: readonly Manager[]): Manager[] {
  const says: Partial<Record<Manager, boolean>> = {
    NetworkManager: /^managed=(true|full)$/m.test(read(`/run/NetworkManager/devices/${ifindex}`) ?? ''),
    'systemd-networkd': /^ADMIN_STATE=(?!unmanaged$)/m.test(
      read(`/run/systemd/netif/links/${ifindex}`) ?? '',
    ),
  };
  return running.filter((manager) => says[manager] === true);
}
