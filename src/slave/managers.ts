import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { netnsInode } from 'bpf-loader-ts/sys';
import type { SlaveContext } from './takeover.js';

/** Processes that configure devices, by the name that the kernel has of them (15 characters). */
const MANAGERS: ReadonlyMap<string, string> = new Map([
  ['NetworkManager', 'NetworkManager'],
  ['systemd-network', 'systemd-networkd'],
  ['dhclient', 'dhclient'],
  ['dhcpcd', 'dhcpcd'],
  ['udhcpc', 'udhcpc'],
  ['connmand', 'connman'],
  ['wickedd', 'wicked'],
  ['wickedd-dhcp4', 'wicked'],
]);
/** These are told on their command line which devices are theirs. */
const BY_ARGUMENT: ReadonlySet<string> = new Set(['dhclient', 'udhcpc']);

/** What a manager keeps in /run about a device, and what it says there of one that it manages. */
const STATE: Readonly<Record<string, { file: (ifindex: number) => string; managed: RegExp }>> = {
  NetworkManager: {
    file: (ifindex) => `/run/NetworkManager/devices/${ifindex}`,
    managed: /^managed=(true|full)$/m,
  },
  'systemd-networkd': {
    file: (ifindex) => `/run/systemd/netif/links/${ifindex}`,
    managed: /^ADMIN_STATE=(?!unmanaged$)/m,
  },
};

/** Who runs in the slave's namespace and says that it manages the slave, or was started for it. Reads /proc: takes milliseconds. */
export function managersOf({ netns, slave }: Pick<SlaveContext, 'netns' | 'slave'>): string[] {
  const found = new Set<string>();
  const namespace = `net:[${netnsInode(netns)}]`;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const manager = MANAGERS.get(read(`/proc/${pid}/comm`).trim());
    if (manager === undefined || found.has(manager) || link(`/proc/${pid}/ns/net`) !== namespace) continue;
    const state = STATE[manager];
    const has =
      state !== undefined
        ? state.managed.test(read(state.file(slave.ifindex)))
        : !BY_ARGUMENT.has(manager) || read(`/proc/${pid}/cmdline`).split('\0').includes(slave.name);
    if (has) found.add(manager);
  }
  return [...found].sort();
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
