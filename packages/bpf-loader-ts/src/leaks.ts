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

/**
 * What is open in this thread, as text for a log: how many of each kind, then each with where it was opened. Empty when nothing is open.
 */
export function reportLeaks(): string {
  const handles = openHandles();
  const kinds = new Map<string, number>();
  for (const { what } of handles) {
    const kind = what.split(' ')[0]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const counts = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ');
  // The first line of a stack is the description itself.
  const places = handles.map(({ what, openedAt }) => `${what}\n${openedAt.split('\n').slice(1).join('\n')}`);
  return handles.length === 0 ? '' : `${handles.length} open: ${counts}\n${places.join('\n')}\n`;
}
