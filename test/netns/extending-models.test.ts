import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import ts from 'typescript';
import { expect, onTestFinished, test } from 'vitest';
import { Rtnl } from '../../src/netlink/index.js';
import { ROOT } from '../../src/paths.js';
import type { FailoverOps } from '../../src/registry/ops.js';
import type { FailoverRegistry } from '../../src/registry/registry.js';
import { until } from '../helpers/wait.js';

/** docs/extending-models.md has a model over FailoverOps. It is taken from there, compiled as strictly as our own code, and run. */

interface Sample {
  SampleOps: new (rtnl: Rtnl) => FailoverOps & { active: string | undefined; told: string[] };
  watched(netns: number): { registry: FailoverRegistry; monitor: { close(): void } };
}

const MAC = '02:76:66:00:0e:01';
const OTHER_MAC = '02:76:66:00:0e:02';

/** Writes the sample to a file from which its imports lead where those of docs/ do. */
function sampleFile(): string {
  const text = readFileSync(join(ROOT, 'docs/extending-models.md'), 'utf8');
  const [sample, ...more] = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((m) => m[1]!);
  expect(more).toEqual([]);
  const folder = join(ROOT, 'build');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'extending-models.ts');
  writeFileSync(file, sample!);
  return file;
}

function diagnostics(file: string): string[] {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const program = ts.createProgram([file], {
    ...options,
    noEmit: true,
    composite: false,
    noUnusedLocals: true,
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map((d) => `${d.file?.fileName} ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`);
}

test('the sample of docs/extending-models.md compiles', { timeout: 180_000 }, () => {
  expect(diagnostics(sampleFile())).toEqual([]);
});

test('the sample of docs/extending-models.md works on real devices', async () => {
  const { SampleOps, watched } = (await import(pathToFileURL(sampleFile()).href)) as Sample;
  const netns = netnsCreate();
  onTestFinished(() => closeFd(netns));
  using rtnl = new Rtnl({ netns });
  const veth = (name: string, mac: string): number =>
    rtnl.createVeth({ name, mac, peer: { name: `${name}p` } }).ifindex;
  const link = (ifindex: number) => rtnl.link(ifindex)!;
  const peerUp = (name: string, up: boolean): void => rtnl.setLink(rtnl.link(`${name}p`)!.ifindex, { up });

  const master = veth('master0', MAC);
  rtnl.setLink(master, { up: true, mtu: 1400 });
  const standby = veth('slave1', MAC);
  peerUp('slave1', true);
  const ops = new SampleOps(rtnl);
  const { registry, monitor } = watched(netns);
  onTestFinished(() => monitor.close());
  const rules = { standby: { name: 'slave1' } };
  const instance = registry.register({ name: 'net0', model: 'hidden', master, ops, rules });
  expect(instance.slave('standby')).toMatchObject({ state: 'joined', device: { ifindex: standby } });
  expect(instance.slave('primary').state).toBe('absent');
  expect(link(standby)).toMatchObject({ up: true, mtu: 1400 });
  await until(
    () => ops.active,
    (active) => active === 'standby',
  );

  // Matched by its MAC alone, among devices with others.
  veth('other', OTHER_MAC);
  const primary = veth('slave0', MAC);
  peerUp('slave0', true);
  await until(
    () => ops.active,
    (active) => active === 'primary',
  );
  expect(instance.slave('primary').device?.ifindex).toBe(primary);
  expect(link(primary)).toMatchObject({ up: true, mtu: 1400 });

  // What changes is told, and drift is mended.
  peerUp('slave0', false);
  await until(
    () => ops.active,
    (active) => active === 'standby',
  );
  expect(ops.told).toContain('slave0 has no carrier');
  rtnl.setLink(primary, { mtu: 1300 });
  await until(
    () => link(primary).mtu,
    (mtu) => mtu === 1400,
  );
  rtnl.setLink(primary, { up: false });
  rtnl.setLink(primary, { name: 'vf0' });
  await until(
    () => ops.told,
    (told) => told.includes('slave0 is vf0 now'),
  );

  // A device that goes leaves by itself. Unregistering puts the rest back.
  rtnl.deleteLink(primary);
  await until(
    () => ops.told,
    (told) => told.includes('vf0 leaves: removed') && told.includes('vf0 was primary'),
  );
  expect(registry.unregister('net0')).toEqual([]);
  expect(ops.told.slice(-2)).toEqual(['slave1 leaves: unregister', 'slave1 was standby']);
  expect(link(standby)).toMatchObject({ up: false, mtu: 1500 });
  expect(registry.refs.report()).toBe('');
});
