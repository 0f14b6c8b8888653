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
export { libbpfVersion } from './libbpf.js';
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
export { BpfMap, type MapInfo, PAGE_SIZE, possibleCpus } from './map.js';
export { Mapping } from './mmap.js';
export { BpfObject, type LoadOptions, type MapSpec, type OpenOptions, type ProgramSpec } from './object.js';
export { ensurePinFolder } from './pin.js';
export { Program, type ProgramInfo, type TestRunOptions } from './program.js';
export { ReadOnlyView } from './readonly-view.js';
export { RingBuffer } from './ringbuf.js';
