import type { InstanceConfig } from '../config/index.js';
import type { PinStore } from '../datapath/store.js';
import type { Device } from '../device.js';
import type { Impairment } from '../impairments.js';
import type { Shards } from '../shard/host.js';
import { giveBack } from './arrivals.js';
import type { Source } from './kept.js';
import type { Log } from './log.js';
import type { Managed } from './managed.js';
import type { Namespace } from './namespace.js';
import { openFiles, refuseWithoutDescriptors } from './nofile.js';
import { setUp } from './set-up.js';

export interface InstancesOptions {
  store: PinStore;
  shards: Shards;
  log: Log;
  namespace: (netns: string | null) => Namespace;
  /** An impairment of an instance is new or different; `over`: it is no more. */
  impaired: (name: string, impairment: Impairment, over: boolean) => void;
  /** An instance has just begun to run. */
  begun: (m: Managed) => void;
}

/** The instances that run, by name: begun, let go, and taken apart. */
export class Instances {
  readonly running: ReadonlyMap<string, Managed>;
  readonly #all = new Map<string, Managed>();
  readonly #o: InstancesOptions;
  /** Descriptors open before the first instance. */
  readonly #openFiles = openFiles();

  constructor(options: InstancesOptions) {
    this.#o = options;
    this.running = this.#all;
  }

  /** Attaches an instance, or adopts what is pinned of it. Throws what `setUp` throws; INSTANCE_LIMIT. */
  open(config: InstanceConfig, source: Source, master: Device): Managed {
    const { store, shards, log, namespace, impaired, begun } = this.#o;
    const { name } = config;
    const others = [...this.#all.values()].map((m) => m.config);
    refuseWithoutDescriptors(config, others, this.#openFiles);
    const m = setUp({
      ...{ config, source, master, store, shards },
      ns: namespace(config.netns),
      impaired: (impairment, over) => impaired(name, impairment, over),
      onCleared: (devices) =>
        log.warn({ instance: name, devices }, 'programs of a vfailover whose pins are gone were taken off'),
    });
    this.#all.set(name, m);
    begun(m);
    const { adopted } = m.datapath;
    log.info({ instance: name, master: m.instance.master.name, adopted }, adopted ? 'adopted' : 'attached');
    return m;
  }

  /** Lets go of an instance as the end of the daemon does: what is pinned goes on. */
  release(name: string): void {
    const m = this.#all.get(name);
    if (!m) return;
    this.#o.shards.detach(m.datapath.slot);
    m.ns.registry.forget(name);
    m.release();
    this.#all.delete(name);
  }

  /** Takes an instance apart: its slaves are what they were before, and nothing of it is pinned any more. */
  remove(name: string): void {
    const m = this.#all.get(name);
    if (!m) return;
    const { shards, log } = this.#o;
    shards.detach(m.datapath.slot);
    if (m.ns.registry.instances.has(name))
      for (const f of m.ns.registry.unregister(name))
        log.error({ instance: name, step: f.step, error: f.error }, 'could not be undone');
    try {
      giveBack(m);
    } catch (error) {
      log.error({ instance: name, error }, 'its slave could not be moved back');
    }
    m.datapath.remove();
    m.close();
    this.#all.delete(name);
  }

  /** The daemon ends: everything in the kernel stays as it is. */
  close(): void {
    for (const m of this.#all.values()) m.release();
  }
}
