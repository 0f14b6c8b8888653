import type { Subscription } from '../api/client.js';
import type { ApiEvent } from '../api/types.js';

/** Hands each event of a stream on until the daemon ends it (throws API_UNREACHABLE) or `stop` is aborted (returns). */
export async function follow(
  stream: Subscription,
  stop: AbortSignal,
  onEvent: (event: ApiEvent) => void,
): Promise<void> {
  const end = (): void => stream.close();
  if (stop.aborted) return end();
  stop.addEventListener('abort', end, { once: true });
  try {
    for await (const event of stream) {
      if (stop.aborted) return;
      onEvent(event);
    }
  } finally {
    stop.removeEventListener('abort', end);
  }
}
