import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ROOT } from '../../src/paths.js';
import { GuestDaemon } from './daemon.js';
import type { DiskFiles } from './debian.js';
import { Router } from './dhcp.js';
import { Guest } from './guest.js';
import type { KernelName } from './kernel.js';
import { MANAGERS, MASTER, type ManagerName } from './managers.js';
import { nicsOf, type PrimaryKind } from './testbed.js';
import { TapWire } from './wire-taps.js';

export { MASTER, VF } from './managers.js';

/** An emulated guest on a machine that is busy with others takes minutes for what takes seconds elsewhere. */
const SETTLE_MS = 180_000;
const START_MS = 600_000;
const CLI = '/usr/bin/vfailover';

export interface DebianOptions {
  manager: ManagerName;
  kernel?: KernelName;
  /** An emulated card with its own MAC filter. An igbvf needs a PF in the guest, which no guest has. */
  primary?: Exclude<PrimaryKind, 'igbvf'>;
  /** Enabled from the first boot on; else as installed. */
  service?: boolean;
  /** More files for its disk. */
  files?: DiskFiles;
  /** More of the instance. */
  instance?: object;
}

/** An address of a device, as `ip -j addr` tells it. */
export interface GuestAddress {
  address: string;
  scope: string;
  dadfailed: boolean;
  tentative: boolean;
}

/**
 * A Debian guest with a manager, a virtio device and a card that filters, both with one MAC, on a wire with a router. The daemon is a unit
 * of its systemd.
 */
export class DebianBed {
  readonly guest: Guest;
  readonly wire: TapWire;
  readonly router: Router;
  readonly manager: ManagerName;
  readonly daemon: GuestDaemon;

  private constructor(guest: Guest, wire: TapWire, router: Router, manager: ManagerName) {
    this.guest = guest;
    this.wire = wire;
    this.router = router;
    this.manager = manager;
    this.daemon = new GuestDaemon(this);
  }

  static async boot(o: DebianOptions): Promise<DebianBed> {
    const wire = new TapWire('standby', 'primary');
    let router: Router | undefined;
    try {
      router = await Router.start(wire);
      const guest = await Guest.boot({
        kernel: o.kernel ?? '6.12',
        nics: nicsOf(wire, { primary: o.primary ?? 'vmxnet3' }, ['standby', 'primary']),
        spawnPrefix: wire.spawnPrefix,
        debian: filesOf(o),
        append: MANAGERS[o.manager].append ?? '',
      });
      return new DebianBed(guest, wire, router, o.manager);
    } catch (e) {
      await router?.close();
      await wire.close();
      throw e;
    }
  }

  /** Waits for something of the guest. */
  async until(what: string, holds: () => Promise<boolean>, ms = SETTLE_MS): Promise<void> {
    const end = performance.now() + ms;
    while (!(await holds())) {
      if (performance.now() > end)
        throw this.guest.failure(`${what}: not within ${ms} ms\n${await this.journal()}`);
      await sleep(200);
    }
  }

  /** The end of the journal, and what the devices have. */
  async journal(): Promise<string> {
    const { stdout } = await this.guest.exec(
      'journalctl -b --no-pager -n 60 -o short-monotonic; ip addr; ip route; cat /run/lab/addresses',
    );
    return stdout;
  }

  /** Until systemd has started all that it is to start, and the daemon answers. */
  async untilUp(): Promise<void> {
    await this.until(
      'the guest is up',
      async () => /running|degraded/.test((await this.guest.exec('systemctl is-system-running')).stdout),
      START_MS,
    );
  }

  /** Waits until the daemon's instance uses its primary. */
  async untilJoined(): Promise<void> {
    await this.until(
      'the daemon answers',
      async () => (await this.daemon.status().catch(() => undefined)) !== undefined,
      START_MS,
    );
    await this.daemon.untilActive('primary', SETTLE_MS);
  }

  async addresses(device: string): Promise<GuestAddress[]> {
    type Row = {
      addr_info: {
        local: string;
        prefixlen: number;
        scope: string;
        dadfailed?: boolean;
        tentative?: boolean;
      }[];
    };
    const text = await this.guest.run(`ip -j addr show dev ${device}`);
    return (JSON.parse(text) as Row[])
      .flatMap((row) => row.addr_info ?? [])
      .map(({ local, scope, dadfailed = false, tentative = false }) => ({
        address: local,
        scope,
        dadfailed,
        tentative,
      }));
  }

  /** Addresses that were taken from a device since the guest booted, as `ip monitor` tells it. */
  async lostAddresses(device: string): Promise<string[]> {
    const log = await this.guest.run('cat /run/lab/addresses');
    return log.split('\n').filter((line) => line.includes('Deleted') && line.includes(` ${device} `));
  }

  /** Runs the command line of the guest's vfailover. */
  cli(args: string): Promise<string> {
    return this.guest.run(`${CLI} ${args}`, 120_000);
  }

  async close(): Promise<void> {
    await this.guest.stop();
    await this.router.close();
    await this.wire.close();
  }
}

/** What an administrator puts on the disk: the manager's configuration, our unit, our configuration. */
function filesOf(o: DebianOptions): DiskFiles {
  const config = {
    instances: [{ name: 'net0', master: MASTER, policy: { hold_down_ms: 500 }, ...o.instance }],
  };
  return {
    '/etc/hostname': 'guest\n',
    [CLI]: { link: '/project/dist/src/cli/main.js' },
    '/etc/vfailover/config.yaml': stringify(config),
    '/usr/lib/systemd/system/vfailover.service': readFileSync(
      join(ROOT, 'packaging/systemd/vfailover.service'),
      'utf8',
    ),
    ...(o.service && enabled('vfailover.service')),
    ...MANAGERS[o.manager].files,
    ...o.files,
  };
}

/** The link that `systemctl enable` makes. */
export const enabled = (unit: string, target = 'multi-user.target'): DiskFiles => ({
  [`/etc/systemd/system/${target}.wants/${unit}`]: { link: `/usr/lib/systemd/system/${unit}` },
});
