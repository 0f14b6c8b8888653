import { BpfError } from '../errors.js';

/** Options of attachments that take a cookie. */
export interface CookieOptions {
  /** What bpf_get_attach_cookie() returns in the program; 0 (default) for none. */
  cookie?: number | bigint;
}

export function cookieOf({ cookie = 0 }: CookieOptions): bigint {
  const whole = typeof cookie === 'bigint' || Number.isSafeInteger(cookie);
  if (whole && cookie >= 0 && cookie < 2n ** 64n) return BigInt(cookie);
  throw new BpfError('BPF_ARGUMENT', `cookie is ${String(cookie)}, not a whole number of 64 bits`);
}
