import { join } from 'node:path';
import { BpfMap } from 'bpf-loader-ts';
import { onTestFinished } from 'vitest';
import { ReflectorMap } from '../../src/datapath/reflector-map.js';
import { BfdMap } from '../../src/detect/bfd/map.js';

function words(pins: string, name: string): Int32Array {
  const map = BpfMap.fromPin(join(pins, 'maps', name));
  const mapping = map.mmap();
  onTestFinished(() => {
    mapping.close();
    map.close();
  });
  return mapping.int32();
}

/** The sessions of a running daemon, as its programs have them. */
export const pinnedBfd = (pins: string): BfdMap => new BfdMap(words(pins, 'bfd'));
export const pinnedReflectors = (pins: string): ReflectorMap => new ReflectorMap(words(pins, 'reflectors'));
