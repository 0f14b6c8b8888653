import { closeFd, netnsCurrent, netnsInode, netnsOpen } from 'bpf-loader-ts/sys';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { ARPHRD_ETHER, type Device, identityMac } from '../device.js';
import { VfError } from '../errors.js';
import { macAt, parseMac } from '../frames/mac.js';
import { Rtnl } from '../netlink/index.js';
import type { FailoverInstance } from '../registry/instance.js';
import { claimOf, macsOf, STACKED_KINDS, selects, stackedOn } from '../registry/match.js';
import { Strikes } from '../slave/strikes.js';
import { refuseForeign } from './instance-ops.js';
import type { Managed } from './managed.js';
import type { Namespace } from './namespace.js';

const { VF_UNDO_NETNS } = VfUndoKind;
const NO_ID = new Uint8Array(0);
const NAME_MAX = 15;
/** Source of what is told of arrivals among an instance's impairments. */
const SOURCE = 'namespace';

/** Where a slave was before it followed its master, and what it is now. */
interface Origin {
  inode: number;
  ifindex: number;
  up: boolean;
  mac: string;
  name: string;
}

export interface ArrivalsOptions {
  managed: () => Iterable<Managed>;
  /** Told of each device that was moved after the master of `instance`. */
  moved: (device: Device, instance: string) => void;
}

/**
 * A VF is born in the first namespace, wherever its instance's master lives. Here the devices of the daemon's own namespace are looked at
 * for instances of others: one that answers to an instance by its MAC, or by the configured MAC or bus address, is moved after the master.
 */
export class Arrivals {
  readonly #home: Namespace;
  readonly #o: ArrivalsOptions;
  readonly #dampers = new Map<number, Strikes>();

  /** `home`: the daemon's own namespace, each change of which makes a look. */
  constructor(home: Namespace, options: ArrivalsOptions) {
    this.#home = home;
    this.#o = options;
    for (const event of ['added', 'changed', 'renamed', 'removed'] as const)
      home.monitor.on(event, () => this.look());
  }

