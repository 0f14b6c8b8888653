export { Btf, type BtfMember, type BtfVariable } from './btf.js';
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
export { BpfObject, type LoadOptions, type MapSpec, type OpenOptions, type ProgramSpec } from './object.js';
export { ensurePinFolder } from './pin.js';
export { Program, type ProgramInfo, type TestRunOptions } from './program.js';
export { ReadOnlyView } from './readonly-view.js';
export type { DroppedCount } from './ringbuf/dropped.js';
export type { RingRecord } from './ringbuf/records.js';
export { RingBuffer, type RingBufferOptions, type RingStats } from './ringbuf/ringbuf.js';
export type { WaitResult } from './ringbuf/waiter.js';
