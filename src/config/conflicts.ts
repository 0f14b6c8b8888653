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
  const names = new Taken('name', 'give each instance a name of its own', locate);
  const masters = new Taken('master', 'a device can be the master of one instance', locate);
  // RFC 5880 6.3: one system, one session.
  const discriminators = new Taken(
    'detect.bfd.discriminator',
    'give each session a discriminator of its own, or none: then it takes a random one',
    locate,
  );
  const found = (problem: VfError | undefined): void => {
    if (problem !== undefined) problems.push(problem);
  };

  instances.forEach((entry: unknown, index) => {
    const instance = record(entry);
    if (instance === undefined) return;
    const { name, master } = instance;
    const netns = netnsKey(instance.netns);
    if (typeof name === 'string') found(names.by(index, name, name));
    if (typeof master === 'string' || typeof master === 'number' || record(master) !== undefined)
      found(masters.by(index, master, `${netns}\0${masterKey(master)}`));
    const discriminator = record(record(instance.detect)?.bfd)?.discriminator;
    if (typeof discriminator === 'string' || typeof discriminator === 'number')
      found(discriminators.by(index, discriminator, `${netns}\0${discriminatorOf(discriminator)}`));
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

/** What instances have taken of a key that may have each value once. */
class Taken {
  readonly #key: string;
  readonly #fix: string;
  readonly #locate: Locate;
  readonly #first = new Map<string, number>();

  constructor(key: string, fix: string, locate: Locate) {
    this.#key = key;
    this.#fix = fix;
    this.#locate = locate;
  }

  /** Instance number `index` takes a value; `id` is the same for values that mean the same. Returns the problem if it is taken. */
  by(index: number, value: unknown, id: string): VfError | undefined {
    const first = this.#first.get(id);
    if (first === undefined) {
      this.#first.set(id, index);
      return undefined;
    }
    const path = ['instances', index, ...this.#key.split('.')];
    return new VfError(
      'CONFIG_INVALID',
      `${JSON.stringify(shown(value))} is taken by instances[${first}]${this.#locate(path)}`,
      { field: fieldName(path), value: shown(value), fix: this.#fix },
    );
  }
}
