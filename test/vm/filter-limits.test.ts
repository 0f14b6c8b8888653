import { afterAll, beforeAll, expect, test } from 'vitest';
import { groupMac } from '../../lab/netns/frames.js';
import { Interview, type Row } from '../../lab/vm/questions/interview.js';
import { ask, echoTo, makeScene } from '../../lab/vm/questions/questions.js';
import { WIRE } from './selection.js';

/**
 * A NIC that cannot let in all that its master should receive: an igbvf has room for 30 groups, no promisc, and the MACs that its host
 * grants. Frames come by the standby where they can, and `status` says which do not.
 */

/** More than an igbvf holds. */
const GROUPS = 40;
const TOLD_MS = 30_000;
const groups = Array.from({ length: GROUPS }, (_, i) => `239.99.8.${i + 1}`);

let interview: Interview;
beforeAll(async () => {
  interview = await Interview.boot({ kernel: '6.12', primary: 'igbvf', model: 'transparent', wire: WIRE });
  await makeScene(interview.bed, 'plain');
  await interview.start();
});
afterAll(() => interview?.close());

/** Waits until an impairment says so, or until none does. */
const untilTold = (what: RegExp, told = true): Promise<void> =>
  interview.bed.until(
    `status ${told ? 'says' : 'no longer says'} ${what}`,
    async () =>
      (await interview.daemon.status()).impairments.some(({ message }) => what.test(message)) === told,
    TOLD_MS,
  );

const answered = (rows: readonly Row[]): number => rows.reduce((n, row) => n + row.answered, 0);

test('more groups than fit are answered all the same, and status says that they did not fit', async () => {
  const { bed, asker } = interview;
  const { master } = await bed.devices();
  const each = (verb: string): Promise<string> =>
    bed.guest.run(`for g in ${groups.join(' ')}; do ip addr ${verb} $g/32 dev ${master} autojoin; done`);
  // The kernel's own limit is 20 to a socket, and addresses share one.
  await bed.guest.run(`echo ${2 * GROUPS} >/proc/sys/net/ipv4/igmp_max_memberships`);
  await each('add');
  await untilTold(/group/i);
  await interview.switch('primary');
  const silent: string[] = [];
  for (const group of groups) {
    const question = { name: group, scene: 'plain' as const, ask: echoTo(groupMac(group), group) };
    if ((await ask(asker, question, 1)) === 0) silent.push(group);
  }
  expect(silent).toEqual([]);
  await each('del');
  await untilTold(/group/i, false);
});

test('a VF without promisc: the stations behind a bridge are heard, or status says that they are not', async () => {
  const rows = await interview.made(['bridge'], async () => {
    const asked = await interview.askAll(['bridge'], ['primary']);
    if (answered(asked) < asked.length * 5) {
      await untilTold(/promisc/);
      expect((await interview.daemon.status()).state).toBe('degraded');
    }
    return interview.askAll(['bridge'], ['standby']);
  });
  expect(rows.map((row) => row.answered)).toEqual(rows.map((row) => row.times));
  await untilTold(/promisc/, false);
});

test('a VF that its host does not trust: a macvlan is heard, or status says why it may not be', async () => {
  const { bed } = interview;
  await bed.pf('vf 0 trust off');
  try {
    const rows = await interview.made(['macvlan'], async () => {
      const asked = await interview.askAll(['macvlan'], ['primary']);
      if (answered(asked) < asked.length * 5) await untilTold(/52:54:00:76:66:03|host/);
      return interview.askAll(['macvlan'], ['standby']);
    });
    expect(rows.map((row) => row.answered)).toEqual(rows.map((row) => row.times));
  } finally {
    await bed.pf('vf 0 trust on');
  }
});
