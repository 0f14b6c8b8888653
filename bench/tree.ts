import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What benchmarks write themselves: it does not make a tree another one. */
const WRITTEN = [':(exclude)bench/results', ':(exclude)docs/peers.md'];

function git(root: string, ...args: string[]): string | null {
  try {
    return execFileSync('git', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: root,
      maxBuffer: 1 << 28,
    });
  } catch {
    return null;
  }
}

/** Returns the commit, and a hash of what differs from it if anything does: `a1b2c3d4e5f6` or `a1b2c3d4e5f6+0f1e2d3c`. null: not a git tree. */
export function treeState(root: string): string | null {
  const commit = git(root, 'rev-parse', '--short=12', 'HEAD')?.trim();
  if (commit === undefined) return null;
  const changed = git(root, 'diff', '--binary', 'HEAD', '--', '.', ...WRITTEN) ?? '';
  const list = git(root, 'ls-files', '-z', '--others', '--exclude-standard', '--', '.', ...WRITTEN) ?? '';
  const added = list.split('\0').filter((name) => name !== '');
  if (changed === '' && added.length === 0) return commit;
  const hash = createHash('sha256').update(changed);
  for (const name of added) {
    const file = join(root, name);
    hash.update(`\0${name}\0`);
    if (existsSync(file) && statSync(file).isFile()) hash.update(readFileSync(file));
  }
  return `${commit}+${hash.digest('hex').slice(0, 8)}`;
}
