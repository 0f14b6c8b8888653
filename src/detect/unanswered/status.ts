import type { StatusView, Words } from '../detector.js';
import { D_STATE, STATE_DOWN } from '../record.js';
import { span } from '../words.js';
import { ackTimeoutUs, type UnansweredConfig } from './section.js';
import { U_UNTIL_MS } from './state.js';

export function describe(v: StatusView<UnansweredConfig, undefined>): Words {
  const { config, records, base } = v;
  const watch = v.datapath.watch(v.path);
  const limit = span(config.timeout_us * 1e3);
  const history = watch.fired === 0 ? '' : `; fell silent ${watch.fired} times`;
  if (records[base + D_STATE] === STATE_DOWN) {
    const left = (records[base + U_UNTIL_MS]! - v.nowMs) | 0;
    return {
      detail: `${watch.firedFrames} frames unanswered for ${span(watch.firedWaitUs * 1e3)}${history}`,
      to_switch: `tried again in ${Math.max(0, left)} ms, sooner if it is in use and answers`,
    };
  }
  const ack = span(ackTimeoutUs(config) * 1e3);
  return {
    detail: `longest silence ${span(watch.longestNs)} of ${limit}${history}`,
    to_switch: `${config.min_frames} frames that expect an answer in use, and none received for ${limit}; ${ack} if they are merely acknowledged`,
  };
}
