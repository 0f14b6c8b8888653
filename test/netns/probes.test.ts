import { describe, expect, onTestFinished, test } from 'vitest';
import { type HoleOptions, openHole } from '../../src/lab/hole.js';
import { HOST_ADDRESS, type World } from '../../src/lab/world.js';
import { events, type Lab, lab, status, until, untilActive } from '../helpers/daemon.js';
import { sleep } from '../helpers/sleep.js';

const HOST6 = 'fd00:99::1';
const TARGETS = {
  arp: { arp: HOST_ADDRESS },
  nd: { nd: HOST6 },
  icmp: { icmp: HOST_ADDRESS },
};
const INTERVAL_MS = 40;
const probes = (targets: object[], more: object = {}): object => ({
  probes: { interval_ms: INTERVAL_MS, missed_max: 3, targets, ...more },
});

/** A world whose host can be asked in every way. */
async function probed(targets: object[], more: object = {}, rest: object = {}): Promise<Lab> {
  const l = await lab('veth', { detect: probes(targets, more), ...rest });
  l.world.hostRtnl.addAddress(l.world.bridge, `${HOST6}/64`, true);
  return l;
}

function hole(w: World, o: Partial<HoleOptions> = {}): { close(): void } {
  const h = openHole({ netns: w.host, ifindex: w.vf.hostIfindex, direction: 'both', ...o });
  let open = true;
  const close = () => {
    if (open) h.close();
    open = false;
  };
  onTestFinished(close);
  return { close };
}

const probeOf = (s: Awaited<ReturnType<typeof status>>, role: 'primary' | 'standby') =>
  s[role].detectors.find((d) => d.name === 'probe')!;

/** Both paths answer. */
const untilAnswered = (l: Lab) =>
  until(
    () => status(l),
    (s) =>
      s.active === 'primary' &&
      (['primary', 'standby'] as const).every(
        (r) => /\d\.\d\d ms/.test(probeOf(s, r).detail) && probeOf(s, r).state === 'ok',
      ),
    10_000,
  );

describe.each(Object.entries(TARGETS))('%s', (_kind, target) => {
  test.each(['both', 'from-guest', 'to-guest'] as const)(
    'a black hole (%s) is left, and returned from when it is mended',
    async (direction) => {
      const l = await probed([target]);
      await untilAnswered(l);
      const h = hole(l.world, { direction });
      const s = await untilActive(l, 'standby');
      expect(s).toMatchObject({ state: 'degraded', primary: { carrier: true } });
      const d = (
        await until(
          () => events(l),
          (e) => e.length > 1,
        )
      )[1]!;
      expect(d).toMatchObject({ cause: 'probe', from: 'primary', to: 'standby', health: { standby: 'up' } });
      expect(d.evidence).toMatchObject({ detector: 'probe' });
      expect(d.evidence!.facts.rtt_before_us).toBeGreaterThan(0);
      expect(d.signal).toMatch(
        /probes on the primary are not answered: 3 probes in a row unanswered, last answer/,
      );
      // It stays where it is while the hole is open: both go on being asked.
      await sleep(INTERVAL_MS * 6);
      expect((await status(l)).active).toBe('standby');
      expect(probeOf(await status(l), 'primary').state).toBe('down');
      h.close();
      await untilActive(l, 'primary');
      const list = await until(
        () => events(l),
        (e) => e.length > 2,
      );
      expect(list.map((e) => e.cause)).toEqual(['join', 'probe', 'failback']);
    },
  );
});
