import { dropInsFor } from '../../src/doctor/drop-ins.js';
import type { CandidateDevice, Configurator } from '../../src/doctor/findings.js';
import type { DiskFiles } from './debian.js';
import { GUEST_MAC } from './wire.js';

/** The programs that configure a Debian machine's network, each with the configuration that a user would begin with. */
export type ManagerName = 'networkd' | 'NetworkManager' | 'ifupdown' | 'cloud-init';

interface ManagerSetup {
  /** Its configuration, and the links that enable it. */
  files: DiskFiles;
  /** What doctor writes files for. */
  configurators: readonly Configurator[];
  /** For the kernel's command line. */
  append?: string;
  /** What an administrator does to it while it runs. Afterwards the master has its address, or gets it again. */
  operations: Readonly<Record<string, string>>;
}

/** Names that udev gives: the virtio device is at the first port, the VF at the second. */
export const MASTER = 'enp1s0';
export const VF = 'enp2s0';

const enabled = (...units: readonly [unit: string, target?: string][]): DiskFiles =>
  Object.fromEntries(
    units.map(([unit, target = 'multi-user.target']) => [
      `/etc/systemd/system/${target}.wants/${unit}`,
      { link: `/usr/lib/systemd/system/${unit}` },
    ]),
  );

const NETWORKD = enabled(
  ['systemd-networkd.service'],
  ['systemd-networkd-wait-online.service', 'network-online.target'],
);

export const MANAGERS: Readonly<Record<ManagerName, ManagerSetup>> = {
  networkd: {
    configurators: ['systemd-networkd'],
    files: {
      ...NETWORKD,
      // As installers write it: every Ethernet device.
      '/etc/systemd/network/20-wired.network': '[Match]\nName=en*\n\n[Network]\nDHCP=yes\n',
    },
    operations: {
      reload: 'networkctl reload',
      reconfigure: `networkctl reconfigure ${MASTER}`,
      renew: `networkctl renew ${MASTER}`,
      restart: 'systemctl restart systemd-networkd',
    },
  },
  NetworkManager: {
    configurators: ['NetworkManager'],
    files: enabled(
      ['NetworkManager.service'],
      ['NetworkManager-wait-online.service', 'network-online.target'],
    ),
    operations: {
      reload: 'nmcli general reload',
      reapply: `nmcli device reapply ${MASTER}`,
      restart: 'systemctl restart NetworkManager',
    },
  },
  ifupdown: {
    configurators: [],
    files: {
      ...enabled(['networking.service']),
      '/etc/network/interfaces': `auto lo\niface lo inet loopback\n\nallow-hotplug ${MASTER}\niface ${MASTER} inet dhcp\niface ${MASTER} inet6 auto\n`,
    },
    operations: {
      restart: 'systemctl restart networking',
      'down and up': `ifdown ${MASTER}; ifup ${MASTER}`,
    },
  },
  'cloud-init': {
    configurators: ['systemd-networkd', 'netplan', 'cloud-init'],
    files: {
      ...NETWORKD,
      ...enabled(
        ['cloud-init-main.service', 'cloud-init.target'],
        ['cloud-init-local.service', 'cloud-init.target'],
        ['cloud-init-network.service', 'cloud-init.target'],
        ['cloud-config.service', 'cloud-init.target'],
        ['cloud-final.service', 'cloud-init.target'],
      ),
      // As the first boot left it, before there was a VF.
      '/etc/netplan/50-cloud-init.yaml': `network:
  version: 2
  ethernets:
    ${MASTER}:
      match: {macaddress: "${GUEST_MAC}"}
      set-name: ${MASTER}
      dhcp4: true
      dhcp6: true
`,
      '/etc/cloud/cloud.cfg.d/10-datasource.cfg': 'datasource_list: [NoCloud, None]\n',
      '/var/lib/cloud/seed/nocloud/meta-data': 'instance-id: lab-1\nlocal-hostname: guest\n',
      // Tools that this small system does not have.
      '/var/lib/cloud/seed/nocloud/user-data':
        '#cloud-config\nresize_rootfs: false\nssh_genkeytypes: []\nssh_deletekeys: false\n',
    },
    operations: {
      'netplan apply': 'netplan apply',
      restart: 'systemctl restart systemd-networkd',
    },
  },
};

const device = (name: string, driver: string): CandidateDevice => ({
  name,
  ifindex: 0,
  driver,
  managedBy: [],
  foreign: [],
  xdp: [],
  qdisc: null,
  permanentMac: true,
  addresses: [],
  routes: [],
  promiscuous: false,
  letsIn: { macs: [], vlans: [] },
});

/** The files that `doctor --fix` writes in a guest with this manager, for a VF of this driver. */
export function hidingFiles(manager: ManagerName, driver = 'vmxnet3'): DiskFiles {
  const { configurators } = MANAGERS[manager];
  const visible = device(MASTER, 'virtio_net');
  const hidden = [device(VF, driver)];
  const pair = { mac: GUEST_MAC, master: visible, others: hidden, owner: null, visible, hidden, stacked: [] };
  const wanted = dropInsFor({ configurators, networkConfigured: true }, [pair]);
  return Object.fromEntries(wanted.map(({ path, content }) => [path, content]));
}
