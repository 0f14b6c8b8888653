import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { native } from '../binding.js';
import { Btf } from '../btf/btf.js';
import { mapTypeName, progTypeName } from '../constants.js';
import { BpfError } from '../errors.js';
import { wrap } from '../wrap.js';
import { checkElf } from './elf.js';
import { type BpfSpec, type LoadOptions, loadObject } from './object.js';
import { type MapSpec, type ProgramSpec, type SpecOptions, sectionOf } from './spec.js';

function readObject(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    throw new BpfError('BPF_OPEN', `open ${path}: ${(e as Error).message}`, { cause: e });
  }
}

type NativeMap = Omit<MapSpec, 'typeName' | 'inner'> & { inner?: NativeMap };
const withNames = (m: NativeMap): MapSpec => {
  const { inner, ...rest } = m;
  return { ...rest, typeName: mapTypeName(m.type), ...(inner && { inner: withNames(inner) }) };
};

/**
 * Reads an object file: a path or its bytes. Touches no kernel interface, needs no privileges. Throws BPF_OPEN for what is no BPF object,
 * or a damaged one, and says what is wrong with it.
 */
export function parseSpec(source: string | Uint8Array, options: SpecOptions = {}): BpfSpec {
  // A copy: what is checked here is what libbpf reads, whoever else may write to the memory.
  const bytes = typeof source === 'string' ? readObject(source) : Uint8Array.from(source);
  const given = options.name ?? (typeof source === 'string' ? basename(source).split('.')[0]! : 'object');
  const name = given.slice(0, 15);
  const { license } = checkElf(bytes);
  const handle = wrap('BPF_OPEN', `open ${name}`, () => native.objectOpen(bytes, name, 0) as unknown);
  try {
    const info = native.objectInfo(handle) as {
      maps: NativeMap[];
      programs: Omit<ProgramSpec, 'typeName'>[];
    };
    const maps = info.maps.map(withNames);
    // libbpf fills in where variables lie when it opens the object; in the file clang leaves their offsets 0.
    const btf = new Btf(native.objectBtf(handle) as ArrayBuffer | undefined);
    const variables = maps
      .filter((m) => m.internal)
      .flatMap((m) => {
        const section = sectionOf(m);
        const constant = section.startsWith('.rodata') || section === '.kconfig';
        return btf.section(section).map((v) => ({ ...v, section, constant }));
      });
    return Object.freeze({
      name,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      license,
      maps,
      programs: info.programs.map((p) => ({ ...p, typeName: progTypeName(p.type) })),
      variables,
      btf,
      load(this: BpfSpec, loadOptions: LoadOptions = {}) {
        return loadObject(this, bytes, loadOptions);
      },
    });
  } finally {
    native.objectClose(handle);
  }
}
