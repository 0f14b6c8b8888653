import { Program } from 'bpf-loader-ts';
import { monotonicNs } from 'bpf-loader-ts/sys';
import type { DetectConfig } from '../config/index.js';
import type { HookPlace } from '../datapath/attachments.js';
import type { Datapath } from '../datapath/datapath.js';
import type { Survey } from '../datapath/hook-survey.js';
import { configured } from '../detect/section.js';
import { type Device, type Part, PRIMARY, pathOf, STANDBY } from '../device.js';
import type { Impairments, Shortfall } from '../impairments.js';
import { queuesOf, type Rtnl } from '../netlink/index.js';
import { conflicts } from './conflicts.js';
import { Patience } from './patience.js';
import { Starvation } from './starvation.js';

export interface HookKeeperOptions {
  datapath: Datapath;
  rtnl: Rtnl;
  detect: DetectConfig;
  impairments: Impairments;
  /** True if the slave that needs no programs can carry traffic now. */
  restUsable: () => boolean;
  /** Called with the reason before traffic moves. */
  moving: (why: string) => void;
}

type Look = HookPlace & Survey;

/** Returns CLOCK_MONOTONIC in milliseconds. */
export const clockMs = (): number => monotonicNs() / 1e6;

/**
 * Keeps the programs of one instance in their places. It reports programs of others that are in their way, or they in theirs. Programs that
 * were taken off are put back. Until then traffic takes the slave that needs no programs.
 */
export class HookKeeper {
  readonly #o: HookKeeperOptions;
  readonly #losses = new Patience();
  readonly #moves = new Patience();
  /** Programs that are missing now, in words. undefined: none. */
  #missing: string | undefined;
  /** Why they could not be put back. */
  #fault: { message: string; fix?: string } | undefined;
  #misplaced = false;
  /** True if we attached programs since the last call of `settle`. */
  #changed = false;
  /** Hooks that redirect and have another program before ours. */
  #suspects = new Map<string, { place: HookPlace; counts: Starvation }>();
  readonly #starved = new Set<string>();
  /** Facts of the last check of the hooks, as `factsOf` writes them. */
  #facts = '';
  /** Programs of XDP as last seen, by ifindex. */
  readonly #xdp = new Map<number, number>();

  constructor(options: HookKeeperOptions) {
    this.#o = options;
  }

  /** True if nothing was attached here since the last call. An unchanged list then means unchanged hooks. */
  settle(): boolean {
    const settled = !this.#changed;
    this.#changed = false;
    return settled;
  }

  /** Checks everything and mends it. `by` names who made the last change, as far as the kernel tells. */
  check(by?: string): void {
    const now = clockMs();
    let looks = this.#o.datapath.attachments.survey();
    const lost = looks.filter((l) => !l.attached);
    if (lost.length > 0) looks = this.#mend(lost, looks, by, now);
    else this.#missing = undefined;
    looks = this.#order(looks, now);
    this.#report(looks);
  }

