import '../sys/dispose.js';
import { BpfError } from '../errors.js';
import { addListener, isLevel, type LibbpfLevel } from './heard.js';

/** What onLibbpfMessage() may be told. */
export interface LibbpfMessageOptions {
  /** The least important that is wanted; `info` by default. `debug` has a line for every relocation. */
  level?: LibbpfLevel;
}

/**
 * Calls back with what libbpf says in this thread, right after the call that made it speak, whether that succeeds or throws; what other
 * threads load is theirs. libbpf never prints: without a callback its words are the `log` of an error, or lost. What the callback
 * throws is an uncaughtException. Disposing ends it. Throws BPF_ARGUMENT.
 */
export function onLibbpfMessage(
  callback: (level: LibbpfLevel, text: string) => void,
  options: LibbpfMessageOptions = {},
): Disposable {
  const { level = 'info' } = options;
  if (typeof callback !== 'function')
    throw new BpfError('BPF_ARGUMENT', `callback is ${typeof callback}, not a function`);
  if (!isLevel(level))
    throw new BpfError('BPF_ARGUMENT', `level is ${String(level)}, not one of warn, info, debug`);
  return { [Symbol.dispose]: addListener(callback, level) };
}
