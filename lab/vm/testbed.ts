import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ASKER_PORT } from './asker.js';
import { Guest } from './guest.js';
import type { KernelName } from './kernel.js';
import type { Nic } from './qemu.js';
import { Timeline } from './timeline.js';
import { GUEST_MAC, GUEST_PREFIX, STATION_ADDRESS, STATION_MAC, type Wire } from './wire.js';
import { SocketWire } from './wire-sockets.js';
import { TapWire } from './wire-taps.js';

/** Emulated cards that play the VF: vmxnet3 has link at once, e1000e takes two to three seconds. */
export const PRIMARIES = ['vmxnet3', 'e1000e', 'igbvf'] as const;
export type PrimaryKind = (typeof PRIMARIES)[number];

export interface TestbedOptions {
  kernel?: KernelName;
  primary?: PrimaryKind;
  /** The virtio device offers STANDBY: the guest's kernel makes a net_failover master of the two. */
  standbyFeature?: boolean;
  memoryMb?: number;
  /** `taps`: the kernel's own switch, which needs root. Default `sockets`. */
  wire?: 'sockets' | 'taps';
  /** The wire has ports for a second QEMU, to which `migrate` moves the guest: `standby-2` and `primary-2`. */
  migratable?: boolean;
  /** The wire has a port for an Asker. */
  asker?: boolean;
}

/** Names of the guest's devices at the moment. */
export interface Devices {
  /** Where the address is: the virtio device, or the kernel's failover master. */
  master: string;
  standby: string;
  /** Undefined while it is unplugged. */
  primary: string | undefined;
}

/** Modules are loaded with these: e1000e tells nothing of a lost link for a second with its default. */
const PARAMETERS: Record<PrimaryKind, string> = { vmxnet3: '', e1000e: 'IntMode=1', igbvf: '' };
const SETTLE_MS = 20_000;

/** Ports of the wire; those of a second QEMU are there in a testbed that is migratable. */
const PORTS: readonly [standby: string, primary: string][] = [
  ['standby', 'primary'],
  ['standby-2', 'primary-2'],
];

export interface Migration {
  /** How long the machine itself stood still, ms: from the stop of one QEMU to the other's resuming. */
  pauseMs: number;
  timeline: Timeline;
}

/**
 * QEMU announces (RARP) every card that it emulates when a migrated guest resumes, and four times more; of a real VF it knows nothing.
 * A card that plays a VF must not be announced while the guest does not use it yet. So what it sends is swallowed at the first round, and
 * the others are ordered for the standby alone.
 */
const ANNOUNCE_MORE = { initial: 50, max: 550, rounds: 4, step: 100, interfaces: ['standby'] };

/** NICs of a guest with a standby at one port of the wire and a primary at another. The card of an igbvf is an igb, its PF. */
export function nicsOf(wire: Wire, o: TestbedOptions, ports: [standby: string, primary: string]): Nic[] {
  const kind = o.primary ?? 'vmxnet3';
  const pair = o.standbyFeature && kind !== 'igbvf';
  return [
    {
      id: 'standby',
      driver: 'virtio-net-pci',
      mac: GUEST_MAC,
      netdev: wire.port(ports[0]).netdev,
      ...(o.standbyFeature && { properties: { failover: true } }),
    },
    {
      id: 'primary',
      driver: kind === 'igbvf' ? 'igb' : kind,
      mac: kind === 'igbvf' ? '52:54:00:76:66:0f' : GUEST_MAC,
      netdev: wire.port(ports[1]).netdev,
      ...(pair && { properties: { failover_pair_id: 'standby' } }),
    },
  ];
}

/** A guest with a virtio standby and a primary of the same MAC, each at a port of a wire: `standby` and `primary`. */
export class Testbed {
  /** Where it runs now: another after a migration. */
  guest: Guest;
  readonly wire: Wire;
  readonly options: TestbedOptions;
  /** Which of PORTS the guest is at: each migration moves it to the other ones. */
  #side = 0;

  private constructor(guest: Guest, wire: Wire, options: TestbedOptions) {
    this.guest = guest;
    this.wire = wire;
    this.options = options;
  }

  static async boot(options: TestbedOptions = {}): Promise<Testbed> {
    const names: string[] = PORTS.slice(0, options.migratable ? 2 : 1).flat();
    if (options.asker) names.push(ASKER_PORT);
    const wire = options.wire === 'taps' ? new TapWire(...names) : new SocketWire(...names);
    try {
      const guest = await Guest.boot({
        kernel: options.kernel ?? '6.12',
        memoryMb: options.memoryMb ?? 256,
        nics: nicsOf(wire, options, PORTS[0]!),
        spawnPrefix: wire.spawnPrefix,
      });
      const bed = new Testbed(guest, wire, options);
      try {
        await bed.#drivers();
      } catch (e) {
        await guest.stop();
        throw e;
      }
      return bed;
    } catch (e) {
      await wire.close();
      throw e;
    }
  }

  get kind(): PrimaryKind {
    return this.options.primary ?? 'vmxnet3';
  }

