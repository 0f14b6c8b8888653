import { describe, expect, test } from 'vitest';
import type { Device } from '../../src/device.js';
import {
  type DeviceFacts,
  type MasterChoice,
  masterLabel,
  sameMacAs,
  selectMaster,
  swappedRoles,
} from '../../src/registry/master.js';

const MAC = '52:54:00:12:34:56';
let next = 1;

/** A device with what its driver says of itself. */
function facts(
  name: string,
  driver: string | undefined,
  busInfo: string | undefined,
  more: Partial<Device> & { virtualFunction?: boolean } = {},
): DeviceFacts {
  const { virtualFunction = false, ...rest } = more;
  const device: Device = {
    ifindex: next++,
    name,
    type: 1,
    address: MAC,
    mtu: 1500,
    up: true,
    carrier: true,
    operstate: 'up',
    ...rest,
  };
  return { device, driver, busInfo, virtualFunction };
}

// As Debian's kernels tell of them: virtio's parent is virtioN, and only its driver knows the PCI function.
const virtio = facts('eth1', 'virtio_net', '0000:00:03.0', { parentDev: 'virtio0', parentBus: 'virtio' });
const vf = facts('eth0', 'igbvf', '0000:01:10.0', { parentDev: '0000:01:10.0', parentBus: 'pci' });
const e1000e = facts('ens5', 'e1000e', '0000:02:00.0', { parentDev: '0000:02:00.0', parentBus: 'pci' });
const vlan = facts('eth1.7', '802.1Q VLAN Support', undefined, { kind: 'vlan', link: virtio.device.ifindex });
const veth = facts('veth0', 'veth', undefined, { kind: 'veth' });
const other = facts('ens9', 'virtio_net', '0000:00:09.0', {
  address: '52:54:00:00:00:09',
  parentDev: 'virtio3',
  parentBus: 'virtio',
});

const select = (
  choice: MasterChoice,
  among: DeviceFacts[],
  model: 'transparent' | 'net-failover' = 'transparent',
) =>
  selectMaster(
    choice,
    model,
    among.map((f) => f.device),
    (d) => among.find((f) => f.device === d)!,
  ).name;

describe('a master is chosen', () => {
  const guest = [vf, virtio, vlan, other];
  test.each<[MasterChoice, string]>([
    ['eth1', 'eth1'],
    [virtio.device.ifindex, 'eth1'],
    // The VF has the same MAC, and so has the VLAN.
    [{ mac: MAC }, 'eth1'],
    [{ mac: '52-54-00-12-34-56' }, 'eth1'],
    [{ mac: MAC, driver: 'virtio_net' }, 'eth1'],
    [{ bus: '0000:00:03.0' }, 'eth1'],
    [{ bus: 'pci/0000:00:03.0' }, 'eth1'],
    [{ bus: 'virtio0' }, 'eth1'],
    [{ bus: 'virtio/virtio0' }, 'eth1'],
    [{ driver: 'virtio_net', mac: '52:54:00:00:00:09' }, 'ens9'],
    [{ mac: MAC, driver: 'igbvf' }, 'eth0'],
    [{ name: 'eth1', driver: 'virtio_net' }, 'eth1'],
  ])('%j', (choice, name) => {
    expect(select(choice, guest)).toBe(name);
  });

  test('a permanent MAC counts as the current one does', () => {
    const changed = facts('eth1', 'virtio_net', undefined, {
      permAddress: MAC,
      address: '02:00:00:00:00:77',
    });
    expect(select({ mac: MAC }, [changed])).toBe('eth1');
    expect(select({ mac: '02:00:00:00:00:77' }, [changed])).toBe('eth1');
  });

  test('net-failover: the device that others belong to', () => {
    const master = facts('ens3', 'net_failover', undefined, { parentDev: 'virtio0', parentBus: 'virtio' });
    const slave = (name: string) => facts(name, 'x', undefined, { master: master.device.ifindex });
    expect(select({ mac: MAC }, [slave('ens3nsby'), master, slave('ens3p')], 'net-failover')).toBe('ens3');
  });

  test('by MAC alone a PCI function is never meant, be it the only one: the virtio device may come later', () => {
    expect(() => select({ mac: MAC }, [e1000e])).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_FOUND', field: 'master', value: `mac ${MAC}` }),
    );
    expect(select({ mac: MAC, driver: 'e1000e' }, [e1000e])).toBe('ens5');
  });

  test('several are refused with all of them', () => {
    expect(() => select({ driver: 'virtio_net' }, guest)).toThrow(
      expect.objectContaining({
        code: 'MAC_AMBIGUOUS',
        value: ['eth1 (virtio_net, 0000:00:03.0)', 'ens9 (virtio_net, 0000:00:09.0)'],
        fix: expect.stringContaining('bus'),
      }),
    );
  });

  test.each<[MasterChoice, string]>([
    ['nope', 'there is no device nope'],
    [{ mac: MAC, bus: '0000:09:00.0' }, `there is no device with mac ${MAC}, bus 0000:09:00.0`],
    [{ name: 'eth1', driver: 'igbvf' }, 'there is no device with name eth1, driver igbvf'],
  ])('%j is not there', (choice, message) => {
    expect(() => select(choice, guest)).toThrow(message);
  });

  test('labels', () => {
    expect(['eth0', 7, { driver: 'x' }].map((c) => masterLabel(c))).toEqual([
      'eth0',
      'ifindex 7',
      'driver x',
    ]);
  });
});

describe('swapped roles', () => {
  test('the virtio device is the other one: it is named', () => {
    const error = swappedRoles(e1000e, [virtio])!;
    expect(error).toMatchObject({ code: 'MASTER_UNFIT', field: 'master', value: 'ens5' });
    expect(error.message).toContain('eth1 (virtio_net, 0000:00:03.0)');
    expect(error.fix).toMatch(/^set master to eth1, .*ens5.*check_roles to false$/);
  });
  test('a VF by its driver, or by its physical function, without another device', () => {
    expect(swappedRoles(vf, [])?.fix).toContain('name the virtio device as master');
    const known = facts('enp1s0v0', 'mlx5_core', '0000:01:00.2', { virtualFunction: true });
    expect(swappedRoles(known, [])?.message).toContain('virtual function');
  });
  test.each([
    ['virtio with its VF', virtio, [vf]],
    ['two virtio devices', virtio, [other]],
    ['veth says nothing of itself', veth, [veth]],
    ['a physical NIC alone', e1000e, []],
    ['netvsc with its VF', facts('eth0', 'hv_netvsc', undefined), [vf]],
  ] as const)('%s is fine', (_, master, others) => {
    expect(swappedRoles(master, others)).toBeUndefined();
  });
  test('what lies on top of the master is not its primary', () => {
    const all = [virtio, vf, vlan, other].map((f) => f.device);
    expect(sameMacAs(virtio.device, all).map((d) => d.name)).toEqual(['eth0']);
  });
});
