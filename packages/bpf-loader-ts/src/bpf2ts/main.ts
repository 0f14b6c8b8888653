#!/usr/bin/env node
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BpfError } from '../errors.js';
import { parseSpec } from '../object/parse.js';
import { generate } from './generate.js';

const USAGE = `usage: bpf2ts OBJECT.bpf.o [-o FILE.ts] [--type NAME]... [--omit NAME]... [--name NAME] [--from MODULE] [--check]

Writes the TypeScript module of a compiled BPF object: types of its maps and variables, and the object itself.

  -o, --output FILE  where to (default: OBJECT.bpf.ts, beside the object; - for standard output)
  --type NAME        a structure, union or enumeration that no map or variable has: the record of a ring buffer
  --omit NAME        a map or variable to leave without a type
  --name NAME        the object's name (default: from the file's)
  --from MODULE      what the module imports the loader from (default: bpf-loader-ts)
  --check            write nothing; exit with 1 if the file is not what would be written
`;

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      type: { type: 'string', multiple: true, default: [] },
      omit: { type: 'string', multiple: true, default: [] },
      name: { type: 'string' },
      from: { type: 'string' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const [object] = positionals;
  if (object === undefined || positionals.length > 1) throw new TypeError('give one object file');
  return { ...values, object, output: values.output ?? `${object.replace(/\.o$/, '')}.ts` };
}

function existing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** 0 done, 1 failed, 2 usage. */
function main(): number {
  let o: ReturnType<typeof options>;
  try {
    o = options();
  } catch (e) {
    process.stderr.write(`bpf2ts: ${(e as Error).message}\n\n${USAGE}`);
    return 2;
  }
  try {
    const spec = parseSpec(o.object, o.name === undefined ? {} : { name: o.name });
    const from = o.from === undefined ? {} : { from: o.from };
    const text = generate(spec, { types: o.type, omit: o.omit, ...from });
    if (o.check) {
      if (existing(o.output) === text) return 0;
      process.stderr.write(`bpf2ts: ${o.output} is not what ${o.object} gives: run bpf2ts again\n`);
      return 1;
    }
    if (o.output === '-') process.stdout.write(text);
    else writeFileSync(o.output, text);
    return 0;
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    process.stderr.write(`bpf2ts: ${o.object}: ${e.message} (${e.code})\n`);
    return 1;
  }
}

process.exitCode = main();
