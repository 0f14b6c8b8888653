import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GuestDaemon } from '../../lab/vm/daemon.js';
import { PACED, PacedPair } from '../../lab/vm/paced-pair.js';
import { type Devices, Testbed } from '../../lab/vm/testbed.js';
import type { InstanceStatus } from '../../src/api/index.js';
import { quietFor } from '../helpers/wait.js';
import { FULL, TESTBEDS, thorough, WIRE } from './selection.js';

/**
 * fq of the master on the slave: on a NIC with several queues, and what it is there for: a connection that learned on the standby that fq
 * paces it keeps its pace by the VF. The host's kernel may have no fq, so both are seen in guests alone.
 */

/** Every kernel, with the NIC that has several queues. */
const KERNELS = [...new Set(TESTBEDS.map(([kernel]) => kernel))];
/** A change of the master is followed within so long: 80 ms, and what an emulated and loaded machine adds. */
const FOLLOWED_MS = 5000;

describe.each(KERNELS)('Linux %s', (kernel) => {
  let bed: Testbed;
  let daemon: GuestDaemon;
  let pair: PacedPair;
  let d: Devices;

  beforeAll(async () => {
    bed = await Testbed.boot({ kernel, primary: 'vmxnet3', wire: WIRE });
    daemon = new GuestDaemon(bed);
    d = await bed.devices();
    // No module of it: the guest's kernel lacks what this file tests, and nothing is left out in silence.
    await bed.guest.run(
      `modprobe -a sch_fq sch_tbf && tc qdisc replace dev ${d.master} root fq maxrate 80mbit`,
    );
    pair = await PacedPair.make(bed.guest);
    await daemon.start({ model: 'transparent', master: d.master });
    await daemon.request('attach', pair.instance);
    await daemon.untilActive('primary');
    await pair.switch(daemon, 'primary');
  }, 300_000);
  afterAll(() => bed?.close());

  /** The qdiscs of a device, one a line, without the clsact that programs need before Linux 6.6. */
  const qdiscs = async (device = d.primary!): Promise<string[]> =>
    (await bed.guest.run(`tc qdisc show dev ${device}`))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('qdisc clsact'));
  /** What the VF's queues have, as far as the master's options say. */
  const until = async (what: string, holds: (lines: string[]) => boolean): Promise<string[]> => {
    let lines: string[] = [];
    const look = async (): Promise<boolean> => {
      lines = await qdiscs();
      return holds(lines);
    };
    await bed.until(what, look, FOLLOWED_MS);
    return lines;
  };
  const paced = (rate: string) => (lines: string[]) =>
    /^qdisc mq 7666: root/.test(lines[0] ?? '') &&
    lines.length > 1 &&
    lines.slice(1).every((l) => l.startsWith('qdisc fq ') && l.includes(`maxrate ${rate} `));
  const theKernels = (lines: string[]): boolean =>
    lines.length > 1 && lines.every((l) => / 0: /.test(l) && !l.startsWith('qdisc fq '));
  const notes = ({ impairments }: InstanceStatus): string[] => impairments.map(({ key }) => key);

  test('every queue of the VF has fq with the options of the master, and what changes there follows', async () => {
    const lines = await until('fq on each queue', paced('80Mbit'));
    const queues = (await bed.guest.run(`ls -d /sys/class/net/${d.primary}/queues/tx-*`)).trim().split('\n');
    expect(lines).toHaveLength(1 + queues.length);
    expect(notes(await daemon.status())).toEqual([]);
    await bed.guest.run(`tc qdisc change dev ${d.master} root fq maxrate 40mbit`);
    await until('the new rate', paced('40Mbit'));
    await bed.guest.run(`tc qdisc del dev ${d.master} root`);
    await until('what the device began with', theKernels);
    await bed.guest.run(`tc qdisc replace dev ${d.master} root fq maxrate 20mbit`);
    await until('fq again', paced('20Mbit'));
  }, 120_000);

  test('throwing away what waits in the queues, as a failover does, leaves it', async () => {
    const before = await qdiscs();
    await bed.guest.run(`ip link set ${d.primary} txqueuelen 1001; ip link set ${d.primary} txqueuelen 1000`);
    await quietFor(500);
    expect(await qdiscs()).toEqual(before);
  }, 60_000);

  test('what somebody removes is put back; what somebody configures stays, and status says so', async () => {
    await bed.guest.run(`tc qdisc del dev ${d.primary} root`);
    await until('put back', paced('20Mbit'));
    expect(notes(await daemon.status())).toEqual([]);
    await bed.guest.run(
      `tc qdisc replace dev ${d.primary} root handle 1: tbf rate 100mbit burst 10k latency 50ms`,
    );
    await bed.until('a note', async () => notes(await daemon.status()).includes('hooks/qdisc'), FOLLOWED_MS);
    expect(await qdiscs()).toEqual([expect.stringMatching(/^qdisc tbf 1: root/)]);
    await bed.guest.run(`tc qdisc del dev ${d.primary} root`);
    await until('ours again', paced('20Mbit'));
    await bed.until('no note', async () => notes(await daemon.status()).length === 0, FOLLOWED_MS);
  }, 120_000);

  test.each(FULL ? PACED : PACED.slice(0, 1))(
    'a connection that fq paces on the standby keeps its pace by the VF: $name',
    async (kind) => {
      const kept = await pair.rate(daemon, kind, 'taken over');
      const lost = await pair.rate(daemon, kind, 'own');
      console.log(
        `${kernel}, ${kind.name}, ${kind.mbps} Mbit/s: by the standby ${kept.standby} and ${lost.standby}, by the VF ${kept.primary} with fq, ${lost.primary} without`,
      );
      for (const rate of [kept.standby, kept.primary, lost.standby])
        expect(rate).toBeLessThan(1.5 * kind.mbps);
      expect(kept.primary).toBeGreaterThan(0.2 * kind.mbps);
      expect(lost.primary).toBeGreaterThan(2 * kind.mbps);
    },
    180_000,
  );

  thorough(
    'it outlives a daemon that is killed; the next one takes it back at the detach',
    async () => {
      await daemon.kill('KILL');
      expect(paced('20Mbit')(await qdiscs())).toBe(true);
      await daemon.restart();
      await daemon.untilActive('primary');
      expect(paced('20Mbit')(await qdiscs())).toBe(true);
      await daemon.detach();
      await bed.guest.run(`ip link set ${d.primary} up`);
      await until('what the device began with', theKernels);
      expect(await qdiscs(d.master)).toEqual([expect.stringMatching(/^qdisc fq .*maxrate 20Mbit/)]);
    },
    240_000,
  );
});
