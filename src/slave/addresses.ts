import { createHash } from 'node:crypto';
import { monotonicNs } from 'bpf-loader-ts/sys';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import { UNDO_BEFORE_MAX } from '../datapath/undo-map.js';
import { VfError } from '../errors.js';
import { formatIp } from '../frames/address.js';
import type { Shortfall } from '../impairments.js';
import * as k from '../netlink/constants.js';
import {
  addAddress,
  addRoute,
  deleteAddress,
  deleteRoute,
  hasGateway,
  readAddress,
  type SavedAddress,
  type SavedRoute,
  savedAddresses,
  savedRoutes,
} from '../netlink/saved.js';
import { some } from './lists.js';
import { managersOf } from './managers.js';
import { Strikes } from './strikes.js';
import { restoreSysctl, setSysctl } from './sysctl.js';
import { type SlaveContext, SlaveUnfit, type Takeover } from './takeover.js';

const { VF_UNDO_ADDRESS, VF_UNDO_ROUTE } = VfUndoKind;
/** IFLA_INET6_ADDR_GEN_MODE none: the kernel makes no link-local address. */
const ADDR_GEN_NONE = 1;
const IPV6_OFF = 'disable_ipv6';
const GEN_MODE = 'addr_gen_mode';
/** Whoever configures a device adds routes after its addresses: they are looked for so long after the last address went, ms. */
const ROUTES_MS = [250, 2000];
const SECONDS = 4;
const CONFIGURED = 'configured';

/**
 * The slave has no addresses and no routes, and gets none: an address there makes the kernel send and answer by the slave itself, around
 * the master. IPv6 is switched off on it (`disable_ipv6`), so that neither the kernel nor a router's advertisement makes an address.
 * All of it is put back at the leave, leases with what is left of their lifetimes.
 */
export class Addresses implements Takeover {
  readonly name = 'addresses';
  readonly #damper = new Strikes();
  #joined = false;
  #seen = -1;
  /** When it is looked without a notification. */
  #looks: number[] = [];
  #told: Shortfall[] = [];
  /** Of routes that stay, since other devices are among their next hops. */
  #shared: Shortfall[] = [];

  waits(): boolean {
    return this.#looks.length > 0;
  }

