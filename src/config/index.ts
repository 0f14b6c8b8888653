export {
  type BfdAuthSection,
  type BfdConfig,
  discriminatorOf,
  REFLECTOR_MAX,
  type ReflectorConfig,
} from '../detect/bfd/section.js';
export type { ProbesConfig, ProbeTarget } from '../detect/probe/section.js';
export type { DetectConfig } from '../detect/section.js';
export { ackTimeoutUs, UDP_PORTS_MAX, type UnansweredConfig } from '../detect/unanswered/section.js';
export type { WitnessConfig } from '../detect/witness/section.js';
export type { AnnounceConfig } from './announce.js';
export { netnsKey } from './conflicts.js';
export { configJsonSchema } from './json-schema.js';
export { loadConfig, parseConfig, parseInstance } from './load.js';
export type { PolicyConfig } from './policy.js';
export { VfErrors } from './problems.js';
export { redacted } from './redact.js';
export {
  type Config,
  DEFAULT_CONFIG_PATH,
  DEFAULT_PIN_ROOT,
  DEFAULT_SOCKET,
  type InstanceConfig,
  type InstanceInput,
  type PrimaryMatch,
  VLANS_MAX,
  type WorkerConfig,
} from './schema.js';
