import { describe, expect, it } from 'vitest';
import { LINK_ABSENT, LINK_CARRIER, LINK_HEALTHY, LINK_UP, withVerdict } from '../../src/policy/evaluate.js';
import {
  forgetLinks,
  LINK_FAILURE_WORDS,
  linkFailures,
  lostLink,
  sawLink,
} from '../../src/policy/link-failures.js';

const SLOT = 1;
const records = () => new Int32Array(3 * LINK_FAILURE_WORDS);

/** The standby's count after these looks at device 7. */
function after(...looks: number[]): number {
  const r = records();
  for (const link of looks) sawLink(r, SLOT, 1, 7, link);
  return linkFailures(r, SLOT, 1);
}

describe('link failures', () => {
  it.each([
    ['nothing for a link that has not come up', [LINK_UP, LINK_UP, LINK_HEALTHY], 0],
    ['a lost carrier, once however long', [LINK_HEALTHY, LINK_UP, LINK_UP], 1],
    ['a device that was set down', [LINK_HEALTHY, 0, LINK_CARRIER], 1],
    ['each time anew', [LINK_HEALTHY, LINK_UP, LINK_HEALTHY, 0, LINK_HEALTHY], 2],
    ['no verdict of a detector', [LINK_HEALTHY, withVerdict(LINK_HEALTHY, 9), LINK_HEALTHY], 0],
    ['no look at a device that is gone', [LINK_HEALTHY, LINK_ABSENT], 0],
  ])('count %s', (_what, looks, n) => expect(after(...looks)).toBe(n));

  it('count once what the programs have told of and the worker sees as well', () => {
    const r = records();
    sawLink(r, SLOT, 0, 7, LINK_HEALTHY);
    lostLink(r, SLOT, 0);
    sawLink(r, SLOT, 0, 7, LINK_UP);
    lostLink(r, SLOT, 0);
    expect(linkFailures(r, SLOT, 0)).toBe(1);
    // It was over before anybody looked.
    sawLink(r, SLOT, 0, 7, LINK_HEALTHY);
    lostLink(r, SLOT, 0);
    sawLink(r, SLOT, 0, 7, LINK_HEALTHY);
    expect(linkFailures(r, SLOT, 0)).toBe(2);
    expect(linkFailures(r, SLOT, 1)).toBe(0);
  });

  it('begin anew with another device, and with another instance', () => {
    const r = records();
    for (const slot of [0, SLOT, 2]) for (const link of [LINK_HEALTHY, LINK_UP]) sawLink(r, slot, 0, 7, link);
    sawLink(r, SLOT, 0, 8, LINK_UP);
    expect(linkFailures(r, SLOT, 0)).toBe(0);
    forgetLinks(r, 2);
    expect([0, SLOT, 2].map((slot) => linkFailures(r, slot, 0))).toEqual([1, 0, 0]);
  });
});
