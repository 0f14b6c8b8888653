import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VfError } from '../../src/errors.js';
import { fetched } from './cache.js';

/** Folder with the programs that build images, and those that only guests run (busybox, teamd). */
export const tools = (): Promise<string> =>
  fetched(
    'tools',
    'bookworm',
    'busybox-static',
    'squashfs-tools+deps',
    'kmod+deps',
    'cpio+deps',
    'libteam-utils+deps',
  );

/** Folder with QEMU, its libraries, firmware and option ROMs. */
export const qemuFolder = (): Promise<string> =>
  fetched('qemu', 'bookworm-backports', 'qemu-system-x86+deps');

/** Where the libraries stand in such a folder; for LD_LIBRARY_PATH. */
export const librariesOf = (folder: string): string =>
  ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((d) => join(folder, d)).join(':');

/** Runs one of the tools with its own libraries. */
export async function runTool(name: string, ...args: string[]): Promise<void> {
  const LD_LIBRARY_PATH = librariesOf(await tools());
  await promisify(execFile)(await tool(name), args, { env: { ...process.env, LD_LIBRARY_PATH } });
}

/** Path of a program of the tools. */
export async function tool(name: string): Promise<string> {
  const folder = await tools();
  const found = ['bin', 'sbin', 'usr/bin', 'usr/sbin'].map((d) => join(folder, d, name)).find(existsSync);
  if (!found)
    throw new VfError('VM_UNAVAILABLE', `the fetched packages hold no ${name}`, {
      fix: `remove ${folder}: it is fetched again`,
    });
  return found;
}
