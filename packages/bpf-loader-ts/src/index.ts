export type { MemoryAccounting } from './accounting.js';
export { Btf, type BtfMember, type BtfVariable } from './btf.js';
export * from './constants.js';
export { BPF_ERROR_CODES, BpfError, type BpfErrorCode, summarizeLog } from './errors.js';
export { Handle } from './handle.js';
export type { LibbpfLevel } from './heard.js';
export { openHandles, reportLeaks } from './leaks.js';
export { type LibbpfMessageOptions, onLibbpfMessage } from './libbpf-messages.js';
export { attachCgroup, type CgroupAttachType, queryCgroup } from './link/cgroup.js';
export {
  attachClsact,
  type ClsactPlace,
  createClsact,
  destroyClsact,
  detachClsact,
  queryClsact,
} from './link/clsact.js';
export { type ClsactFilter, listClsact } from './link/clsact-list.js';
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
  type NetkitSide,
  type ProgramList,
  queryNetkit,
  queryTcx,
  type TcxOptions,
} from './link/tcx.js';
export { attachRawTracepoint, attachTracing } from './link/tracing.js';
export { attachXdp, queryXdp, type XdpMode } from './link/xdp.js';
export { forgetNetns, runOnDevices } from './look.js';
export { BpfMap, type MapInfo, PAGE_SIZE, possibleCpus } from './map.js';
export { type Memlock, memlock } from './memlock.js';
export { Mapping } from './mmap.js';
export { BpfObject, type LoadOptions, type MapSpec, type OpenOptions, type ProgramSpec } from './object.js';
export { ensurePinFolder, listPins, type Pin, unpin } from './pin.js';
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
  type MapTypeName,
  type ProgramTypeName,
} from './probe/types.js';
export {
  Program,
  type ProgramInfo,
  type ProgramStats,
  type TestRunOptions,
  type TestRunResult,
} from './program.js';
export { ReadOnlyView } from './readonly-view.js';
export { RingBuffer } from './ringbuf.js';
export { enableStats } from './stats.js';
