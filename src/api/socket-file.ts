import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { VfError } from '../errors.js';
import { ApiClient } from './client.js';

/** Most bytes of a socket address, without its final zero. */
const SUN_PATH = 107;
/** Time for a daemon that holds the socket to answer a ping, ms. */
const PING_MS = 1000;

function stat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function wrong(message: string, path: string, fix: string, cause?: unknown): VfError {
  return new VfError('CONFIG_INVALID', message, { field: 'socket', value: path, fix, cause });
}

/** Returns the error for a socket, or its directory, that cannot be made. */
export function unusable(path: string, cause: unknown, what = path): VfError {
  if (cause instanceof VfError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const folder = dirname(path);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return wrong(
      `${what} cannot be created: ${code}, no space or no inode is left there`,
      path,
      `make room on the file system of ${folder} (see df -h ${folder} and df -i ${folder}), or choose another socket`,
      cause,
    );
  return wrong(`${what} cannot be created: ${message}`, path, 'run as root, or choose another socket', cause);
}

/**
 * Numeric id of a group.
 *
 * @param group a name or a gid
 * @throws VfError CONFIG_INVALID for a name that the system does not know
 */
export function groupId(group: string | number): number {
  if (typeof group === 'number') return group;
  const lookup = (entries: string): number | undefined => {
    for (const line of entries.split('\n')) {
      const [name, , gid] = line.split(':');
      if (name === group && gid !== undefined && /^\d+$/.test(gid)) return Number(gid);
    }
    return undefined;
  };
  let gid = lookup(readFileSync('/etc/group', 'utf8'));
  if (gid === undefined) {
    try {
      // Only the C library knows groups of LDAP, sssd or systemd.
      gid = lookup(
        execFileSync('getent', ['--', 'group', group], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      );
    } catch {
      gid = undefined;
    }
  }
  if (gid !== undefined) return gid;
  throw new VfError('CONFIG_INVALID', `there is no group ${group}`, {
    field: 'socket_group',
    value: group,
    fix: `create it (groupadd --system ${group}), or name another`,
  });
}

/** Makes the socket's directory (mode 0755). Returns the name to bind first: beside the socket, unused, short enough. */
export function temporaryName(path: string): string {
  const folder = dirname(path);
  const name = join(folder, `.${randomBytes(4).toString('hex')}`);
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(name)) > SUN_PATH) {
    throw wrong(`${path} is too long for a socket`, path, `use a path of at most ${SUN_PATH - 10} bytes`);
  }
  try {
    if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o755);
  } catch (cause) {
    throw unusable(path, cause, folder);
  }
  return name;
}

/**
 * Gives a bound socket its owner, mode and public name. The name appears last, and only if no other daemon has it. `link` refuses an existing
 * name, so one of two daemons that start together wins.
 *
 * @throws VfError INSTANCE_BUSY when a daemon answers there, CONFIG_INVALID when something else than a socket is in the way
 */
export async function publishSocket(
  bound: string,
  path: string,
  group: string | number | null,
): Promise<void> {
  try {
    if (group !== null) {
      chownSync(bound, -1, groupId(group));
      chmodSync(bound, 0o660);
    }
    // Two more attempts: one after a stale socket was removed, and one for a rival that came in between.
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(bound, path);
        return;
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 3) throw cause;
      }
      await removeStale(path, `${bound}s`);
    }
  } catch (cause) {
    throw unusable(path, cause);
  } finally {
    rmSync(bound, { force: true });
  }
}

/** Removes a socket that nobody answers. */
async function removeStale(path: string, aside: string): Promise<void> {
  const found = stat(path);
  if (found === undefined) return;
  if (!found.isSocket())
    throw wrong(`${path} exists and is not a socket`, path, `remove ${path}, or choose another socket`);
  await refuseIfAlive(path);
  // A rival may have put its own socket there since the ping. So move the file away, then look what it was.
  try {
    renameSync(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  const taken = stat(aside);
  try {
    if (taken !== undefined && taken.ino !== found.ino) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

async function refuseIfAlive(path: string): Promise<void> {
  let client: ApiClient;
  try {
    client = await ApiClient.connect(path, { timeout_ms: PING_MS });
  } catch {
    return;
  }
  try {
    const { pid } = await client.request('ping', {}, { timeout_ms: PING_MS });
    throw new VfError('INSTANCE_BUSY', `the daemon with pid ${pid} answers on ${path}`, {
      field: 'socket',
      value: path,
      fix: `stop it (kill ${pid}), or give this one a socket and a pin_root of its own`,
    });
  } catch (error) {
    if (error instanceof VfError && error.code === 'INSTANCE_BUSY') throw error;
    throw new VfError('INSTANCE_BUSY', `a process listens on ${path} and does not answer`, {
      field: 'socket',
      value: path,
      fix: `find it with: ss -xlp src ${path}`,
      cause: error,
    });
  } finally {
    client.close();
  }
}
