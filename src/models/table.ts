import type { ModelTraits, SteeredModel } from './model.js';
import { netFailover } from './net-failover.js';
import { transparent } from './transparent.js';

/** The models that have a datapath, a row each. */
export const STEERED = { transparent, 'net-failover': netFailover } as const satisfies Record<
  string,
  SteeredModel
>;

/** The models that are designed and not built: names with traits. */
export const PLANNED = {
  hidden: { standbyIsMaster: false, masterOwnsSlaves: false, sameMac: true },
  uplink: { standbyIsMaster: false, masterOwnsSlaves: false, sameMac: false },
} as const satisfies Record<string, ModelTraits>;

/** Name of a model that has a datapath. */
export type SteeredName = keyof typeof STEERED;

/** Name of any model. */
export type ModelName = SteeredName | keyof typeof PLANNED;

export const MODELS: Readonly<Record<ModelName, ModelTraits>> = { ...STEERED, ...PLANNED };

/** What an instance has that names no model. */
export const DEFAULT_MODEL: SteeredName = 'transparent';

export const STEERED_NAMES = Object.keys(STEERED) as readonly SteeredName[] as readonly [
  SteeredName,
  ...SteeredName[],
];

/** Names of all programs that any model puts on a device. */
export const OUR_PROGRAMS: readonly string[] = [
  ...new Set(Object.values<SteeredModel>(STEERED).flatMap(({ hooks }) => hooks.map((h) => h.program))),
];
