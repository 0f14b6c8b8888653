import type { Config, InstanceConfig } from './schema.js';

/** What stands in the place of a secret. */
export const REDACTED = '(secret)';

function instance(config: InstanceConfig): InstanceConfig {
  const auth = config.detect.bfd?.auth;
  if (auth?.key === undefined) return config;
  const bfd = { ...config.detect.bfd!, auth: { ...auth, key: REDACTED } };
  return { ...config, detect: { ...config.detect, bfd } };
}

/** The configuration as it may be shown: without secrets. */
export function redacted(config: Config): Config {
  return { ...config, instances: config.instances.map(instance) };
}