  #mend(lost: Look[], looks: Look[], by: string | undefined, now: number): Look[] {
    const { datapath } = this.#o;
    if (this.#missing === undefined) {
      this.#missing = lossText(lost, this.#nameOf, by);
      this.#fault = undefined;
      if (lost.some((l) => l.hook.redirects)) this.#suspend(this.#missing);
      if (this.#losses.undone(now)) this.#report(looks);
    }
    if (now < this.#losses.dueAt) return looks;
    const bare = new Set<Part>();
    for (const { hook } of lost)
      if (looks.every((l) => l.hook.on !== hook.on || !l.attached)) bare.add(hook.on);
    this.#changed = true;
    try {
      datapath.attachments.putBack(lost, bare);
    } catch (e) {
      const { message, fix } = e as Error & { fix?: string };
      this.#fault = { message, ...(fix !== undefined && { fix }) };
      this.#losses.failed(now);
      return datapath.attachments.survey();
    }
    const after = datapath.attachments.survey();
    if (after.every((l) => l.attached)) this.#missing = undefined;
    return after;
  }

  /** Puts programs behind, or before, those that others have attached since. Filters cannot be moved past each other. */
  #order(looks: Look[], now: number): Look[] {
    const { datapath } = this.#o;
    const astray = datapath.attachments.kind === 'tcx' ? looks.filter(outOfOrder) : [];
    if (astray.length === 0) {
      this.#misplaced = false;
      return looks;
    }
    if (!this.#misplaced) this.#moves.undone(now);
    this.#misplaced = true;
    if (now < this.#moves.dueAt) return looks;
    this.#changed = true;
    try {
      for (const place of astray) datapath.attachments.putInOrder(place);
    } catch {
      // The check below sees the program as lost, and mends it as such.
      this.#moves.failed(now);
    }
    const after = datapath.attachments.survey();
    this.#misplaced = after.some(outOfOrder);
    return after;
  }

  #suspend(why: string): void {
    const { datapath, restUsable, moving } = this.#o;
    if (datapath.suspended) return;
    const used = datapath.active === datapath.dependent;
    if (used) moving(why);
    datapath.suspend(used && restUsable());
  }

  #nameOf = (ifindex: number): string => this.#o.rtnl.link(ifindex)?.name ?? `device ${ifindex}`;

  #report(looks: readonly Look[]): void {
    this.#facts = factsOf(looks);
    this.#watchCounts(looks);
    if (this.#missing === undefined && this.#starved.size === 0) this.#o.datapath.resume();
    this.#o.impairments.replace('hooks', [
      ...this.#lossReport(),
      ...this.#starvedReport(looks),
      ...this.#conflicts(looks),
    ]);
  }

  #lossReport(): Shortfall[] {
    if (this.#missing === undefined) return [];
    const { datapath } = this.#o;
    const safe = datapath.suspended ? `: traffic takes the ${datapath.rest} until it is back` : '';
    const { count } = this.#losses;
    const again = this.#fault
      ? `. It cannot be put back: ${this.#fault.message}`
      : clockMs() < this.#losses.dueAt
        ? `. It was taken off ${count} times, so it is put back later`
        : '';
    return [
      {
        key: 'lost',
        severity: 'degraded',
        message: `${this.#missing}${safe}${again}`,
        fix: this.#fault?.fix ?? 'find out what changes the device: `bpftool net`, `tc monitor`, its manager',
      },
    ];
  }

  #starvedReport(looks: readonly Look[]): Shortfall[] {
    return looks
      .filter((l) => this.#starved.has(l.hook.name))
      .map((l) => ({
        key: `starved ${l.hook.name}`,
        severity: 'degraded',
        message: `no frame reaches ${l.hook.program} at ${this.#nameOf(l.ifindex)} ${l.hook.direction}: ${firstOf(l)} ends the chain, so traffic takes the ${this.#o.datapath.rest}`,
        fix: 'let it return TCX_NEXT (TC_ACT_UNSPEC, -1) for frames that it lets pass, or detach it',
      }));
  }

  #conflicts(looks: readonly Look[]): Shortfall[] {
    const { datapath, rtnl } = this.#o;
    const at = datapath.attachments;
    const [master, slave] = [at.ifindexOf('master'), at.ifindexOf(datapath.dependent)];
    const devices = [master, slave]
      .flatMap((i) => (i === undefined ? [] : [rtnl.link(i)]))
      .filter((d) => d !== undefined);
    const nameOf = (ifindex: number | undefined): string | undefined =>
      devices.find((d) => d.ifindex === ifindex)?.name;
    for (const d of devices) this.#xdp.set(d.ifindex, d.xdp?.progId ?? 0);
    return conflicts({
      kind: datapath.attachments.kind,
      master: nameOf(master) ?? 'the master',
      slave: nameOf(slave),
      surveys: looks,
      xdp: new Map(devices.flatMap((d) => (d.xdp ? [[d.name, xdpText(d.xdp)]] : []))),
      qdiscs: new Map(devices.map((d) => [d.name, this.#qdiscOf(d.ifindex)])),
    });
  }

  /** Returns the kind of the qdisc at the root, or of the queues' qdiscs where that is mq. */
  #qdiscOf(ifindex: number): string {
    return queuesOf(this.#o.rtnl.qdiscs(), ifindex)[0]?.kind ?? '';
  }

  /**
   * Looks for changes that no message and no list tells of: XDP attached by a link, and filters if a message was lost. Checks everything if
   * it finds one.
   */
  lookSlowly(): void {
    const { attachments } = this.#o.datapath;
    if (attachments.kind === 'clsact' && factsOf(attachments.survey()) !== this.#facts) {
      this.check();
      return;
    }
    const seen = new Set(this.#o.datapath.attachments.places.map((p) => p.ifindex));
    for (const ifindex of seen) {
      const device = this.#o.rtnl.link(ifindex);
      if (device && (device.xdp?.progId ?? 0) !== (this.#xdp.get(ifindex) ?? 0)) {
        this.check();
        return;
      }
    }
  }

  /** Checks whether something is due or starved. Called about four times a second, and free of charge when nothing is. */
  tick(): void {
    if (this.#missing === undefined && !this.#misplaced && this.#suspects.size === 0) return;
    const now = clockMs();
    if (this.#missing !== undefined && now >= this.#losses.dueAt) this.check();
    else if (this.#misplaced && now >= this.#moves.dueAt) this.check();
    if (this.#suspects.size === 0) return;
    let changed = false;
    for (const [name, { place, counts }] of this.#suspects) {
      const device = this.#o.rtnl.packets(place.ifindex);
      if (!device) continue;
      const verdict = counts.sample(
        now,
        place.hook.direction === 'egress' ? device.tx : device.rx,
        this.#counted(place),
      );
      if (verdict === undefined || verdict === this.#starved.has(name)) continue;
      changed = true;
      if (verdict) this.#starved.add(name);
      else this.#starved.delete(name);
    }
    if (!changed) return;
    if (this.#starved.size > 0) this.#suspend(`no frame reaches vf_${[...this.#starved].join(', vf_')}`);
    this.check();
  }

  /** Returns the number of frames that our program at a place has seen. */
  #counted({ hook }: HookPlace): number {
    const { datapath } = this.#o;
    if (hook.name === 'steer')
      return datapath.counters(PRIMARY).tx.packets + datapath.counters(STANDBY).tx.packets;
    const { rx } = datapath.counters(pathOf(datapath.dependent));
    return rx.packets + rx.suppressed;
  }

  /** Updates the list of hooks whose counts are compared. */
  #watchCounts(looks: readonly Look[]): void {
    const before = this.#suspects;
    this.#suspects = new Map();
    for (const look of looks) {
      const { hook, ifindex } = look;
      const seenFirst =
        look.before.length > 0 || (hook.name === 'deliver' && (this.#xdp.get(ifindex) ?? 0) !== 0);
      if (!hook.redirects || !look.attached || !seenFirst) continue;
      const kept = before.get(hook.name);
      this.#suspects.set(
        hook.name,
        kept?.place.ifindex === ifindex
          ? kept
          : { place: { hook, ifindex }, counts: new Starvation(bypassing(this.#o.detect)) },
      );
    }
    for (const name of this.#starved) if (!this.#suspects.has(name)) this.#starved.delete(name);
  }
}

const factsOf = (looks: readonly Look[]): string =>
  looks
    .map((l) =>
      [l.ifindex, l.attached, ...l.before.map((o) => o.text), '|', ...l.after.map((o) => o.text)].join(),
    )
    .join(';');

const outOfOrder = ({ hook, attached, before, after }: Look): boolean =>
  attached && (hook.redirects ? after : before).some((o) => o.by === 'tcx');

const firstOf = (look: Look): string => look.before[0]?.text ?? 'an XDP program';

/** `vf_deliver at vf0 ingress, vf_guard at vf0 egress were taken off by process 4711 (tc)`. */
function lossText(
  lost: readonly Look[],
  nameOf: (ifindex: number) => string,
  by: string | undefined,
): string {
  const what = lost.map((l) => `${l.hook.program} at ${nameOf(l.ifindex)} ${l.hook.direction}`).join(', ');
  const verb = lost.length === 1 ? 'was' : 'were';
  return `${what} ${verb} taken off${by === undefined ? '' : ` by ${by}`}`;
}

function xdpText({ mode, progId }: NonNullable<Device['xdp']>): string {
  let name = '';
  try {
    using program = Program.fromId(progId);
    name = program.info.name;
  } catch {
    // The process ended meanwhile, or may not be opened.
  }
  return `${name || 'unnamed'} (id ${progId}, ${mode})`;
}

/** Frames a second that detectors send past the qdisc, and so past steer, or that deliver takes without counting. */
const bypassing = (detect: DetectConfig): number =>
  configured(detect).reduce((n, { row, config }) => n + (row.bypassing?.(config as never) ?? 0), 0);
