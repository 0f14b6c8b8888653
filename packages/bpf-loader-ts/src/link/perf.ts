import { existsSync, readFileSync } from 'node:fs';
import { native } from '../binding.js';
import { AttachType } from '../constants.js';
import { BpfError } from '../errors.js';
import { haveKprobe, haveLink, haveTracepoints, haveUprobe } from '../probe/attach.js';
import { orUnsupported, type Probe } from '../probe/probe.js';
import type { ProgramTypeName } from '../probe/types.js';
import type { Program } from '../program/program.js';
import { closeFd } from '../sys/fd.js';
import { wrap } from '../wrap.js';
import { type CookieOptions, cookieOf } from './cookie.js';
import { Link } from './link.js';

/** Options of a kprobe. */
export interface ProbeOptions extends CookieOptions {
  /** Bytes from the beginning of the symbol (kprobe). */
  offset?: number;
  /** When the function returns, instead of when it is entered. */
  retprobe?: boolean;
}

/** Options of a uprobe. */
export interface UprobeOptions extends Omit<ProbeOptions, 'offset'> {
  /** Only this process; every process by default. */
  pid?: number;
  /** Bytes from the beginning of the file to a counter that is raised while somebody watches (SDT's semaphore; Linux 4.20). */
  refCtrOffset?: number;
}

const PERF_TYPE_TRACEPOINT = 2;
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

interface PerfEventOptions {
  type: number;
  config: bigint;
  name: string | null;
  offset: bigint;
  pid: number;
}

/** The link holds the event: its own descriptor is not needed when the link is made. */
function attach(
  program: Program,
  to: string,
  takes: readonly ProgramTypeName[],
  event: PerfEventOptions,
  cookie: bigint,
): Link {
  const { type, config, name, offset, pid } = event;
  const perf: number = wrap('BPF_ATTACH', `attach ${program.info.name} to ${to}`, () =>
    native.perfOpen(type, config, name, offset, pid),
  );
  try {
    return Link.attach({ program, to, takes, have: () => haveLink('perf_event') }, () =>
      native.linkCreatePerf(program.fd, perf, AttachType.perf_event, cookie),
    );
  } finally {
    closeFd(perf);
  }
}

/** tracefs where it is mounted, else by a mount that nobody else sees. */
function readTracefs(path: string): string | undefined {
  const mounted = TRACEFS.find((folder) => existsSync(`${folder}/events`));
  if (mounted === undefined) return native.tracefsRead(path);
  return existsSync(`${mounted}/${path}`) ? readFileSync(`${mounted}/${path}`, 'utf8') : undefined;
}

function tracepointId(doing: string, category: string, name: string): bigint {
  if (!/^\w[\w-]*$/.test(category) || !/^\w[\w-]*$/.test(name))
    throw new BpfError(
      'BPF_ARGUMENT',
      `${doing}: a tracepoint is named by two words, sched and sched_switch`,
    );
  let text: string | undefined;
  try {
    text = wrap('BPF_ATTACH', doing, () => readTracefs(`events/${category}/${name}/id`));
  } catch (e) {
    if (e instanceof BpfError && e.errno === 'ENODEV')
      throw new BpfError('BPF_UNSUPPORTED', `${doing}: ${haveTracepoints().detail}`, {
        errno: 'ENODEV',
        cause: e,
      });
    throw new BpfError(
      e instanceof BpfError ? e.code : 'BPF_ATTACH',
      `${doing}: ${(e as Error).message}; run \`mount -t tracefs tracefs ${TRACEFS[0]}\` as root`,
      { cause: e },
    );
  }
  if (text === undefined)
    throw new BpfError('BPF_ATTACH', `${doing}: the kernel has no such tracepoint`, { errno: 'ENOENT' });
  return BigInt(text.trim());
}

/**
 * Attaches to a tracepoint (`sched`, `sched_switch`), with the arguments that its `format` in tracefs describes (Linux 5.15). tracefs need
 * not be mounted for a process with CAP_SYS_ADMIN. ENOENT: there is no such tracepoint.
 */
export function attachTracepoint(
  program: Program,
  category: string,
  name: string,
  options: CookieOptions = {},
): Link {
  const cookie = cookieOf(options);
  const to = `tracepoint ${category}/${name}`;
  const config = tracepointId(`attach ${program.info.name} to ${to}`, category, name);
  return attach(
    program,
    to,
    ['tracepoint'],
    { type: PERF_TYPE_TRACEPOINT, config, name: null, offset: 0n, pid: -1 },
    cookie,
  );
}

const wholeNumber = (name: string, value: number, max: number): void => {
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw new BpfError('BPF_ARGUMENT', `${name} is ${value}, not a whole number from 0 to ${max}`);
};

/** The number that the kernel gave this kind of event, which differs from machine to machine, and the bit that means "at the return". */
function eventSource(
  kind: 'kprobe' | 'uprobe',
  doing: string,
  have: () => Probe,
): { type: number; retprobe: bigint } {
  const folder = `/sys/bus/event_source/devices/${kind}`;
  const { answer, detail } = have();
  if (answer !== 'supported')
    throw new BpfError(answer === 'unsupported' ? 'BPF_UNSUPPORTED' : 'BPF_ATTACH', `${doing}: ${detail}`);
  const bit = readFileSync(`${folder}/format/retprobe`, 'utf8').match(/^config:(\d+)/)?.[1];
  return { type: Number(readFileSync(`${folder}/type`, 'utf8')), retprobe: 1n << BigInt(bit ?? 0) };
}

/** Attaches to a function of the kernel's, or to an instruction in it (Linux 5.15). ENOENT: there is no such symbol. */
export function attachKprobe(program: Program, symbol: string, options: ProbeOptions = {}): Link {
  const { offset = 0, retprobe = false } = options;
  const cookie = cookieOf(options);
  wholeNumber('offset', offset, 0xffffffff);
  const to = `${retprobe ? 'kretprobe' : 'kprobe'} ${symbol}${offset ? `+${offset}` : ''}`;
  const source = eventSource('kprobe', `attach ${program.info.name} to ${to}`, haveKprobe);
  const config = retprobe ? source.retprobe : 0n;
  return attach(
    program,
    to,
    ['kprobe'],
    { type: source.type, config, name: symbol, offset: BigInt(offset), pid: -1 },
    cookie,
  );
}

/**
 * Attaches to an instruction of a program or library, `offset` bytes from the beginning of its file (not its address in memory): every process
 * that runs it, now or later (Linux 5.15). Programs are of type kprobe.
 */
export function attachUprobe(
  program: Program,
  path: string,
  offset: number,
  options: UprobeOptions = {},
): Link {
  const { retprobe = false, pid = -1, refCtrOffset = 0 } = options;
  const cookie = cookieOf(options);
  wholeNumber('offset', offset, Number.MAX_SAFE_INTEGER);
  wholeNumber('refCtrOffset', refCtrOffset, 0xffffffff);
  if (options.pid !== undefined) wholeNumber('pid', pid, 0x7fffffff);
  const to = `${retprobe ? 'uretprobe' : 'uprobe'} ${path}+${offset}`;
  const doing = `attach ${program.info.name} to ${to}`;
  const source = eventSource('uprobe', doing, haveUprobe);
  const config = (retprobe ? source.retprobe : 0n) | (BigInt(refCtrOffset) << 32n);
  try {
    return attach(
      program,
      to,
      ['kprobe'],
      { type: source.type, config, name: path, offset: BigInt(offset), pid },
      cookie,
    );
  } catch (e) {
    throw orUnsupported(e, doing, haveUprobe);
  }
}
