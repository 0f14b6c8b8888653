import type { InstanceConfig } from '../config/index.js';
import { abandon } from '../datapath/abandon.js';
import type { PinStore } from '../datapath/store.js';
import type { Device } from '../device.js';
import { VfError } from '../errors.js';
import { allPinned, configOf, keep, keptOf, type Pinned, pinnedAs, type Source } from './kept.js';
import { restoreSlaves } from './leftover.js';
import type { Log } from './log.js';
import type { Managed } from './managed.js';
import type { Namespace } from './namespace.js';
import { masterOf, placementOf } from './placing.js';
import { asError, isAbsence, RETRY_MS, type Waiting } from './waiting.js';

/** What the roster needs of the supervisor. */
export interface RosterHost {
  readonly store: PinStore;
  readonly log: Log;
  readonly managed: ReadonlyMap<string, Managed>;
  /** The namespace of an instance. Throws NETNS_NOT_FOUND. */
  namespace(netns: string | null): Namespace;
  /** Attaches an instance, or adopts what is pinned of it. */
  open(config: InstanceConfig, source: Source, master: Device): Managed;
  /** Takes a running instance apart. */
  remove(name: string): void;
  /** Lets go of a running instance as the daemon's end does: what is pinned goes on. */
  release(name: string): void;
  /** Tells watchers of an instance's state. */
  changed(name: string): void;
}

const EDITED = 'configuration';

/**
 * Which instances there are: those of the file, those that `attach` made, and those that are pinned and in the file no more. One that
 * cannot be attached keeps no other from running: it waits, with the reason.
 */
export class Roster {
  readonly waiting = new Map<string, Waiting>();
  readonly #host: RosterHost;
  /** Names in the file. */
  #filed = new Set<string>();
  readonly #retrying: NodeJS.Timeout;

  constructor(host: RosterHost) {
    this.#host = host;
    this.#retrying = setInterval(() => this.retry(), RETRY_MS).unref();
  }

  /**
   * Attaches or adopts what the file names, and adopts what else is pinned.
   * @throws VfError if every instance was refused, the first one's reason. Then nothing is attached.
   */
  start(instances: readonly InstanceConfig[]): void {
    this.#filed = new Set(instances.map((i) => i.name));
    for (const config of instances) this.#enlist(config, 'file');
    this.#adoptRest();
    const refused = [...this.waiting.values()].filter(({ error }) => !isAbsence(error));
    if (this.#host.managed.size > 0 || refused.length === 0 || refused.length < this.waiting.size) return;
    this.waiting.clear();
    throw refused[0]!.error;
  }

  /** Pinned instances that no file names. */
  #adoptRest(): void {
    const { store, managed, log } = this.#host;
    for (const pinned of [...allPinned(store)]) {
      const { name, slot } = pinned;
      if (managed.has(name) || this.waiting.has(name)) continue;
      const kept = keptOf(store, slot);
      const config = kept?.config ?? configOf(pinned);
      if (config === undefined)
        log.error({ instance: name }, 'a pinned instance is in a namespace that has no name any more');
      else this.#enlist(config, kept?.source === 'attach' ? 'attach' : 'unconfigured');
    }
  }

  /** Attaches or adopts an instance; if that cannot be, it goes on as it was before, or waits. */
  #enlist(config: InstanceConfig, source: Source): void {
    const { name } = config;
    const pinned = pinnedAs(this.#host.store, name);
    const before = pinned && keptOf(this.#host.store, pinned.slot);
    try {
      this.#place(config, source);
    } catch (e) {
      const error = asError(e);
      if (before && this.#goOn(before.config, source, error)) return;
      this.#wait({ config, source, error });
    }
  }

  /** Keeps what was there before an edit that cannot be taken. */
  #goOn(before: InstanceConfig, source: Source, error: VfError): boolean {
    try {
      const m = this.#place(before, source);
      m.impairments.set(EDITED, {
        severity: 'note',
        message: `the configuration in the file cannot be taken, so it goes on as before: ${error.message}`,
        ...(error.fix !== undefined && { fix: error.fix }),
      });
      return true;
    } catch {
      return false;
    }
  }

  #place(config: InstanceConfig, source: Source): Managed {
    const { store, managed, log } = this.#host;
    const { name } = config;
    if (managed.has(name)) throw exists(name);
    const ns = this.#host.namespace(config.netns);
    this.#clearWithoutMaster(ns, name);
    const taken = (other: string): boolean => managed.has(other) || this.#filed.has(other);
    let placement = placementOf(ns, store, config, taken);
    if (placement.how === 'rename') {
      const { slot, name: from } = placement.from;
      store.rename(slot, from, name);
      log.warn({ instance: name, before: from }, `the pinned instance ${from} goes on as ${name}`);
      placement = placementOf(ns, store, config, taken);
    }
    if (placement.how === 'rebuild') {
      log.warn({ instance: name }, `${placement.because}: it is detached and attached anew`);
      this.#takeApart(pinnedAs(store, name)!);
      placement = placementOf(ns, store, config, taken);
    }
    if (placement.how !== 'attach' && placement.how !== 'adopt') throw exists(name);
    const m = this.#host.open(config, source, placement.master);
    if (placement.missing) this.#tellMissing(m, placement.missing, placement.master);
    if (source === 'unconfigured') this.#tellUnconfigured(m);
    return m;
  }

