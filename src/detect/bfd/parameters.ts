import { VfError } from '../../errors.js';
import type { BfdAuthConfig } from './auth.js';

/** What a session is told. Intervals are microseconds. */
export interface BfdParameters {
  /** How often we want to send while up: 1,000 to 60,000,000. */
  desiredMinTxUs: number;
  /** How often we can receive: 1,000 to 60,000,000. */
  requiredMinRxUs: number;
  /** Packets that may be missing before the peer gives us up: 1 to 255. */
  detectMult: number;
  /** Least interval at which we send the peer's echo packets back: 1,000 to 60,000,000; 0 (default): not at all. */
  requiredMinEchoRxUs?: number;
}

export const INTERVAL_MIN_US = 1000;
export const INTERVAL_MAX_US = 60_000_000;

/** A session's parameters together with how it authenticates. */
export interface BfdSessionConfig extends BfdParameters {
  /** Ours: 1 to 2³² - 1, unique in this system. */
  discriminator: number;
  auth?: BfdAuthConfig | undefined;
}

/** Throws VfError CONFIG_INVALID with the field and the range for the first value that is out of it. */
export function checkParameters(p: BfdParameters): void {
  interval('tx_interval_us', p.desiredMinTxUs);
  interval('rx_interval_us', p.requiredMinRxUs);
  integer('multiplier', p.detectMult, 1, 255);
  if ((p.requiredMinEchoRxUs ?? 0) !== 0) interval('echo_rx_interval_us', p.requiredMinEchoRxUs!);
}

/** As checkParameters, for a whole session. */
export function checkSession(c: BfdSessionConfig): void {
  checkParameters(c);
  integer('discriminator', c.discriminator, 1, 0xffffffff);
}

function interval(key: string, value: number): void {
  integer(key, value, INTERVAL_MIN_US, INTERVAL_MAX_US, ' µs');
}

function integer(key: string, value: number, min: number, max: number, unit = ''): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const field = `detect.bfd.${key}`;
  throw new VfError('CONFIG_INVALID', `${field} is not an integer from ${min} to ${max}${unit}`, {
    field,
    value,
    fix: `set it to an integer from ${min} to ${max}${unit}`,
  });
}
