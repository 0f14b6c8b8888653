import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's top folder, from wherever this file runs (src/ under vitest, dist/src/ when built). */
export const ROOT = ((): string => {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'bpf', 'vfailover.h'))) {
    const up = dirname(dir);
    if (up === dir) throw new Error('vfailover is installed without its bpf folder');
    dir = up;
  }
  return dir;
})();

/** A compiled BPF object by its name. */
export const bpfObject = (name: string): string => join(ROOT, 'bpf', `${name}.bpf.o`);

/** A built worker, which threads load: always the JavaScript in dist. */
export const workerFile = (name: string): string => join(ROOT, 'dist', 'workers', `${name}.js`);
