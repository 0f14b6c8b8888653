import type { PolicyConfig } from '../config/index.js';
import {
  CHOICE_FASTER,
  CHOICE_NONE,
  CHOICE_PRIMARY,
  CHOICE_STANDBY,
  type PolicyConfig as PolicyInput,
  RESELECT_ALWAYS,
  RESELECT_BETTER,
  RESELECT_FAILURE,
} from '../policy/evaluate.js';

const PREFER = {
  primary: CHOICE_PRIMARY,
  standby: CHOICE_STANDBY,
  latency: CHOICE_FASTER,
  none: CHOICE_NONE,
};
const RESELECT = { always: RESELECT_ALWAYS, better: RESELECT_BETTER, failure: RESELECT_FAILURE };

/** `policy` of the configuration as the policy's record takes it. */
export function policyInput(config: PolicyConfig): PolicyInput {
  const { damping } = config;
  return {
    holdDownMs: config.hold_down_ms,
    downDelayMs: config.down_delay_ms,
    upDelayMs: config.up_delay_ms,
    prefer: PREFER[config.prefer],
    reselect: RESELECT[config.reselect],
    healthyProbes: config.healthy_probes,
    marginUs: config.latency.margin_us,
    marginPercent: config.latency.margin_percent,
    ...(damping && {
      damping: {
        halfLifeMs: damping.half_life_ms,
        suppress: damping.suppress,
        reuse: damping.reuse,
        maxSuppressMs: damping.max_suppress_ms,
      },
    }),
  };
}
