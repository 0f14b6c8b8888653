import { describe, expect, test } from 'vitest';
import type { InstanceConfig } from '../../src/config/index.js';
import { parseInstance } from '../../src/config/index.js';
import { History } from '../../src/daemon/history.js';
import { waitingStatus } from '../../src/daemon/status.js';
import { VfError } from '../../src/errors.js';
import { describePolicy } from '../../src/policy/describe.js';
import * as P from '../../src/policy/evaluate.js';
import { cureOf, faultOf, type Health } from '../../src/policy/health.js';

const { LINK_CARRIER, LINK_UP, LINK_SPARED, LINK_HEALTHY } = P;

const LINKS: readonly [Health, number][] = [
  ['up', LINK_HEALTHY],
  ['absent', P.LINK_ABSENT],
  ['admin-down', 0],
  ['admin-down', LINK_CARRIER],
  ['no-carrier', LINK_UP],
  ['no-carrier', LINK_HEALTHY | LINK_SPARED],
  ['unanswered', P.withVerdict(LINK_HEALTHY, P.CAUSE_UNANSWERED)],
  ['probe', P.withVerdict(LINK_HEALTHY, P.CAUSE_PROBE)],
  ['bfd', P.withVerdict(LINK_HEALTHY, P.CAUSE_BFD)],
  ['witness', P.withVerdict(LINK_HEALTHY, P.CAUSE_WITNESS)],
  // What the link shows stands above what a detector says.
  ['no-carrier', P.withVerdict(LINK_UP, P.CAUSE_PROBE)],
];

/** What the policy's account, from which `status` is made, and a decision in `events` say of a primary with this link. */
function both(link: number): { status: Health; events: Health } {
  const state = new Int32Array(P.POLICY_WORDS);
  P.initPolicy(state, 0, {});
  state[P.P_LINK_PRIMARY] = link;
  state[P.P_LINK_STANDBY] = LINK_HEALTHY;
  P.evaluate(state, 0, 1000);
  const decision = new History(1).add('net0', {
    ...{ type: 'decision', slot: 0, from: 0, to: 1, tier: 1, cause: 0, evidence: null },
    ...{ links: [link, LINK_HEALTHY], detectedNs: 0, flippedNs: 0, announced: false },
  } as never);
  return { status: describePolicy(state, 0, 1000).paths[0]!.health, events: decision.health.primary };
}

describe('health', () => {
  test.each(LINKS)('%s (link word %i) is the same word in `status` and in `events`', (word, link) => {
    expect(both(link)).toEqual({ status: word, events: word });
  });

  test('every word but `up` has a fault and a cure', () => {
    expect(faultOf('up')).toBeUndefined();
    expect(cureOf('up')).toBeUndefined();
    for (const word of new Set(LINKS.map(([w]) => w).filter((w) => w !== 'up'))) {
      expect(faultOf(word)).toMatch(/^(has|is) /);
      expect(cureOf(word)).toMatch(/^must /);
    }
  });
});

describe('an instance that is not attached', () => {
  const config: InstanceConfig = parseInstance({ name: 'net0', master: 'ens3', netns: 'blue' });
  const statusFor = (error: VfError) => waitingStatus({ config, source: 'file', error }, null);

  test('waits for its master', () => {
    expect(statusFor(new VfError('DEVICE_NOT_FOUND', 'there is no device ens3'))).toMatchObject({
      state: 'waiting',
      would_switch: 'a device ens3 must appear',
      refusals: [],
    });
  });

  test('waits for its namespace', () => {
    const error = new VfError('NETNS_NOT_FOUND', 'no', { field: 'netns', value: 'absent-namespace' });
    expect(statusFor(error)).toMatchObject({
      state: 'waiting',
      would_switch: 'a network namespace blue must appear',
      refusals: [],
    });
  });

  test('failed where something is in the way, which `refusals` tell, and `would_switch` how to mend', () => {
    const error = new VfError('DEVICE_OWNED', 'ens3 belongs to br0', {
      field: 'master',
      fix: 'ip link set …',
    });
    expect(statusFor(error)).toMatchObject({
      state: 'failed',
      would_switch: 'ip link set …',
      refusals: [{ device: 'ens3', error: { code: 'DEVICE_OWNED' } }],
      primary: { health: 'absent' },
    });
  });
});
