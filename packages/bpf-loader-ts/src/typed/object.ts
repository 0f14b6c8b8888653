import type { Codec, Input, Value } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import type { BpfMap } from '../map/map.js';
import { MapOfMaps } from '../map/map-of-maps.js';
import { ProgramArray } from '../map/program-array.js';
import { CpuMap, DevMap, XskMap } from '../map/redirect.js';
import { layoutOf } from '../object/layout.js';
import type { BpfObject, BpfSpec, LoadOptions } from '../object/object.js';
import { parseSpec } from '../object/parse.js';
import type { SpecOptions } from '../object/spec.js';
import type { Variable } from '../object/variable.js';
import type { Program } from '../program/program.js';
import { TypedArrayMap, TypedBloomFilter, TypedMap, TypedPerCpuMap, TypedQueue } from './map.js';
import type { StructView, ViewOf } from './view.js';

/** Makes the typed form of a map. */
export type MapForm<M> = (map: BpfMap) => M;

/** Form of hash, array, LRU and LPM maps: keys and values with types. Forms are what generated modules name. */
export const keyed =
  <K, KI, V, VI>(key: Codec<K, KI>, value: Codec<V, VI>): MapForm<TypedMap<K, KI, V, VI>> =>
  (map) =>
    new TypedMap(map, key, value);
/** Form of an array with BPF_F_MMAPABLE whose values are structures: views where they lie. */
export const mapped =
  <V, VI, W extends StructView>(
    key: Codec<number>,
    value: Codec<V, VI>,
    view: ViewOf<W>,
  ): MapForm<TypedArrayMap<V, VI, W>> =>
  (map) =>
    new TypedArrayMap(map, key, value, view);
/** Form of per-CPU maps: a value for each possible CPU. */
export const perCpu =
  <K, KI, V, VI>(key: Codec<K, KI>, value: Codec<V, VI>): MapForm<TypedPerCpuMap<K, KI, V, VI>> =>
  (map) =>
    new TypedPerCpuMap(map, key, value);
/** Form of queues and stacks. */
export const queued =
  <V, VI>(value: Codec<V, VI>): MapForm<TypedQueue<V, VI>> =>
  (map) =>
    new TypedQueue(map, value);
/** Form of Bloom filters. */
export const bloom =
  <V, VI>(value: Codec<V, VI>): MapForm<TypedBloomFilter<V, VI>> =>
  (map) =>
    new TypedBloomFilter(map, value);
/** Form of program arrays. */
export const programArray: MapForm<ProgramArray> = (map) => new ProgramArray(map);
/** Form of arrays and hashes of maps. */
export const mapOfMaps: MapForm<MapOfMaps> = (map) => new MapOfMaps(map);
/** Form of devmap and devmap_hash. */
export const devMap: MapForm<DevMap> = (map) => new DevMap(map);
/** Form of cpumap. */
export const cpuMap: MapForm<CpuMap> = (map) => new CpuMap(map);
/** Form of xskmap. */
export const xskMap: MapForm<XskMap> = (map) => new XskMap(map);
/** Ring buffers (`new RingBuffer(map, …)`) and other maps whose elements have no types. */
export const untyped: MapForm<BpfMap> = (map) => map;

/** What bpf2ts writes about an object. */
export interface ObjectDescription {
  readonly name: string;
  /** SHA-256 of the object file that it was written from. */
  readonly sha256: string;
  /** Fingerprint of every type, map, variable and program name; an object of another is refused. */
  readonly layout: string;
  readonly license: string;
  /** Section of each program. */
  readonly programs: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: a map of any form
  readonly maps: Readonly<Record<string, MapForm<any>>>;
  // biome-ignore lint/suspicious/noExplicitAny: a variable of any type
  readonly variables: Readonly<Record<string, Codec<any, any>>>;
}

type VariablesOf<D extends ObjectDescription> = D['variables'];

/** LoadOptions with the object's own names and types. */
export type TypedLoadOptions<D extends ObjectDescription> = Omit<
  LoadOptions,
  'reuse' | 'maxEntries' | 'variables' | 'skip' | 'attachTypes'
> & {
  reuse?: { readonly [M in keyof D['maps']]?: BpfMap };
  maxEntries?: { readonly [M in keyof D['maps']]?: number };
  variables?: { readonly [V in keyof VariablesOf<D>]?: Input<VariablesOf<D>[V]> };
  skip?: readonly (keyof D['programs'] & string)[];
  attachTypes?: { readonly [P in keyof D['programs']]?: number };
};

/** A loaded object with its programs, maps and variables as properties. Each is made when it is first asked for. */
export interface TypedObject<D extends ObjectDescription> extends Disposable {
  readonly object: BpfObject;
  readonly programs: { readonly [P in keyof D['programs']]: Program };
  readonly maps: { readonly [M in keyof D['maps']]: ReturnType<D['maps'][M]> };
  readonly variables: {
    readonly [V in keyof VariablesOf<D>]: Variable<Value<VariablesOf<D>[V]>, Input<VariablesOf<D>[V]>>;
  };
  /** Closes the object with every map, program and mapping taken from it. */
  close(): void;
}

/** An object as its generated module knows it. */
export interface ObjectType<D extends ObjectDescription> {
  readonly description: D;
  /** Reads the object file. Throws BPF_OPEN if its types, maps, variables or programs are not those of the module. */
  parse(source: string | Uint8Array, options?: SpecOptions): BpfSpec;
  /** Reads and loads it. */
  load(source: string | Uint8Array | BpfSpec, options?: TypedLoadOptions<D> & SpecOptions): TypedObject<D>;
}

/** An object with a property of each name, made by `make` when it is first read. */
function lazily<T>(names: string[], make: (name: string) => T): Record<string, T> {
  const made = {} as Record<string, T>;
  for (const name of names)
    Object.defineProperty(made, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = make(name);
        Object.defineProperty(made, name, { value, enumerable: true });
        return value;
      },
    });
  return made;
}

/** For generated modules. */
export function objectType<const D extends ObjectDescription>(description: D): ObjectType<D> {
  const check = (spec: BpfSpec): BpfSpec => {
    if (spec.sha256 !== description.sha256 && layoutOf(spec) !== description.layout)
      throw new BpfError(
        'BPF_OPEN',
        `${spec.name} is not the object that the module of ${description.name} was generated from: run bpf2ts again`,
      );
    return spec;
  };
  const parse = (source: string | Uint8Array, options: SpecOptions = {}): BpfSpec =>
    check(parseSpec(source, { name: description.name, ...options }));
  return {
    description,
    parse,
    load(source, options = {}) {
      const { name, ...rest } = options;
      const plain = typeof source === 'string' || source instanceof Uint8Array;
      const spec = plain ? parse(source, name === undefined ? {} : { name }) : check(source);
      const object = spec.load(rest as LoadOptions);
      return {
        object,
        programs: lazily(Object.keys(description.programs), (n) => object.program(n)),
        maps: lazily(Object.keys(description.maps), (n) => description.maps[n]!(object.map(n))),
        variables: lazily(Object.keys(description.variables), (n) => object.variable(n)),
        close: () => object.close(),
        [Symbol.dispose]: () => object.close(),
      } as TypedObject<D>;
    },
  };
}
