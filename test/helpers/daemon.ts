import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DaemonProcess } from '../../lab/netns/daemon-process.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { World } from '../../lab/netns/world.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import type { ApiClient, Decision, InstanceStatus } from '../../src/api/index.js';
import { ROOT } from '../../src/paths.js';
import { pinRoot } from './in-process.js';
import { until } from './wait.js';

/** A world with a real daemon beside it. */
export interface Lab {
  world: World;
  daemon: DaemonProcess;
  client: ApiClient;
  pins: string;
}

export function world(kind: WireKind = 'veth'): World {
  const w = new World(kind);
  onTestFinished(() => w.close());
  return w;
}

/** A daemon, not started, whose one instance is net0 on virtio0; `instance` and `rest` override its configuration. `netns`: where it runs. */
export function daemonOf(
  w: World,
  instance: object = {},
  rest: object = {},
  netns?: string,
): { daemon: DaemonProcess; pins: string } {
  const { path, reaper } = pinRoot();
  const net0 = { name: 'net0', netns: w.guestPath, master: 'virtio0', policy: { hold_down_ms: 20 } };
  const config = { pin_root: path, instances: [{ ...net0, ...instance }], ...rest };
  const daemon = new DaemonProcess(config, netns);
  onTestFinished(async () => {
    await daemon.close();
    await reaper.reap();
  });
  return { daemon, pins: path };
}

export async function lab(kind: WireKind = 'veth', instance: object = {}, rest: object = {}): Promise<Lab> {
  const w = world(kind);
  const { daemon, pins } = daemonOf(w, instance, rest);
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  return { world: w, daemon, client, pins };
}

export const status = async (l: { client: ApiClient }, name = 'net0'): Promise<InstanceStatus> =>
  (await l.client.request('status', { name })).instances[0]!;

export const events = (l: { client: ApiClient }, since = 0): Promise<Decision[]> =>
  l.client.request('events', { since });

/** Stops a process, and waits until each of its threads has stopped. */
export async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const states = (): string[] =>
    readdirSync(`/proc/${pid}/task`).map(
      (task) => /\) (\w)/.exec(readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8'))![1]!,
    );
  await until(states, (all) => all.every((state) => state === 'T'));
}

/** A worker flips first and tells of it after, ms later; of one that an earlier daemon made it never tells. */
const TOLD_MS = 200;

/** Waits for the switch, and until the worker has told of it. */
export async function untilActive(
  l: { client: ApiClient },
  active: 'primary' | 'standby',
): Promise<InstanceStatus> {
  let untold: number | undefined;
  return until(
    () => status(l),
    (s) => {
      if (s.active !== active || (active === 'primary' && s.primary.state !== 'joined')) return false;
      untold ??= performance.now();
      return s.last_switch === null
        ? performance.now() - untold > TOLD_MS * SLOWDOWN
        : s.last_switch.epoch === s.epoch;
    },
  );
}

/** The command line, as a user has it. */
export function cli(...args: string[]): { code: number | null; out: string; err: string } {
  const r = spawnSync(process.execPath, [join(ROOT, 'dist/src/cli/main.js'), ...args], {
    encoding: 'utf8',
    timeout: 120_000 * SLOWDOWN,
  });
  return { code: r.status, out: r.stdout, err: r.stderr };
}

/** Runs a program inside the guest's namespace. */
export const inGuest = (w: World, ...argv: string[]): string =>
  execFileSync('nsenter', [`--net=${w.guestPath}`, ...argv], { encoding: 'utf8' });

/** Runs a program inside the host's namespace. */
export const inHost = (w: World, ...argv: string[]): string =>
  execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${w.host}`, ...argv], { encoding: 'utf8' });

/** Everything that attaching may change about a namespace: links, addresses, routes, qdiscs, filters, BPF. Times and counters left out, and the order of groups. */
export function dump(w: World): string {
  const parts = [
    ['ip', '-d', 'link', 'show'],
    ['ip', 'addr', 'show'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['ip', '-6', 'route', 'show', 'table', 'all'],
    ['tc', 'qdisc', 'show'],
    ['bpftool', 'net', 'show'],
    ['ip', 'maddr', 'show'],
  ];
  return parts
    .map((argv) => `$ ${argv.join(' ')}\n${inGuest(w, ...argv)}`)
    .join('\n')
    .replaceAll(/(valid_lft|preferred_lft|expires) \w+/g, '$1 X')
    .replaceAll(' tentative', '')
    .replaceAll(/(?:^\tlink .*\n)+/gm, (groups) => groups.split('\n').sort().join('\n'));
}