  async #drivers(): Promise<void> {
    const { guest, kind } = this;
    await guest.run('modprobe -a virtio_net sch_ingress cls_bpf act_bpf');
    if (kind === 'igbvf') {
      await this.#pf();
      await this.makeVf();
    } else {
      await guest.run(`modprobe ${kind} ${PARAMETERS[kind]}`);
    }
    await this.until('both devices', async () => {
      const d = await this.devices().catch(() => undefined);
      return d?.primary !== undefined && (!this.options.standbyFeature || d.master !== d.standby);
    });
    const { master } = await this.devices();
    await guest.run(
      `ip addr add ${GUEST_PREFIX} dev ${master}; ip link set ${master} up; ip neigh replace ${STATION_ADDRESS} lladdr ${STATION_MAC} dev ${master}`,
    );
  }

  /** The PF goes into a namespace of its own: here it would answer for the VF. */
  async #pf(): Promise<void> {
    await this.guest.run(`modprobe igb
      pf=$(basename $(ls -d /sys/bus/pci/drivers/igb/0*/net/*))
      unshare -n sleep 1000000 </dev/null >/dev/null 2>&1 &
      echo $! >/run/pf; echo $pf >/run/pf.name; sleep 0.3
      ip link set $pf netns $(cat /run/pf)`);
    await this.pf('up');
  }

  /** `ip link set` for the PF of an igbvf. */
  async pf(change: string): Promise<void> {
    await this.guest.run(`nsenter -t $(cat /run/pf) -n ip link set $(cat /run/pf.name) ${change}`);
  }

  /** Gives the igb a VF with the standby's MAC, which it has to have before its driver comes. */
  async makeVf(): Promise<void> {
    await this.guest.run(
      `cd /sys/bus/pci/drivers/igb/0*; echo 0 >sriov_drivers_autoprobe; echo 1 >sriov_numvfs`,
    );
    await this.pf(`vf 0 mac ${GUEST_MAC} trust on`);
    // Named outright: a VF that is not to be probed by itself may be refused to whom asks for it, too.
    await this.guest.run(`modprobe igbvf; cd /sys/bus/pci/drivers/igb/0*; echo igbvf >virtfn0/driver_override
      basename $(readlink -f virtfn0) >/sys/bus/pci/drivers/igbvf/bind`);
  }

  async removeVf(): Promise<void> {
    await this.guest.run('cd /sys/bus/pci/drivers/igb/0*; echo 0 >sriov_numvfs');
  }

  /** The guest's devices by driver and MAC. */
  async devices(): Promise<Devices> {
    const text = await this.guest.run(`
      for d in /sys/class/net/*; do
        n=\${d##*/}; [ "$(cat $d/address)" = ${GUEST_MAC} ] || continue
        drv=$(readlink $d/device/driver); up=$(readlink $d/master)
        echo "$n \${drv##*/}- \${up##*/}-"
      done`);
    const rows = text
      .trim()
      .split('\n')
      .map((line) => line.split(/-? |-$/) as [string, string, string]);
    // The kernel's failover master has the virtio device's driver behind it too; its slaves name it.
    const masters = new Set(rows.map(([, , upper]) => upper));
    const standby = rows.find(([name, driver]) => driver === 'virtio_net' && !masters.has(name));
    if (!standby) throw this.guest.failure(`the guest has no virtio device with ${GUEST_MAC}: ${text}`);
    const primary = rows.find(([, driver]) => driver === this.kind);
    return { master: standby[2] || standby[0], standby: standby[0], primary: primary?.[0] };
  }

  /** Waits for something of the guest. */
  async until(what: string, holds: () => Promise<boolean>, ms = SETTLE_MS): Promise<void> {
    const end = performance.now() + ms;
    while (!(await holds())) {
      if (performance.now() > end) throw this.guest.failure(`${what}: not within ${ms} ms`);
      await sleep(50);
    }
  }

  /** The wire's ports of the QEMU that the guest is in. */
  get ports(): [standby: string, primary: string] {
    return PORTS[this.#side]!;
  }

  /** Those of the QEMU that the next migration goes to. */
  get otherPorts(): [standby: string, primary: string] {
    return PORTS[1 - this.#side]!;
  }

  /**
   * Moves the guest to another QEMU, without its primary, which is another one there; may be done again, back. Where the guest has the
   * kernel's failover, QEMU unplugs and plugs by itself; else we do, as libvirt does.
   */
  async migrate(timeoutMs = 60_000): Promise<Migration> {
    const source = this.guest;
    const [, primary] = this.otherPorts;
    const byQemu = this.options.standbyFeature === true;
    const nics = nicsOf(this.wire, this.options, this.otherPorts);
    if (!byQemu) nics[1]!.plugged = false;
    const timeline = new Timeline();
    timeline.note('a second QEMU');
    const target = await Guest.incoming(source, nics);
    try {
      for (const [who, { qmp }] of [
        ['source', source],
        ['target', target],
      ] as const) {
        timeline.watch(who, qmp);
        const capabilities = [{ capability: 'events', state: true }];
        await qmp.command('migrate-set-capabilities', { capabilities });
      }
      await target.qmp.command('migrate-set-parameters', { 'announce-rounds': 1 });
      this.wire.port(primary).blackHole('from-guest');
      const uri = `unix:${join(target.folder, 'migration')}`;
      await target.qmp.command('migrate-incoming', { uri });
      if (!byQemu) {
        timeline.note('unplug');
        await source.unplug('primary');
      }
      timeline.note('migrate');
      await source.qmp.command('migrate', { uri });
      await source.untilMigrated(timeoutMs);
      await target.untilRunning();
      await target.qmp.command('announce-self', ANNOUNCE_MORE);
      this.wire.port(primary).blackHole('none');
      this.guest = target;
      this.#side = 1 - this.#side;
      await source.stop();
      if (!byQemu) {
        timeline.note('plug');
        await target.plug('primary');
      }
      await target.untilAnswers();
      return { timeline, pauseMs: (timeline.at('target: RESUME')! - timeline.at('source: STOP')!) / 1e6 };
    } catch (e) {
      await target.stop();
      throw e;
    }
  }

  async close(): Promise<void> {
    await this.guest.stop();
    await this.wire.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
