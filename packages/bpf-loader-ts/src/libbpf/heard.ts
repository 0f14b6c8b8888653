import { native } from '../binding.js';

/** How important a message of libbpf's is. */
export type LibbpfLevel = 'warn' | 'info' | 'debug';
const LEVELS: readonly LibbpfLevel[] = ['warn', 'info', 'debug'];

export interface Listener {
  callback: (level: LibbpfLevel, text: string) => void;
  /** Index of the last level that it hears. */
  upTo: number;
}

/** Those of this thread. */
const listeners = new Set<Listener>();
const tellAddon = (): void => native.libbpfHear(Math.max(-1, ...[...listeners].map((l) => l.upTo)));

export function addListener(callback: Listener['callback'], level: LibbpfLevel): () => void {
  const listener = { callback, upTo: LEVELS.indexOf(level) };
  listeners.add(listener);
  tellAddon();
  return () => {
    if (listeners.delete(listener)) tellAddon();
  };
}

export const isLevel = (level: unknown): level is LibbpfLevel =>
  (LEVELS as readonly unknown[]).includes(level);

function tell(listener: Listener, level: number, text: string): void {
  try {
    listener.callback(LEVELS[level]!, text);
  } catch (e) {
    // It must not become the error of a load that has nothing to do with it, nor be lost.
    queueMicrotask(() => {
      throw e;
    });
  }
}

/** Hands out what libbpf said in this thread since the last time. Called after every call of the addon that can make it speak. */
export function deliver(): void {
  if (listeners.size === 0) return;
  const heard = native.libbpfHeard() as (number | string)[];
  for (let i = 0; i < heard.length; i += 2)
    for (const listener of listeners)
      if ((heard[i] as number) <= listener.upTo)
        tell(listener, heard[i] as number, (heard[i + 1] as string).trimEnd());
}
