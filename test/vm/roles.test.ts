import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Guest } from '../../lab/vm/guest.js';
import type { DaemonStatus } from '../../src/api/index.js';
import { DOCTORS, thorough } from './selection.js';

/** Real drivers say what they are: which device may be the master is known there, other than on veth. */

const MAC = '52:54:00:00:00:01';
const MAIN = 'node dist/src/cli/main.js';

describe.each(DOCTORS)('Linux %s', (kernel) => {
  let guest: Guest;
  /** Names that the guest's kernel gave. */
  let vf: string;
  let virtio: string;

  beforeAll(async () => {
    guest = await Guest.boot({
      kernel,
      memoryMb: 384,
      project: 'tests',
      nics: [
        { id: 'sby', driver: 'virtio-net-pci', mac: MAC, netdev: 'hubport,hubid=1' },
        { id: 'prim', driver: 'vmxnet3', mac: MAC, netdev: 'hubport,hubid=1' },
      ],
    });
    // The fast device is eth0, as it often is.
    await guest.run('modprobe vmxnet3; modprobe virtio_net');
    vf = await nameOf('vmxnet3');
    virtio = await nameOf('virtio_net');
    await guest.run(`ip link set ${virtio} up`);
  });
  afterAll(() => guest?.stop());

  const nameOf = async (driver: string): Promise<string> =>
    (
      await guest.run(
        `cd /sys/class/net; for d in *; do readlink $d/device/driver | grep -q ${driver} && echo $d; done; true`,
      )
    ).trim();

  /** Runs the daemon with that master and ends it. Returns its status, or the log of one that did not start. */
  const daemon = async (master: string, more = ''): Promise<string> =>
    (
      await guest.exec(
        `cd /project && echo 'instances: [{ name: net0, master: ${master} ${more} }]' >/tmp/c.yaml &&
        { ${MAIN} run -c /tmp/c.yaml 2>/tmp/log & } && pid=$! &&
        for i in $(seq 700); do grep -q '"ready"' /tmp/log && break; kill -0 $pid 2>/dev/null || break; sleep 0.2; done;
        if kill -0 $pid 2>/dev/null; then sleep 2; ${MAIN} status --json; ${MAIN} detach net0 >/dev/null; kill $pid; wait $pid; else cat /tmp/log; fi`,
        { timeoutMs: 300_000 },
      )
    ).stdout;

  async function takesVirtio(master: string): Promise<void> {
    const { instances } = JSON.parse(await daemon(master)) as DaemonStatus;
    expect(instances[0], master).toMatchObject({
      master: { name: virtio, driver: 'virtio_net' },
      primary: { name: vf, driver: 'vmxnet3', state: 'joined' },
    });
  }

  test('the VF as master is refused and the virtio device named', async () => {
    expect({ vf, virtio }).toEqual({ vf: 'eth0', virtio: 'eth1' });
    const refused = await daemon(vf);
    expect(refused).toMatch(
      /MASTER_UNFIT \[master\]: eth0 \(vmxnet3, [0-9a-f:.]+\) cannot be the master: eth1 \(virtio_net/,
    );
    expect(refused).toContain('fix: set master to eth1');
  });

  test('by the MAC that both have, the virtio device is taken', () => takesVirtio(`{ mac: "${MAC}" }`));

  thorough('by MAC and driver, by bus or by name, it is taken', async () => {
    const pci = (
      await guest.run(`basename $(dirname $(readlink -f /sys/class/net/${virtio}/device))`)
    ).trim();
    for (const master of [`{ mac: "${MAC}", driver: virtio_net }`, `{ bus: "${pci}" }`, virtio])
      await takesVirtio(master);
  });

  thorough('with check_roles: false the VF is the master', async () => {
    const { instances } = JSON.parse(await daemon(vf, ', check_roles: false')) as DaemonStatus;
    expect(instances[0]!.master.name).toBe(vf);
  });
});
