import { badBtf } from './parse.js';
import type { BtfType } from './types.js';

/** Types within types: real ones stay far below. */
const DEPTH_MAX = 64;
/** A value larger than this fits into no map. */
const SIZE_MAX = 0x7fffffff;

/** Numbers of the types that a type names. */
function* referred(t: BtfType): Generator<number> {
  if ('type' in t) yield t.type;
  if (t.kind === 'array') yield t.indexType;
  if (t.kind === 'struct' || t.kind === 'union') for (const m of t.members) yield m.type;
  if (t.kind === 'func_proto') for (const p of t.parameters) yield p.type;
  if (t.kind === 'datasec') for (const v of t.variables) yield v.type;
}

/** Numbers of the types that a type holds by value, or is another name of. */
function* held(t: BtfType): Generator<number> {
  switch (t.kind) {
    case 'typedef':
    case 'volatile':
    case 'const':
    case 'restrict':
    case 'type_tag':
    case 'var':
    case 'array':
      yield t.type;
      break;
    case 'struct':
    case 'union':
      for (const m of t.members) yield m.type;
      break;
    case 'datasec':
      for (const v of t.variables) yield v.type;
  }
}

/** Bytes of a type whose parts are known: 0 for what has none. */
function bytes(t: BtfType, known: Float64Array): number {
  switch (t.kind) {
    case 'ptr':
      return 8;
    case 'array':
      return t.length * known[t.type]!;
    case 'void':
    case 'fwd':
    case 'func':
    case 'func_proto':
    case 'decl_tag':
      return 0;
    case 'int':
    case 'float':
    case 'enum':
    case 'struct':
    case 'union':
    case 'datasec':
      return t.size;
    default:
      return known[t.type]!;
  }
}

/**
 * Types referred to exist and are of the kind they must be, no type contains itself, and every member lies within its structure.
 * Returns the size of each type in bytes.
 */
export function checkTypes(types: readonly BtfType[]): Float64Array {
  const depth = new Int32Array(types.length);
  const size = new Float64Array(types.length);

  const visit = (id: number, level: number): number => {
    if (depth[id]! > 0) return depth[id]!;
    if (level > DEPTH_MAX)
      throw badBtf(`type ${id} refers to itself, or holds more than ${DEPTH_MAX} levels`);
    const t = types[id]!;
    let deepest = 0;
    for (const part of held(t)) deepest = Math.max(deepest, visit(part, level + 1));
    if (deepest >= DEPTH_MAX) throw badBtf(`type ${id} holds more than ${DEPTH_MAX} levels`);
    size[id] = bytes(t, size);
    if (size[id]! > SIZE_MAX) throw badBtf(`type ${id} is ${size[id]} bytes long`);
    depth[id] = deepest + 1;
    return depth[id]!;
  };

  types.forEach((t, id) => {
    for (const to of referred(t))
      if (to >= types.length) throw badBtf(`type ${id} refers to a type that does not exist`);
    if (t.kind === 'func' && types[t.type]!.kind !== 'func_proto')
      throw badBtf(`function ${t.name} has no prototype`);
    if (t.kind === 'datasec')
      for (const v of t.variables) {
        const { kind } = types[v.type]!;
        if (kind !== 'var' && kind !== 'func') throw badBtf(`section ${t.name} holds no variable`);
      }
  });
  types.forEach((_, id) => {
    visit(id, 0);
  });
  types.forEach((t, id) => {
    if (t.kind !== 'struct' && t.kind !== 'union') return;
    for (const m of t.members) {
      const bits = m.bitSize > 0 ? m.bitSize : 8 * size[m.type]!;
      if (m.bitOffset + bits > 8 * t.size)
        throw badBtf(`type ${id}: member ${m.name} lies outside of ${t.kind} ${t.name}`);
      if (m.bitSize === 0 && m.bitOffset % 8 !== 0 && !isBits(types, m.type))
        throw badBtf(`type ${id}: member ${m.name} does not begin at a byte`);
    }
  });
  return size;
}

/** An integer narrower than its bytes: how compilers before 2018 wrote bitfields. */
function isBits(types: readonly BtfType[], id: number): boolean {
  const t = types[id]!;
  if (t.kind === 'int') return t.bits !== 8 * t.size;
  return 'type' in t && t.kind !== 'ptr' && t.kind !== 'array' ? isBits(types, t.type) : false;
}
