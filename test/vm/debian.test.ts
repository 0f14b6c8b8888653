import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebianBed, MASTER, VF } from '../../lab/vm/debian-guest.js';
import type { Pings } from '../../lab/vm/dhcp.js';
import { hidingFiles, MANAGERS } from '../../lab/vm/managers.js';
import { GUEST_ADDRESS } from '../../lab/vm/wire.js';
import type { DoctorReport } from '../../src/doctor/findings.js';
import { DEBIAN, FULL, thorough } from './selection.js';

/**
 * The daemon as a unit of a whole Debian, beside the manager that configures its network, on a card that filters. The network outside gives
 * leases and advertises an IPv6 prefix.
 */

/** Answers of five questions, each from a station that has forgotten the guest. */
const ALL = { sent: 5, answered: 5 };
/** A switch under emulation costs some frames; the station pings ten times a second. */
const A_SWITCH = 10;

describe.each(DEBIAN)('Debian with %s', (manager) => {
  let bed: DebianBed;
  /** Of the master, once all is well. */
  let address6: string;

  beforeAll(async () => {
    // As `doctor --fix` leaves the disk: its own test is below.
    bed = await DebianBed.boot({ manager, service: true, files: hidingFiles(manager) });
    await bed.untilJoined();
    await bed.until('the master has its addresses', async () => (await settled()) !== undefined);
    address6 = (await settled())!;
  }, 900_000);
  afterAll(() => bed?.close());

  /** The global IPv6 address of the master, if all its addresses are in use and the lease is one of them. */
  async function settled(): Promise<string | undefined> {
    const all = await bed.addresses(MASTER);
    if (all.some((a) => a.tentative) || !all.some((a) => a.address === GUEST_ADDRESS)) return undefined;
    return all.find((a) => a.scope === 'global' && a.address.startsWith('fd99:'))?.address;
  }

  /** The master has its addresses, all in use, the slave has none, and the router has given one lease. */
  async function asItShouldBe(): Promise<void> {
    await bed.until('the master has its addresses', async () => (await settled()) === address6);
    expect((await bed.addresses(MASTER)).filter((a) => a.dadfailed)).toEqual([]);
    expect(await bed.addresses(VF)).toEqual([]);
    expect(bed.router.leases.map((l) => l.address)).toEqual([GUEST_ADDRESS]);
    expect((await bed.daemon.status()).state).toBe('ok');
  }

  async function answersAnew(): Promise<void> {
    expect(await bed.router.askAnew(GUEST_ADDRESS), 'ARP').toEqual(ALL);
    expect(await bed.router.askAnew(address6), 'neighbour solicitation').toEqual(ALL);
  }

  /** Pings both addresses while something is done. */
  async function pinged(act: () => Promise<unknown>): Promise<{ lost4: number; lost6: number }> {
    let lost6 = 0;
    const four = await bed.router.pingWhile(GUEST_ADDRESS, async () => {
      const six = await bed.router.pingWhile(address6, act);
      lost6 = six.sent - six.answered;
    });
    return { lost4: four.sent - four.answered, lost6 };
  }

  async function held(act: () => Promise<unknown>, most = A_SWITCH): Promise<void> {
    const { lost4, lost6 } = await pinged(act);
    expect(lost4, 'IPv4').toBeLessThanOrEqual(most);
    expect(lost6, 'IPv6').toBeLessThanOrEqual(most);
  }

  test('from the boot on, the master has its addresses, keeps them at the join, and the VF has none', async () => {
    await asItShouldBe();
    expect(await bed.lostAddresses(MASTER)).toEqual([]);
  });

  test('what nobody remembers is answered, by IPv4 and by IPv6', answersAnew);

  test('unplugged and plugged in again, the VF costs neither an address nor a lease', async () => {
    await held(async () => {
      await bed.guest.unplug('primary');
      await bed.daemon.untilActive('standby', 180_000);
    });
    await held(async () => {
      await bed.guest.plug('primary');
      await bed.daemon.untilActive('primary', 180_000);
    });
    await asItShouldBe();
    expect(await bed.lostAddresses(MASTER)).toEqual([]);
    await answersAnew();
  });

  test('killed, the daemon is missed by nobody, and the next one adopts', async () => {
    await held(async () => {
      await bed.guest.run('systemctl kill --signal=KILL vfailover; systemctl stop vfailover');
      await answersAnew();
    });
    await held(async () => {
      await bed.guest.run('systemctl start vfailover');
      await bed.untilJoined();
    });
    await asItShouldBe();
    await answersAnew();
  });

  for (const [name, command] of Object.entries(MANAGERS[manager].operations))
    thorough(`${name} of the manager leaves the pair as it is`, async () => {
      await bed.guest.run(command, 60_000);
      await asItShouldBe();
      await answersAnew();
      expect((await bed.daemon.status()).active).toBe('primary');
    });

  describe.runIf(FULL)('on top of the master', () => {
    /** Asks while the standby carries the traffic, and while the VF does. */
    const made = async (commands: string, undo: string, ask: () => Promise<Pings>): Promise<void> => {
      await bed.guest.run(commands);
      try {
        for (const slave of ['standby', 'primary'] as const) {
          await bed.daemon.switch(slave);
          await bed.daemon.untilActive(slave, 180_000);
          expect(await ask(), slave).toEqual(ALL);
        }
      } finally {
        await bed.guest.run(undo, 60_000);
        await bed.daemon.switch('auto');
      }
      await asItShouldBe();
    };

    thorough('a VLAN is reached', () =>
      made(
        `ip link add link ${MASTER} name v5 type vlan id 5; ip addr add 10.99.5.2/24 dev v5; ip link set v5 up`,
        'ip link del v5',
        () => bed.router.askInVlan(5, '10.99.5.2'),
      ),
    );

    thorough('a macvlan is reached', () =>
      made(
        `ip netns add c; ip link add link ${MASTER} name mv netns c type macvlan mode bridge
         ip -n c addr add 10.99.0.3/24 dev mv; ip -n c link set mv up`,
        'ip netns del c',
        () => bed.router.askAnew('10.99.0.3'),
      ),
    );

    thorough('a container behind a bridge is reached', () =>
      made(
        `ip netns add c; ip link add br0 type bridge; ip link add vb type veth peer name ve netns c
         ip -n c addr add 10.99.0.4/24 dev ve; ip -n c link set ve up
         ip link set vb master br0; ip link set vb up; ip link set br0 up; ip link set ${MASTER} master br0`,
        // As a device leaves a bridge dhcpcd 10.1 says 'removing interface', and networkd 257 solicits no more (so too without our daemon).
        `ip link set ${MASTER} nomaster; ip link del br0; ip netns del c; ${MANAGERS[manager].operations.restart}`,
        () => bed.router.askAnew('10.99.0.4'),
      ),
    );
  });

  thorough('after a reboot all is as before', async () => {
    await bed.guest.reboot();
    await bed.untilJoined();
    await asItShouldBe();
    expect(await bed.lostAddresses(MASTER)).toEqual([]);
    await answersAnew();
  });
});

