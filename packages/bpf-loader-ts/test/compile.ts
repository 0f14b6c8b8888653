import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** For compilers, which do not load the addon: a run of the suite under sanitizers would have them sanitized too, and minutes slower. */
export const TOOLS: { env: NodeJS.ProcessEnv } = {
  env: { ...process.env, LD_PRELOAD: undefined, NODE_OPTIONS: undefined },
};

/** Compiles a BPF program as the Makefile compiles bpf/. */
export function compileBpf(source: string, out: string, target = 'bpf'): void {
  const arch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8', ...TOOLS }).trim();
  const all = ['-g', '-O2', '-mcpu=v3', '-target', target, '-Wall', '-Werror', `-I/usr/include/${arch}`];
  execFileSync('clang', [...all, '-c', source, '-o', out], { stdio: 'pipe', ...TOOLS });
  execFileSync('llvm-strip', ['-g', out], TOOLS);
}

export const compileBigEndianBpf = (source: string, out: string): void => compileBpf(source, out, 'bpfeb');

/** Compiles a program that tests run. */
export function compileProgram(source: string, out: string): void {
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', out, source], { stdio: 'pipe', ...TOOLS });
}

/** Runs the TypeScript compiler. */
export function tsc(args: string[], cwd?: string): { status: number | null; stdout: string } {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...args], {
    encoding: 'utf8',
    ...TOOLS,
    ...(cwd !== undefined && { cwd }),
  });
  return { status, stdout };
}
