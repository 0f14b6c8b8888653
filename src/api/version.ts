import { readFileSync } from 'node:fs';

function readVersion(): string {
  // package.json is at another distance from src/ than from dist/src/.
  for (let folder = new URL('.', import.meta.url); folder.pathname !== '/'; folder = new URL('..', folder)) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
      if (typeof found === 'object' && found !== null && 'name' in found && 'version' in found) {
        if (found.name === 'vfailover') return String(found.version);
      }
    } catch {
      // The file is not in this folder, so look in the one above.
    }
  }
  return '0.0.0';
}

/** vfailover's version, as in package.json. */
export const VERSION: string = readVersion();
