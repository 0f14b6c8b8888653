import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BpfError } from './errors.js';

/** One folder for each platform, as `process.platform` and `process.arch` name it. */
const PREBUILDS = fileURLToPath(new URL('../prebuilds/', import.meta.url));
/** Debian 12's, where it is built. */
const GLIBC = '2.34';

function load(): unknown {
  const platform = `${process.platform}-${process.arch}`;
  const path = `${PREBUILDS}${platform}/bpf_loader.node`;
  try {
    return createRequire(import.meta.url)(path);
  } catch (e) {
    throw new BpfError('BPF_ADDON', whyNot(platform, path, e as Error & { code?: string }), { cause: e });
  }
}

function whyNot(platform: string, path: string, error: Error & { code?: string }): string {
  if (error.code === 'MODULE_NOT_FOUND')
    return `there is no addon for ${platform} (only for: ${present().join(', ') || 'none'}): ${path} is missing; \`make prebuild\` in the repository builds it on Linux`;
  // A report takes milliseconds: only when something is wrong.
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const glibc = header.glibcVersionRuntime ?? 'none: musl is not supported';
  return `${path} cannot be loaded: ${error.message}; it needs glibc ${GLIBC} or later (here: ${glibc}), or build it anew with \`make prebuild\` in the repository`;
}

function present(): string[] {
  try {
    return readdirSync(PREBUILDS);
  } catch {
    return [];
  }
}

/** The addon, as this package's own files see it. Nothing outside the package reaches it. */
// biome-ignore lint/suspicious/noExplicitAny: each caller states the signature it relies on
export const native: any = load();
