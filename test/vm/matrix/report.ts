import { HOST_ONLY } from './plan.js';
import { count, type FileResult, failedOf, type KernelResult } from './results.js';

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
const indent = (text: string, by: string): string => text.trimEnd().replaceAll(/^/gm, by);

/** A file as it ends: a line, and one for each of its failures. */
export function fileLines(kernel: string, f: FileResult): string {
  const bad = f.tests.filter((t) => t.state === 'failed').length + (f.failure === '' ? 0 : 1);
  const counts = (['passed', 'failed', 'unsupported', 'host'] as const)
    .map((state) => [
      f.tests.filter((t) => t.state === state).length,
      state === 'host' ? 'not for guests' : state,
    ])
    .filter(([n]) => n !== 0)
    .map(([n, what]) => `${n} ${what}`);
  const why = [
    ...f.tests.filter((t) => t.state === 'failed').map((t) => `${t.name}: ${t.why}`),
    f.failure,
  ].filter(Boolean);
  const line = `${bad > 0 ? 'FAIL' : 'ok  '} ${kernel.padEnd(5)} ${f.file} (${counts.join(', ') || 'no test'}, ${seconds(f.ms)})`;
  return [line, ...why.map((w) => `     ${w.split('\n')[0]}`)].join('\n');
}

/** Per kernel what ran, failed and is unsupported, with reasons; then what is not for guests. */
export function report(kernels: readonly KernelResult[]): string {
  const parts: string[] = [];
  for (const k of kernels) {
    parts.push(`\nkernel ${k.kernel} (${k.release || 'did not boot'}), ${seconds(k.ms)}`);
    for (const f of k.files) {
      for (const t of f.tests)
        if (t.state === 'failed') parts.push(`  FAILED ${f.file} > ${t.name}`, indent(t.why ?? '', '    '));
      if (f.failure !== '') parts.push(`  FAILED ${f.file}`, indent(f.failure, '    '));
    }
    if (k.failure !== '') parts.push('  FAILED', indent(k.failure, '    '));
    const reasons = new Map<string, number>();
    for (const t of k.files.flatMap((f) => f.tests))
      if (t.state === 'unsupported') reasons.set(t.why ?? '', (reasons.get(t.why ?? '') ?? 0) + 1);
    for (const [why, n] of reasons) parts.push(`  unsupported: ${why} (${n} ${n === 1 ? 'test' : 'tests'})`);
    parts.push(
      `  ${k.files.length} files: ${count(k.files, 'passed')} passed, ${count(k.files, 'failed')} failed, ${count(k.files, 'unsupported')} unsupported, ${count(k.files, 'host')} not for guests`,
    );
  }
  parts.push('\nnot for guests, run on the host by `make test`:');
  for (const [file, why] of Object.entries(HOST_ONLY))
    if (typeof why === 'string') parts.push(`  ${file}: ${why}`);
    else
      for (const reason of new Set(Object.values(why))) {
        const names = Object.keys(why).filter((name) => why[name] === reason);
        parts.push(`  ${file}: ${reason}`, ...names.map((name) => `    ${name}`));
      }
  const bad = kernels.filter(failedOf).map((k) => k.kernel);
  parts.push(bad.length === 0 ? '\nall kernels pass' : `\nfailed: ${bad.join(', ')}`);
  return parts.join('\n');
}
