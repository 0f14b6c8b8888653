import { execFileSync } from 'node:child_process';

/** Compiles a BPF program as the Makefile compiles bpf/. */
export function compileBpf(source: string, out: string, target = 'bpf'): void {
  const arch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  const all = ['-g', '-O2', '-mcpu=v3', '-target', target, '-Wall', '-Werror', `-I/usr/include/${arch}`];
  execFileSync('clang', [...all, '-c', source, '-o', out], { stdio: 'pipe' });
  execFileSync('llvm-strip', ['-g', out]);
}

export const compileBigEndianBpf = (source: string, out: string): void => compileBpf(source, out, 'bpfeb');

/** Compiles a program that tests run. */
export function compileProgram(source: string, out: string): void {
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', out, source], { stdio: 'pipe' });
}
