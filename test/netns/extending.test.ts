import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DaemonProcess } from '../../lab/netns/daemon-process.js';
import { openHole } from '../../lab/netns/hole.js';
import { GUEST_MAC, HOST_ADDRESS } from '../../lab/netns/world.js';
import { parseIp } from '../../src/frames/address.js';
import { arpRequest } from '../../src/frames/arp.js';
import { parseMac } from '../../src/frames/mac.js';
import { ROOT } from '../../src/paths.js';
import { events, status, untilActive, world } from '../helpers/daemon.js';
import { pinRoot } from '../helpers/in-process.js';
import { until } from '../helpers/wait.js';

/** The detector of docs/extending.md: its code is put into a copy of the tree as the page says, compiled, and run. */

const PAGE = readFileSync(join(ROOT, 'docs/extending.md'), 'utf8');
/** Blocks of code by what stands behind `ts`. */
const BLOCKS = new Map(
  [...PAGE.matchAll(/^```ts (\S+)\n(.*?)^```$/gms)].map(([, info, code]) => [info!, code!]),
);
const FILES = [...BLOCKS].flatMap(([info, code]) =>
  info.startsWith('file=') ? [{ path: info.slice(5), code }] : [],
);

let tree: string;

/** Puts an import and a row where the page says. */
function addRow(): void {
  const table = join(tree, 'src/detect/table.ts');
  const text = readFileSync(table, 'utf8');
  const end = '\n] as const;';
  expect(text.split(end)).toHaveLength(2);
  writeFileSync(table, BLOCKS.get('import')! + text.replace(end, `\n${BLOCKS.get('row')}] as const;`));
}

/** Compiles the copy. Throws what the compiler says. */
function compile(): void {
  const project = {
    extends: './tsconfig.base.json',
    compilerOptions: { rootDir: '.', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
    include: ['bpf', 'src', 'workers'],
    references: [{ path: 'packages/bpf-loader-ts' }],
  };
  writeFileSync(join(tree, 'tsconfig.json'), JSON.stringify(project));
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
      cwd: tree,
      encoding: 'utf8',
    });
  } catch (e) {
    throw new Error((e as { stdout: string }).stdout);
  }
}

beforeAll(() => {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  tree = mkdtempSync(join(ROOT, 'build/extending-'));
  for (const folder of ['bpf', 'src', 'workers', 'lab', 'bench'])
    cpSync(join(ROOT, folder), join(tree, folder), { recursive: true });
  for (const file of ['package.json', 'tsconfig.base.json']) cpSync(join(ROOT, file), join(tree, file));
  for (const folder of ['packages', 'node_modules']) symlinkSync(join(ROOT, folder), join(tree, folder));
  for (const { path, code } of FILES) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), code);
  }
  addRow();
  compile();
}, 300_000);
afterAll(() => rmSync(tree, { recursive: true, force: true }));

test('the page has a detector of about 60 lines, in one folder, and a row', () => {
  expect(FILES.map((f) => f.path)).toEqual(
    ['section', 'detector', 'status'].map((name) => `src/detect/oneway/${name}.ts`),
  );
  const lines = FILES.flatMap((f) => f.code.split('\n')).filter((l) => !/^\s*(?:$|import|\/[/*])/.test(l));
  expect(lines.length).toBeLessThan(75);
});

test('it leaves a slave on which nothing is received, and goes back when something is', async () => {
  const w = world();
  const { path, reaper } = pinRoot();
  const detect = { oneway: { timeout_ms: 300, min_frames: 5 } };
  const net0 = { name: 'net0', netns: w.guestPath, master: 'virtio0', policy: { hold_down_ms: 20 }, detect };
  const daemon = new DaemonProcess({ pin_root: path, instances: [net0] }, undefined, tree);
  onTestFinished(async () => {
    await daemon.close();
    await reaper.reap();
  });
  await daemon.start();
  const client = await daemon.client();
  onTestFinished(() => client.close());
  const l = { client };
  await untilActive(l, 'primary');

  // The guest asks its host all the time.
  const socket = new PacketSocket({ netns: w.guest, ifindex: w.virtio.guestIfindex, protocol: 0 });
  const source = new Uint8Array(4);
  const ask = arpRequest({ mac: parseMac(GUEST_MAC), source, target: parseIp(HOST_ADDRESS).bytes });
  const timer = setInterval(() => socket.send(ask), 10);
  onTestFinished(() => {
    clearInterval(timer);
    socket.close();
  });
  const oneway = async () =>
    (await status(l)).primary.detectors.find((d) => d.name === ('oneway' as string))!;
  expect(await oneway()).toMatchObject({ to_switch: '5 frames sent in 300 ms and none received' });

  const hole = openHole({ netns: w.host, ifindex: w.vf.hostIfindex, direction: 'to-guest' });
  await untilActive(l, 'standby');
  const [, decision] = await until(
    () => events(l),
    (e) => e.length > 1,
  );
  expect(decision).toMatchObject({
    cause: 'oneway',
    tier: 1,
    health: { primary: 'oneway', standby: 'up' },
    evidence: { detector: 'oneway' },
  });
  expect(decision!.signal).toMatch(/^nothing is received on the primary: \d+ frames sent and none received/);
  expect(decision!.evidence!.facts.for_ms).toBeGreaterThanOrEqual(300);
  expect((await oneway()).state).toBe('down');
  hole.close();
  // The network floods questions of the host to the slave.
  const host = new PacketSocket({ netns: w.host, ifindex: w.bridge, protocol: 0 });
  onTestFinished(() => host.close());
  host.send(arpRequest({ mac: parseMac('02:00:00:00:00:99'), source, target: source }));
  await untilActive(l, 'primary');
});
