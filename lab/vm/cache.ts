import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VfError } from '../../src/errors.js';
import { ROOT } from '../../src/paths.js';

const run = promisify(execFile);

/** What the lab fetched and built, kept outside the repository: VFAILOVER_VM_CACHE, or a folder of the user's cache. */
export const CACHE =
  process.env.VFAILOVER_VM_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vfailover', 'vm');

/** Debian's packages, unpacked: what is fetched is never installed. */
export async function fetched(name: string, suite: string, ...packages: string[]): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(join(folder, 'version'))) return folder;
  mkdirSync(CACHE, { recursive: true });
  try {
    // Two that want the same wait for each other.
    await run(
      'flock',
      [join(CACHE, `.${name}.lock`), join(ROOT, 'lab/vm/fetch.sh'), folder, suite, ...packages],
      {
        timeout: 600_000,
      },
    );
  } catch (e) {
    const { stderr } = e as { stderr?: string };
    throw new VfError(
      'VM_UNAVAILABLE',
      `${packages.join(' ')} of ${suite}: ${(stderr || String(e)).trim()}`,
      {
        field: 'package',
        value: packages[0],
        fix: `let apt reach a Debian mirror, or set VFAILOVER_VM_CACHE to a cache that has ${name}`,
        cause: e,
      },
    );
  }
  return folder;
}
