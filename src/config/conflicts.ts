import { discriminatorOf } from '../detect/bfd/section.js';
import { VfError } from '../errors.js';
import { fieldName, type Locate, shown } from './problems.js';

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

/** A namespace as one string: `blue` and `/run/netns/blue` are the same one. */
export function netnsKey(netns: unknown): string {
  if (netns === null || netns === undefined) return '';
  return String(netns).replace(/^\/(?:var\/)?run\/netns\//, '');
}

/**
 * What no single key shows: names and masters used twice, more instances than slots. Works on the input as read, which may have
 * any shape, so that these are reported together with the schema's own findings.
 */
export function conflicts(input: unknown, locate: Locate): VfError[] {
  const root = record(input);
  const instances = root?.instances;
  if (!Array.isArray(instances)) return [];
  const problems: VfError[] = [];
  const names = new Map<string, number>();
  const masters = new Map<string, number>();
  const discriminators = new Map<string, number>();

  instances.forEach((entry: unknown, index) => {
    const instance = record(entry);
    if (instance === undefined) return;
    const { name, master } = instance;
    if (typeof name === 'string') {
      const first = names.get(name);
      if (first === undefined) names.set(name, index);
      else problems.push(twice('name', name, index, first, 'give each instance a name of its own', locate));
    }
    if (typeof master === 'string' || typeof master === 'number' || record(master) !== undefined) {
      const key = `${netnsKey(instance.netns)}\0${masterKey(master)}`;
      const first = masters.get(key);
      if (first === undefined) masters.set(key, index);
      else
        problems.push(
          twice('master', master, index, first, 'a device can be the master of one instance', locate),
        );
    }
    const discriminator = record(record(instance.detect)?.bfd)?.discriminator;
    if (typeof discriminator === 'string' || typeof discriminator === 'number') {
      // RFC 5880 6.3: one system, one session.
      const key = `${netnsKey(instance.netns)}\0${discriminatorOf(discriminator)}`;
      const first = discriminators.get(key);
      const fix = 'give each session a discriminator of its own, or none: then it takes a random one';
      if (first === undefined) discriminators.set(key, index);
      else problems.push(twice('detect.bfd.discriminator', discriminator, index, first, fix, locate));
    }
  });

  const capacity = root?.capacity ?? 64;
  if (typeof capacity === 'number' && capacity >= 1 && instances.length > capacity) {
    problems.push(
      new VfError(
        'CONFIG_INVALID',
        `${instances.length} instances do not fit in ${capacity} slots${locate(['capacity'])}`,
        {
          field: 'capacity',
          value: capacity,
          fix: `set capacity to ${instances.length} or more (at most 4096), or remove instances`,
        },
      ),
    );
  }
  return problems;
}

/** Equal for two masters that are written alike. */
function masterKey(master: unknown): string {
  const fields = record(master);
  if (fields === undefined) return `${typeof master}\0${master}`;
  const keys = Object.keys(fields).sort();
  if (keys.length === 1 && keys[0] === 'name') return masterKey(fields.name);
  return JSON.stringify(keys.map((key) => [key, fields[key]]));
}

function twice(
  key: string,
  value: unknown,
  index: number,
  first: number,
  fix: string,
  locate: Locate,
): VfError {
  const path = ['instances', index, ...key.split('.')];
  const field = fieldName(path);
  return new VfError(
    'CONFIG_INVALID',
    `${JSON.stringify(shown(value))} is taken by instances[${first}]${locate(path)}`,
    { field, value: shown(value), fix },
  );
}
