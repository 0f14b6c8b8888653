import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Guest } from '../../lab/vm/guest.js';
import type { KernelName } from '../../lab/vm/kernel.js';
import type { DoctorReport, Status } from '../../src/doctor/findings.js';
import { DOCTORS } from './selection.js';

/** What is known of all three kernels by other means: Linux's history and Debian's configuration. */
const EVERYWHERE: Record<string, Status> = {
  ...{ kernel: 'ok', capabilities: 'ok', btf: 'ok', 'mmapable-arrays': 'ok', 'ring-buffer': 'ok' },
  ...{ programs: 'ok', clsact: 'ok', 'native-xdp': 'ok', vlan: 'ok', dummy: 'ok' },
  ...{ fentry: 'ok', kprobe: 'ok' },
  // One queue for two CPUs on one of the two devices.
  'virtio-xdp': 'warn',
};
const TRUTH: Record<KernelName, Record<string, Status>> = {
  '6.1': { tcx: 'warn', netkit: 'warn', 'kern-ctx': 'warn' },
  '6.12': { tcx: 'ok', netkit: 'ok', 'kern-ctx': 'ok' },
  '7': { tcx: 'ok', netkit: 'ok', 'kern-ctx': 'ok' },
};

const MACS = { one: '02:00:00:00:00:01', four: '02:00:00:00:00:04' };

/** Attaches native XDP to a device, as nobody may on a machine in use. */
const attach = (mac: string): string => `
  import { attachXdp, parseSpec } from 'bpf-loader-ts';
  import { readdirSync, readFileSync } from 'node:fs';
  const read = (name, file) => readFileSync('/sys/class/net/' + name + '/' + file, 'utf8').trim();
  const name = readdirSync('/sys/class/net').find((n) => read(n, 'address') === '${mac}');
  const object = parseSpec('packages/bpf-loader-ts/test/bpf/basic.bpf.o').load();
  const link = attachXdp(object.program('pass'), Number(read(name, 'ifindex')), 'native');
  console.log(name, link.info().typeName);`;

describe.each(DOCTORS)('Linux %s', (kernel) => {
  test('doctor says what is known of it; XDP attaches to virtio with one queue and with several', async () => {
    const netns = netnsCreate();
    onTestFinished(() => closeFd(netns));
    const guest = await Guest.boot({
      kernel,
      memoryMb: 384,
      project: 'tests',
      spawnPrefix: ['nsenter', `--net=/proc/${process.pid}/fd/${netns}`],
      nics: [
        { id: 'one', driver: 'virtio-net-pci', mac: MACS.one, netdev: 'hubport,hubid=1' },
        {
          id: 'four',
          driver: 'virtio-net-pci',
          mac: MACS.four,
          netdev: 'tap,ifname=four,queues=4,script=no,downscript=no',
          properties: { mq: true, vectors: 10 },
        },
      ],
    });
    onTestFinished(() => guest.stop());
    await guest.run('modprobe virtio_net');
    const { stdout } = await guest.exec('cd /project && node dist/src/cli/main.js doctor --json', {
      timeoutMs: 120_000,
    });
    const { checks, can_run } = JSON.parse(stdout) as DoctorReport;
    const known = { ...EVERYWHERE, ...TRUTH[kernel] };
    const said = checks.filter(({ name }) => name in known);
    expect(Object.fromEntries(said.map(({ name, status }) => [name, status]))).toEqual(known);
    for (const { name, status, cost } of said) if (status !== 'ok') expect(cost, name).toMatch(/\w/);
    expect(checks.find(({ name }) => name === 'virtio-xdp')?.found).toMatch(
      /^eth\d with (1 queue and eth\d with 4 queues|4 queues and eth\d with 1 queue)$/,
    );
    expect(can_run).toBe(true);
    for (const mac of Object.values(MACS)) {
      const script = `cd /project && node --input-type=module -e '${attach(mac).replaceAll("'", '"')}'`;
      expect(await guest.run(script, 60_000)).toMatch(/^eth\d xdp\n$/);
    }
  });
});