describe.runIf(FULL).each(DEBIAN)('Debian with %s, as installed', (manager) => {
  let bed: DebianBed;
  afterAll(() => bed?.close());

  const doctor = async (options = ''): Promise<DoctorReport> =>
    JSON.parse(
      (await bed.guest.exec(`vfailover doctor --json ${options}`, { timeoutMs: 240_000 })).stdout,
    ) as DoctorReport;

  thorough(
    'doctor finds what the manager did, writes what it needs, and the next boot is right',
    async () => {
      bed = await DebianBed.boot({ manager });
      await bed.untilUp();
      // cloud-init gives up before it has configured anything.
      if (manager !== 'cloud-init')
        await bed.until('a device has the lease', async () => bed.router.leases.length > 0);
      const found = await doctor();
      const status = (name: string) => found.checks.find((c) => c.name === name)?.status;
      // By driver: where netplan names by MAC, the VF may have got the master's name.
      expect(found.candidates).toMatchObject([
        { visible: { driver: 'virtio_net' }, hidden: [{ driver: 'vmxnet3' }] },
      ]);
      const takesAll = manager === 'networkd' || manager === 'NetworkManager';
      if (takesAll) {
        expect(status('managers')).toBe('warn');
        expect(status('slave-addresses')).toBe('warn');
      }
      const wanted = Object.keys(hidingFiles(manager));
      expect(found.drop_ins.map((d) => d.state)).toEqual(found.drop_ins.map(() => 'absent'));
      const fixed = await doctor('--fix');
      expect(fixed.drop_ins.filter((d) => d.state === 'written').map((d) => d.path)).toEqual(
        expect.arrayContaining(wanted),
      );
      expect((await doctor('--fix')).drop_ins.map((d) => d.state)).toEqual(
        found.drop_ins.map(() => 'current'),
      );
      await bed.guest.run('systemctl enable vfailover');
      await bed.guest.reboot();
      await bed.untilJoined();
      await bed.until('the master has its lease', async () =>
        (await bed.addresses(MASTER)).some((a) => a.address === GUEST_ADDRESS),
      );
      expect(await bed.addresses(VF)).toEqual([]);
      expect((await bed.addresses(MASTER)).filter((a) => a.dadfailed)).toEqual([]);
      const after = await doctor();
      for (const name of ['managers', 'drop-ins', 'master-addresses', 'slave-addresses'])
        expect(
          after.checks.find((c) => c.name === name),
          name,
        ).toMatchObject({ status: 'ok' });
    },
  );
});
