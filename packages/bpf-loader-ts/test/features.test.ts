import { haveBtf, haveKfunc, haveMmapableArray, haveRingBuffer, haveTcx, type Probe } from 'bpf-loader-ts';
import { expect, it } from 'vitest';
import { INDEX_URL, node } from './helpers.js';

/** What this machine's kernel is known to have: a probe that says otherwise is wrong, and never a reason to skip. */
it.each([
  ['BTF', haveBtf],
  ['mmapable arrays', haveMmapableArray],
  ['ring buffers', haveRingBuffer],
  ['TCX', haveTcx],
  ['bpf_cast_to_kern_ctx', () => haveKfunc('bpf_cast_to_kern_ctx', '6.2')],
] as [string, () => Probe][])('%s: supported', (_, probe) => {
  const first = probe();
  expect(first.answer).toBe('supported');
  expect(probe()).toBe(first); // asked once
});

it('what no kernel has: unsupported, and the version is named', () => {
  expect(haveKfunc('bpf_of_the_future', '99.1')).toMatchObject({
    answer: 'unsupported',
    detail: expect.stringMatching(
      /^kfunc bpf_of_the_future not supported \(requires kernel >= 99\.1; this is \d/,
    ),
  });
});

it('a user who may not ask gets no answer, not a wrong one', () => {
  const run = node(
    `const b = await import(${JSON.stringify(INDEX_URL)});
     const all = [b.haveMmapableArray(), b.haveRingBuffer(), b.haveTcx()];
     let error; try { b.BpfMap.create({ type: 2, name: 'x', keySize: 4, valueSize: 4, maxEntries: 1, flags: 0 }); } catch (e) { error = e; }
     console.log(JSON.stringify({ answers: all.map((p) => p.answer), details: all.map((p) => p.detail), code: error?.code, errno: error?.errno, message: error?.message, btf: b.haveBtf().answer }));`,
    ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'],
  );
  expect(run).toMatchObject({ status: 0, stderr: '' });
  const seen = JSON.parse(run.stdout) as Record<string, unknown>;
  expect(seen).toMatchObject({
    answers: ['inconclusive', 'inconclusive', 'inconclusive'],
    code: 'BPF_PERMISSION',
    errno: 'EPERM',
    message: expect.stringMatching(/CAP_BPF/),
    btf: 'supported',
  });
  for (const detail of seen.details as string[]) expect(detail).toMatch(/EPERM|EACCES/);
});
