import { BpfError } from '../errors.js';
import type { Btf } from './btf.js';

const bad = (why: string, cause?: unknown): BpfError =>
  new BpfError('BPF_OPEN', `.BTF.ext ${why}`, { cause });

/** Smallest records: struct bpf_func_info, bpf_line_info, bpf_core_relo. */
const KINDS = [
  { name: 'function', header: 8, record: 8 },
  { name: 'line', header: 16, record: 16 },
  { name: 'relocation', header: 24, record: 16 },
] as const;

/**
 * Checks the tables of functions, lines and CO-RE relocations: every record lies inside, and what it refers to exists. `sections` gives
 * the bytes of each section that has instructions.
 */
export function checkBtfExt(bytes: Uint8Array, btf: Btf, sections: ReadonlyMap<string, number>): void {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (v.getUint16(0, true) !== 0xeb9f) throw bad('has the wrong magic number or byte order');
    const length = v.getUint32(4, true);
    if (length < 24 || length > v.byteLength) throw bad('is truncated');
    for (const kind of KINDS) {
      if (kind.header + 8 > length) continue;
      const at = length + v.getUint32(kind.header, true);
      const end = at + v.getUint32(kind.header + 4, true);
      if (end > v.byteLength || at % 4) throw bad('is truncated');
      if (end > at) checkTable(v, at, end, kind, btf, sections);
    }
  } catch (e) {
    if (e instanceof RangeError) throw bad('is truncated', e);
    throw e;
  }
}

function checkTable(
  v: DataView,
  start: number,
  end: number,
  kind: (typeof KINDS)[number],
  btf: Btf,
  sections: ReadonlyMap<string, number>,
): void {
  const size = v.getUint32(start, true);
  if (size < kind.record || size % 4 || size > 256) throw bad(`has ${kind.name} records of ${size} bytes`);
  let at = start + 4;
  while (at < end) {
    if (at + 8 > end) throw bad('is truncated');
    const name = btf.string(v.getUint32(at, true));
    const n = v.getUint32(at + 4, true);
    at += 8;
    if (n === 0 || at + n * size > end) throw bad(`has ${n} ${kind.name} records in ${end - at} bytes`);
    const bytes = sections.get(name);
    if (bytes === undefined) throw bad(`speaks of a section ${name} without instructions`);
    for (let i = 0; i < n; i++, at += size) {
      const insn = v.getUint32(at, true);
      if (insn % 8 || insn >= bytes)
        throw bad(`speaks of an instruction at ${insn} of section ${name}, which is ${bytes} bytes long`);
      if (kind.name === 'line') {
        btf.string(v.getUint32(at + 4, true));
        btf.string(v.getUint32(at + 8, true));
        continue;
      }
      const type = v.getUint32(at + 4, true);
      if (type >= btf.types.length || (kind.name === 'function' && btf.types[type]!.kind !== 'func'))
        throw bad(`has a ${kind.name} of type ${type}, which is none`);
      if (kind.name === 'relocation') checkAccess(btf.string(v.getUint32(at + 8, true)));
    }
  }
}

/** `0:1:2`: which member of which member; libbpf follows at most 64. */
function checkAccess(spec: string): void {
  if (!/^\d{1,9}(:\d{1,9}){0,63}$/.test(spec))
    throw bad(`has a relocation of the access ${JSON.stringify(spec)}`);
}
