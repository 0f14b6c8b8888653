import { writeFileSync } from 'node:fs';
import type { InstanceInput } from '../../src/config/index.js';
import { VfError } from '../../src/errors.js';
import { STREAM_PORT } from '../../workers/traffic.js';
import { DaemonProcess } from './daemon-process.js';
import {
  carrier,
  counting,
  FAULTS,
  type FaultName,
  type FaultRow,
  killController,
  planned,
  type Scene,
  streaming,
  unplug,
  untilActive,
} from './faults.js';
import { Reaper } from './reaper.js';
import { blackHole, flap, lossy, lossyStrict, oneWayRx, oneWayTx } from './silent-faults.js';
import { Stream } from './stream.js';
import { HOST_ADDRESS, World } from './world.js';

export interface DemoOptions {
  devices: 'veth' | 'tap';
  /** All by default. */
  faults?: string[];
  /** Frames per second each way. */
  rate_pps?: number;
  /** Write the rows here. */
  json?: string;
  quiet?: boolean;
}

const DEFAULT_PPS = 50_000;

const NAME = 'demo';

type Play = (scene: Scene) => Promise<FaultRow>;
/** By a stream of plain IPv4, of IPv6, and to a group. */
const byKinds = (play: Play): Play[] => [play, streaming('ipv6', play), streaming('group', play)];

/** A row each. */
const SCENARIOS: Record<FaultName, readonly Play[]> = {
  planned: byKinds(counting(planned)),
  carrier: byKinds(counting(carrier)),
  unplug: [counting(unplug)],
  flap: [counting(flap)],
  // A group answers nobody.
  'black-hole': [counting(blackHole), streaming('ipv6', counting(blackHole))],
  'one-way': [counting(oneWayTx), counting(oneWayRx)],
  lossy: [counting(lossy), strictly(counting(lossyStrict))],
  'kill-controller': [counting(killController)],
};

/**
 * Detection: a millisecond of silence, and as many frames as random loss does not swallow in a row. A silent path is tried again when the
 * fault has been judged, on a loaded machine too.
 */
const DETECT = {
  unanswered: { timeout_us: 1000, min_frames: 25, udp: [STREAM_PORT], retry_ms: 2000, retry_max_ms: 2000 },
};

/** Does not wait for a run of losses that chance makes once a year, and does not come back before they are over. */
const STRICT = {
  detect: { probes: { interval_ms: 60, timeout_ms: 45, missed_max: 2, targets: [{ arp: HOST_ADDRESS }] } },
  policy: { hold_down_ms: 100, healthy_probes: 12 },
};

const instanceOf = (world: World): InstanceInput => ({
  name: NAME,
  netns: world.guestPath,
  master: 'virtio0',
  policy: { hold_down_ms: 100 },
  detect: DETECT,
});

/** A scenario by an instance with the strict policy: the demo's own makes room for it, and comes back. */
function strictly(play: Play): Play {
  return async (scene) => {
    const own = instanceOf(scene.world);
    await reattach(scene, { ...own, ...STRICT });
    const row = await play(scene);
    await reattach(scene, own);
    return row;
  };
}

async function reattach(scene: Scene, instance: InstanceInput): Promise<void> {
  const { client, world } = scene;
  const patient = { timeout_ms: 30_000 };
  await client.request('detach', { name: NAME }, patient);
  // A device with a program of others is refused; and recorders stand behind the programs.
  scene.stream.close();
  await client.request('attach', instance, patient);
  scene.stream = new Stream(world);
  await untilActive(scene, 'primary');
}

/**
 * `vfailover demo`: an instance in namespaces of its own, steered by a daemon of its own, under numbered traffic both ways; each fault
 * is made, measured and mended. Leaves nothing behind, however it ends.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  if (process.getuid?.() !== 0)
    throw new VfError('CAPABILITY_MISSING', 'the demo makes network namespaces and loads BPF programs', {
      fix: 'run it as root',
    });
  const faults = (options.faults ?? FAULTS) as FaultName[];
  const pps = options.rate_pps ?? DEFAULT_PPS;
  const say = (text: string): void => void (options.quiet || process.stdout.write(`${text}\n`));
  const pins = `/sys/fs/bpf/vfailover-demo-${process.pid}`;
  const reaper = new Reaper(pins);
  const world = new World(options.devices);
  const daemon = new DaemonProcess({
    pin_root: pins,
    worker: { cpu: 0 },
    instances: [instanceOf(world)],
  });
  let scene: Scene | undefined;
  const clean = async (): Promise<void> => {
    scene?.client.close();
    scene?.stream.close();
    await daemon.close();
    await world.close();
    await reaper.reap();
  };
  let ending: Promise<void> | undefined;
  const interrupted = (signal: NodeJS.Signals): void => {
    ending = clean().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    say(
      `guest: virtio0 + vf0 (one MAC, ${options.devices}); host: a bridge with a port for each; ${pps} frames/s each way`,
    );
    await daemon.start();
    world.startTraffic(1);
    const client = await daemon.client();
    scene = { world, stream: new Stream(world), daemon, client, instance: NAME, pps };
    await untilActive(scene, 'primary');
    // The first run of the code that makes a fault takes some 200 µs more than any other: that is not what is measured.
    say('  one carrier fault that does not count …');
    await carrier(scene);
    const rows: FaultRow[] = [];
    for (const fault of faults) {
      say(`  ${DESCRIPTION[fault]} …`);
      for (const play of SCENARIOS[fault]) rows.push(await play(scene));
    }
    process.stdout.write(`${table(rows)}\n`);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
    return 0;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    // Interrupted, whatever failed here failed because things were taken away.
    await (ending ?? clean());
  }
}

const DESCRIPTION: Record<FaultName, string> = {
  planned: 'planned: switch to virtio and back by hand',
  carrier: "carrier: the VF's cable is cut",
  unplug: 'unplug: the VF is pulled out, then a new one plugged in',
  flap: "flap: the VF's carrier comes and goes",
  'black-hole': 'black-hole: the far end of the VF swallows everything, the link stays up',
  'one-way': 'one-way: it swallows what the guest sends, then what it is sent',
  lossy: 'lossy: the VF loses 30 % of the frames each way: no reason to leave, and one for a strict policy',
  'kill-controller': 'kill-controller: kill -9 of the daemon, then the cable is cut, then a new daemon',
};

/** Of the table, and the keys of a row in the JSON. */
export const COLUMNS = [
  'fault',
  'devices',
  'sent',
  'lost',
  'duplicated',
  'reordered',
  'detection_us',
  'switch_us',
  'outage_us',
  'tier',
  'cause',
  'switches',
] as const satisfies readonly (keyof FaultRow)[];

function table(rows: FaultRow[]): string {
  const cells = [[...COLUMNS] as string[], ...rows.map((r) => COLUMNS.map((c) => String(r[c] ?? '-')))];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells
    .map((line) => line.map((c, i) => (i < 2 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!))).join('  '))
    .join('\n');
}
