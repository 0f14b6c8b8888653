/**
 * An eBPF loader: objects and their types, maps, links, ring buffers, probes. What fails throws `BpfError` with a documented code.
 *
 * @module bpf-loader-ts
 */
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
export { Handle } from './handle.js';
export type { MemoryAccounting } from './kernel/accounting.js';
export { type Memlock, memlock } from './kernel/memlock.js';
export { ensurePinFolder, listPins, type Pin, unpin } from './kernel/pin.js';
export { openHandles, reportLeaks } from './leaks.js';
export type { LibbpfLevel } from './libbpf/heard.js';
export { type LibbpfMessageOptions, onLibbpfMessage } from './libbpf/messages.js';
export { libbpfVersion } from './libbpf/version.js';
export { attachCgroup, type CgroupAttachType, queryCgroup } from './link/cgroup.js';
export {
  attachClsact,
  type ClsactPlace,
  createClsact,
  destroyClsact,
  detachClsact,
  queryClsact,
} from './link/clsact.js';
export {
  type ClsactFilter,
  type IngressQdisc,
  ingressQdisc,
  listClsact,
  listTcFilters,
  type TcFilter,
} from './link/clsact-list.js';
export type { CookieOptions } from './link/cookie.js';
export type { LinkInfo, PerfEvent } from './link/info.js';
export { type AttachedProgram, type InspectOptions, inspect } from './link/inspect.js';
export { Link } from './link/link.js';
export {
  attachKprobe,
  attachTracepoint,
  attachUprobe,
  type ProbeOptions,
  type UprobeOptions,
} from './link/perf.js';
export type { Anchor, PlaceOptions } from './link/place.js';
export {
  attachNetkit,
  attachTcx,
  type Direction,
  listMarks,
  type NetkitSide,
  type ProgramList,
  queryNetkit,
  queryTcx,
  type TcxOptions,
} from './link/tcx.js';
export { attachRawTracepoint, attachTracing } from './link/tracing.js';
export { attachXdp, queryXdp, type XdpMode } from './link/xdp.js';
export { MapBatch } from './map/batch.js';
export { BloomFilter } from './map/bloom.js';
export { POSSIBLE_CPUS, possibleCpus } from './map/cpus.js';
export type { MapOptions } from './map/create.js';
export type { MapInfo, OpenMap } from './map/info.js';
export { lpmKey } from './map/lpm.js';
export { BpfMap } from './map/map.js';
export { MapOfMaps } from './map/map-of-maps.js';
export { Mapping, PAGE_SIZE } from './map/mmap.js';
export { ProgramArray } from './map/program-array.js';
export { Queue } from './map/queue.js';
export { ReadOnlyView } from './map/readonly-view.js';
export { CpuMap, DevMap, XskMap } from './map/redirect.js';
export { layoutOf } from './object/layout.js';
export { BpfObject, type BpfSpec, type LoadOptions } from './object/object.js';
export { parseSpec } from './object/parse.js';
export type { MapSpec, ProgramSpec, SpecOptions, VariableSpec } from './object/spec.js';
export { Variable } from './object/variable.js';
export {
  haveClsact,
  haveFentry,
  haveKprobe,
  haveLink,
  haveNativeXdp,
  haveNetkit,
  haveTcx,
  haveTracepoints,
  haveUprobe,
  type LinkKind,
} from './probe/attach.js';
export {
  haveAtomics,
  haveBatch,
  haveBoundedLoops,
  haveBtf,
  haveInstructionSet,
  haveKfunc,
  haveLargePrograms,
  haveLiveFrames,
  haveMmapableArray,
  haveRingBuffer,
  haveStats,
} from './probe/features.js';
export type { Probe } from './probe/probe.js';
export {
  haveHelper,
  haveMapType,
  haveProgramType,
  type ProgramTypeName,
} from './probe/types.js';
export { forgetNetns, runOnDevices } from './program/look.js';
export {
  Program,
  type ProgramInfo,
  type ProgramStats,
  type TestRunOptions,
  type TestRunResult,
} from './program/program.js';
export { enableStats } from './program/stats.js';
export type { DroppedCount } from './ringbuf/dropped.js';
export type { RingRecord } from './ringbuf/records.js';
export { RingBuffer, type RingBufferOptions, type RingStats } from './ringbuf/ringbuf.js';
export type { WaitResult } from './ringbuf/waiter.js';
export {
  MappedArray,
  TypedArrayMap,
  TypedBloomFilter,
  TypedMap,
  TypedPerCpuMap,
  TypedQueue,
} from './typed/map.js';
export {
  bloom,
  cpuMap,
  devMap,
  keyed,
  type MapForm,
  mapOfMaps,
  mapped,
  type ObjectDescription,
  type ObjectType,
  objectType,
  perCpu,
  programArray,
  queued,
  type TypedLoadOptions,
  type TypedObject,
  untyped,
  xskMap,
} from './typed/object.js';
export { ArrayView, type ArrayViewOf, StructArrayView, StructView, type ViewOf } from './typed/view.js';
