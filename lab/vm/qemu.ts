import { join } from 'node:path';
import { librariesOf, qemuFolder } from './tools.js';

/** A network device of a guest, on a PCIe root port of its own, so that it can be unplugged. */
export interface Nic {
  /** QEMU's id, for device_del and set_link. */
  id: string;
  driver: 'virtio-net-pci' | 'e1000e' | 'vmxnet3' | 'igb';
  mac: string;
  /** What stands before `,id=…` of -netdev: a port of a Wire, or `user`, `hubport,hubid=N`. */
  netdev: string;
  /** Further properties: `{ failover: true }`, `{ failover_pair_id: 'net1' }`, `{ mq: true, vectors: 10 }`. */
  properties?: Record<string, string | number | boolean>;
  /** False: its port is made, and it is plugged in later with `guest.plug(id)`. */
  plugged?: boolean;
}

export interface QemuOptions {
  vmlinux: string;
  initrd: string;
  /** The first block device: written to in a copy that ends with QEMU. With it the guest may reboot. */
  disk?: string;
  /** Read-only block devices, the next ones: vda, vdb … */
  images: string[];
  nics: Nic[];
  memoryMb: number;
  cpus: number;
  append: string;
  /** Folder for sockets and console. */
  folder: string;
  /** Waits for a migration instead of booting: `defer`, `file:PATH`, `unix:PATH`. */
  incoming?: string;
}

/**
 * The most that QEMU keeps of translated code, MiB. When it is full QEMU throws all of it away, and everything that runs is translated anew:
 * stalls of dozens of milliseconds in what is measured. The daemon's guests come to 230, those of the matrix to 300.
 */
const TRANSLATED_MB = 512;

/** Arguments of -device for a NIC: an object, as device_add over QMP wants it too. */
export const nicDevice = (n: Nic): Record<string, unknown> => ({
  driver: n.driver,
  id: n.id,
  netdev: `net-${n.id}`,
  mac: n.mac,
  bus: `port-${n.id}`,
  // No option ROM: nothing boots from it, and its absence on the other side fails a migration.
  romfile: '',
  ...n.properties,
});

/** Disk, images and network devices. */
function deviceArgs(o: QemuOptions): string[] {
  const args: string[] = [];
  if (o.disk !== undefined)
    args.push(
      ...['-drive', `file=${o.disk},format=raw,if=none,id=disk,snapshot=on,cache=unsafe`],
      ...['-device', 'virtio-blk-pci,drive=disk'],
    );
  o.images.forEach((file, i) => {
    args.push(
      '-blockdev',
      JSON.stringify({
        driver: 'raw',
        'node-name': `image${i}`,
        'read-only': true,
        file: { driver: 'file', filename: file, locking: 'off' },
      }),
    );
    args.push('-device', `virtio-blk-pci,drive=image${i}`);
  });
  o.nics.forEach((n, i) => {
    args.push('-device', `pcie-root-port,id=port-${n.id},chassis=${i + 1},slot=${i + 1}`);
    args.push('-netdev', `${n.netdev},id=net-${n.id}`);
    if (n.plugged !== false) args.push('-device', JSON.stringify(nicDevice(n)));
  });
  return args;
}

/** The command line: emulation only, a machine without anything that was not asked for. */
export async function qemuCommand(
  o: QemuOptions,
): Promise<{ command: string; args: string[]; env: NodeJS.ProcessEnv }> {
  const folder = await qemuFolder();
  const args = [
    ...[
      '-machine',
      'q35,usb=off,smbus=off,sata=off,vmport=off',
      '-accel',
      `tcg,thread=multi,tb-size=${TRANSLATED_MB}`,
      '-cpu',
      'max',
    ],
    ...[
      '-smp',
      String(o.cpus),
      '-m',
      String(o.memoryMb),
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      ...(o.disk === undefined ? ['-no-reboot'] : []),
    ],
    ...[
      '-L',
      join(folder, 'usr/share/qemu'),
      '-L',
      join(folder, 'usr/share/seabios'),
      '-L',
      join(folder, 'usr/lib/ipxe/qemu'),
    ],
    ...[
      '-kernel',
      o.vmlinux,
      '-initrd',
      o.initrd,
      '-append',
      `console=ttyS0 panic=${o.disk === undefined ? -1 : 0} loglevel=4 random.trust_cpu=on ${o.append}`,
    ],
    ...['-serial', `file:${join(o.folder, 'console.log')}`],
    ...['-qmp', `unix:${join(o.folder, 'qmp')},server=on,wait=off`],
    ...[
      '-device',
      'virtio-serial-pci',
      '-chardev',
      `socket,id=agent,path=${join(o.folder, 'agent')},server=on,wait=off`,
    ],
    ...['-device', 'virtserialport,chardev=agent,name=agent'],
  ];
  args.push(...deviceArgs(o));
  if (o.incoming !== undefined) args.push('-incoming', o.incoming);
  return {
    command: join(folder, 'usr/bin/qemu-system-x86_64'),
    args,
    // The copy of the disk goes to the guest's folder.
    env: { ...process.env, LD_LIBRARY_PATH: librariesOf(folder), TMPDIR: o.folder },
  };
}
