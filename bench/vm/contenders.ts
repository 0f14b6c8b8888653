import { GuestDaemon } from '../../lab/vm/daemon.js';
import type { Running } from '../../lab/vm/shell.js';
import type { Testbed } from '../../lab/vm/testbed.js';
import { GUEST_MAC, GUEST_PREFIX, STATION_ADDRESS, STATION_MAC } from '../../lab/vm/wire.js';
import type { Decision } from '../../src/api/index.js';

/** One way to make a failover of the guest's two devices. */
export interface Contender {
  readonly name: string;
  /** It needs the kernel's failover master, and so a virtio device that offers STANDBY. */
  readonly standbyFeature: boolean;
  /** Builds it; the address is on its master afterwards. */
  start(bed: Testbed): Promise<void>;
  /** Takes it down; the address is where the testbed had put it. */
  stop(bed: Testbed): Promise<void>;
  /** Moves the traffic to a slave by order; undefined: it cannot. */
  planned?(bed: Testbed, to: 'primary' | 'standby'): Promise<void>;
  /** What it decided, where it keeps a record. */
  decisions?(): Promise<Decision[]>;
}

const ADDRESS = (master: string): string =>
  `ip addr add ${GUEST_PREFIX} dev ${master}; ip link set ${master} up; ip neigh replace ${STATION_ADDRESS} lladdr ${STATION_MAC} dev ${master}`;

/** A bond or team: a device of its own above both. */
abstract class Aggregate implements Contender {
  abstract readonly name: string;
  readonly standbyFeature = false;
  #hotplug: Running | undefined;

  protected abstract make(standby: string, primary: string): string;
  /** Takes a device in that was plugged in, as udev and a network manager would. */
  protected abstract enslave: string;
  protected abstract unmake: string;
  protected abstract readonly master: string;

  async start(bed: Testbed): Promise<void> {
    const { standby, primary } = await bed.devices();
    await bed.guest.run(`
      ip addr flush dev ${standby}; ip link set ${standby} down; ip link set ${primary} down
      ${this.make(standby, primary!)}
      ${ADDRESS(this.master)}`);
    this.#hotplug = await bed.guest.spawn(`
      ip -o monitor link | while read _ d rest; do
        d=\${d%:}
        case "$rest" in *'link/ether ${GUEST_MAC}'*) ;; *) continue ;; esac
        [ -d /sys/class/net/$d/device ] && [ ! -e /sys/class/net/$d/master ] || continue
        ${this.enslave}
      done`);
  }

  async stop(bed: Testbed): Promise<void> {
    await this.#hotplug?.kill('TERM');
    await this.#hotplug?.done;
    await bed.guest.run(this.unmake);
    const { standby, primary } = await bed.devices();
    await bed.guest.run(`ip link set ${primary} down; ip link set ${standby} down; ${ADDRESS(standby)}`);
  }
}

class Bond extends Aggregate {
  readonly name: string;
  readonly #options: string;
  protected readonly master = 'bond0';
  protected readonly unmake = 'ip link del bond0';
  protected readonly enslave =
    'ip link set $d down; ip link set $d master bond0 && echo $d >/sys/class/net/bond0/bonding/primary';

  constructor(name: string, options: string) {
    super();
    this.name = name;
    this.#options = options;
  }

  protected make(standby: string, primary: string): string {
    return `modprobe bonding max_bonds=0
      ip link add bond0 type bond mode active-backup ${this.#options}
      ip link set ${primary} master bond0; ip link set ${standby} master bond0
      echo ${primary} >/sys/class/net/bond0/bonding/primary`;
  }

  async planned(bed: Testbed, to: 'primary' | 'standby'): Promise<void> {
    const devices = await bed.devices();
    await bed.guest.run(`echo ${devices[to]} >/sys/class/net/bond0/bonding/active_slave`);
  }
}

class Team extends Aggregate {
  readonly name = 'team ethtool';
  protected readonly master = 'team0';
  protected readonly unmake = 'teamd -k -t team0; while [ -e /sys/class/net/team0 ]; do sleep 0.1; done';
  /** teamd does not go back to a port whose link was up when it was added: it is told to. */
  protected readonly enslave = `ip link set $d down; teamdctl team0 port add $d
        while [ "$(cat /sys/class/net/$d/carrier)" != 1 ]; do sleep 0.05; done
        teamdctl team0 state item set runner.active_port $d`;

  protected make(standby: string, primary: string): string {
    const config = {
      device: 'team0',
      hwaddr: GUEST_MAC,
      runner: { name: 'activebackup' },
      link_watch: { name: 'ethtool' },
      ports: { [primary]: { prio: 100 }, [standby]: { prio: 10, sticky: false } },
    };
    return `modprobe -a team team_mode_activebackup; mkdir -p /run/teamd
      teamd -d -c '${JSON.stringify(config)}'`;
  }
}

/** The kernel's net_failover, alone: it is there when the guest is. */
const netFailover: Contender = {
  name: 'net_failover',
  standbyFeature: true,
  async start() {},
  async stop() {},
};

/** As bonding's ARP monitor with validation: a black hole is no lost link. */
const PROBES = { interval_ms: 20, targets: [{ arp: STATION_ADDRESS }] };

class Vfailover implements Contender {
  readonly name: string;
  readonly standbyFeature: boolean;
  readonly #model: 'transparent' | 'net-failover';
  #daemon: GuestDaemon | undefined;

  constructor(model: 'transparent' | 'net-failover') {
    this.name = `vfailover ${model}`;
    this.#model = model;
    this.standbyFeature = model === 'net-failover';
  }

  decisions(): Promise<Decision[]> {
    return this.#daemon!.events();
  }

  async start(bed: Testbed): Promise<void> {
    this.#daemon = new GuestDaemon(bed);
    const { master } = await bed.devices();
    await this.#daemon.start({ model: this.#model, master, detect: { probes: PROBES } });
  }

  async stop(): Promise<void> {
    await this.#daemon!.detach();
    await this.#daemon!.kill('TERM');
  }

  async planned(_bed: Testbed, to: 'primary' | 'standby'): Promise<void> {
    await this.#daemon!.switch(to === 'primary' ? 'auto' : 'standby');
  }
}

const ARP = `arp_ip_target ${STATION_ADDRESS}`;

/** All of them, for one guest at a time. */
export const contenders = (): readonly Contender[] => [
  netFailover,
  new Vfailover('net-failover'),
  new Bond('bond miimon 100', 'miimon 100'),
  new Bond('bond miimon 1', 'miimon 1'),
  new Bond('bond ARP 10', `arp_interval 10 ${ARP}`),
  new Bond('bond ARP 20 validated', `arp_interval 20 ${ARP} arp_validate all`),
  new Bond('bond ARP 100', `arp_interval 100 ${ARP}`),
  new Team(),
  new Vfailover('transparent'),
];
