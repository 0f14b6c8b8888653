/** What is open in this thread: a description and the place where it was opened. Holds none of the objects themselves. */
const open = new Map<symbol, { what: string; at: Error }>();

/** Notes that something was opened; the returned function notes that it was closed. */
export function track(what: string): () => void {
  const key = Symbol(what);
  // The stack is put into words only when somebody asks: here it costs about a microsecond.
  open.set(key, { what, at: new Error(what) });
  return () => void open.delete(key);
}

/** What is open in this thread, each with the stack of where it was opened: for leak reports. Oldest first. */
export const openHandles = (): { what: string; openedAt: string }[] =>
  [...open.values()].map(({ what, at }) => ({ what, openedAt: at.stack ?? '' }));
