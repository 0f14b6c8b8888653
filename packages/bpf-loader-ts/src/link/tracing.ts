import { native } from '../binding.js';
import { AttachType } from '../constants.js';
import { BpfError } from '../errors.js';
import { haveFentry, haveLink, haveRawTracepointCookie } from '../probe/attach.js';
import type { Program } from '../program/program.js';
import { type CookieOptions, cookieOf } from './cookie.js';
import { Link } from './link.js';

/** Some kernels refuse what they do not know in words of their own, others do without it and say nothing. */
function refuseCookie(program: Program, to: string): void {
  const { answer, detail } = haveRawTracepointCookie();
  if (answer === 'unsupported')
    throw new BpfError('BPF_UNSUPPORTED', `attach ${program.info.name} to ${to}: ${detail}`);
}

/**
 * Attaches a program that was loaded for its place: fentry, fexit, fmod_ret, tp_btf (Linux 5.5), freplace (5.6), lsm (5.7). The place is that of
 * the section's name, or `attachTargets` of load(). A cookie takes Linux 5.19 (tp_btf: 6.10), and a program that came from a BpfObject.
 * A second link of the program is EBUSY.
 */
export function attachTracing(program: Program, options: CookieOptions = {}): Link {
  const cookie = cookieOf(options);
  const { expectedAttachType } = program;
  if (cookie !== 0n && expectedAttachType === undefined)
    throw new BpfError(
      'BPF_ARGUMENT',
      `cookie of ${program.info.name}: what it was loaded for is not known; take the program from its BpfObject`,
    );
  if (cookie !== 0n && expectedAttachType === AttachType.trace_raw_tp) refuseCookie(program, 'its target');
  return Link.attach({ program, to: 'its target', takes: ['tracing', 'lsm', 'ext'], have: haveFentry }, () =>
    cookie === 0n
      ? native.rawTracepointOpen(program.fd, null, 0n)
      : native.linkCreateTracing(program.fd, 0, expectedAttachType, 0, cookie),
  );
}

/**
 * Attaches to a tracepoint of the kernel's by its name alone, with the tracepoint's own arguments (Linux 4.17). ENOENT: there is no such
 * tracepoint. A cookie takes Linux 6.10.
 */
export function attachRawTracepoint(program: Program, name: string, options: CookieOptions = {}): Link {
  const cookie = cookieOf(options);
  const to = `raw tracepoint ${name}`;
  if (cookie !== 0n) refuseCookie(program, to);
  return Link.attach(
    {
      program,
      to,
      takes: ['raw_tracepoint', 'raw_tracepoint_writable'],
      have: () => haveLink('raw_tracepoint'),
    },
    () => native.rawTracepointOpen(program.fd, name, cookie),
  );
}
