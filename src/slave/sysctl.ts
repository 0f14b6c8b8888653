import { readFileSync, writeFileSync } from 'node:fs';
import { VfUndoKind } from '../../bpf/vfailover.bpf.js';
import type { SlaveContext } from './takeover.js';

const { VF_UNDO_SYSCTL } = VfUndoKind;
const idOf = (name: string): Uint8Array => Buffer.from(name);
const pathOf = (device: string, name: string): string => `/proc/sys/net/ipv6/conf/${device}/${name}`;

/** `absent`: the device has no such setting. `refused`: /proc/sys cannot be written here. */
export type SysctlOutcome = 'set' | 'absent' | 'refused';

/** Gives an IPv6 setting of the slave a value, and keeps what it was. */
export function setSysctl(c: SlaveContext, name: string, value: string): SysctlOutcome {
  const path = pathOf(c.slave.name, name);
  try {
    // /proc/sys/net shows the namespace of the thread that looks.
    c.enter(() => {
      const before = readFileSync(path, 'latin1').trim();
      if (before === value) return;
      c.undo.put(VF_UNDO_SYSCTL, idOf(name), Buffer.from(before));
      writeFileSync(path, value);
    });
    return 'set';
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'absent';
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return 'refused';
    throw e;
  }
}

/** Puts a setting back as it was before `setSysctl`, if that changed it. `gone`: there is no device any more. */
export function restoreSysctl(c: SlaveContext, name: string, gone: boolean): void {
  const entry = c.undo.get(VF_UNDO_SYSCTL, idOf(name));
  if (entry === undefined) return;
  c.undo.delete(VF_UNDO_SYSCTL, idOf(name));
  if (gone) return;
  try {
    c.enter(() => writeFileSync(pathOf(c.slave.name, name), Buffer.from(entry.before).toString('latin1')));
  } catch (e) {
    // An MTU below IPv6's minimum has taken the settings away.
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
  }
}
