import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../src/paths.js';
import {
  chained,
  documents,
  LONGEST,
  mean,
  measure,
  read,
  sentences,
  sum,
  withoutCode,
} from '../helpers/words.js';

/** Documents that anyone can read: short sentences, one term for one thing, links and paths that lead somewhere. */

const GLOSSARY = 'docs/glossary.md';

/** The terms of the glossary, each with the words that must not stand for it. */
const forbidden = ((): { term: string; words: string[] }[] =>
  [...read(GLOSSARY).matchAll(/^\| ([^|]+) \| [^|]+ \| ([^|]*) ?\|$/gm)]
    .map(([, term, list]) => ({
      term: term!.trim(),
      words: list!
        .split(',')
        .map((w) => w.trim())
        .filter(Boolean),
    }))
    .filter(({ term }) => term !== 'term'))();

/** Returns each word of the list that the text uses, and the term that the glossary has for it. */
function misused(text: string): string[] {
  return forbidden.flatMap(({ term, words }) =>
    words
      .filter((word) => new RegExp(`(?<![\\w-])${word}(?![\\w-])`, 'i').test(text))
      .map((word) => `"${word}": the glossary says "${term}"`),
  );
}

function sources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts'))
    .map((f) => `src/${f}`);
}

/** Strings of a source that hold a space: what people read. */
function messages(source: string): string {
  const code = source.replace(/\/\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '');
  const strings = code.match(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\\n]|\\.)*"/g) ?? [];
  return strings.filter((s) => s.includes(' ')).join('\n');
}

/** A document without code, as its readers read it in one line. */
const prose = (path: string): string =>
  withoutCode(read(path))
    .replace(/`[^`]+`/g, '')
    .replace(/\s+/g, ' ');

describe('sentences', () => {
  const all = documents().map((path) => ({ path, words: measure(read(path)) }));

  test.each(all)('of $path: 17 words on average, a fifth with ; or :, none over 40 words', ({ words }) => {
    expect(words.long).toEqual([]);
    expect(mean(words)).toBeLessThanOrEqual(17);
    expect(chained(words)).toBeLessThanOrEqual(0.2);
  });

  test('of all documents keep the same limits, with the decisions left out', () => {
    const total = sum(all.filter((a) => !a.path.startsWith('docs/decisions/')).map((a) => a.words));
    expect(total.sentences).toBeGreaterThan(1000);
    expect(mean(total)).toBeLessThanOrEqual(17);
    expect(chained(total)).toBeLessThanOrEqual(0.2);
  });

  test.each(documents())('of %s begin with their subject', (path) => {
    expect(sentences(read(path)).filter((s) => /^(Of|What|Who|That)\b/.test(s))).toEqual([]);
  });

  test('are counted as a reader would', () => {
    const words = measure(
      '# Not this\nOne idea; another. Second e.g. `a; b` here:\n\n    code: no\n\n- An item\n  goes on.\n',
    );
    expect(words).toEqual({ sentences: 3, words: 11, chained: 2, long: [] });
    expect(measure(`${'word '.repeat(LONGEST + 1)}end.`).long).toHaveLength(1);
    expect(measure('| a | one two three four five: six |\n|---|---|\n')).toMatchObject({
      sentences: 1,
      chained: 1,
    });
  });
});

describe('terms', () => {
  test('the glossary forbids some', () => {
    expect(forbidden.length).toBeGreaterThan(20);
    expect(misused('After a Fail-Over to the backup.')).toEqual([
      '"backup": the glossary says "standby"',
      '"fail-over": the glossary says "failover"',
    ]);
  });

  test.each(documents().filter((d) => d !== GLOSSARY))('%s keeps to the glossary', (path) => {
    expect(misused(prose(path))).toEqual([]);
  });

  test('messages of the sources keep to the glossary', () => {
    const found = sources().flatMap((path) =>
      misused(messages(readFileSync(join(ROOT, path), 'utf8'))).map((m) => `${path}: ${m}`),
    );
    expect(found).toEqual([]);
  });
});

describe('what documents point to is there', () => {
  test.each(documents())('%s: links', (path) => {
    const links = [...withoutCode(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1]!);
    expect(links.filter((link) => !leads(path, link))).toEqual([]);
  });

  test.each(documents())('%s: files', (path) => {
    const named = [...read(path).matchAll(/`((?:src|bpf|workers|lab|bench|test|packages|docs)\/[\w./-]+)`/g)];
    expect(
      named.map((m) => m[1]!).filter((f) => !f.startsWith('bench/results/') && !existsSync(join(ROOT, f))),
    ).toEqual([]);
  });
});

/** True if a link of a document leads to a file, and to one of its headings. Addresses of other machines are not looked up. */
function leads(from: string, link: string): boolean {
  if (/^\w+:/.test(link)) return true;
  const [file, anchor] = link.split('#') as [string, string?];
  const target = file === '' ? join(ROOT, from) : join(ROOT, dirname(from), file);
  if (!existsSync(target)) return false;
  return anchor === undefined || anchors(readFileSync(target, 'utf8')).has(anchor);
}

/** The anchors that GitHub makes of a document's headings. */
const anchors = (markdown: string): Set<string> =>
  new Set(
    [...withoutCode(markdown).matchAll(/^#+ (.+)$/gm)].map((m) =>
      m[1]!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replace(/ /g, '-'),
    ),
  );
