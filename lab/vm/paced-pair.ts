import type { InstanceStatus } from '../../src/api/index.js';
import type { GuestDaemon } from './daemon.js';
import type { Guest } from './guest.js';

const MAC = '02:76:66:00:00:01';
const PEER = '10.98.0.1';
const NAME = 'paced';
const [MASTER, VF] = ['pm', 'pv'];
/** How long a connection sends by each slave before, and while, it is measured. */
const [WARM_S, MEASURED_S] = [1, 2];

/** Connections that TCP leaves to fq. */
export interface PacedKind {
  name: string;
  congestion: 'cubic' | 'bbr';
  /** SO_MAX_PACING_RATE, Mbit/s. */
  mbps: number;
}
export const PACED: readonly PacedKind[] = [
  { name: 'SO_MAX_PACING_RATE', congestion: 'cubic', mbps: 8 },
  { name: 'SO_MAX_PACING_RATE with BBR', congestion: 'bbr', mbps: 8 },
];

/** Mbit/s that left by each slave. */
export interface Rates {
  standby: number;
  primary: number;
}

/**
 * An instance of two veths within a guest, whose far ends a bridge joins: TCP as fast as the guest's processor, and nothing between it and
 * the VF but the qdiscs. The emulated network of the lab is slower than what is to be seen.
 */
export class PacedPair {
  readonly #guest: Guest;
  readonly instance = {
    name: NAME,
    model: 'transparent',
    master: MASTER,
    primary: { name: VF },
    policy: { hold_down_ms: 500 },
  };

  private constructor(guest: Guest) {
    this.#guest = guest;
  }

  static async make(guest: Guest): Promise<PacedPair> {
    await guest.run(`set -e
      modprobe -a sch_fq tcp_bbr veth bridge
      mkdir -p /run/netns
      ip netns add far
      ip -n far link add name wire type bridge
      ip -n far link set dev wire up
      ip -n far address add ${PEER}/24 dev wire
      for d in ${MASTER} ${VF}; do
        ip link add $d type veth peer name far-$d netns far
        ip link set $d address ${MAC}
        ip -n far link set far-$d master wire up
      done
      ip address add 10.98.0.2/24 dev ${MASTER}
      ip link set ${MASTER} up
      tc qdisc replace dev ${MASTER} root fq
      ip netns exec far iperf3 -s -D`);
    return new PacedPair(guest);
  }

  async switch(daemon: GuestDaemon, to: 'primary' | 'standby'): Promise<void> {
    await daemon.request('switch', { name: NAME, to });
    for (;;) {
      const { instances } = (await daemon.request('status', { name: NAME })) as {
        instances: InstanceStatus[];
      };
      if (instances[0]!.active === to) return;
    }
  }

  /**
   * What a connection sends by the standby, where fq of the master paces it, and by the VF after a planned switch. `qdisc`: the VF has what it
   * takes over, or one that somebody gave it.
   */
  async rate(
    daemon: GuestDaemon,
    { congestion, mbps }: PacedKind,
    qdisc: 'taken over' | 'own',
  ): Promise<Rates> {
    await this.#guest.run(
      qdisc === 'own'
        ? `tc qdisc replace dev ${VF} root handle 1: pfifo limit 1000`
        : `! tc qdisc show dev ${VF} | grep -q pfifo || tc qdisc del dev ${VF} root`,
    );
    await this.switch(daemon, 'standby');
    const sender = await this.#guest.spawn(
      `exec iperf3 -c ${PEER} -t 60 -C ${congestion} --fq-rate ${mbps}M >/dev/null 2>&1`,
    );
    try {
      const standby = await this.#measure(MASTER);
      await this.switch(daemon, 'primary');
      return { standby, primary: await this.#measure(VF) };
    } finally {
      await sender.kill('KILL');
      await sender.done;
    }
  }

  async #measure(device: string): Promise<number> {
    const look = `read -r up rest </proc/uptime; echo $up $(cat /sys/class/net/${device}/statistics/tx_bytes)`;
    const text = await this.#guest.run(`sleep ${WARM_S}; ${look}; sleep ${MEASURED_S}; ${look}`);
    const [t0, b0, t1, b1] = text.trim().split(/\s+/).map(Number) as [number, number, number, number];
    return Math.round((80 * (b1 - b0)) / (t1 - t0) / 1e6) / 10;
  }
}