  follow(c: SlaveContext): Shortfall[] {
    const nowMs = performance.now();
    const count = c.changes.address(c.slave.ifindex) + c.changes.routes(c.slave.ifindex);
    const due = this.#looks[0] !== undefined && nowMs >= this.#looks[0];
    if (count !== this.#seen || due) {
      if (due) this.#looks.shift();
      this.#look(c, nowMs);
      // Last: a look that failed is made again.
      this.#seen = count;
      this.#joined = true;
    } else if (this.#damper.strikes(nowMs) === 0) this.#told = this.#shared;
    return this.#told;
  }

  #look(c: SlaveContext, nowMs: number): void {
    const { rtnl, slave } = c;
    const addresses = savedAddresses(rtnl, slave.ifindex);
    const all = savedRoutes(rtnl, slave.ifindex);
    const routes = all.filter((r) => !r.shared);
    this.#shared = routes.length < all.length ? [sharedRoutes(c, all.length - routes.length)] : [];
    const found = addresses.length > 0 || routes.length > 0;
    if (c.addresses === 'refuse') this.#refuse(c, addresses);
    if (this.#joined) {
      if (!found) {
        this.#told = [...this.#told.filter((t) => t.key === CONFIGURED), ...this.#shared];
        return;
      }
      if (!this.#damper.may(nowMs)) {
        this.#tell(c, nowMs, addresses, 'degraded');
        this.#looks = [nowMs + ROUTES_MS[0]!];
        return;
      }
      this.#damper.strike(nowMs);
    }
    const lost = keep(c, addresses, routes);
    this.#take(c, addresses, routes);
    this.#looks = found ? ROUTES_MS.map((ms) => nowMs + ms) : [];
    if (this.#joined) this.#tell(c, nowMs, addresses, 'note');
    else this.#told = [...this.#shared];
    if (lost > 0)
      this.#told.push({
        key: 'routes',
        severity: 'note',
        message: `${lost} routes by ${slave.name} are too long to be kept: they are not put back when it leaves`,
      });
  }

  /** Throws if somebody has configured the slave. What the kernel makes by itself is no reason. */
  #refuse({ slave, role }: SlaveContext, addresses: readonly SavedAddress[]): void {
    const texts = addresses.filter((a) => !isKernelMade(a)).map(textOf);
    if (texts.length === 0) return;
    const error = new VfError('SLAVE_ADDRESSED', `${slave.name} has addresses of its own: ${some(texts)}`, {
      field: role,
      value: texts,
      fix: `ip address flush dev ${slave.name}, and tell the network manager to leave it alone; or set slave_addresses: remove`,
    });
    throw new SlaveUnfit(error);
  }

  #take(c: SlaveContext, addresses: readonly SavedAddress[], routes: readonly SavedRoute[]): void {
    const { rtnl, slave } = c;
    const { ifindex } = slave;
    for (const { raw } of routes) if (raw !== undefined) deleteRoute(rtnl, ifindex, raw);
    const off = setSysctl(c, IPV6_OFF, '1');
    if (off === 'refused') this.#withoutSysctl(c);
    for (const a of addresses) if (a.family === 4) deleteAddress(rtnl, ifindex, a);
    // Switched off, IPv6 takes its addresses along, except those that `keep_addr_on_down` lets stay.
    for (const a of savedAddresses(rtnl, ifindex)) deleteAddress(rtnl, ifindex, a);
  }

  /** Where /proc/sys cannot be written, netlink keeps at least the link-local address away. */
  #withoutSysctl({ rtnl, undo, slave }: SlaveContext): void {
    const mode = rtnl.link(slave.ifindex)?.addrGenMode;
    if (mode === undefined || mode === ADDR_GEN_NONE) return;
    undo.put(VfUndoKind.VF_UNDO_SYSCTL, Buffer.from(GEN_MODE), Uint8Array.of(mode));
    rtnl.setLink(slave.ifindex, { addrGenMode: ADDR_GEN_NONE });
  }

  #tell(
    c: SlaveContext,
    nowMs: number,
    addresses: readonly SavedAddress[],
    severity: Shortfall['severity'],
  ): void {
    const { slave, master } = c;
    const managers = managersOf(c);
    const who = managers.length === 0 ? 'somebody' : managers.join(' or ');
    const what = addresses.length === 0 ? 'routes' : some(addresses.map(textOf));
    const strikes = this.#damper.strikes(nowMs);
    const times = `${strikes} ${strikes === 1 ? 'time' : 'times'}`;
    const message =
      severity === 'note'
        ? `${who} put ${what} on ${slave.name}: taken away, ${times} by now`
        : `${who} puts ${what} on ${slave.name} again and again (${times}): what is sent from there goes around ${master.name}`;
    const fix = `tell ${managers.length === 0 ? 'the network manager' : who} to leave ${slave.name} alone: see \`vfailover doctor\``;
    this.#told = [{ key: CONFIGURED, severity, message, fix }, ...this.#shared];
  }

  restore(c: SlaveContext, gone: boolean): void {
    const { undo, rtnl, slave } = c;
    const addresses = undo.of(VF_UNDO_ADDRESS);
    const routes = undo.of(VF_UNDO_ROUTE);
    // Where IPv6 is switched on again the kernel makes its own, of the MAC of then and only if the slave is up.
    const makesItself = undo.get(VfUndoKind.VF_UNDO_SYSCTL, Buffer.from(IPV6_OFF)) !== undefined;
    restoreSysctl(c, IPV6_OFF, gone);
    restoreGenMode(c, gone);
    for (const { id } of addresses) undo.delete(VF_UNDO_ADDRESS, id);
    for (const { id } of routes) undo.delete(VF_UNDO_ROUTE, id);
    if (gone) return;
    const failed: string[] = [];
    const attempt = (put: () => void): void => {
      try {
        put();
      } catch (e) {
        failed.push((e as Error).message);
      }
    };
    for (const { address, elapsedS } of ordered(addresses.map((e) => e.before)))
      if (!makesItself || address.proto !== k.IFAPROT_KERNEL_LL)
        attempt(() => addAddress(rtnl, slave.ifindex, address, elapsedS));
    const raws = routes.map((e) => e.before);
    for (const raw of [...raws.filter((r) => !hasGateway(r)), ...raws.filter(hasGateway)])
      attempt(() => addRoute(rtnl, slave.ifindex, raw));
    if (failed.length > 0) throw new VfError('NETLINK', failed.join('; '));
  }
}

