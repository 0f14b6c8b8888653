import { existsSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { requires } from '../../packages/bpf-loader-ts/test/kernel.js';
import { FREE } from '../../src/hooks/patience.js';
import { cli, events, inGuest, type Lab, lab, status, untilActive } from '../helpers/daemon.js';
import { impairments, ours, takeOff, told, WHOLE } from '../helpers/hooks.js';
import { until } from '../helpers/wait.js';

/** One look, and what a loaded machine adds. */
const SEEN_MS = 3000;

const whole = (l: Lab) =>
  until(
    () => ours(l),
    (o) => JSON.stringify(o) === JSON.stringify(WHOLE),
    SEEN_MS,
  );

const running = async (attach: 'tcx' | 'clsact'): Promise<Lab> => {
  const l = await lab('veth', { attach });
  await untilActive(l, 'primary');
  return l;
};

describe.each(['tcx', 'clsact'] as const)('programs that somebody takes off (%s)', (attach) => {
  test.for([
    ['deliver', 'vf', true],
    ['guard', 'vf', false],
    ['steer', 'virtio', true],
    ['accept', 'virtio', false],
  ] as const)('%s is put back; traffic moves if frames depend on it', async ([name, on, moves], context) => {
    if (attach === 'tcx') requires(context, 'TCX', '6.6');
    const l = await running(attach);
    const before = (await events(l)).length;
    takeOff(l.world, l.world[on].guestIfindex, `vf_${name}`);
    await until(
      () => told(l),
      (text) => text.includes(`over: vf_${name} at`),
      SEEN_MS,
    );
    await whole(l);
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ state: 'ok', impairments: [] });
    const moved = (await events(l)).slice(before);
    if (moves)
      expect(moved[0]).toMatchObject({
        cause: 'hooks',
        to: 'standby',
        signal: expect.stringContaining(`vf_${name} at`),
      });
    else expect(moved).toEqual([]);
  });
});

describe('what the kernel tells with a change', () => {
  test.each(['virtio0', 'vf0'])(
    'clsact of %s removed: everything is put back, and by whom it was removed is told',
    async (dev) => {
      const l = await running('clsact');
      inGuest(l.world, 'tc', 'qdisc', 'del', 'dev', dev, 'clsact');
      await until(
        () => told(l),
        (text) => text.includes('over: '),
        SEEN_MS,
      );
      await whole(l);
      const [lost] = await impairments(l);
      expect(lost).toMatchObject({ instance: 'net0', over: false, impairment: { severity: 'degraded' } });
      expect(lost!.impairment.message).toMatch(new RegExp(`at ${dev} .* were taken off by process \\d+`));
      const listed = cli('events', '--socket', l.daemon.socket);
      expect(listed.out).toContain('were taken off by');
      await untilActive(l, 'primary');
      // It is ours again, and goes with us.
      await l.client.request('detach', { name: 'net0' });
      expect(inGuest(l.world, 'tc', 'qdisc', 'show', 'dev', dev)).not.toContain('clsact');
    },
  );

  test('a clsact that somebody else made in the place of ours is theirs', async () => {
    const l = await running('clsact');
    // The daemon would be there between the two.
    process.kill(l.daemon.pid!, 'SIGSTOP');
    inGuest(l.world, 'tc', 'qdisc', 'del', 'dev', 'virtio0', 'clsact');
    inGuest(l.world, 'tc', 'qdisc', 'add', 'dev', 'virtio0', 'clsact');
    process.kill(l.daemon.pid!, 'SIGCONT');
    await until(
      () => told(l),
      (text) => text.includes('over: '),
      SEEN_MS,
    );
    await whole(l);
    await l.client.request('detach', { name: 'net0' });
    expect(inGuest(l.world, 'tc', 'qdisc', 'show', 'dev', 'virtio0')).toContain('clsact');
  });
});

describe('pins', () => {
  test('removed while the daemon lives: no program goes, the pins come back, the next daemon adopts', async (context) => {
    requires(context, 'TCX', '6.6');
    const l = await running('tcx');
    const before = (await events(l)).length;
    rmSync(l.pins, { recursive: true, force: true });
    expect(ours(l)).toEqual(WHOLE);
    const pins = ['maps/lines', 'maps/undo', 'events/0', 'instances/net0/steer', 'instances/net0/deliver'];
    await until(
      () => pins.filter((p) => !existsSync(`${l.pins}/${p}`)),
      (missing) => missing.length === 0,
      SEEN_MS,
    );
    await l.daemon.kill('SIGKILL');
    expect(ours(l)).toEqual(WHOLE);
    await l.daemon.start();
    const again = { client: await l.daemon.client() };
    expect(await untilActive(again, 'primary')).toMatchObject({ state: 'ok', switches: before });
    again.client.close();
  });
});

describe('a manager that takes a program off again and again', () => {
  test('is given up to for longer and longer, with traffic on the standby, and told', async (context) => {
    requires(context, 'TCX', '6.6');
    const l = await running('tcx');
    const { vf } = l.world;
    const attached = () => ours(l).vf.includes('vf_deliver ingress');
    let times = 0;
    const s = await until(
      () => {
        if (attached()) {
          takeOff(l.world, vf.guestIfindex, 'vf_deliver');
          times++;
        }
        return status(l);
      },
      (x) => /It was taken off \d+ times/.test(x.impairments[0]?.message ?? ''),
      10 * SEEN_MS,
    );
    expect(times).toBeGreaterThan(FREE);
    expect(times).toBeLessThan(FREE + 3);
    expect(s).toMatchObject({ state: 'degraded', active: 'standby' });
    expect(s.impairments[0]!.message).toMatch(
      /taken off.* traffic takes the standby .*It was taken off \d+ times/,
    );
    // Left alone it is put back when the wait is over.
    await until(
      () => ours(l),
      (o) => o.vf.includes('vf_deliver ingress'),
      20_000,
    );
    await untilActive(l, 'primary');
    expect(await status(l)).toMatchObject({ state: 'ok' });
  });
});