  /** An instance whose master went while no daemon lived ends as it does when one lives: its VF is given back. */
  #clearWithoutMaster(ns: Namespace, name: string): void {
    const { store, log } = this.#host;
    const pinned = pinnedAs(store, name);
    if (pinned?.id.netns !== ns.inode || masterOf(ns, pinned, keptOf(store, pinned.slot)?.config)) return;
    log.warn({ instance: name }, 'its master is gone: what is left of it is taken off');
    this.#takeApart(pinned);
  }

  #tellMissing(m: Managed, { message }: VfError, { name, ifindex }: Device): void {
    m.impairments.set(EDITED, {
      severity: 'note',
      message: `${message}: the master still is ${name} (ifindex ${ifindex}), to which it was attached`,
      fix: `correct the master in the file, or \`vfailover detach ${m.config.name}\``,
    });
  }

  #tellUnconfigured(m: Managed): void {
    const { name } = m.config;
    m.source = 'unconfigured';
    keep(this.#host.store, m.datapath.slot, { source: 'unconfigured', config: m.config });
    m.impairments.set(EDITED, {
      severity: 'note',
      message: `${name} is not in the configuration any more: it goes on as it was`,
      fix: `\`vfailover detach ${name}\`, or write it in the file again`,
    });
  }

  /** Takes a pinned instance apart, as it was configured when it was attached. */
  #takeApart(pinned: Pinned): void {
    const { store, log } = this.#host;
    const { name, slot } = pinned;
    const kept = keptOf(store, slot)?.config;
    const config = kept ?? configOf(pinned);
    let ns: Namespace | undefined;
    try {
      ns = config && this.#host.namespace(config.netns);
      const master = ns && masterOf(ns, pinned, kept);
      if (config && master) {
        const { model } = pinned.id;
        this.#host.open({ ...config, name, model, attach: pinned.id.attach }, 'file', master);
        this.#host.remove(name);
        return;
      }
    } catch (error) {
      log.error({ instance: name, error }, 'it could not be opened, and so not every setting be put back');
    }
    const here = ns?.inode === pinned.id.netns ? ns : undefined;
    for (const error of here ? restoreSlaves(here, store, pinned) : [])
      log.error({ instance: name, error }, 'could not be undone');
    abandon(store, slot, here?.enter);
  }

  #wait(entry: Waiting): void {
    const { name } = entry.config;
    const before = this.waiting.get(name);
    this.waiting.set(name, entry);
    if (before?.error.message === entry.error.message) return;
    this.#host.log.warn({ instance: name, error: entry.error }, `${name} waits: ${entry.error.message}`);
    this.#host.changed(name);
  }

  /** The master of a running instance is gone: it waits for it. */
  lost({ config, source }: Managed): void {
    this.waiting.set(config.name, {
      config,
      source,
      error: new VfError('DEVICE_NOT_FOUND', 'the master does not exist', { field: 'master' }),
    });
    this.#host.changed(config.name);
  }

  /** Tries to attach what waits. */
  retry(): void {
    for (const [name, entry] of [...this.waiting]) {
      try {
        this.#place(entry.config, entry.source);
        this.waiting.delete(name);
        this.#host.changed(name);
      } catch (e) {
        this.#wait({ ...entry, error: asError(e) });
      }
    }
  }

  /** Attaches an instance by order. Throws; nothing waits then. */
  attach(config: InstanceConfig): Managed {
    const { name } = config;
    if (this.waiting.has(name)) throw exists(name);
    return this.#place(config, this.#filed.has(name) ? 'file' : 'attach');
  }

  /** Ends an instance that does not run. False: there is none of that name. */
  detach(name: string): boolean {
    const waited = this.waiting.delete(name);
    const pinned = pinnedAs(this.#host.store, name);
    if (pinned && !this.#host.managed.has(name)) this.#takeApart(pinned);
    return waited || pinned !== undefined;
  }

  /** Brings what runs in line with the file's instances, without moving traffic: those that the file does not name any more go on. */
  reload(instances: readonly InstanceConfig[]): void {
    const { managed } = this.#host;
    const names = new Set(instances.map((i) => i.name));
    const before = this.#filed;
    this.#filed = names;
    for (const [name, { source }] of [...this.waiting])
      if (source === 'file' && !names.has(name)) this.waiting.delete(name);
    // Released first: one that the file has under another name now is adopted under it.
    for (const name of [...managed.keys()])
      if (before.has(name) && !names.has(name)) this.#host.release(name);
    for (const config of instances) {
      const running = managed.get(config.name);
      if (running && JSON.stringify(running.config) === JSON.stringify(config)) this.#confirm(running);
      else {
        if (running) this.#host.release(config.name);
        this.waiting.delete(config.name);
        this.#enlist(config, 'file');
      }
      this.#host.changed(config.name);
    }
    this.#adoptRest();
  }

  /** It is in the file, as it runs. */
  #confirm(m: Managed): void {
    m.impairments.clear(EDITED);
    if (m.source === 'file') return;
    m.source = 'file';
    keep(this.#host.store, m.datapath.slot, { source: 'file', config: m.config });
  }

  close(): void {
    clearInterval(this.#retrying);
  }
}

const exists = (name: string): VfError =>
  new VfError('INSTANCE_EXISTS', `there is an instance ${name} already`, {
    field: 'name',
    value: name,
    fix: 'choose another name, or detach that one first',
  });
