import { describe, expect, onTestFinished, test } from 'vitest';
import { type HoleOptions, openHole } from '../../src/lab/hole.js';
import { Stream } from '../../src/lab/stream.js';
import type { WireKind } from '../../src/lab/wire.js';
import type { World } from '../../src/lab/world.js';
import { events, type Lab, lab, status, until, untilActive } from '../helpers/daemon.js';
import { sleep } from '../helpers/sleep.js';

const PPS = 5000;
/** Far above what a loaded machine delays an answer by in softirq, far below what a test waits. */
const TIMEOUT_US = 20_000;
const UNANSWERED = { timeout_us: TIMEOUT_US, min_frames: 5, udp: [7412], retry_ms: 60_000 };

interface Watched extends Lab {
  stream: Stream;
}

async function watched(kind: WireKind, unanswered: object = {}, rest: object = {}): Promise<Watched> {
  const l = await lab(kind, { detect: { unanswered: { ...UNANSWERED, ...unanswered } }, ...rest });
  await untilActive(l, 'primary');
  l.world.startTraffic(null);
  const stream = new Stream(l.world, 1 << 17);
  onTestFinished(() => stream.close());
  return { ...l, stream };
}

/** The far end of the VF's wire drops frames while its link stays up. */
function hole({ world }: { world: World }, o: Partial<HoleOptions> = {}): { close(): void } {
  const h = openHole({ netns: world.host, ifindex: world.vf.hostIfindex, direction: 'both', ...o });
  let open = true;
  const close = (): void => {
    if (open) h.close();
    open = false;
  };
  onTestFinished(close);
  return { close };
}

describe.each(['veth', 'tap'] as const)('a path that is up and dead, on %s', (kind) => {
  test.each(['both', 'from-guest', 'to-guest'] as const)(
    '%s: tier 0 moves the traffic',
    async (direction) => {
      const l = await watched(kind);
      await l.stream.startRequests(PPS);
      await sleep(100);
      expect(await events(l)).toHaveLength(1);
      hole(l, { direction });
      await untilActive(l, 'standby');
      const [, decision] = await until(
        () => events(l),
        (e) => e.length > 1,
      );
      expect(decision).toMatchObject({
        cause: 'unanswered',
        tier: 0,
        from: 'primary',
        to: 'standby',
        health: { primary: 'unanswered', standby: 'up' },
        evidence: { detector: 'unanswered', facts: { timeout_us: TIMEOUT_US } },
      });
      const { frames, waited_us: waited } = decision!.evidence!.facts;
      expect(frames).toBeGreaterThanOrEqual(UNANSWERED.min_frames);
      expect(waited).toBeGreaterThanOrEqual(TIMEOUT_US);
      expect(decision!.signal).toMatch(/frames sent on the primary are not answered: \d+ frames/);
      await sleep(100);
      const s = await status(l);
      expect(s.state).toBe('degraded');
      expect(s.primary).toMatchObject({ carrier: true, detectors: [{ name: 'unanswered', state: 'down' }] });
      expect(s.standby.detectors).toMatchObject([{ name: 'unanswered', state: 'ok' }]);
      expect(s.would_switch).toContain('primary must satisfy its detectors');
      // It stays there, and traffic with it.
      expect(await events(l)).toHaveLength(2);
      const r = await l.stream.stop();
      expect(r.in.lost).toBeLessThan(r.sent / 2);
    },
  );
});
