export { type GenerateOptions, generate } from './bpf2ts/generate.js';
export { Btf, type BtfField, type BtfVariable } from './btf/btf.js';
export type * from './btf/types.js';
export { array, bytes, chars } from './codec/array.js';
export { type Bits, bits, wideBits } from './codec/bits.js';
export { type Codec, decode, encode, type Input, type Value } from './codec/codec.js';
export { type AnyCodec, codecOf } from './codec/from-btf.js';
export {
  bool,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  i128,
  readI64,
  readU64,
  u8,
  u16,
  u32,
  u64,
  u128,
} from './codec/scalar.js';
export {
  alternative,
  bitfield,
  type Field,
  type Fields,
  field,
  type StructCodec,
  struct,
} from './codec/struct.js';
export * from './constants.js';
export { BPF_ERROR_CODES, BpfError, type BpfErrorCode, summarizeLog } from './errors.js';
export {
  haveAtomics,
  haveBtf,
  haveClsact,
  haveKfunc,
  haveMmapableArray,
  haveNativeXdp,
  haveRingBuffer,
  haveTcx,
  type Probe,
} from './features.js';
export { Handle } from './handle.js';
export { layoutOf } from './layout.js';
export { openHandles } from './leaks.js';
export {
  attachClsact,
  type ClsactPlace,
  createClsact,
  destroyClsact,
  detachClsact,
  queryClsact,
} from './link/clsact.js';
export { Link, type LinkInfo } from './link/link.js';
export { attachTcx, type Direction, queryTcx, type TcxOptions } from './link/tcx.js';
export { attachXdp, type XdpMode } from './link/xdp.js';
export { forgetNetns, runOnDevices } from './look.js';
export { MapBatch } from './map/batch.js';
export { BloomFilter } from './map/bloom.js';
export { POSSIBLE_CPUS, possibleCpus } from './map/cpus.js';
export type { MapOptions } from './map/create.js';
export type { MapInfo } from './map/info.js';
export { lpmKey } from './map/lpm.js';
export { MapOfMaps } from './map/map-of-maps.js';
export { ProgramArray } from './map/program-array.js';
export { Queue } from './map/queue.js';
export { CpuMap, DevMap, XskMap } from './map/redirect.js';
export { BpfMap } from './map.js';
export { Mapping, PAGE_SIZE } from './mmap.js';
export { BpfObject, type LoadOptions } from './object.js';
export { ensurePinFolder } from './pin.js';
export { Program, type ProgramInfo, type TestRunOptions } from './program.js';
export { ReadOnlyView } from './readonly-view.js';
export type { DroppedCount } from './ringbuf/dropped.js';
export type { RingRecord } from './ringbuf/records.js';
export { RingBuffer, type RingBufferOptions, type RingStats } from './ringbuf/ringbuf.js';
export type { WaitResult } from './ringbuf/waiter.js';
export {
  type BpfSpec,
  type MapSpec,
  type ProgramSpec,
  parseSpec,
  type SpecOptions,
  type VariableSpec,
} from './spec.js';
export { MappedArray, TypedArrayMap, TypedMap, TypedPerCpuMap } from './typed/map.js';
export {
  keyed,
  type MapForm,
  mapped,
  type ObjectDescription,
  type ObjectType,
  objectType,
  perCpu,
  type TypedLoadOptions,
  type TypedObject,
  untyped,
} from './typed/object.js';
export { ArrayView, type ArrayViewOf, StructArrayView, StructView, type ViewOf } from './typed/view.js';
export { Variable } from './variable.js';
