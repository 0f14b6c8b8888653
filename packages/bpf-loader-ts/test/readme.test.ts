import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BPF_ERROR_CODES, summarizeLog } from 'bpf-loader-ts';
import { expect, it } from 'vitest';
import { INDEX_URL, namespaceWithVeth, node, tempFolder } from './helpers.js';

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

it('the first program runs', () => {
  const source = join(tempFolder(), 'count.bpf.c');
  const object = join(tempFolder(), 'count.bpf.o');
  writeFileSync(source, block('c'));
  const arch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  execFileSync('clang', [
    '-g',
    '-O2',
    '-target',
    'bpf',
    `-I/usr/include/${arch}`,
    '-c',
    source,
    '-o',
    object,
  ]);
  const ns = namespaceWithVeth();
  ns.ip('link', 'set', 'dev', 'lo', 'up');
  const script = block('ts')
    .replace("'bpf-loader-ts'", JSON.stringify(INDEX_URL))
    .replace("'count.bpf.o'", JSON.stringify(object))
    .replace('resolve, 1000', 'resolve, 10')
    .replace(
      'for (',
      `(await import('node:dgram')).createSocket('udp4').unref().send('x', 9, '127.0.0.1');\nfor (`,
    );
  const run = node(script, ['nsenter', `--net=${ns.path}`]);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  // The datagram, and the ICMP message that nobody listens.
  expect(run.stdout.trim().split('\n').at(-1)).toMatch(/^[12] frames sent$/);
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
  expect(summarizeLog('')).toBeUndefined();
});
