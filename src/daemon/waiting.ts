import { existsSync } from 'node:fs';
import type { InstanceConfig } from '../config/index.js';
import { VfError } from '../errors.js';
import type { Source } from './kept.js';
import { netnsPath } from './namespace.js';

/** How often it is tried to attach what could not be attached, ms. Events of devices bring it forward. */
export const RETRY_MS = 5_000;

/** An instance that is configured and cannot be attached at present. */
export interface Waiting {
  readonly config: InstanceConfig;
  readonly source: Source;
  /** Why. */
  readonly error: VfError;
}

/** True if the device, or its namespace, simply is not there yet; all other errors are refusals. */
export const isAbsence = ({ code, field, value }: VfError): boolean =>
  code === 'DEVICE_NOT_FOUND' ||
  (code === 'NETNS_NOT_FOUND' &&
    field === 'netns' &&
    typeof value === 'string' &&
    !existsSync(netnsPath(value)));

/** Anything thrown, as an error of ours. */
export const asError = (e: unknown): VfError =>
  e instanceof VfError
    ? e
    : new VfError('INTERNAL', e instanceof Error ? e.message : String(e), {
        cause: e,
        fix: 'please report it, with the log',
      });
