import type { StatusView, Words } from '../detector.js';
import { D_STATE, STATE_DOWN, STATE_OFF, STATE_OK } from '../record.js';
import { span } from '../words.js';
import { DIAG_NAMES, DISCARD_NAMES, STATE_NAMES } from './packet.js';
import type { BfdPeer } from './peer.js';
import type { BfdConfig } from './section.js';
import {
  B_DETECT_US,
  B_ECHO_US,
  B_INTERVAL_US,
  B_REASON,
  B_REFUSED,
  B_SESSION,
  B_STRIKES,
  B_UNTIL_MS,
} from './verdict.js';

export const unwatched = 'though the session runs here while this slave is active';

export function describe(v: StatusView<BfdConfig, BfdPeer | undefined>): Words {
  const { config: o, records, base } = v;
  const refused = records[base + B_REFUSED]! >>> 0;
  const reason = records[base + B_REASON]!;
  const latest = reason === 0 ? '' : `, the latest for its ${DISCARD_NAMES[reason]}`;
  const echo = records[base + B_ECHO_US]!;
  const more = [
    ...(echo === 0
      ? []
      : [echo > 0 ? `an echo packet each ${span(echo * 1e3)}` : 'no echo packet has come back yet']),
    ...(refused === 0 ? [] : [`${refused} packets refused${latest}`]),
    ...(v.datapath.bfd?.missing ? [v.datapath.bfd.missing] : []),
  ]
    .map((text) => `; ${text}`)
    .join('');
  const state = records[base + D_STATE]!;
  if (state === STATE_DOWN) {
    const left = (records[base + B_UNTIL_MS]! - v.nowMs) | 0;
    return {
      detail: `the session with ${o.peer} fell ${records[base + B_STRIKES]} times${more}`,
      to_switch: `tried again in ${Math.max(0, left)} ms, sooner if the session comes up on it`,
    };
  }
  if (state === STATE_OFF)
    return {
      detail: `the session with ${o.peer} runs on the active slave${more}`,
      to_switch: 'to become the active slave',
    };
  const session = records[base + B_SESSION]!;
  const name = STATE_NAMES[session & 0xff];
  const diag = DIAG_NAMES[(session >> 8) & 0xff] ?? 'unknown';
  const detect = span(records[base + B_DETECT_US]! * 1e3);
  return state === STATE_OK
    ? {
        detail: `${name} with ${o.peer}, a packet each ${span(records[base + B_INTERVAL_US]! * 1e3)}${more}`,
        to_switch:
          echo > 0
            ? `no packet from ${o.peer} for ${detect}, or no echo packet back for ${span(echo * o.multiplier * 1e3)}`
            : `no packet from ${o.peer} for ${detect}`,
      }
    : {
        detail: `${name} with ${o.peer}, last diagnostic: ${diag}${v.plan?.mac === null ? `; ${v.plan.detail}` : ''}${more}`,
        to_switch: 'the session must first come up',
      };
}
