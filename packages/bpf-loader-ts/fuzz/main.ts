import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseSpec } from 'bpf-loader-ts';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { btf, elf, madeUp } from './targets.js';

/**
 * Feeds damaged objects, damaged type information and made-up types to the parser, the generator, the codecs and the kernel. Each round is
 * known by a number, from which it can be done again. Rounds run in a child process; when that dies, hangs or throws anything but a
 * BpfError, the round is reported and its input kept.
 */
const { values, positionals: objects } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    /** Rounds between two loads into the kernel; 0: never. */
    load: { type: 'string', default: '8' },
    /** A folder for inputs that did harm. */
    keep: { type: 'string' },
    child: { type: 'string' },
  },
});
const HANG_MS = 20_000;
const seed = Number(values.seed);
const every = Number(values.load);

function round(n: number): string {
  const random = new Random(Math.imul(n, 2654435761) ^ n);
  const object = readCached(objects[n % objects.length]!);
  switch (random.below(4)) {
    case 0:
      return `btf ${btf(rawBtf(object), random)}`;
    case 1:
      return `made-up ${madeUp(random)}`;
    default:
      return `elf ${elf(object, random, every > 0 && n % every === 0)}`;
  }
}

const files = new Map<string, Uint8Array>();
function readCached(path: string): Uint8Array {
  const bytes = files.get(path) ?? new Uint8Array(readFileSync(path));
  files.set(path, bytes);
  return bytes;
}

/** The .BTF section, by the section headers. */
function rawBtf(object: Uint8Array): Uint8Array {
  const v = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const table = Number(v.getBigUint64(40, true));
  for (let i = 1; i < v.getUint16(60, true); i++) {
    const at = Number(v.getBigUint64(table + 64 * i + 24, true));
    if (v.getUint32(table + 64 * i + 4, true) === 1 && v.getUint16(at, true) === 0xeb9f)
      return object.subarray(at, at + Number(v.getBigUint64(table + 64 * i + 32, true)));
  }
  throw new Error('an object without BTF');
}

/** Runs rounds from `first` on until the time is over; notes each before it begins. */
function child(first: number, notes: string, until: number): void {
  const fd = openSync(notes, 'w');
  const seen: Record<string, number> = {};
  let n = first;
  for (; Date.now() < until; n++) {
    writeSync(fd, String(n).padStart(12), 0);
    const what = round(n);
    seen[what] = (seen[what] ?? 0) + 1;
  }
  closeSync(fd);
  process.stdout.write(JSON.stringify({ rounds: n - first, seen }));
}

interface Run {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  hung: boolean;
}

function runChild(first: number, notes: string, until: number): Promise<Run> {
  const args = [
    fileURLToPath(import.meta.url),
    '--child',
    `${first},${until},${notes}`,
    '--load',
    String(every),
    ...objects,
  ];
  const process_ = spawn(process.execPath, [...process.execArgv, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run: Run = { code: null, signal: null, stdout: '', stderr: '', hung: false };
  process_.stdout.on('data', (d) => {
    run.stdout += d;
  });
  process_.stderr.on('data', (d) => {
    run.stderr += d;
  });
  let last = '';
  const watch = setInterval(() => {
    const now = noted(notes);
    if (now === last) {
      run.hung = true;
      process_.kill('SIGKILL');
    }
    last = now;
  }, HANG_MS);
  return new Promise((resolve) =>
    process_.on('close', (code, signal) => {
      clearInterval(watch);
      resolve({ ...run, code, signal });
    }),
  );
}

const noted = (notes: string): string => {
  try {
    return readFileSync(notes, 'utf8').trim();
  } catch {
    return '';
  }
};

async function parent(): Promise<number> {
  for (const o of objects) parseSpec(o);
  const folder = mkdtempSync(join(tmpdir(), 'bpf-loader-ts-fuzz-'));
  const notes = join(folder, 'round');
  const until = Date.now() + 1000 * Number(values.seconds);
  const seen: Record<string, number> = {};
  let rounds = 0;
  let harm = 0;
  try {
    for (let first = seed; Date.now() < until; ) {
      const run = await runChild(first, notes, until);
      if (run.code === 0) {
        const done = JSON.parse(run.stdout) as { rounds: number; seen: Record<string, number> };
        rounds += done.rounds;
        for (const [k, v] of Object.entries(done.seen)) seen[k] = (seen[k] ?? 0) + v;
        break;
      }
      const n = Number(noted(notes));
      harm++;
      const how = run.hung ? 'hung' : run.signal ? `died of ${run.signal}` : 'threw';
      process.stderr.write(
        `round ${n} (${objects[n % objects.length]}) ${how}\n${run.stderr.slice(0, 4000)}\n`,
      );
      keep(n);
      rounds += n - first + 1;
      first = n + 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(
    `${JSON.stringify({ rounds, harm, seen: Object.fromEntries(Object.entries(seen).sort()) })}\n`,
  );
  return harm > 0 ? 1 : 0;
}

/** The input of a round that did harm, for the corpus. */
function keep(n: number): void {
  if (values.keep === undefined) return;
  const random = new Random(Math.imul(n, 2654435761) ^ n);
  if (random.below(4) < 2) return;
  writeFileSync(
    join(values.keep, `round-${n}.bpf.o`),
    mutate(readCached(objects[n % objects.length]!), random),
  );
}

if (objects.length === 0) {
  process.stderr.write('usage: fuzz [--seconds N] [--seed N] [--load N] [--keep FOLDER] OBJECT.bpf.o...\n');
  process.exitCode = 2;
} else if (values.child !== undefined) {
  const [first, until, notes] = values.child.split(',');
  child(Number(first), notes!, Number(until));
} else process.exitCode = await parent();
