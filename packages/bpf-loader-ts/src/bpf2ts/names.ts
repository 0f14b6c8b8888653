import type { Btf } from '../btf/btf.js';

/** `vf_line` → `VfLine`. */
export const pascal = (name: string): string =>
  name
    .split(/[^A-Za-z0-9]+/)
    .filter((part) => part !== '')
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join('')
    .replace(/^(?=\d)/, '_');

/** `vf_line` → `vfLine`. */
export const camel = (name: string): string => {
  const p = pascal(name);
  return p === '' ? p : p[0]!.toLowerCase() + p.slice(1);
};

/** Names of the module's exports: each given once, `Name2` when two types of C have one name in it. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #byType = new Map<number, string>();

  /** What a type is called; `fallback` for one that has no name in C. */
  of(btf: Btf, id: number, fallback: string, suffixes: readonly string[]): string {
    const { id: own, type } = btf.resolve(id);
    const known = this.#byType.get(own);
    if (known !== undefined) return known;
    const name = this.take(pascal(type.name || typedefName(btf, id) || fallback) || 'Type', suffixes);
    this.#byType.set(own, name);
    return name;
  }

  /** A name that is free with every suffix too. */
  take(wanted: string, suffixes: readonly string[] = []): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted}${n}`;
      const all = ['', ...suffixes].map((s) => name + s);
      if (all.some((x) => this.#taken.has(x))) continue;
      for (const x of all) this.#taken.add(x);
      return name;
    }
  }
}

/** `typedef struct { … } name`: the nearest name of a type that has none of its own. */
export function typedefName(btf: Btf, id: number): string | undefined {
  const t = btf.type(id);
  if (t.kind === 'typedef') return t.name;
  return t.kind === 'const' || t.kind === 'volatile' || t.kind === 'restrict' || t.kind === 'type_tag'
    ? typedefName(btf, t.type)
    : undefined;
}
