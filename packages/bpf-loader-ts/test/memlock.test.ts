import { memlock } from 'bpf-loader-ts';
import { memlockLimit } from 'bpf-loader-ts/sys';
import { expect, it } from 'vitest';
import { compile, INDEX_URL, node } from './helpers.js';

it('says what memory is charged to, and changes no limit in finding out', () => {
  const before = memlockLimit();
  const found = memlock();
  // Every kernel from 5.11 on.
  expect(found).toEqual({ accounting: 'cgroup', ...before });
  expect(memlockLimit()).toEqual(before);
  expect(memlock()).toEqual(found);
});

it('where it is the cgroup, a limit of nothing stops no load, and libbpf leaves it alone', () => {
  const script = `const { parseSpec, memlock } = await import(${JSON.stringify(INDEX_URL)});
    parseSpec(${JSON.stringify(compile('basic'))}).load().close();
    console.log(JSON.stringify(memlock()));`;
  const run = node(script, ['prlimit', '--memlock=0:0', '--']);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(run.stdout)).toEqual({ accounting: 'cgroup', soft: 0, hard: 0 });
});

it('a process that can make no map is told so', () => {
  const script = `const { memlock } = await import(${JSON.stringify(INDEX_URL)});
    try { memlock(); } catch (e) { console.log(e.code, e.message); }`;
  const run = node(script, [
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    '--bounding-set=-all',
  ]);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toMatch(/^BPF_PERMISSION memlock: no map can be made.*lacks CAP_BPF/);
});

it('it is measured in a process of its own, whose end nobody else waits for', () => {
  const script = `const { memlock } = await import(${JSON.stringify(INDEX_URL)});
    const { spawn } = await import('node:child_process');
    let signals = 0;
    process.on('SIGCHLD', () => signals++);
    memlock();
    setTimeout(() => {
      const before = signals;
      spawn('sh', ['-c', 'exit 7']).once('close', (code) => console.log(before, code));
    }, 50);`;
  expect(node(script)).toMatchObject({ status: 0, stderr: '', stdout: '0 7\n' });
});
