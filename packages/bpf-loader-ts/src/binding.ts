import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The addon, as this package's own files see it. Nothing outside the package reaches it. */
const path = fileURLToPath(new URL('../build/Release/bpf_loader.node', import.meta.url));

/** An error thrown by the addon: a failed system call. `log` holds the verifier's words where there are any. */
export interface NativeError extends Error {
  code: string;
  errno: number;
  syscall: string;
  log?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: each caller states the signature it relies on
export const native: any = createRequire(import.meta.url)(path);