function sharedRoutes({ slave, master }: SlaveContext, count: number): Shortfall {
  const [who, has] = count === 1 ? ['a route', 'has'] : [`${count} routes`, 'have'];
  return {
    key: 'shared routes',
    severity: 'degraded',
    message: `${who} with several next hops ${has} ${slave.name} among them: what goes by it goes around ${master.name}`,
    fix: `replace the route by one without ${slave.name}: ip route show dev ${slave.name}`,
  };
}

function restoreGenMode({ undo, rtnl, slave }: SlaveContext, gone: boolean): void {
  const id = Buffer.from(GEN_MODE);
  const entry = undo.get(VfUndoKind.VF_UNDO_SYSCTL, id);
  if (entry === undefined) return;
  undo.delete(VfUndoKind.VF_UNDO_SYSCTL, id);
  if (!gone) rtnl.setLink(slave.ifindex, { addrGenMode: entry.before[0]! });
}

const nowS = (): number => Math.floor(monotonicNs() / 1e9);

/** Keeps addresses and routes in the undo log. Returns how many routes it has no room for. */
function keep(
  { undo }: SlaveContext,
  addresses: readonly SavedAddress[],
  routes: readonly SavedRoute[],
): number {
  const at = Buffer.alloc(SECONDS);
  at.writeUInt32LE(nowS());
  for (const { family, prefix, bytes, raw, flags } of addresses) {
    // Temporary addresses of RFC 8981 are the kernel's to make; IPv4 uses the same bit for secondary ones.
    if (family === 6 && (flags & k.IFA_F_TEMPORARY) !== 0) continue;
    const id = Uint8Array.of(family, prefix, ...bytes);
    // A lease that was renewed lasts longer than what is known of it.
    undo.delete(VF_UNDO_ADDRESS, id);
    undo.put(VF_UNDO_ADDRESS, id, Buffer.concat([at, raw]));
  }
  let lost = 0;
  for (const { raw } of routes) {
    if (raw === undefined || raw.length > UNDO_BEFORE_MAX) lost++;
    else undo.put(VF_UNDO_ROUTE, createHash('sha256').update(raw).digest().subarray(0, 16), raw);
  }
  return lost;
}

/** Kept addresses in an order in which each becomes what it was: of IPv4's the primary ones first. */
function ordered(kept: readonly Uint8Array[]): { address: SavedAddress; elapsedS: number }[] {
  const now = nowS();
  const list = kept.flatMap((before) => {
    const address = readAddress(before.subarray(SECONDS));
    return address === undefined ? [] : [{ address, elapsedS: now - Buffer.from(before).readUInt32LE() }];
  });
  const rank = ({ address: { family, flags } }: (typeof list)[number]): number =>
    family === 4 && (flags & k.IFA_F_TEMPORARY) !== 0 ? 1 : 0;
  return list.sort((a, b) => rank(a) - rank(b));
}

/** Link-local addresses, and those that a router's advertisement made. Before Linux 5.18 the kernel does not say who made one. */
export function isKernelMade({ family, scope, proto, flags, prefix }: SavedAddress): boolean {
  if (family !== 6) return false;
  if (proto !== 0) return proto === k.IFAPROT_KERNEL_RA || proto === k.IFAPROT_KERNEL_LL;
  return scope === k.RT_SCOPE_LINK || ((flags & k.IFA_F_PERMANENT) === 0 && prefix === 64);
}

const textOf = ({ bytes, prefix }: SavedAddress): string => `${formatIp(bytes)}/${prefix}`;
