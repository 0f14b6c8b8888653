import { BPF_F_MMAPABLE, MapType } from '../constants.js';
import { BpfError } from '../errors.js';
import { layoutOf } from '../object/layout.js';
import type { BpfSpec } from '../object/object.js';
import type { MapSpec } from '../object/spec.js';
import { camel, pascal } from './names.js';
import { comment, identifier, property, quote } from './text.js';
import { TypeWriter } from './types.js';

/** What `generate` is told. */
export interface GenerateOptions {
  /** Structures, unions and enumerations to write down though no map or variable has them: records of ring buffers. */
  types?: readonly string[];
  /** Maps and variables to leave without types. */
  omit?: readonly string[];
  /** What the module imports the loader from. */
  from?: string;
}

const PER_CPU = new Set<number>([MapType.percpu_hash, MapType.percpu_array, MapType.lru_percpu_hash]);
const KEYED = new Set<number>([MapType.hash, MapType.array, MapType.lru_hash, MapType.lpm_trie]);
/** Forms of maps that have values and no keys. */
const VALUES: { readonly [type: number]: string } = {
  [MapType.queue]: 'queued',
  [MapType.stack]: 'queued',
  [MapType.bloom_filter]: 'bloom',
};
/** Forms of maps whose elements are always the same. */
const FIXED: { readonly [type: number]: string } = {
  [MapType.prog_array]: 'programArray',
  [MapType.array_of_maps]: 'mapOfMaps',
  [MapType.hash_of_maps]: 'mapOfMaps',
  [MapType.devmap]: 'devMap',
  [MapType.devmap_hash]: 'devMap',
  [MapType.cpumap]: 'cpuMap',
  [MapType.xskmap]: 'xskMap',
};

/** Runs `write` for each name; what it refuses is collected, so that one run names everything that has to be left out. */
class Refusals {
  readonly #all: string[] = [];

  try(name: string, write: () => void): void {
    try {
      write();
    } catch (e) {
      if (!(e instanceof BpfError) || e.code !== 'BPF_UNSUPPORTED') throw e;
      this.#all.push(`${name}: ${e.message}`);
    }
  }

  throw(): void {
    if (this.#all.length > 0)
      throw new BpfError(
        'BPF_UNSUPPORTED',
        `no type for ${this.#all.join('; ')}. Change the source, or leave these out (--omit NAME)`,
      );
  }
}

/** The form of a map: what its property is. */
function form(types: TypeWriter, map: MapSpec): string {
  const perCpu = PER_CPU.has(map.type);
  const values = VALUES[map.type];
  if (!perCpu && !KEYED.has(map.type) && values === undefined) return `bpf.${FIXED[map.type] ?? 'untyped'}`;
  const side = (type: number, size: number, what: string): string =>
    type === 0
      ? `bpf.bytes(${size})`
      : types.codec(type, `${map.name} ${what}`, `${pascal(map.name)}${pascal(what)}`);
  if (values !== undefined) return `bpf.${values}(${side(map.valueType, map.valueSize, 'value')})`;
  const key = side(map.keyType, map.keySize, 'key');
  const value = side(map.valueType, map.valueSize, 'value');
  const view = map.valueType === 0 ? undefined : types.view(map.valueType);
  if (view && map.type === MapType.array && map.flags & BPF_F_MMAPABLE && key === 'bpf.u32')
    return `bpf.mapped(${key}, ${value}, ${view})`;
  return `bpf.${perCpu ? 'perCpu' : 'keyed'}(${key}, ${value})`;
}

/**
 * The TypeScript module of an object: codecs and views of its types, and the object with its programs, maps and variables as properties.
 * The same object gives the same text. Throws BPF_UNSUPPORTED, naming each, for values that have no meaning outside of the kernel.
 */
export function generate(spec: BpfSpec, options: GenerateOptions = {}): string {
  const { types: wanted = [], omit = [], from = 'bpf-loader-ts' } = options;
  const maps = spec.maps.filter((m) => !m.internal);
  const known = new Set([...maps, ...spec.variables].map((x) => x.name));
  for (const name of omit)
    if (!known.has(name)) throw new BpfError('BPF_ARGUMENT', `there is no map or variable ${name} to omit`);

  const types = new TypeWriter(spec.btf);
  const refusals = new Refusals();
  const object = types.names.take(identifier(camel(spec.name) || 'object'));
  const objectClass = types.names.take(identifier(pascal(spec.name) || 'BpfObject'));
  const mapLines: string[] = [];
  const variableLines: string[] = [];

  for (const name of wanted) {
    const found = (['struct', 'union', 'enum', 'typedef'] as const)
      .map((kind) => spec.btf.find(kind, name))
      .find((t) => t !== undefined);
    if (!found) throw new BpfError('BPF_ARGUMENT', `the object has no type ${name}`);
    refusals.try(name, () => types.codec(found.id, name, name));
  }
  for (const m of maps)
    refusals.try(`map ${m.name}`, () => {
      const text = omit.includes(m.name) ? 'bpf.untyped' : form(types, m);
      mapLines.push(
        `    /** ${m.typeName}, ${m.maxEntries} entries. */\n    ${property(m.name)}: ${text},\n`,
      );
    });
  for (const v of spec.variables)
    refusals.try(`variable ${v.name}`, () => {
      if (omit.includes(v.name)) return;
      const codec = types.codec(v.type, v.name, v.name);
      variableLines.push(
        `    /** ${comment(v.section)} + ${v.offset}. */\n    ${property(v.name)}: ${codec},\n`,
      );
    });
  refusals.throw();

  const programs = spec.programs.map((p) => `    ${property(p.name)}: ${quote(p.section)},\n`);
  const block = (name: string, lines: string[]): string =>
    lines.length === 0 ? `  ${name}: {},\n` : `  ${name}: {\n${lines.join('')}  },\n`;
  return [
    `// Written by bpf2ts from ${comment(spec.name)}.bpf.o. Do not edit: run bpf2ts again.\n`,
    `import * as bpf from ${quote(from)};\n`,
    ...types.text.map((t) => `\n${t}`),
    '\n',
    `export const ${object} = bpf.objectType({\n`,
    `  name: ${quote(spec.name)},\n`,
    `  sha256: ${quote(spec.sha256)},\n`,
    `  layout: ${quote(layoutOf(spec))},\n`,
    `  license: ${quote(spec.license)},\n`,
    block('programs', programs),
    block('maps', mapLines),
    block('variables', variableLines),
    '});\n',
    `export type ${objectClass} = bpf.TypedObject<(typeof ${object})['description']>;\n`,
  ].join('');
}
