// node damaged-files.mjs BINDING OBJECT: hands damaged copies of OBJECT to libbpf without the checks of elf.ts, and says how many it survived.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [binding, object] = process.argv.slice(2);
const { native } = await import(pathToFileURL(binding).href);
const whole = readFileSync(object);
let state = 1;
/** Not good, but the same each time (Lehmer). */
const random = () => (state = (state * 48271) % 0x7fffffff);

for (let i = 0; i < 5000; i++) {
  const bytes = Uint8Array.from(whole);
  for (let k = 0; k < 8; k++) bytes[64 + (random() % (bytes.length - 64))] = random() & 255;
  try {
    native.objectOpen(bytes, 'damaged', 0);
  } catch {
    // refused, as it should be
  }
}
console.log('survived');
