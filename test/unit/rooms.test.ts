import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../src/paths.js';

/**
 * ARCHITECTURE.md has a table of rooms: what each holds, and which others it may import. These tests read that table and every import, of
 * types as well, so that the picture stays true.
 */

interface Import {
  /** The file that imports, and the file that it imports. */
  from: string;
  to: string;
}

const FOLDERS = ['src', 'workers', 'lab', 'bench', 'packages/bpf-loader-ts/src'];
const LOADER = 'packages/bpf-loader-ts';
const STATEMENT =
  /^(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s*'([^']+)'/gm;

function files(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && e.name.endsWith('.ts'))
    .map((e) => join((e.parentPath ?? e.path).slice(ROOT.length + 1), e.name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(STATEMENT)].flatMap((m) => {
    const target = (m[1] ?? m[2] ?? m[3])!;
    if (target.startsWith('bpf-loader-ts')) return [{ from: file, to: `${LOADER}/src/index.ts` }];
    if (!target.startsWith('.')) return [];
    return [{ from: file, to: normalize(join(dirname(file), target)).replace(/\.js$/, '.ts') }];
  });
}

/** Circles that are to go: the list only ever gets shorter. */
const KNOWN = ['src/daemon/detector-status.ts', 'src/detect/bfd/detector.ts'];

const IMPORTS = [...FOLDERS, 'bpf'].flatMap(files).flatMap(importsOf);

/** The rooms in the order of the table, with those that each may import. */
const ROOMS = ((): Map<string, Set<string>> => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const section = text.split(/^## Rooms$/m)[1]!.split(/^## /m)[0]!;
  const rows = [...section.matchAll(/^\| `([^`]+)` \|.*\| ([^|]+) \|$/gm)];
  const rooms = new Map<string, Set<string>>();
  for (const [, folder, list] of rows) {
    const all = [...rooms.keys()].filter((r) => !/^(workers|bench|lab)/.test(r));
    const names = list === '–' ? [] : list!.startsWith('every') ? all : list!.split(', ');
    rooms.set(nameOf(folder!), new Set(names));
  }
  return rooms;
})();

/** A room's short name: the last part of its folder, as the third column of the table has it. */
function nameOf(folder: string): string {
  if (folder === 'src/*.ts') return 'ground';
  if (folder === `${LOADER}/`) return 'loader';
  return folder.replace(/^src\//, '').replace(/\/$/, '');
}

function roomOf(path: string): string {
  if (path.startsWith(LOADER)) return 'loader';
  const [top, second, third] = path.split('/');
  if (top === 'src') return third === undefined ? 'ground' : second!;
  return top === 'lab' ? `${top}/${second}` : top!;
}

describe('rooms', () => {
  test('the table names every room that there is, and none that is not', () => {
    const there = new Set([...FOLDERS, 'bpf'].flatMap(files).map(roomOf));
    expect([...there].filter((r) => !ROOMS.has(r))).toEqual([]);
    expect([...ROOMS.keys()].filter((r) => !there.has(r))).toEqual([]);
  });

  test('a room may import only rooms above it', () => {
    const order = [...ROOMS.keys()];
    const down = [...ROOMS].flatMap(([room, allowed]) =>
      [...allowed]
        .filter((r) => !order.slice(0, order.indexOf(room)).includes(r))
        .map((r) => `${room} may import ${r}, which does not stand above it`),
    );
    expect(down).toEqual([]);
  });

  test('every import is one that the table allows', () => {
    const breaks = IMPORTS.filter(({ from, to }) => {
      const [a, b] = [roomOf(from), roomOf(to)];
      return a !== b && !ROOMS.get(a)?.has(b);
    }).map(({ from, to }) => `${from} imports ${to}`);
    expect(breaks).toEqual([]);
  });

  test('the table allows nothing that nobody needs', () => {
    const used = new Set(IMPORTS.map(({ from, to }) => `${roomOf(from)} imports ${roomOf(to)}`));
    const stale = [...ROOMS].flatMap(([room, allowed]) =>
      room === 'daemon'
        ? []
        : [...allowed].map((r) => `${room} imports ${r}`).filter((line) => !used.has(line)),
    );
    expect(stale).toEqual([]);
  });

  test('no files import each other in a circle', () => {
    expect(circles(IMPORTS).filter((c) => !KNOWN.some((k) => c.startsWith(k)))).toEqual([]);
  });

  test('a circle would be found', () => {
    const ring = ['a', 'b', 'c'].map((from, i, all) => ({ from, to: all[(i + 1) % 3]! }));
    expect(circles([...ring, { from: 'd', to: 'a' }])).toEqual(['a b c']);
  });
});

/** Groups of files that reach each other by imports (Tarjan's strongly connected components), each as a line. */
function circles(imports: readonly Import[]): string[] {
  const to = new Map<string, string[]>();
  for (const i of imports) to.set(i.from, [...(to.get(i.from) ?? []), i.to]);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[] = [];
  const visit = (v: string): void => {
    index.set(v, index.size);
    low.set(v, index.get(v)!);
    stack.push(v);
    for (const w of to.get(v) ?? []) {
      if (!index.has(w)) visit(w);
      if (stack.includes(w)) low.set(v, Math.min(low.get(v)!, low.get(w)!));
    }
    if (low.get(v) !== index.get(v)) return;
    const group = stack.splice(stack.indexOf(v));
    if (group.length > 1) found.push(group.sort().join(' '));
  };
  for (const v of to.keys()) if (!index.has(v)) visit(v);
  return found;
}
