/** Drop-ins on the disk: what is there of them, and writing them. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isOurs } from './drop-ins.js';
import type { DropIn, DropInState } from './findings.js';

/**
 * What is there of each file; with `write`, those that are absent or outdated are written. A file that somebody else made or edited is
 * never touched. Doing it again changes nothing. `root`: the tree that the paths are in.
 */
export function settleDropIns(
  wanted: readonly DropIn[],
  { write, root = '/' }: { write: boolean; root?: string },
): DropInState[] {
  return wanted.map((dropIn) => {
    const file = join(root, dropIn.path);
    try {
      const found = stateOf(read(file), dropIn.content);
      if (!write || found === 'current' || found === 'kept') return { ...dropIn, state: found, reason: null };
      replace(file, dropIn.content);
      return { ...dropIn, state: found === 'absent' ? 'written' : 'updated', reason: null };
    } catch (error) {
      return { ...dropIn, state: 'failed', reason: (error as Error).message };
    }
  });
}

function stateOf(text: string | undefined, content: string): 'absent' | 'current' | 'outdated' | 'kept' {
  if (text === undefined) return 'absent';
  if (text === content) return 'current';
  return isOurs(text) ? 'outdated' : 'kept';
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** In one step: a manager that reads meanwhile sees the old file or the new one. */
function replace(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  // An ending that no manager reads.
  const work = `${file}.vfailover-new`;
  try {
    writeFileSync(work, content, { mode: 0o644 });
    renameSync(work, file);
  } catch (error) {
    rmSync(work, { force: true });
    throw error;
  }
}