  /** Looks at all devices of the own namespace, and moves those that are meant. */
  look(): void {
    const away = [...this.#o.managed()].filter((m) => m.ns !== this.#home);
    const waiting = away.filter((m) => m.instance.slave('primary').state === 'absent');
    const found = new Map(waiting.map((m) => [m, [] as Device[]]));
    const claimed = new Map<number, Managed[]>();
    for (const device of waiting.length === 0 ? [] : this.#home.monitor.links.values()) {
      if (!this.#isFree(device)) continue;
      const claims = waiting.filter((m) => answers(m.instance, device));
      for (const m of claims) found.get(m)!.push(device);
      claimed.set(device.ifindex, claims);
    }
    for (const m of waiting) {
      const [device, ...more] = found.get(m)!;
      const rivals = device === undefined ? [] : claimed.get(device.ifindex)!.filter((o) => o !== m);
      const error =
        more.length > 0
          ? ambiguous(m, `${[device!, ...more].map((d) => d.name).join(' and ')} all answer to it`)
          : rivals.length > 0
            ? ambiguous(
                m,
                `${device!.name} answers to ${rivals.map((o) => o.config.name).join(', ')} as well`,
              )
            : device && this.#fetch(m, device);
      m.impairments.replace(SOURCE, error instanceof VfError ? [told(error)] : []);
      if (error === true) this.#o.moved(device!, m.config.name);
    }
  }

  /** Nobody's: no part of a bridge or bond, with nothing on top, and of no instance of this namespace. */
  #isFree(device: Device): boolean {
    const { ifindex } = device;
    if (device.type !== ARPHRD_ETHER || device.master || stackedOn(device) !== undefined) return false;
    for (const other of this.#home.monitor.links.values()) {
      if (other.ifindex === ifindex) continue;
      const lies = other.link === ifindex && other.linkNetnsId === undefined && other.kind !== 'veth';
      if (lies || other.master === ifindex) return false;
    }
    for (const instance of this.#home.registry.instances.values())
      if (instance.master.ifindex === ifindex || claimOf(instance, device) !== undefined) return false;
    return true;
  }

  /** Moves the device after the master. True if it did. */
  #fetch(m: Managed, known: Device): true | VfError | undefined {
    // What was told of it may be older than a move by ourselves, whose undo entry a second one would lose.
    const device = this.#home.rtnl.link(known.ifindex);
    if (device === undefined || device.address !== known.address) return undefined;
    const nowMs = performance.now();
    const damper = this.#dampers.get(device.ifindex) ?? new Strikes();
    this.#dampers.set(device.ifindex, damper);
    if (!damper.may(nowMs)) return undefined;
    damper.strike(nowMs);
    const { undo } = m;
    const origin = { inode: this.#home.inode, up: device.up, mac: device.address, name: device.name };
    try {
      refuseForeign(this.#home, device);
      const name = freeName(device.name, m.ns);
      undo.delete(VF_UNDO_NETNS, NO_ID);
      undo.put(VF_UNDO_NETNS, NO_ID, encode({ ...origin, ifindex: 0 }));
      this.#home.rtnl.setLink(device.ifindex, { netnsFd: m.ns.fd, name });
      const moved = m.ns.rtnl.link(name);
      if (moved === undefined) return undefined;
      undo.delete(VF_UNDO_NETNS, NO_ID);
      undo.put(VF_UNDO_NETNS, NO_ID, encode({ ...origin, ifindex: moved.ifindex }));
      return true;
    } catch (e) {
      undo.delete(VF_UNDO_NETNS, NO_ID);
      const { message, fix } = e as Error & { fix?: string };
      return new VfError(
        'JOIN_FAILED',
        `${device.name} cannot be moved after ${m.instance.master.name}: ${message}`,
        {
          field: 'netns',
          value: device.name,
          fix: fix ?? `ip link set dev ${device.name} netns ${m.config.netns}`,
        },
      );
    }
  }
}

/** Moves a slave back to where it was before `Arrivals` moved it, when its instance ends. Throws what the kernel refuses. */
export function giveBack({ undo, ns }: Pick<Managed, 'undo' | 'ns'>): void {
  const entry = undo.get(VF_UNDO_NETNS, NO_ID);
  if (entry === undefined) return;
  undo.delete(VF_UNDO_NETNS, NO_ID);
  const origin = decode(entry.before);
  const device = ns.rtnl.link(origin.ifindex);
  if (device === undefined || ![device.address, identityMac(device)].includes(origin.mac)) return;
  const home = openHome(origin.inode);
  try {
    using rtnl = new Rtnl({ netns: home });
    const name = rtnl.link(origin.name) === undefined ? origin.name : device.name;
    ns.rtnl.setLink(device.ifindex, { netnsFd: home, name });
    if (!origin.up) return;
    const back = rtnl.link(name);
    if (back !== undefined) rtnl.setLink(back.ifindex, { up: true });
  } finally {
    closeFd(home);
  }
}

/** The namespace that a slave came from: the daemon's own, or the first one. */
function openHome(inode: number): number {
  for (const open of [() => netnsCurrent(), () => netnsOpen('/proc/1/ns/net')]) {
    const fd = open();
    if (netnsInode(fd) === inode) return fd;
    closeFd(fd);
  }
  throw new VfError(
    'NETNS_NOT_FOUND',
    'the namespace that the slave came from is neither the first nor our own',
    {
      field: 'netns',
      value: inode,
      fix: 'move it by hand: ip link set dev DEVICE netns 1',
    },
  );
}

/** True if the device is to be this instance's primary. A name alone means nothing in another namespace. */
function answers(instance: FailoverInstance, device: Device): boolean {
  const { master } = instance;
  // Such a master has the MAC of the device below it, which is not its slave.
  if (STACKED_KINDS.has(master.kind ?? '')) return false;
  const rule = instance.rules.primary;
  const mac = identityMac(device);
  const byMac = mac !== undefined && macsOf(instance).includes(mac);
  if (rule === undefined) return byMac;
  return selects(rule, device) && (byMac || rule.mac !== undefined || rule.bus !== undefined);
}

function freeName(name: string, ns: Namespace): string {
  const taken = (n: string): boolean => ns.rtnl.link(n) !== undefined;
  let free = name;
  for (let i = 0; taken(free); i++) free = `${name.slice(0, NAME_MAX - 1 - String(i).length)}_${i}`;
  return free;
}

function ambiguous(m: Managed, why: string): VfError {
  const { name } = m.config;
  return new VfError(
    'MAC_AMBIGUOUS',
    `no device is moved after ${m.instance.master.name} of ${name}: ${why}`,
    {
      field: 'primary',
      value: name,
      fix: `name one: set primary.bus or primary.mac of ${name}`,
    },
  );
}

const told = ({ code, message, fix }: VfError) => ({
  key: code,
  severity: 'note' as const,
  message,
  ...(fix !== undefined && { fix }),
});

const ORIGIN_BYTES = 20;

function encode({ inode, ifindex, up, mac, name }: Origin): Uint8Array {
  const head = Buffer.alloc(ORIGIN_BYTES);
  head.writeBigUInt64LE(BigInt(inode), 0);
  head.writeUInt32LE(ifindex, 8);
  head.set(parseMac(mac), 12);
  head[18] = up ? 1 : 0;
  return Buffer.concat([head, Buffer.from(name)]);
}

function decode(bytes: Uint8Array): Origin {
  const head = Buffer.from(bytes);
  return {
    inode: Number(head.readBigUInt64LE(0)),
    ifindex: head.readUInt32LE(8),
    mac: macAt(head, 12),
    up: head[18] === 1,
    name: head.subarray(ORIGIN_BYTES).toString(),
  };
}
