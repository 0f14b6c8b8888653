import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestDaemon } from '../../lab/vm/daemon.js';
import { type Devices, Testbed } from '../../lab/vm/testbed.js';
import { FILTERS, WIRE } from './selection.js';

/** VLAN devices on the VF: they let an id in, stay down, come again when somebody removes them, and are gone after the detach. */

/** An e1000e filters no VLAN until it has one. */
const CASES = FILTERS.filter(([, primary, model]) => model === 'transparent' && primary !== 'e1000e');

describe.each(CASES)('Linux %s, %s as primary', (kernel, primary) => {
  let bed: Testbed;
  let daemon: GuestDaemon;
  let d: Devices;

  beforeAll(async () => {
    bed = await Testbed.boot({ kernel, primary, wire: WIRE });
    daemon = new GuestDaemon(bed);
    await bed.guest.run('modprobe -a 8021q macvlan');
    d = await bed.devices();
  }, 240_000);
  afterAll(() => bed?.close());

  const vlans = async (): Promise<string[]> =>
    (await bed.guest.run(`ip -o -d link show type vlan | grep '@${d.primary}:' || true`))
      .split('\n')
      .filter(Boolean);
  const untilVlans = (count: number): Promise<unknown> =>
    bed.until(`${count} VLAN devices on the VF`, async () => (await vlans()).length === count);

  test('ids follow, whatever the tag; the devices stay down and are named for what they do', async () => {
    await bed.guest.run(`ip link add link ${d.master} name q100 type vlan id 100; ip link set q100 up`);
    await daemon.start({ model: 'transparent', master: d.master });
    await daemon.untilActive('primary');
    await untilVlans(1);
    await bed.guest.run(`ip link set ${d.primary} down; ip link set ${d.primary} up`);
    await daemon.untilActive('primary');
    const [device] = await vlans();
    expect(device).toMatch(/vf\d+v100@/);
    expect(device).toContain('state DOWN');
    expect(device).toContain('alias vfailover: lets VLAN 100 of net0');
    await bed.guest.run(
      `ip link add link q100 name q100q7 type vlan id 7; ip link add link ${d.master} name q101 type vlan id 101`,
    );
    await untilVlans(2);
    await bed.guest.run('ip link del q101');
    await untilVlans(1);
    expect((await daemon.status()).impairments).toEqual([]);
  }, 180_000);

  test('what somebody removes or sets up is mended', async () => {
    const name = /vf\d+v100/.exec((await vlans())[0]!)![0];
    await bed.guest.run(`ip link set ${name} up`);
    await bed.until('it is down', async () => (await vlans()).some((v) => v.includes('state DOWN')));
    await bed.guest.run(`ip link del ${name}`);
    await untilVlans(1);
  }, 120_000);

  test('an id of the configuration is let in, whatever is on the master', async () => {
    const { master } = d;
    await daemon.request('detach', { name: 'net0' });
    expect(await vlans()).toEqual([]);
    await bed.guest.run(`ip netns add pod; ip link add link ${master} name q102 netns pod type vlan id 102`);
    await daemon.kill('TERM');
    await daemon.start({ model: 'transparent', master, slave_vlans: [102] });
    await daemon.untilActive('primary');
    await untilVlans(2);
    expect((await vlans()).map((v) => /vf\d+v(\d+)@/.exec(v)![1]).sort()).toEqual(['100', '102']);
    expect((await daemon.status()).impairments).toEqual([]);
    await bed.guest.run('ip netns del pod');
    await daemon.kill('TERM');
    await daemon.start({ model: 'transparent', master });
    await daemon.untilActive('primary');
    await untilVlans(1);
  }, 180_000);

  test('they outlive a daemon that is killed; the next one takes them back at the detach', async () => {
    await daemon.kill('KILL');
    expect(await vlans()).toHaveLength(1);
    await daemon.restart();
    await daemon.untilActive('primary');
    await daemon.request('detach', { name: 'net0' });
    expect(await vlans()).toEqual([]);
    expect(await bed.guest.run(`ip -o -d link show ${d.primary}`)).toContain('promiscuity 0');
  }, 180_000);
});
