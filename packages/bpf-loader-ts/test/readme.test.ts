import { existsSync, readFileSync } from 'node:fs';
import { BPF_ERROR_CODES, summarizeLog } from 'bpf-loader-ts';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

const block = (language: string): string => {
  const found = readme.match(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``))?.[1];
  if (found === undefined) throw new Error(`the README has no ${language} block`);
  return found;
};

it('the table of error codes is that of the code', () => {
  const rows = [...readme.matchAll(/^\| `(BPF_[A-Z]+)` \| (.*) \|$/gm)].map((m) => [m[1], m[2]]);
  expect(Object.fromEntries(rows)).toEqual(BPF_ERROR_CODES);
});

it('the first program is the first example', () => {
  const example = (name: string): string =>
    readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8');
  expect(block('c')).toBe(example('first.bpf.c'));
  expect(block('ts')).toBe(example('first.ts'));
});

it('what the README links to is there', () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)].map((m) => m[1]!);
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((link) => !existsSync(new URL(`../${link}`, import.meta.url)))).toEqual([]);
});

it('a verifier log is put into one line', () => {
  const log = (...lines: string[]): string =>
    [
      'libbpf: prog load failed',
      '0: (b7) r0 = 0 ; R0_w=0',
      ...lines,
      'processed 1 insns (limit 1000000)',
      '-- END PROG LOAD LOG --',
      'libbpf: failed to load object',
    ].join('\n');
  expect(summarizeLog(log('R1=ctx() R10=fp0', 'R2 !read_ok'))).toBe('R2 !read_ok');
  expect(summarizeLog(log('invalid access to map value', 'R0 max value is outside'))).toBe(
    'invalid access to map value; R0 max value is outside',
  );
  expect(summarizeLog(log())).toBe('libbpf: failed to load object');
  const explained = [
    '',
    'Verification failed: Memory Safety: Access outside bounds',
    '',
    'Suggestion:',
    '  Add a bounds check.',
  ];
  expect(summarizeLog(log('R2 !read_ok', ...explained))).toBe('R2 !read_ok');
  expect(summarizeLog(log(...explained))).toBe('Verification failed: Memory Safety: Access outside bounds');
  expect(summarizeLog('')).toBeUndefined();
});
