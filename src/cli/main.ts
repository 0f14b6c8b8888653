#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { main } from './program.js';

export { main } from './program.js';

function isEntry(): boolean {
  const script = process.argv[1];
  try {
    // npm installs the command as a symbolic link.
    return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
  } catch {
    return false;
  }
}

if (isEntry()) {
  process.stderr.on('error', () => {});
  const status = await main(process.argv.slice(2), process);
  // A pipe is written asynchronously: what is printed must be out before the process ends.
  const flush = (stream: NodeJS.WriteStream): Promise<void> =>
    new Promise((resolve) => (stream.writable ? stream.write('', () => resolve()) : resolve()));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  process.exit(status);
}
