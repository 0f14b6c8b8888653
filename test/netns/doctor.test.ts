import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { haveNetkit } from 'bpf-loader-ts';
import { closeFd, netnsCreate, withNetns } from 'bpf-loader-ts/sys';
import { afterEach, expect, it, vi } from 'vitest';
import { kernelAtLeast } from '../../packages/bpf-loader-ts/test/kernel.js';
import type { DoctorReport, Status } from '../../src/doctor/findings.js';
import { examine, runDoctor } from '../../src/doctor/index.js';
import { IFA_F_DADFAILED } from '../../src/netlink/constants.js';
import { Rtnl } from '../../src/netlink/index.js';
import { until } from '../helpers/wait.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What runDoctor prints, and its exit status. */
async function run(json: boolean): Promise<{ text: string; status: number }> {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const status = await runDoctor({ json });
  write.mockRestore();
  return { text, status };
}

const statuses = ({ checks }: DoctorReport): Record<string, Status> =>
  Object.fromEntries(checks.map((c) => [c.name, c.status]));

it('what this kernel has is ok, what it lacks is told', async () => {
  const { text, status } = await run(true);
  const report = JSON.parse(text) as DoctorReport;
  expect(statuses(report)).toMatchObject({
    kernel: 'ok',
    capabilities: 'ok',
    perfmon: 'ok',
    namespaces: 'ok',
    btf: 'ok',
    'mmapable-arrays': 'ok',
    'ring-buffer': 'ok',
    programs: 'ok',
    tcx: kernelAtLeast('6.6') ? 'ok' : 'warn',
    clsact: 'ok',
    'kern-ctx': kernelAtLeast('6.2') ? 'ok' : 'warn',
    'native-xdp': 'ok',
    netkit: haveNetkit().answer === 'supported' ? 'ok' : 'warn',
    addon: 'ok',
    'bpf-objects': 'ok',
    bpffs: 'ok',
  });
  expect(report.checks.find((c) => c.name === 'netkit')?.found).toMatch(/present|requires kernel >= 6\.7/);
  expect(report.checks.find((c) => c.name === 'clsact')?.found).toBe('present');
  expect({ status, can_run: report.can_run }).toEqual({ status: 0, can_run: true });
});

it('the table says the same', async () => {
  const { text, status } = await run(false);
  expect(text).toMatch(/^vfailover \S+, Linux \d/);
  expect(text).toMatch(/^ok {7}clsact /m);
  expect(text).toMatch(/\nvfailover can run here.*\.\n$/);
  expect(status).toBe(0);
});

it('leaves the machine as it was', async () => {
  const state = (): unknown => {
    using rtnl = new Rtnl();
    return {
      links: rtnl.links(),
      qdiscs: rtnl.qdiscs(),
      bpffs: readdirSync('/sys/fs/bpf').filter((name) => name.startsWith('vfailover-doctor')),
      namespaces: execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }),
    };
  };
  const before = state();
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  await examine();
  const open = descriptors();
  await examine();
  expect(descriptors()).toBe(open);
  expect(state()).toEqual(before);
});

it('finds devices of one MAC in its own namespace', () => {
  const netns = netnsCreate();
  try {
    using rtnl = new Rtnl({ netns });
    rtnl.createVeth({ name: 'm0', mac: '02:00:00:00:00:01', peer: { name: 'mx' } });
    rtnl.createVeth({ name: 'v0', mac: '02:00:00:00:00:01', peer: { name: 'vx' } });
    // a child inherits the namespace of the thread that makes it
    const child = withNetns(netns, () => cli(process.execPath, []));
    const { checks, candidates } = JSON.parse(child.stdout) as DoctorReport;
    expect(candidates).toMatchObject([
      {
        mac: '02:00:00:00:00:01',
        master: null,
        others: [
          { name: 'm0', driver: 'veth', foreign: [] },
          { name: 'v0', driver: 'veth' },
        ],
      },
    ]);
    expect(checks.find((c) => c.name === 'devices')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('m0'),
    });
  } finally {
    closeFd(netns);
  }
});

