import { rmSync } from 'node:fs';
import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import { DaemonProcess } from '../lab/netns/daemon-process.js';
import { Wire } from '../lab/netns/wire.js';
import type { ApiClient, InstanceStatus } from '../src/api/index.js';
import { Rtnl } from '../src/netlink/index.js';
import { type BenchContext, pinProcess } from './context.js';

export interface FleetOptions {
  /** Instances, up to 256; an even number if they are peers. */
  n: number;
  /**
   * Two and two each other's peers, instead of each with a host: in one network (`joined`), or with wires between them and no host at all
   * (`direct`).
   */
  peers?: 'joined' | 'direct';
  /** `detect` of an instance. */
  detect(member: Member): object;
  policy?: object;
  /** CPU of the whole daemon; null: where the scheduler likes. */
  cpu: number | null;
}

/** One instance of a fleet: a pair of veths, by default between the guests' namespace and the hosts', where a bridge joins them. */
export interface Member {
  name: string;
  index: number;
  mac: string;
  /** Of the guest, and of the bridge (joined: nobody's). */
  address: string;
  host: string;
  bridge: string;
  /** Of its BFD session. */
  peer: { address: string; mac?: string };
}

const hexOf = (i: number): string => i.toString(16).padStart(2, '0');
const macOf = (i: number): string => `02:76:66:00:01:${hexOf(i)}`;

/** `detect.bfd` of a member that calls its peer every `us` microseconds. */
export const bfdOf = ({ address, peer }: Member, us: number, rest: object): object => ({
  peer: peer.address,
  ...(peer.mac !== undefined && { peer_mac: peer.mac }),
  local: address,
  tx_interval_us: us,
  rx_interval_us: us,
  ...rest,
});

/** Many instances of one daemon, all guests in one namespace and all hosts in another. Both end with this process. */
export class Fleet {
  readonly guest = netnsCreate();
  readonly host = netnsCreate();
  readonly guestRtnl = new Rtnl({ netns: this.guest });
  readonly hostRtnl = new Rtnl({ netns: this.host });
  readonly members: Member[] = [];
  readonly #vf: Wire[] = [];
  readonly #wires: Wire[] = [];
  readonly #ctx: BenchContext;
  readonly #pins: string;
  readonly #options: FleetOptions;
  daemon: DaemonProcess | undefined;
  client: ApiClient | undefined;

  constructor(ctx: BenchContext, options: FleetOptions) {
    this.#ctx = ctx;
    this.#options = options;
    this.#pins = ctx.newPins();
    for (let i = 0; i < options.n; i++) this.#build(i, options.peers);
  }

  #build(i: number, peers: FleetOptions['peers']): void {
    const joined = peers !== undefined;
    const net = joined ? i >> 1 : i;
    const member: Member = {
      name: `b${i}`,
      index: i,
      mac: macOf(i),
      address: `10.64.${net}.${joined ? 2 + (i & 1) : 2}`,
      host: `10.64.${net}.1`,
      peer: joined
        ? { address: `10.64.${net}.${3 - (i & 1)}`, mac: macOf(i ^ 1) }
        : { address: `10.64.${net}.1` },
      bridge: `br${net}`,
    };
    this.members.push(member);
    if (peers === 'direct') {
      this.#wireUp(i);
      return;
    }
    const wire = (guest: string, host: string): Wire =>
      new Wire({
        kind: 'veth',
        guest: { netns: this.guest, rtnl: this.guestRtnl, name: guest, mac: member.mac },
        host: { netns: this.host, rtnl: this.hostRtnl, name: host },
      });
    const virtio = wire(`virtio${i}`, `pn${i}`);
    const vf = wire(`vf${i}`, `pv${i}`);
    let bridge = this.hostRtnl.link(member.bridge)?.ifindex;
    if (bridge === undefined) {
      bridge = this.hostRtnl.createBridge({ name: member.bridge });
      this.hostRtnl.setLink(bridge, { address: `02:76:66:00:02:${hexOf(i)}` });
      this.hostRtnl.setLink(bridge, { up: true });
    }
    for (const w of [virtio, vf]) this.hostRtnl.setLink(w.hostIfindex, { master: bridge });
    for (const w of [virtio, vf]) this.guestRtnl.setLink(w.guestIfindex, { addrGenMode: 1 });
    this.guestRtnl.setLink(virtio.guestIfindex, { up: true });
    if (!joined) {
      this.hostRtnl.addAddress(bridge, `${member.host}/24`);
      this.hostRtnl.addNeighbour(bridge, member.address, member.mac);
    }
    this.#vf.push(vf);
    this.#wires.push(virtio, vf);
  }

  /** The devices of two members, when the second has come. */
  #wireUp(i: number): void {
    if ((i & 1) === 0) return;
    for (const name of ['virtio', 'vf']) {
      this.guestRtnl.createVeth({
        name: `${name}${i - 1}`,
        mac: macOf(i - 1),
        peer: { name: `${name}${i}`, mac: macOf(i), netnsFd: this.guest },
      });
      for (const end of [i - 1, i]) {
        const { ifindex } = this.guestRtnl.link(`${name}${end}`)!;
        this.guestRtnl.setLink(ifindex, { addrGenMode: 1 });
        this.guestRtnl.setLink(ifindex, { up: true });
      }
    }
  }

  /** The far end of a member's primary. */
  vfPort(index: number): number {
    return this.#vf[index]!.hostIfindex;
  }

  /** Starts the daemon; resolves when all of them are on their primaries. */
  async start(): Promise<void> {
    const { n, detect, policy = {}, cpu } = this.#options;
    this.daemon = new DaemonProcess({
      pin_root: this.#pins,
      capacity: Math.max(64, n),
      worker: { cpu, history: 8192 },
      instances: this.members.map((m) => ({
        name: m.name,
        netns: `/proc/${process.pid}/fd/${this.guest}`,
        master: `virtio${m.index}`,
        policy: { hold_down_ms: 0, ...policy },
        detect: detect(m),
      })),
    });
    await this.daemon.start();
    if (cpu !== null) pinProcess(this.daemon.pid!, cpu);
    this.client = await this.daemon.client();
    await this.until('all on their primaries', (i) => i.state === 'ok' && i.active === 'primary');
  }

  async status(): Promise<InstanceStatus[]> {
    return (await this.client!.request('status', {}, { timeout_ms: 60_000 })).instances;
  }

  /** Waits until it holds for each; an error that says for how many it does not. */
  async until(what: string, holds: (i: InstanceStatus) => boolean): Promise<void> {
    const end = performance.now() + 120_000;
    for (;;) {
      const missing = (await this.status()).filter((i) => !holds(i)).length;
      if (missing === 0) return;
      if (performance.now() > end) throw new Error(`${what}: ${missing} of ${this.members.length} are not`);
      await this.#ctx.sleep(Math.min(500, 20 + this.members.length));
    }
  }

  /** All their sessions are up. */
  sessionsUp(): Promise<void> {
    return this.until(
      'all sessions up',
      (i) => i.active === 'primary' && i.primary.detectors.find((d) => d.name === 'bfd')?.state === 'ok',
    );
  }

  async close(): Promise<void> {
    // Not detached one by one: nothing of them outlives pins and namespaces.
    this.client?.close();
    await this.daemon?.close();
    for (const w of this.#wires) w.close();
    this.guestRtnl.close();
    this.hostRtnl.close();
    for (const ns of [this.guest, this.host]) closeFd(ns);
    this.#ctx.dropPins(this.#pins);
    if (this.daemon) rmSync(this.daemon.folder, { recursive: true, force: true });
  }
}
