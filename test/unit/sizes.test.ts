import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../src/paths.js';

/** Sizes that a reader can hold: files, functions and lists of parameters. */

const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;
const PARAMETERS_MAX = 5;
const FOLDERS = ['src', 'workers', 'lab', 'bench', 'bpf'];

interface Found {
  /** `src/a.ts:12 name`. */
  at: string;
  lines: number;
  parameters: number;
}

const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.(ts|c|h)$/.test(f) && !f.endsWith('.bpf.ts'))
    .map((f) => join(folder, f)),
);

function functionsOf(file: string, text: string): Found[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line + 1;
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const first = lineAt(node.getStart());
      found.push({
        at: `${file}:${first} ${node.name?.getText() ?? ''}`,
        lines: lineAt(node.end) - first + 1,
        parameters: node.parameters.length,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const FUNCTIONS = FILES.filter((f) => f.endsWith('.ts')).flatMap((f) => functionsOf(f, read(f)));

describe('sizes', () => {
  test(`no file written by hand has more than ${LINES_MAX} lines`, () => {
    expect(FILES.filter((f) => read(f).split('\n').length > LINES_MAX + 1)).toEqual([]);
  });

  test(`no function has more than ${FUNCTION_LINES_MAX} lines`, () => {
    expect(FUNCTIONS.filter((f) => f.lines > FUNCTION_LINES_MAX)).toEqual([]);
  });

  test(`no function has more than ${PARAMETERS_MAX} parameters`, () => {
    expect(FUNCTIONS.filter((f) => f.parameters > PARAMETERS_MAX)).toEqual([]);
  });

  test('a long function, and one with many parameters, would be found', () => {
    const text = `function f(a, b, c, d, e, g) {\n${'  a();\n'.repeat(60)}}\n`;
    expect(functionsOf('x.ts', text)).toEqual([{ at: 'x.ts:1 f', lines: 62, parameters: 6 }]);
  });
});