it('tells of addresses and routes of the devices of a pair', () => {
  const netns = netnsCreate();
  try {
    using rtnl = new Rtnl({ netns });
    const mac = '02:00:00:00:00:01';
    rtnl.createVeth({ name: 'm0', mac, peer: { name: 'mx' } });
    const v0 = rtnl.createVeth({ name: 'v0', mac, peer: { name: 'vx' } });
    for (const ifindex of [v0.ifindex, v0.peerIfindex]) rtnl.setLink(ifindex, { up: true });
    rtnl.addAddress(v0.ifindex, '10.9.9.2/24');
    rtnl.addAddress(v0.ifindex, 'fd09::2/64', true);
    withNetns(netns, () => execFileSync('tc', 'qdisc add dev v0 root pfifo limit 100'.split(' ')));
    withNetns(netns, () => execFileSync('ip', ['route', 'add', 'default', 'via', '10.9.9.1']));
    const child = withNetns(netns, () => cli(process.execPath, []));
    const { candidates } = JSON.parse(child.stdout) as DoctorReport;
    const [m, v] = candidates[0]!.others;
    expect(m).toMatchObject({ name: 'm0', addresses: [], routes: [] });
    expect(v).toMatchObject({
      name: 'v0',
      qdisc: 'pfifo',
      addresses: expect.arrayContaining([
        { address: '10.9.9.2/24', duplicate: false },
        { address: 'fd09::2/64', duplicate: false },
      ]),
      routes: ['default', '10.9.9.0/24', 'fd09::/64'],
    });
  } finally {
    closeFd(netns);
  }
});

it('finds an address that the kernel gave up as a duplicate', async () => {
  const netns = netnsCreate();
  try {
    using rtnl = new Rtnl({ netns });
    const mac = '02:00:00:00:00:01';
    const m0 = rtnl.createVeth({ name: 'm0', mac, peer: { name: 'v0', mac } });
    // Two ends of one wire with one MAC: each asks for the link-local address that the other has.
    rtnl.setLink(m0.peerIfindex, { up: true });
    rtnl.setLink(m0.ifindex, { up: true });
    rtnl.addAddress(m0.peerIfindex, 'fe80::77/64', true);
    rtnl.addAddress(m0.ifindex, 'fe80::77/64');
    const failed = (): boolean =>
      rtnl.addresses(m0.ifindex).some((a) => a.address === 'fe80::77' && (a.flags & IFA_F_DADFAILED) !== 0);
    await until(failed);
    const child = withNetns(netns, () => cli(process.execPath, []));
    const { candidates } = JSON.parse(child.stdout) as DoctorReport;
    expect(candidates[0]!.others.find((d) => d.name === 'm0')!.addresses).toContainEqual({
      address: 'fe80::77/64',
      duplicate: true,
    });
  } finally {
    closeFd(netns);
  }
});

it('without privileges says what is missing and what it could not find out', () => {
  const child = cli('setpriv', [
    '--reuid',
    '65534',
    '--clear-groups',
    '--inh-caps',
    '-all',
    process.execPath,
  ]);
  const report = JSON.parse(child.stdout) as DoctorReport;
  expect(statuses(report)).toMatchObject({
    capabilities: 'fail',
    perfmon: 'warn',
    btf: 'ok',
    tcx: 'unknown',
    clsact: 'unknown',
    'native-xdp': 'unknown',
    netkit: 'unknown',
    programs: 'unknown',
    addon: 'ok',
  });
  expect(child.status).toBe(1);
});

/** `vfailover doctor --json` as a process of its own, with words before it. */
function cli(command: string, args: string[]): { stdout: string; status: number | null } {
  const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
  return spawnSync(command, [...args, main, 'doctor', '--json'], { encoding: 'utf8' });
}
