import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { VfError } from '../../errors.js';
import { type BfdAuthConfig, checkAuth } from './auth.js';
import type { BfdAuthSection } from './section.js';

const FILE_MAX = 64;
const NEWLINE = 10;

/**
 * Authentication of a BFD session with its key, from the configuration or the file that it names.
 * @throws VfError CONFIG_INVALID; it never repeats the key
 */
export function bfdAuth({ type, key_id, key, key_file }: BfdAuthSection): BfdAuthConfig {
  const auth = {
    type,
    keyId: key_id,
    key: key_file === undefined ? Buffer.from(key ?? '') : readKey(key_file),
  };
  checkAuth(auth);
  return auth;
}

function readKey(path: string): Uint8Array {
  const fail = (problem: string, fix: string, cause?: unknown): VfError =>
    new VfError('CONFIG_INVALID', `the key file ${path} ${problem}`, {
      field: 'detect.bfd.auth.key_file',
      value: path,
      fix,
      cause,
    });
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const { mode, size } = fstatSync(fd);
    if ((mode & 0o007) !== 0)
      throw fail('can be used by everybody', `take that from the others: chmod o= ${path}`);
    if (size > FILE_MAX)
      throw fail(`has ${size} bytes`, 'put a key of 1 to 20 bytes in it, and nothing else');
    const bytes = readFileSync(fd);
    return bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
  } catch (e) {
    if (e instanceof VfError) throw e;
    throw fail('cannot be read', 'name a file that the daemon can read', e);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
