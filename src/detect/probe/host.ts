import type { Discovery, Surroundings } from '../detector.js';
import { type ProbeAsk, type ProbePlan, planProbes } from './plan.js';
import type { ProbesConfig } from './section.js';

/** Finds ways to the targets. */
export function find(
  { targets }: ProbesConfig,
  around: Surroundings,
): Discovery<readonly ProbeAsk[], ProbePlan> {
  const plan = planProbes(targets, around);
  return { found: plan.asks, plan, pending: false };
}
