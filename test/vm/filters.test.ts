import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STREAM_KINDS } from '../../lab/netns/stream-kinds.js';
import { Interview, type Row, type State } from '../../lab/vm/questions/interview.js';
import { SCENE_NAMES, type SceneName } from '../../lab/vm/questions/questions.js';
import { Stream } from '../../lab/vm/stream.js';
import type { PrimaryKind } from '../../lab/vm/testbed.js';
import { elapse } from '../helpers/wait.js';
import { FILTERS, thorough, WIRE } from './selection.js';

/**
 * NICs that filter by group, VLAN and MAC: a guest answers what it is asked from outside, whichever slave carries its traffic. Without
 * filters that follow to the VF nothing but broadcast and its own MAC comes in.
 */

/** Answers in the wording of a report, so that a failure shows the whole table at once. */
const told = (rows: readonly Row[]): string[] =>
  rows.map(({ question, state, answered, times }) => `${question}, ${state}: ${answered} of ${times}`);
const allOf = (rows: readonly Row[]): string[] => told(rows.map((row) => ({ ...row, answered: row.times })));

const PPS = 200;
/** Traffic before the switch, ms. */
const STREAM_MS = 500;

const FOLLOWED: readonly State[] = ['primary', 'primary-alone', 'standby'];
/** An igbvf lets in no station behind a bridge: their frames go by the standby, which is there then, and status says so (filter-limits). */
const statesOf = (primary: PrimaryKind, scene: SceneName): readonly State[] =>
  primary === 'igbvf' && scene === 'bridge' ? FOLLOWED.filter((s) => s !== 'primary-alone') : FOLLOWED;

describe.each(FILTERS)('Linux %s, %s as primary, %s', (kernel, primary, model) => {
  let interview: Interview;
  beforeAll(async () => {
    interview = await Interview.boot({ kernel, primary, model, wire: WIRE });
    await interview.start();
  });
  afterAll(() => interview?.close());

  test.each(SCENE_NAMES)(
    'what is made on the master while it is joined gets every question: %s',
    async (scene) => {
      const rows = await interview.followed([scene], statesOf(primary, scene));
      expect(rows.length).toBeGreaterThan(0);
      expect(told(rows)).toEqual(allOf(rows));
    },
  );

  for (const kind of STREAM_KINDS)
    thorough(`a stream loses nothing by a planned switch: ${kind}`, async () => {
      const { bed } = interview;
      const report = await interview.made(['plain', 'vlan', 'macvlan'], async () => {
        await interview.start();
        await interview.switch('primary');
        const stream = await Stream.start(bed.guest, bed.wire, { pps: PPS, kind });
        await elapse(STREAM_MS);
        await interview.switch('standby');
        return stream.stop(bed.guest);
      });
      for (const { lost, duplicated, returned } of [report.out, report.in])
        expect({ lost, duplicated, returned }).toEqual({ lost: 0, duplicated: 0, returned: 0 });
      expect(report.out.moves.at(-1)).toMatchObject({ from: 'primary', to: 'standby' });
    });

  thorough('what was on the master before it joined gets every question', async () => {
    const rows = await interview.found(['plain', 'vlan', 'macvlan'], ['primary-alone', 'standby-alone']);
    expect(rows.length).toBeGreaterThan(0);
    expect(told(rows)).toEqual(allOf(rows));
  });
});
