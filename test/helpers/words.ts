import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../src/paths.js';

/** How the sentences of a text read. `CONTRIBUTING.md` names the limits. */
export interface Words {
  sentences: number;
  words: number;
  /** Sentences that hold a `;` or a `:`. */
  chained: number;
  /** Sentences of more than 40 words. */
  long: string[];
}

export const LONGEST = 40;
/** A cell of a table with fewer words is a value, and no sentence. */
const CELL = 6;

/** The documents that are measured, by their paths from the root. */
export function documents(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'lab/README.md']
    .concat(docs.filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`))
    .concat('packages/bpf-loader-ts/README.md', 'packages/bpf-loader-ts/docs/architecture.md')
    .sort();
}

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Returns the text without code blocks: fenced ones, and lines with four spaces after an empty line or a heading. */
export function withoutCode(markdown: string): string {
  const kept: string[] = [];
  let fence = false;
  let indented = false;
  for (const line of markdown.split('\n')) {
    const mark = /^\s*(```|~~~)/.test(line);
    if (mark) fence = !fence;
    indented = /^( {4}|\t)/.test(line) && (indented || /^$|^#/.test(kept.at(-1) ?? ''));
    kept.push(fence || mark || indented ? '' : line);
  }
  return kept.join('\n');
}

/** Returns the text with links as their words, and with a code span as one word that no rule looks into. */
function plain(text: string): string {
  return text
    .replace(/<!--.*?-->/gs, '')
    .replace(/`[^`]+`/g, 'code')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/https?:\S+/g, 'address')
    .replace(/[*_]{1,2}(\S.*?)[*_]{1,2}/g, '$1')
    .replace(/\b(e\.g|i\.e|etc|cf|vs)\./g, '$1');
}

const count = (sentence: string): number =>
  sentence.split(/\s+/).filter((w) => /[\p{L}\p{N}]/u.test(w)).length;

/** Sentences of one paragraph, item or cell. */
const split = (block: string): string[] =>
  plain(block)
    .split(/(?<=[.!?][)"”]*)\s+/u)
    .map((s) => s.trim())
    .filter((s) => count(s) > 0);

/** Sentences of a document. Headings and short cells of tables are none. */
export function sentences(markdown: string): string[] {
  const found: string[] = [];
  let block: string[] = [];
  const end = (): void => {
    found.push(...split(block.join(' ')));
    block = [];
  };
  for (const line of withoutCode(markdown).split('\n')) {
    if (/^\s*\|/.test(line)) {
      end();
      const cells = line.replace(/\\\|/g, ' ').split('|').flatMap(split);
      found.push(...cells.filter((s) => count(s) >= CELL));
    } else if (/^\s*$|^#|^\s*[-*] |^\s*\d+\. /.test(line)) {
      end();
      if (!line.startsWith('#')) block.push(line.replace(/^\s*([-*]|\d+\.) /, ''));
    } else block.push(line.replace(/^>\s?/, ''));
  }
  end();
  return found;
}

export function measure(markdown: string): Words {
  const all = sentences(markdown);
  return {
    sentences: all.length,
    words: all.reduce((sum, s) => sum + count(s), 0),
    chained: all.filter((s) => /[;:](?=\s|$)/.test(s)).length,
    long: all.filter((s) => count(s) > LONGEST),
  };
}

export function sum(all: readonly Words[]): Words {
  return {
    sentences: all.reduce((n, w) => n + w.sentences, 0),
    words: all.reduce((n, w) => n + w.words, 0),
    chained: all.reduce((n, w) => n + w.chained, 0),
    long: all.flatMap((w) => w.long),
  };
}

/** Words in a sentence, on average. */
export const mean = (w: Words): number => w.words / Math.max(1, w.sentences);

/** Part of the sentences that hold a `;` or a `:`. */
export const chained = (w: Words): number => w.chained / Math.max(1, w.sentences);
