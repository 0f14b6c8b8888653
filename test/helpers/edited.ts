import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'bpf-loader-ts';
import { withNetns } from 'bpf-loader-ts/sys';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { DaemonProcess } from '../../lab/netns/daemon-process.js';
import type { World } from '../../lab/netns/world.js';
import type { ApiClient } from '../../src/api/index.js';
import { daemonOf, untilActive, world } from './daemon.js';

/** A daemon whose file is edited: how to restart it, and how to reload it. */
export interface Edited {
  world: World;
  daemon: DaemonProcess;
  pins: string;
  /** Of the daemon that runs. */
  client: ApiClient;
  /** net0 as the file has it at first. */
  net0: object;
  write(instances: object[], rest?: object): void;
  /** Ends the daemon by `signal` and starts it with these instances. */
  restart(instances: object[], signal?: NodeJS.Signals): Promise<void>;
}

/** A daemon that runs net0 over the primary. */
export async function edited(instance: object = {}, rest: object = {}): Promise<Edited> {
  const w = world();
  const { daemon, pins } = daemonOf(w, instance, rest);
  await daemon.start();
  const config = daemon.config as { instances: object[] };
  const e: Edited = {
    world: w,
    daemon,
    pins,
    client: await daemon.client(),
    net0: config.instances[0]!,
    write: (instances, more = {}) =>
      writeFileSync(join(daemon.folder, 'config.yaml'), stringify({ ...config, ...more, instances })),
    restart: async (instances, signal = 'SIGTERM') => {
      e.client.close();
      await daemon.kill(signal);
      e.write(instances);
      await daemon.start();
      e.client = await daemon.client();
    },
  };
  onTestFinished(() => e.client.close());
  await untilActive(e, 'primary');
  return e;
}

/** One set of the transparent model's programs. */
export const ONE_SET = ['vf_accept', 'vf_deliver', 'vf_guard', 'vf_steer'];

/** Names of our programs on the master and on the VF, sorted, whoever attached them. */
export function programs({ guest, virtio, vf }: World): string[] {
  return withNetns(guest, () => [virtio, vf].flatMap(({ guestIfindex }) => inspect(guestIfindex)))
    .map(({ name }) => name)
    .filter((name) => ONE_SET.includes(name))
    .sort();
}
