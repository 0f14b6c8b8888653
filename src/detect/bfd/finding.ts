import type { Finding } from '../detector.js';
import type { BfdEngine } from './engine.js';
import type { BfdMap } from './map.js';
import { DIAG_ECHO_FAILED, DIAG_NAMES, STATE_NAMES, STATE_UP } from './packet.js';
import { heardBefore } from './timing.js';

/** Why the path of `slot` was left at `atNs`; null if nothing was ever heard on it. `asks`: the other end is an S-BFD reflector. */
export function findingOf(
  engine: BfdEngine,
  asks: boolean,
  map: BfdMap,
  slot: number,
  atNs: number,
): Finding | null {
  const due = map.dueNs(slot);
  const echo = !asks && (engine.diag === DIAG_ECHO_FAILED || (due !== 0 && due <= atNs));
  const heard = echo
    ? map.echoNs(slot)
    : heardBefore(atNs, engine.lastHeardNs, map.heardNs(slot), engine.detectNs);
  if (heard === 0) return null;
  const agoUs = Math.round((atNs - heard) / 1e3);
  const detectUs = Math.round(engine.detectNs / 1e3);
  const told = engine.state !== STATE_UP && engine.remoteState !== STATE_UP && engine.diag === 3;
  const answer = asks ? 'answer of the S-BFD reflector' : 'BFD packet';
  const what = echo ? 'BFD echo packet came back' : answer;
  return {
    text: told
      ? `the BFD peer says ${STATE_NAMES[engine.remoteState]}: ${DIAG_NAMES[engine.remoteDiag] ?? engine.remoteDiag}`
      : `no ${what} for ${agoUs} µs${echo ? '' : `, detection time ${detectUs} µs`}`,
    facts: { last_heard_us_ago: agoUs, detection_time_us: detectUs, remote_diagnostic: engine.remoteDiag },
  };
}
