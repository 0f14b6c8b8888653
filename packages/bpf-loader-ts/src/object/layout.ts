import { createHash } from 'node:crypto';
import type { Btf } from '../btf/btf.js';
import type { BpfSpec } from './object.js';

/** A type in words, with all that it holds by value: equal words, equal bytes. */
function words(btf: Btf, id: number, seen: Map<number, string>): string {
  const { id: own, type } = btf.resolve(id);
  const known = seen.get(own);
  if (known !== undefined) return known;
  seen.set(own, `#${own}`);
  let text: string;
  switch (type.kind) {
    case 'struct':
    case 'union': {
      const members = type.members.map(
        (m) => `${m.name}@${m.bitOffset}:${m.bitSize}=${words(btf, m.type, seen)}`,
      );
      text = `${type.kind} ${type.name} ${type.size}{${members.join(';')}}`;
      break;
    }
    case 'array':
      text = `${words(btf, type.type, seen)}[${type.length}]`;
      break;
    case 'enum':
      text = `enum ${type.name} ${type.size}{${type.values.map((v) => `${v.name}=${v.value}`).join(';')}}`;
      break;
    case 'int':
      text = `${type.name} ${type.encoding} ${type.bits}/${type.size}`;
      break;
    case 'var':
      text = words(btf, type.type, seen);
      break;
    default:
      text = `${type.kind} ${type.name} ${btf.size(own)}`;
  }
  // Long types are repeated by their hash, or text would grow with every level.
  if (text.length > 200) text = createHash('sha256').update(text).digest('hex');
  seen.set(own, text);
  return text;
}

/**
 * A fingerprint of all that a generated module relies on: programs, maps, variables and every structure, union and enumeration of the
 * object. Instructions, constants' values and sizes of maps do not change it.
 */
export function layoutOf(spec: BpfSpec): string {
  const { btf } = spec;
  const seen = new Map<number, string>();
  const lines = [
    ...spec.programs.map((p) => `program ${p.name} ${p.section}`),
    ...spec.maps
      .filter((m) => !m.internal)
      .map((m) => `map ${m.name} ${m.type} ${m.keySize} ${m.valueSize} ${m.flags}`),
    ...spec.variables.map((v) => `variable ${v.section} ${v.name} ${v.offset} ${words(btf, v.type, seen)}`),
    ...btf.types.flatMap((t, id) =>
      t.kind === 'struct' || t.kind === 'union' || t.kind === 'enum' ? [words(btf, id, seen)] : [],
    ),
  ];
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
