import { BpfError } from '../errors.js';
import type { Program } from '../program/program.js';
import { expectType, fdOf } from './kinds.js';
import type { BpfMap } from './map.js';
import { checkU32, word, words } from './u32.js';

/** What XDP's bpf_redirect_map sends frames to. None of these own their map. */

/** A value of a devmap or cpumap: a number and, from Linux 5.8 and 5.9 on, a program for every frame that goes there. */
function targetValue(map: BpfMap, number: number, program: Program | undefined): Uint8Array {
  if (map.info.valueSize >= 8) return words(number, program === undefined ? 0 : fdOf('program', program));
  if (program)
    throw new BpfError(
      'BPF_ARGUMENT',
      `${map.what} has values of ${map.info.valueSize} bytes: a program needs 8`,
    );
  return words(number);
}

/** The two words of such a value; without a program the second is 0. */
const target = (map: BpfMap, key: number): [number, number] | undefined => {
  const value = map.lookup(words(checkU32('key', key)));
  return value && [word(value, 0), value.byteLength >= 8 ? word(value, 1) : 0];
};

/** Devices to send frames out of: a map of type devmap (Linux 4.14, keys below maxEntries) or devmap_hash (5.4, any key). */
export class DevMap {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'DevMap', 'devmap', 'devmap_hash');
    this.map = map;
  }

  /**
   * The device is one of the calling thread's network namespace, else BPF_MAP with EINVAL. `program` (expected attach type xdp_devmap,
   * Linux 5.8) sees each frame before it is sent. The entry goes with the device.
   */
  set(key: number, to: { ifindex: number; program?: Program }): void {
    const ifindex = checkU32('ifindex', to.ifindex);
    this.map.update(words(checkU32('key', key)), targetValue(this.map, ifindex, to.program));
  }

  /** What is there; `programId` 0 for none; undefined without an entry. */
  get(key: number): { ifindex: number; programId: number } | undefined {
    const found = target(this.map, key);
    return found && { ifindex: found[0], programId: found[1] };
  }

  /** True if there was an entry; for type devmap always. */
  delete(key: number): boolean {
    return this.map.delete(words(checkU32('key', key)));
  }
}

/** CPUs that go on with a frame: a map of type cpumap (Linux 4.15); keys are CPU numbers. */
export class CpuMap {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'CpuMap', 'cpumap');
    this.map = map;
  }

  /**
   * Starts the kernel's thread for that CPU, with a queue of `queueSize` frames (at most 16,384; 0 is no entry). `program` (expected attach
   * type xdp_cpumap, Linux 5.9) runs there for each frame.
   */
  set(cpu: number, to: { queueSize: number; program?: Program }): void {
    const size = checkU32('queueSize', to.queueSize);
    this.map.update(words(checkU32('cpu', cpu)), targetValue(this.map, size, to.program));
  }

  /** What is there; `programId` 0 for none; undefined without an entry. */
  get(cpu: number): { queueSize: number; programId: number } | undefined {
    const found = target(this.map, cpu);
    return found && { queueSize: found[0], programId: found[1] };
  }

  /** Stops that CPU's thread once its queue is empty. */
  delete(cpu: number): boolean {
    return this.map.delete(words(checkU32('cpu', cpu)));
  }
}

/** AF_XDP sockets: a map of type xskmap (Linux 4.18); keys are, by custom, numbers of receive queues. */
export class XskMap {
  readonly map: BpfMap;

  constructor(map: BpfMap) {
    expectType(map, 'XskMap', 'xskmap');
    this.map = map;
  }

  /** Puts a socket there, by descriptor: it must have its rings and memory (EBADF, EOPNOTSUPP else). The entry goes with the socket. */
  set(index: number, socketFd: number): void {
    this.map.update(words(checkU32('index', index)), words(checkU32('socketFd', socketFd)));
  }

  /** True if the index is inside: the kernel does not tell whether there was a socket, nor lets user space look one up. */
  delete(index: number): boolean {
    return this.map.delete(words(checkU32('index', index)));
  }
}
