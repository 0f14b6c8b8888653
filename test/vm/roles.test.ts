import { describe, expect, onTestFinished, test } from 'vitest';
import type { DaemonStatus } from '../../src/daemon/api/index.js';
import { Guest } from './lab/guest.js';
import { DOCTORS } from './selection.js';

/** Real drivers say what they are: which device may be the master is known there, other than on veth. */

const MAC = '52:54:00:00:00:01';
const MAIN = 'node dist/src/cli/main.js';

describe.each(DOCTORS)('Linux %s', (kernel) => {
  test('the VF as master is refused and the virtio device named; by MAC, driver or bus that one is taken', async () => {
    const guest = await Guest.boot({
      kernel,
      memoryMb: 384,
      project: 'tests',
      nics: [
        { id: 'sby', driver: 'virtio-net-pci', mac: MAC, netdev: 'hubport,hubid=1' },
        { id: 'prim', driver: 'vmxnet3', mac: MAC, netdev: 'hubport,hubid=1' },
      ],
    });
    onTestFinished(() => guest.stop());
    // The fast device is eth0, as it often is.
    await guest.run('modprobe vmxnet3; modprobe virtio_net');
    const nameOf = async (driver: string): Promise<string> =>
      (
        await guest.run(
          `cd /sys/class/net; for d in *; do readlink $d/device/driver | grep -q ${driver} && echo $d; done; true`,
        )
      ).trim();
    const vf = await nameOf('vmxnet3');
    const virtio = await nameOf('virtio_net');
    expect([vf, virtio]).toEqual(['eth0', 'eth1']);
    await guest.run(`ip link set ${virtio} up`);
    /** Runs the daemon with that master, asks for its status and ends it. */
    const daemon = (master: string, more = ''): Promise<{ stdout: string }> =>
      guest.exec(
        `cd /project && echo 'instances: [{ name: net0, master: ${master} ${more} }]' >/tmp/c.yaml &&
        { ${MAIN} run -c /tmp/c.yaml 2>/tmp/log & } && pid=$! &&
        for i in $(seq 700); do grep -q '"ready"' /tmp/log && break; kill -0 $pid 2>/dev/null || break; sleep 0.2; done;
        if kill -0 $pid 2>/dev/null; then sleep 2; ${MAIN} status --json; ${MAIN} detach net0 >/dev/null; kill $pid; wait $pid; else cat /tmp/log; fi`,
        { timeoutMs: 300_000 },
      );

    const refused = (await daemon(vf)).stdout;
    expect(refused).toMatch(
      /MASTER_UNFIT \[master\]: eth0 \(vmxnet3, [0-9a-f:.]+\) cannot be the master: eth1 \(virtio_net/,
    );
    expect(refused).toContain('fix: set master to eth1');

    const pci = (
      await guest.run(`basename $(dirname $(readlink -f /sys/class/net/${virtio}/device))`)
    ).trim();
    for (const master of [
      `{ mac: "${MAC}" }`,
      `{ mac: "${MAC}", driver: virtio_net }`,
      `{ bus: "${pci}" }`,
      virtio,
    ]) {
      const { instances } = JSON.parse((await daemon(master)).stdout) as DaemonStatus;
      expect(instances[0], master).toMatchObject({
        master: { name: 'eth1', driver: 'virtio_net' },
        primary: { name: 'eth0', driver: 'vmxnet3', state: 'joined' },
      });
    }
    const { instances } = JSON.parse((await daemon(vf, ', check_roles: false')).stdout) as DaemonStatus;
    expect(instances[0]!.master.name).toBe('eth0');
  });
});
