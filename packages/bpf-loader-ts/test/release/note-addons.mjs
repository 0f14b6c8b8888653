// node --import note-addons.mjs: for each addon that the process loads, appends `PID PATH` to the file $ADDONS_NOTED.
import { appendFileSync } from 'node:fs';

const { dlopen } = process;
process.dlopen = function (module, path, ...rest) {
  appendFileSync(process.env.ADDONS_NOTED, `${process.pid} ${path}\n`);
  return dlopen.call(this, module, path, ...rest);
};
// vitest ends its workers by a signal: leaks are looked for at an end of one's own.
process.once('SIGTERM', () => process.exit());
